/**
 * Differences of JSON on random data: they turn one value into the other by a reference implementation of RFC 6902 and on
 * a Yjs document, and leave alone what others write elsewhere. FC_SEED=… repeats a run.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as Y from "yjs";
import { diffJson, diffRoots } from "../../shared/json-diff.ts";
import { isJsonObject } from "../../shared/json.ts";
import type { Json, JsonObject } from "../../shared/json.ts";
import { DATA_ROOT } from "../../shared/path.ts";
import { readData, readMarked, readRoots } from "../../shared/read-data.ts";
import { applyJsonOps } from "../../server/state/json/json-changes.ts";
import { writeInitialData } from "../../server/state/json/json-data.ts";
import { editedString, leastEdits } from "../../server/state/json/text-edit.ts";
import { patched } from "../support/json-patch.ts";
import { asRead } from "../support/json-model.ts";
import { data as anyData, opPlan, opsFrom, words } from "../support/random-json-ops.ts";

const seed = Number(process.env["FC_SEED"] ?? 20_261_122);
const runs = (numRuns: number): fc.Parameters<unknown> => ({ seed, numRuns });

function docWith(data: JsonObject, clientID = 1): Y.Doc {
  const doc = new Y.Doc();
  doc.clientID = clientID;
  writeInitialData(doc, data);
  return doc;
}

function replicaOf(doc: Y.Doc, clientID: number): Y.Doc {
  const replica = new Y.Doc();
  Y.applyUpdate(replica, Y.encodeStateAsUpdate(doc));
  replica.clientID = clientID;
  return replica;
}

/** Two states of the same data: as two writers would leave it, or with nothing in common. */
const twoStates: fc.Arbitrary<[JsonObject, JsonObject]> = fc.oneof(
  { weight: 1, arbitrary: fc.tuple(anyData, anyData) },
  {
    weight: 4,
    arbitrary: fc.tuple(anyData, fc.array(opPlan, { minLength: 1, maxLength: 6 })).map(([data, plans]) => {
      const doc = docWith(data);
      for (const op of opsFrom(plans, data)) {
        try {
          applyJsonOps(doc, [op], null);
        } catch {
          // what is refused changes nothing
        }
      }
      const after = readMarked(doc, "");
      return [data, isJsonObject(after) ? after : {}] satisfies [JsonObject, JsonObject];
    }),
  },
);

const list = fc.array(fc.oneof(fc.nat(3), fc.record({ id: fc.nat(5), x: fc.nat(2), y: fc.constant("y") })), {
  maxLength: 12,
});

describe("a diff", () => {
  test("[JDIFF-1] applied to the one gives the other: by RFC 6902, and on a document", () => {
    fc.assert(
      fc.property(twoStates, ([before, after]) => {
        const ops = diffJson(before, after);
        expect(patched(before, ops)).toEqual(after);
        const doc = docWith(before);
        applyJsonOps(doc, ops, null, { isPlanned: true });
        expect(readData(doc, "")).toEqual(asRead(after));
        expect(readData(replicaOf(doc, 2), "")).toEqual(asRead(after));
      }),
      runs(2000),
    );
  });

  test("[JDIFF-1] lists: as above, with many equal and similar elements", () => {
    fc.assert(
      fc.property(list, list, (before, after) => {
        const ops = diffJson(before, after);
        expect(patched(before, ops)).toEqual(after);
        const doc = docWith({ l: before });
        applyJsonOps(doc, diffJson(before, after, "/l"), null, { isPlanned: true });
        expect(readData(doc, "/l")).toEqual(after);
      }),
      runs(2000),
    );
  });

  test("[JDIFF-2] is empty for equal values, whatever the order of their members", () => {
    const reversed = (value: Json): Json => {
      if (Array.isArray(value)) return value.map(reversed);
      if (typeof value !== "object" || value === null) return value;
      return Object.fromEntries(
        Object.entries(value)
          .map(([key, it]) => [key, reversed(it)] as const)
          .reverse(),
      );
    };
    fc.assert(
      fc.property(anyData, (data) => {
        expect(diffJson(data, reversed(data))).toEqual([]);
      }),
      runs(500),
    );
  });

  test("[JDIFF-2] names no more list elements than a longest common subsequence leaves", () => {
    const numbers = fc.array(fc.nat(3), { maxLength: 10 });
    fc.assert(
      fc.property(numbers, numbers, (before, after) => {
        const common = lcsLength(before, after);
        expect(diffJson(before, after).length).toBeLessThanOrEqual(before.length + after.length - 2 * common);
      }),
      runs(1000),
    );
  });
});

describe("going back by a diff", () => {
  test("[JDIFF-3] what was written into a document is there again, texts as texts", () => {
    fc.assert(
      fc.property(twoStates, ([data, other]) => {
        const doc = docWith(data);
        const [old, roots] = [readMarked(doc, ""), readRoots(doc)];
        expect(old).toEqual(JSON.parse(JSON.stringify(data)));
        expect(roots).toEqual({ data: old, roots: {} });
        applyJsonOps(doc, [{ op: "replace", path: "", value: other }], null, { isPlanned: true });
        applyJsonOps(doc, diffRoots(readRoots(doc), roots), null, { isPlanned: true });
        expect(readData(doc, "")).toEqual(asRead(data));
        // a string written over a text leaves a text
        expect(textsIn(readMarked(doc, ""))).toEqual(expect.arrayContaining(textsIn(old)));
      }),
      runs(1000),
    );
  });

  test("[JDIFF-2] what others write in the parts that did not change survives", () => {
    fc.assert(
      fc.property(twoStates, fc.nat(), words, ([before, after], id, typed) => {
        const server = docWith({ changed: before, list: [{ id, t: { $text: "theirs" } }, 2, 3], kept: { a: 1 } });
        const old = readMarked(server, "");
        applyJsonOps(server, diffJson(before, after, "/changed"), null, { isPlanned: true });
        applyJsonOps(server, [{ op: "remove", path: "/list/2" }], null);
        const other = replicaOf(server, 2);
        applyJsonOps(
          other,
          [
            { op: "append_text", path: "/list/0/t", text: typed },
            { op: "add", path: "/kept/b", value: typed },
          ],
          null,
        );
        applyJsonOps(server, diffJson(readMarked(server, ""), old), null, { isPlanned: true });
        Y.applyUpdate(server, Y.encodeStateAsUpdate(other));
        Y.applyUpdate(other, Y.encodeStateAsUpdate(server));
        expect(readData(server, "/list")).toEqual([{ id, t: `theirs${typed}` }, 2, 3]);
        expect(readData(server, "/kept")).toEqual({ a: 1, b: typed });
        expect(readData(server, "/changed")).toEqual(asRead(before));
        expect(readData(other, "")).toEqual(readData(server, ""));
      }),
      runs(500),
    );
  });
});

describe("edits of a text", () => {
  const passage = fc.array(fc.constantFrom("one ", "two", "\n", "😀", "😁", "\u{1FA00}", "é", "three four five "), {
    maxLength: 12,
  });
  const twoTexts = fc.tuple(passage, passage, passage, passage).map(([a, b, c, d]) => {
    const text = (...parts: readonly string[][]): string => parts.flat().join("");
    return [text(a, b, c), text(a, d, c)] as const;
  });

  test("[JSON-12] applied one after the other they give the new text, and split no surrogate pair", () => {
    fc.assert(
      fc.property(fc.oneof(twoTexts, fc.tuple(words, words)), ([before, after]) => {
        let text = before;
        for (const edit of leastEdits(before, after)) {
          text = editedString(text, edit);
          expect(text).not.toMatch(/\p{Surrogate}/u);
        }
        expect(text).toBe(after);
        const doc = docWith({ t: { $text: before } });
        applyJsonOps(doc, [{ op: "replace", path: "/t", value: { $text: after } }], null);
        expect(readData(replicaOf(doc, 2), "/t")).toBe(after);
      }),
      runs(2000),
    );
  });

  test("[JSON-12] what others type between two rewritten places survives", () => {
    const place = fc.constantFrom("", "alpha", "beta gamma", "😀😀", "x");
    fc.assert(
      fc.property(fc.tuple(place, place), fc.tuple(place, place), words, (old, wanted, typed) => {
        const text = ([first, second]: readonly string[]): string => `${first}\n- untouched middle -\n${second}`;
        const server = docWith({ t: { $text: text(old) } });
        const other = replicaOf(server, 2);
        const theirs = other.getMap(DATA_ROOT).get("t");
        if (!(theirs instanceof Y.Text)) throw new Error("expected a text");
        theirs.insert(theirs.toJSON().indexOf("middle"), typed);
        applyJsonOps(server, [{ op: "replace", path: "/t", value: text(wanted) }], null);
        Y.applyUpdate(server, Y.encodeStateAsUpdate(other));
        expect(readData(server, "/t")).toBe(text(wanted).replace("middle", () => `${typed}middle`));
      }),
      runs(500),
    );
  });
});

/** Where texts are. */
function textsIn(value: Json, path = ""): string[] {
  if (typeof value !== "object" || value === null) return [];
  if ("$text" in value) return [path];
  return Object.entries(value).flatMap(([key, inner]: [string, Json]) => textsIn(inner, `${path}/${key}`));
}

function lcsLength(a: readonly number[], b: readonly number[]): number {
  const [first, ...rest] = a;
  if (first === undefined) return 0;
  const at = b.indexOf(first);
  return Math.max(lcsLength(rest, b), at < 0 ? 0 : 1 + lcsLength(rest, b.slice(at + 1)));
}

/** What becomes of edits of an old document, against a target that the test plays: rules SDK-31 and SDK-32. */
import { expect, test } from "vitest";
import * as Y from "yjs";
import { KeepingDoc } from "../../../client/keeping-doc.ts";
import { OldDocument } from "../../../client/old-document.ts";
import { Rescue, RescueOver } from "../../../client/rescue.ts";
import type { RescueTarget } from "../../../client/rescue.ts";
import { ServiceError } from "../../../shared/errors.ts";
import type { Json, JsonObject } from "../../../shared/json.ts";

const SERVER = Symbol("server");

/** A document that read `before`, and one edit for each of `steps`. */
function oldDocument(before: JsonObject, ...steps: ((data: Y.Map<unknown>) => void)[]): OldDocument {
  const source = new Y.Doc();
  for (const [key, value] of Object.entries(before)) source.getMap("data").set(key, value);
  const keeping = new KeepingDoc();
  keeping.feedBy(SERVER);
  Y.applyUpdate(keeping.doc, Y.encodeStateAsUpdate(source), SERVER);
  const edits: Uint8Array[] = [];
  keeping.doc.on("update", (update: Uint8Array) => edits.push(update));
  for (const step of steps) keeping.doc.transact(() => step(keeping.doc.getMap("data")));
  return new OldDocument(keeping.doc, edits);
}

interface Asked {
  readonly changes: Json;
  readonly ifVersion: Json;
  readonly idempotencyKey: Json;
}

/** Answers changes in turn; `data` is what the new document reads. */
class Target implements RescueTarget {
  data: JsonObject;
  version = 5;
  readonly asked: Asked[] = [];
  readonly answers: (() => Json)[] = [];
  pauses = 0;

  constructor(data: JsonObject) {
    this.data = data;
  }

  async content() {
    return { roots: { data: this.data, roots: {} }, version: this.version };
  }

  async reached(version: number): Promise<void> {
    this.version = Math.max(this.version, version);
  }

  async change(params: Json): Promise<Json> {
    const { changes = null, ifVersion = null, idempotencyKey = null } = params as JsonObject;
    this.asked.push({ changes, ifVersion, idempotencyKey });
    return (this.answers.shift() ?? (() => ({ version: ++this.version })))();
  }

  async pause(): Promise<void> {
    this.pauses++;
  }
}

async function outcomeOf(old: OldDocument, target: Target, sent: number): Promise<string[]> {
  const outcome: string[] = Array.from({ length: old.length }, () => "forgotten");
  const rescue = new Rescue(old, target, {
    carried: (from, to) => outcome.fill("carried", from, to),
    refused: (index, error) => void (outcome[index] = error.code),
  });
  await rescue.run(sent);
  return outcome;
}

const set = (key: string, value: unknown) => (data: Y.Map<unknown>) => void data.set(key, value);
const fails = (error: ServiceError) => () => {
  throw error;
};

test("[SDK-31] edits go over together, on the version that is named", async () => {
  const target = new Target({ a: 1, theirs: 1 });
  expect(await outcomeOf(oldDocument({ a: 1 }, set("a", 2), set("b", 1)), target, 0)).toEqual(["carried", "carried"]);
  expect(target.asked).toEqual([
    {
      changes: [
        { op: "replace", path: "/a", value: 2 },
        { op: "add", path: "/b", value: 1 },
      ],
      ifVersion: 5,
      idempotencyKey: expect.any(String),
    },
  ]);
});

test("[SDK-31] of edits that were sent those that arrived are found, also when later ones of them replaced earlier ones", async () => {
  const old = oldDocument({ a: 1 }, set("a", 2), set("a", 3), set("a", 4));
  const target = new Target({ a: 3 });
  expect(await outcomeOf(old, target, 3)).toEqual(["carried", "carried", "carried"]);
  expect(target.asked.map(({ changes }) => changes)).toEqual([[{ op: "replace", path: "/a", value: 4 }]]);
});

test("[SDK-32] what may have arrived is not written over what others made of it", async () => {
  const target = new Target({ a: 9, b: 1 });
  const old = oldDocument({ a: 1, b: 1 }, set("a", 2), set("b", 2));
  expect(await outcomeOf(old, target, 2)).toEqual(["EPOCH_CHANGED", "carried"]);
});

test("[SDK-32] one that the server refuses does not hold the others", async () => {
  const target = new Target({});
  const refusal = new ServiceError("SCHEMA_VIOLATION", "no");
  target.answers.push(fails(refusal), fails(refusal));
  const old = oldDocument({}, set("bad", 1), set("good", 1));
  expect(await outcomeOf(old, target, 0)).toEqual(["SCHEMA_VIOLATION", "carried"]);
  expect(new Set(target.asked.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(3);
});

test("[SDK-31] what was changed meanwhile is looked at again; what failed in passing is asked again under its key", async () => {
  const target = new Target({ list: [1] });
  target.answers.push(
    () => {
      target.data = { list: [0, 1] };
      throw new ServiceError("VERSION_CONFLICT", "moved on", { details: { currentVersion: 8 } });
    },
    fails(new ServiceError("STORE_UNAVAILABLE", "in a moment")),
  );
  const old = oldDocument({ list: [1] }, set("list", [1, 2]));
  expect(await outcomeOf(old, target, 0)).toEqual(["carried"]);
  expect(target.asked.map(({ changes, ifVersion }) => [changes, ifVersion])).toEqual([
    [[{ op: "add", path: "/list/1", value: 2 }], 5],
    [[{ op: "add", path: "/list/2", value: 2 }], 8],
    [[{ op: "add", path: "/list/2", value: 2 }], 8],
  ]);
  expect(target.asked[1]?.idempotencyKey).toBe(target.asked[2]?.idempotencyKey);
  expect(target.asked[0]?.idempotencyKey).not.toBe(target.asked[1]?.idempotencyKey);
  expect(target.pauses).toBe(1);
});

test("[SDK-32] what never succeeds is handed over in the end", async () => {
  const target = new Target({});
  for (let i = 0; i < 100; i++) target.answers.push(fails(new ServiceError("INTERNAL", "broken")));
  expect(await outcomeOf(oldDocument({}, set("a", 1)), target, 0)).toEqual(["INTERNAL"]);
});

test("[SDK-31] when it is over, what was not carried stays as it is", async () => {
  const target = new Target({});
  target.answers.push(() => {
    throw new RescueOver();
  });
  await expect(outcomeOf(oldDocument({}, set("a", 1)), target, 0)).rejects.toThrow(RescueOver);
});

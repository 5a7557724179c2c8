/**
 * History on random pasts: old versions against replays, blame against watching, undo against what it promises.
 * FC_SEED=… repeats a run.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type * as Y from "yjs";
import type { BlameLine } from "../../shared/history.ts";
import { isJsonObject } from "../../shared/json.ts";
import { formatPath } from "../../shared/path.ts";
import { readData } from "../../shared/read-data.ts";
import { DocumentFold } from "../../server/state/document-fold.ts";
import { Attribution } from "../../server/state/history/attribution.ts";
import { Blame } from "../../server/state/history/blame.ts";
import { visitPieces } from "../../server/state/history/document-pieces.ts";
import { planUndo } from "../../server/state/history/undo-plan.ts";
import { seekVersion } from "../../server/state/history/version-seek.ts";
import { BlameModel } from "../support/blame-model.ts";
import { intBelow, pick, randomFrom } from "../support/editing-history.ts";
import { patched } from "../support/json-patch.ts";
import { CONTEXT, logOf } from "../support/past-log.ts";
import { Past, actorOf, textAt } from "../support/past.ts";
import { AGENTS, extend, randomPast } from "../support/random-past.ts";
import { NODE } from "../support/stored-state.ts";

const seed = Number(process.env["FC_SEED"] ?? 20_261_123);
/** FC_RUNS=20 makes it twenty times as thorough. */
const factor = Number(process.env["FC_RUNS"] ?? 1);
const check = (numRuns: number, body: (seed: number) => void | Promise<void>): Promise<void> =>
  fc.assert(
    fc.asyncProperty(fc.integer(), async (source) => body(source)),
    { seed, numRuns: numRuns * factor },
  );

describe("old versions", () => {
  test("[HIST-1] every version reads as it did, from any checkpoint before it, across epochs", () =>
    check(25, async (source) => {
      const random = randomFrom(source);
      const past = randomPast(random, { steps: 40, epochs: true });
      const { base, entries, head } = past;
      const ends = { base, head };
      const placeAt = async (seq: number): Promise<{ readonly seq: number; readonly version: number }> =>
        entries[seq - 1] ?? { seq: 0, version: 0 };
      for (const [version, data] of past.versions.entries()) {
        const seq = await seekVersion(version, ends, placeAt);
        expect(seq).toBe(version === 0 ? 0 : entries.find((entry) => entry.version === version)?.seq);
        const whole = new DocumentFold(base, { nodeClientId: NODE });
        const middle = intBelow(random, seq + 1);
        whole.apply(entries.slice(0, middle));
        const resumed = new DocumentFold(whole.checkpoint(), { nodeClientId: NODE });
        resumed.apply(entries.slice(middle, seq));
        expect(readData(resumed.doc, "")).toEqual(data);
      }
    }));

  test("[HIST-2] a version among many voids is found with a few reads", () =>
    check(20, async (source) => {
      const random = randomFrom(source);
      const places = [{ seq: 10, version: 4 }];
      for (let seq = 11; seq < 3000; seq++) {
        places.push({ seq, version: (places.at(-1)?.version ?? 0) + (random() < 0.3 ? 1 : 0) });
      }
      const [base, head] = [places[0], places.at(-1)];
      if (base === undefined || head === undefined) throw new Error("there are places");
      for (let version = base.version; version <= head.version; version += 41) {
        let reads = 0;
        const found = await seekVersion(version, { base, head }, async (seq) => {
          reads++;
          const place = places[seq - 10];
          if (place === undefined) throw new Error(`read outside of the log: ${seq}`);
          return place;
        });
        expect(found).toBe(places.find((place) => place.version === version)?.seq);
        expect(reads).toBeLessThanOrEqual(13);
      }
    }));
});

describe("differences", () => {
  test("[HIST-4] of two versions: applied to the one it gives the other, forwards and backwards", () =>
    check(15, async (source) => {
      const random = randomFrom(source);
      const past = randomPast(random, { steps: 30, epochs: true });
      const { history } = await logOf(past);
      for (let sample = 0; sample < 8; sample++) {
        const [from, to] = [intBelow(random, past.version + 1), intBelow(random, past.version + 1)];
        const { changes } = await history.diff(CONTEXT, { from, to, path: "" });
        expect(patched(past.versions[from] ?? null, changes)).toEqual(past.versions[to]);
      }
    }));
});

describe("blame", () => {
  /** Lines of the model's form, one for each character. */
  const flat = (lines: readonly BlameLine[], places: readonly string[]): string[] =>
    lines
      .flatMap((line, at) => {
        const writer = line.version === undefined ? "base" : String(line.version);
        if (line.text === undefined) return [`${places[at]} ${writer}`];
        return Array.from({ length: line.text.length }, (_, i) => `${places[at]}@${(line.start ?? 0) + i} ${writer}`);
      })
      .sort();

  /** The exact places of blame's lines, in their order: lines themselves end at arrays. */
  function placesOf(past: Past): { readonly lines: readonly BlameLine[]; readonly places: readonly string[] } {
    const blame = new Blame(past.base, { nodeClientId: NODE });
    blame.apply(past.entries);
    const fold = new DocumentFold(past.base, { nodeClientId: NODE });
    fold.apply(past.entries);
    const lines: BlameLine[] = [];
    const places: string[] = [];
    for (const path of pathsOf(fold.doc)) {
      const here = blame.lines(path, 10_000);
      lines.push(...here);
      places.push(...here.map(() => path));
    }
    return { lines, places };
  }

  /** Every place that has lines of its own and nothing but these below it. */
  function pathsOf(doc: Y.Doc): string[] {
    const paths = new Set<string>();
    visitPieces(doc, [], (piece) => {
      if (piece.kind !== "type" || piece.isEmpty) paths.add(formatPath(piece.steps));
    });
    return [...paths];
  }

  test("[BLAME-1] [BLAME-5] every value and character is whose a watcher saw write it", () =>
    check(40, (source) => {
      const past = randomPast(randomFrom(source), { steps: 60 });
      const model = new BlameModel(past.base.state);
      for (const { kind, update, version } of past.entries) {
        if (kind === "change") model.apply(update, String(version));
      }
      const { lines, places } = placesOf(past);
      expect(flat(lines, places)).toEqual(model.lines());
    }));

  test("[BLAME-8] new epochs change no line", () =>
    check(20, (source) => {
      const past = randomPast(randomFrom(source), { steps: 40, epochs: true });
      const before = placesOf(past);
      past.recreate();
      expect(placesOf(past)).toEqual(before);
    }));

  test("[BLAME-5] parts of a range cover it, in order", () =>
    check(50, (source) => {
      const random = randomFrom(source);
      const attribution = new Attribution();
      const writers = Array.from({ length: 5 }, (_, version) => ({ version }));
      const expected: (number | undefined)[] = Array.from({ length: 40 });
      const ranges = [];
      for (let clock = intBelow(random, 4); clock < 35;) {
        const length = 1 + intBelow(random, 5);
        const by = pick(random, [{ version: 9 }, ...writers]);
        ranges.push([{ client: 1, clock, length }, by] as const);
        expected.fill(by.version, clock, clock + length);
        clock += length + intBelow(random, 3);
      }
      attribution.addRanges(ranges.reverse());
      const found = [...attribution.partsOf({ client: 1, clock: 0, length: 40 })];
      expect(found.flatMap(([{ length }, by]) => Array.from({ length }, () => by?.version))).toEqual(expected);
    }));
});

describe("undo", () => {
  const textOf = ({ data }: Past): string => (isJsonObject(data) && typeof data["t"] === "string" ? data["t"] : "");
  const undo = (past: Past, asked: { readonly actor: string; readonly from: number; readonly to: number }) =>
    planUndo({
      base: past.base,
      entries: past.entries,
      ...asked,
      actor: actorOf(asked.actor),
      nodeClientId: NODE,
      path: "",
    });

  test("[UNDO-1] an actor alone in the range: the state before it", () =>
    check(75, (source) => {
      const random = randomFrom(source);
      const past = randomPast(random, { steps: 15 });
      const from = past.version;
      const before = past.data;
      for (let step = 0; step < 12; step++) extend(past, random, { writer: "ann", epochs: source % 3 === 0 });
      const { changes, kept } = undo(past, { actor: "ann", from, to: past.version });
      past.ops("undoer", changes);
      expect(past.data).toEqual(before);
      expect(kept).toEqual([]);
    }));

  test("[UNDO-2] keys: the last that others said holds, whatever they said between", () =>
    check(75, (source) => {
      const random = randomFrom(source);
      const past = new Past({ a: "base", b: "base" });
      const said: Record<string, unknown> = { a: "base", b: "base" };
      const from = intBelow(random, 5);
      for (let step = 1; step < 25; step++) {
        const [name, key] = [pick(random, AGENTS), pick(random, ["a", "b", "c"])];
        const isDeletion = random() < 0.3 && past.data !== null && Object.hasOwn(Object(past.data), key);
        past.edit(name, (data) => (isDeletion ? data.delete(key) : data.set(key, `${name} ${step}`)));
        if (name === "ann" && past.version > from) continue;
        if (isDeletion) delete said[key];
        else said[key] = `${name} ${step}`;
      }
      past.ops("undoer", undo(past, { actor: "ann", from, to: past.version }).changes);
      expect(past.data).toEqual(said);
    }));

  test("[UNDO-5] characters: those of others that no other deleted, in their order", () =>
    check(50, (source) => {
      const random = randomFrom(source);
      const past = new Past({ t: { $text: "base" } });
      let next = 0x4e00;
      const left = new Set("base");
      for (const name of AGENTS) past.sees(name);
      for (let step = 0; step < 40; step++) {
        const name = pick(random, AGENTS);
        if (random() < 0.3) past.sees(name);
        const before = textOf(past);
        past.editApart(name, (data) => {
          const text = textAt(data, "t");
          const at = intBelow(random, text.length + 1);
          if (random() < 0.4 && at < text.length) text.delete(at, Math.min(text.length - at, 3));
          else text.insert(at, String.fromCodePoint(next++, next++));
        });
        if (name === "ann") continue;
        // what was gone already, another deletes without effect
        for (const char of before) if (!textOf(past).includes(char)) left.delete(char);
        for (const char of textOf(past)) if (!before.includes(char)) left.add(char);
      }
      const present = textOf(past);
      past.ops("undoer", undo(past, { actor: "ann", from: 0, to: past.version }).changes);
      const result = textOf(past);
      expect(result.split("").sort()).toEqual([...left].sort());
      expect(result.split("").filter((char) => present.includes(char))).toEqual(
        present.split("").filter((char) => left.has(char)),
      );
    }));

  test("[UNDO-6] whatever happened, the operations fit the document, and later edits merge with them", () =>
    check(50, (source) => {
      const random = randomFrom(source);
      const past = randomPast(random, { steps: 40, epochs: true });
      const [from, to] = [intBelow(random, 20), 20 + intBelow(random, past.version)].map((it) =>
        Math.min(it, past.version),
      );
      const { changes, version } = undo(past, { actor: pick(random, AGENTS), from: from ?? 0, to: to ?? 0 });
      expect(version).toBe(past.version);
      for (const name of AGENTS) past.sees(name);
      past.ops("undoer", changes);
      const undone = past.data;
      past.editApart("bob", (data) => data.set("later", "edit"));
      expect(past.data).toEqual({ ...Object(undone), later: "edit" });
    }));
});

/** Documents of other servers put together from their updates: rules DATA-8 to DATA-10. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as Y from "yjs";
import { LIMITS } from "../../shared/limits.ts";
import { importUpdates } from "../../server/state/import/imported-document.ts";
import type { ImportedDocument } from "../../server/state/import/imported-document.ts";
import { unorderedContentOf } from "../support/document-content.ts";
import { intBelow, randomFrom, runHistory } from "../support/editing-history.ts";
import type { Random } from "../support/editing-history.ts";
import { HOSTILE_UPDATES, victimDoc } from "../support/hostile-updates.ts";
import type { HostileUpdate } from "../support/hostile-updates.ts";
import { any, assemble, gc } from "../support/update-assembler.ts";

const SEED = 20_261_127;

function docOf({ state }: Pick<ImportedDocument, "state">): Y.Doc {
  const doc = new Y.Doc();
  Y.applyUpdateV2(doc, state);
  return doc;
}

function expectSame(imported: ImportedDocument, original: Y.Doc): void {
  const doc = docOf(imported);
  expect(Y.decodeStateVector(Y.encodeStateVector(doc))).toEqual(Y.decodeStateVector(Y.encodeStateVector(original)));
  expect(unorderedContentOf(doc)).toEqual(unorderedContentOf(original));
  expect(new Set(imported.clients)).toEqual(new Set(original.store.clients.keys()));
}

/** What a server got, and what it made of it. */
function history(random: Random, steps: number): { readonly updates: Uint8Array[]; readonly server: Y.Doc } {
  const server = new Y.Doc();
  const updates: Uint8Array[] = [];
  runHistory(random, steps, server, ({ update }) => {
    updates.push(update);
    Y.applyUpdate(server, update);
  });
  return { updates, server };
}

function shuffled<T>(random: Random, items: readonly T[]): T[] {
  const left = [...items];
  return items.flatMap(() => left.splice(intBelow(random, left.length), 1));
}

test("[DATA-8] content and state vector are those of the document, in order, in disorder, twice, and as one update", () => {
  fc.assert(
    fc.property(fc.integer(), (source) => {
      const random = randomFrom(source);
      const { updates, server } = history(random, 60);
      const whole = Y.encodeStateAsUpdate(server);
      for (const given of [updates, shuffled(random, updates), [whole], [...updates, whole, ...updates]]) {
        const imported = importUpdates(given);
        expect(imported).toMatchObject({ refused: 0, refusals: [] });
        expect(imported.applied + imported.repeated).toBe(given.length);
        expectSame(imported, server);
      }
    }),
    { seed: SEED, numRuns: 25 },
  );
});

test.each(HOSTILE_UPDATES.map((attack): [string, HostileUpdate] => [attack.name, attack]))(
  "[DATA-9] a hostile update among others is refused with the reason, and costs nothing of them: %s",
  (_, { update: hostile, code }) => {
    const victim = victimDoc();
    const good = Y.encodeStateAsUpdate(victim);
    const before = Y.encodeStateVector(victim);
    victim.getMap("data").set("later", 1);
    const later = Y.encodeStateAsUpdate(victim, before);
    const imported = importUpdates([good, hostile, later]);
    expect(imported).toMatchObject({ refused: 1, refusals: [{ index: 1 }] });
    // a whole document may hold more than an update may: what is too much for that is refused for another reason
    expect(code === "TOO_LARGE" ? expect.any(String) : code).toEqual(imported.refusals[0]?.code);
    expect(unorderedContentOf(docOf(imported))).toEqual(unorderedContentOf(victim));
  },
);

test("[DATA-9] noise never costs more than itself, and the result is always a document that loads and works", () => {
  fc.assert(
    fc.property(fc.integer(), fc.uint8Array({ maxLength: 60 }), (source, noise) => {
      const random = randomFrom(source);
      const { updates } = history(random, 25);
      const at = intBelow(random, updates.length);
      const mutated = updates[at]?.slice() ?? new Uint8Array();
      if (mutated.length > 0) mutated[intBelow(random, mutated.length)] = intBelow(random, 256);
      const imported = importUpdates([...updates.slice(0, at), noise, mutated, ...updates.slice(at + 1)]);
      const doc = docOf(imported);
      expect([doc.store.pendingStructs, doc.store.pendingDs]).toEqual([null, null]);
      let emitted = 0;
      doc.on("update", () => emitted++);
      doc.getMap("data").set("after", 1);
      expect(emitted).toBe(1);
    }),
    { seed: SEED, numRuns: 120 },
  );
});

describe("[DATA-9] what an author wrote after a refused update still fits", () => {
  const first = assemble([{ client: 5, clock: 0, structs: [any({ parent: "data", key: "a" }, 1)] }]);
  const bigInt = assemble([{ client: 5, clock: 1, structs: [any({ parent: "data", key: "b" }, 1n)] }]);
  const third = assemble([{ client: 5, clock: 2, structs: [any({ parent: "data", key: "c" }, 3)] }]);

  test("its clocks are void", () => {
    const imported = importUpdates([first, bigInt, third]);
    expect(imported).toMatchObject({ applied: 2, refused: 1 });
    expect(imported.refusals[0]?.message).toMatch(/BigInt/);
    expect(docOf(imported).getMap("data").toJSON()).toEqual({ a: 1, c: 3 });
  });

  test("but not when it claims more of them than it has bytes: others' later edits would vanish", () => {
    const squatter = assemble([{ client: 5, clock: 1, structs: [gc(1000), any({ parent: "data", key: "b" }, 1n)] }]);
    const imported = importUpdates([
      first,
      squatter,
      assemble([{ client: 5, clock: 1, structs: [any({ parent: "data", key: "c" }, 3)] }]),
    ]);
    expect(imported).toMatchObject({ applied: 2, refused: 1 });
    expect(docOf(imported).getMap("data").toJSON()).toEqual({ a: 1, c: 3 });
  });
});

test("[DATA-10] an update may be a whole document, larger than any that a session may send, up to its own limit", () => {
  const structs = (count: number): Uint8Array =>
    assemble([
      {
        client: 5,
        clock: 0,
        structs: Array.from({ length: count }, (_, n) => any({ parent: "data", key: `k${n}` }, n)),
      },
    ]);
  const imported = importUpdates([structs(LIMITS.updateStructsMax + 1)]);
  expect(imported).toMatchObject({ applied: 1, refused: 0 });
  const nothing = gc(1);
  const tooMany = assemble([
    { client: 5, clock: 0, structs: Array.from({ length: LIMITS.importStructsMax + 1 }, () => nothing) },
  ]);
  expect(importUpdates([tooMany])).toMatchObject({ applied: 0, refusals: [{ code: "TOO_LARGE" }] });
  const most = assemble([
    { client: 5, clock: 0, structs: Array.from({ length: LIMITS.importStructsMax }, () => nothing) },
  ]);
  expect(importUpdates([most])).toMatchObject({ applied: 1 });
});

test("[DATA-9] of many refused ones the first are told", () => {
  const updates = Array.from({ length: LIMITS.importRefusalsToldMax + 5 }, () => Uint8Array.of(9));
  const imported = importUpdates(updates);
  expect(imported.refused).toBe(updates.length);
  expect(imported.refusals).toHaveLength(LIMITS.importRefusalsToldMax);
  expect(imported.refusals.map(({ index }) => index)).toEqual([...imported.refusals.keys()]);
});

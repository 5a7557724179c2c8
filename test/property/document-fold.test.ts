/** A log folded whole, entry by entry, or from a checkpoint in its middle: part of rule HIST-1 (FOLD 1, FOLD 3). */
import fc from "fast-check";
import { expect, test } from "vitest";
import { readData } from "../../shared/read-data.ts";
import type { Checkpoint } from "../../server/storage/change-log.ts";
import { DocumentFold } from "../../server/state/document-fold.ts";
import { intBelow, randomFrom } from "../support/editing-history.ts";
import { randomPast } from "../support/random-past.ts";
import { NODE } from "../support/stored-state.ts";

function kept({ owners, retired, ...place }: Checkpoint, fold: DocumentFold) {
  return { ...place, state: undefined, data: readData(fold.doc, ""), owners: new Map(owners), retired };
}

test("[HIST-1] owners and retired ids are the same however the log is folded, across epochs", () => {
  let epochs = 0;
  fc.assert(
    fc.property(fc.integer(), (source) => {
      const random = randomFrom(source);
      const { base, entries } = randomPast(random, { steps: 30, epochs: true });
      const fold = (from = base): DocumentFold => new DocumentFold(from, { nodeClientId: NODE });
      const [whole, steps, first] = [fold(), fold(), fold()];
      whole.apply(entries);
      for (const entry of entries) steps.apply([entry]);
      const middle = intBelow(random, entries.length + 1);
      first.apply(entries.slice(0, middle));
      const resumed = fold(first.checkpoint());
      resumed.apply(entries.slice(middle));
      const expected = kept(steps.checkpoint(), steps);
      expect(kept(whole.checkpoint(), whole)).toEqual(expected);
      expect(kept(resumed.checkpoint(), resumed)).toEqual(expected);
      epochs += entries.filter(({ kind }) => kind === "epoch").length;
    }),
    { seed: 20_261_123, numRuns: 60 },
  );
  expect(epochs).toBeGreaterThan(30);
});

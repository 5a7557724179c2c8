/** What is asked of documents and of samples. */
import * as Y from "yjs";
import { describe, expect, test } from "vitest";
import { isSound, structCount, tombstoneCount } from "../../../server/state/document-vitals.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { sampleAt, samplesOf } from "../../support/vitals.ts";

describe("a document", () => {
  const docWith = (count: number, isDeleted: (n: number) => boolean): Y.Doc => {
    const doc = new Y.Doc();
    for (let n = 0; n < count; n++) {
      // an id of its own for each, so that Yjs joins nothing
      doc.clientID = n + 1;
      doc.getMap("data").set(`k${n}`, n);
    }
    doc.transact(() => {
      for (let n = 0; n < count; n++) if (isDeleted(n)) doc.getMap("data").delete(`k${n}`);
    });
    return doc;
  };

  test("[MON-4] tombstones are counted exactly up to the number that is looked at", () => {
    const doc = docWith(90, (n) => n % 3 === 0);
    expect([structCount(doc), tombstoneCount(doc, 90)]).toEqual([90, 30]);
    expect(tombstoneCount(doc, LIMITS.tombstoneSamplesMax)).toBe(30);
    expect(tombstoneCount(new Y.Doc(), 10)).toBe(0);
  });

  test("[MON-4] of more, a sample tells about how many there are", () => {
    const doc = docWith(1000, (n) => n < 400);
    const estimate = tombstoneCount(doc, 100);
    expect(estimate).toBeGreaterThan(350);
    expect(estimate).toBeLessThan(450);
    const all = docWith(101, () => true);
    expect(tombstoneCount(all, 100)).toBe(101);
  });

  test("[HEALTH-3] it is sound unless it waits for content or a transaction was left open", () => {
    const doc = docWith(3, () => false);
    expect(isSound(doc)).toBe(true);
    const later = new Y.Doc();
    later.getMap("data").set("a", 1);
    const before = Y.encodeStateVector(later);
    later.getMap("data").set("a", 2);
    Y.applyUpdate(doc, Y.encodeStateAsUpdate(later, before));
    expect(isSound(doc)).toBe(false);
    const open = new Y.Doc();
    open.transact(() => expect(isSound(open)).toBe(false));
    expect(isSound(open)).toBe(true);
  });
});

describe("samples", () => {
  test("[MON-10] an increase is that of the time before the latest sample, or of all there is", () => {
    const samples = samplesOf(
      sampleAt(0, { counters: { changes: 0 } }),
      sampleAt(10_000, { counters: { changes: 100 } }),
      sampleAt(20_000, { counters: { changes: 150 } }),
    );
    expect(samples.increase("changes", 10_000)).toBe(50);
    expect(samples.increase("changes", 15_000)).toBe(150);
    expect(samples.increase("changes", 60_000)).toBe(150);
    expect([samples.perSecond("changes", 10_000), samples.perSecond("changes", 60_000)]).toEqual([5, 7.5]);
  });

  test("[MON-10] of one sample, or none, nothing is told", () => {
    for (const samples of [samplesOf(), samplesOf(sampleAt(5, { counters: { changes: 7 } }))]) {
      expect([samples.increase("changes", 1000), samples.perSecond("changes", 1000)]).toEqual([0, 0]);
    }
    expect(samplesOf().max(() => 7, 1000)).toBe(0);
  });

  test("[MON-10] the highest value is that of the samples within the time", () => {
    const samples = samplesOf(
      ...[900, 5, 7, 6].map((eventLoopDelayMsMax, n) => sampleAt(n * 1000, { process: { eventLoopDelayMsMax } })),
    );
    const max = (withinMs: number) => samples.max(({ process }) => process.eventLoopDelayMsMax, withinMs);
    expect([max(3000), max(3001), max(1)]).toEqual([7, 900, 6]);
  });

  test("[MON-10] so many are kept and no more", () => {
    const samples = samplesOf(
      ...Array.from({ length: 500 }, (_, n) => sampleAt(n * 1000, { counters: { changes: n } })),
    );
    expect(samples.increase("changes", Infinity)).toBe(199);
  });
});

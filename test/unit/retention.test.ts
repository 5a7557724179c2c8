/** When history is dropped, and how far. */
import { expect, test } from "vitest";
import { policyOf, Thinning, thinningGoal, type HistoryFacts } from "../../server/state/retention.ts";
import type { LogEntry } from "../../server/storage/change-log.ts";
import { entryOf } from "../support/log-fixtures.ts";

const DAY = 24 * 60 * 60 * 1000;

function facts(extra: Partial<HistoryFacts> = {}, logBytes = 1_000): HistoryFacts {
  const size = { bytes: 5_000, logBytes, baseSeq: 100, baseVersion: 90 };
  return { head: { seq: 200, version: 190 }, size, nowMs: 100 * DAY, oldestAtMs: 90 * DAY, ...extra };
}

/** Entries after the base, one a day from day 90 on, each of 100 bytes in the log; every second one is a change. */
const entries: readonly LogEntry[] = Array.from({ length: 20 }, (_, n) => ({
  ...entryOf(n, { kind: n % 2 === 0 ? "change" : "void", paths: [], update: new Uint8Array(76) }),
  seq: 101 + n,
  version: 91 + (n >> 1),
  atMs: (90 + n) * DAY,
}));

function seqToThinTo(goal: NonNullable<ReturnType<typeof thinningGoal>>): number {
  const thinning = new Thinning(goal, 100);
  for (let at = 0; at < entries.length; at += 3) if (thinning.pass(entries.slice(at, at + 3))) break;
  return thinning.seq;
}

const nothing = { uptoVersion: -Infinity, bytes: -Infinity, beforeMs: -Infinity };

test("[RET-1] nothing is due within the bounds, nor without any", () => {
  expect(thinningGoal({}, facts())).toBeUndefined();
  expect(thinningGoal({ changesMax: 100, ageMsMax: 10 * DAY, bytesMax: 1_000 }, facts())).toBeUndefined();
  expect(thinningGoal({ ageMsMax: 1 }, facts({ oldestAtMs: undefined }))).toBeUndefined();
});

test("[RET-1] each bound by itself makes it due, and three quarters of it stay", () => {
  expect(thinningGoal({ changesMax: 99 }, facts())).toEqual({ ...nothing, uptoVersion: 190 - 75 });
  expect(thinningGoal({ bytesMax: 999 }, facts())).toEqual({ ...nothing, bytes: 1_000 - 750 });
  expect(thinningGoal({ ageMsMax: 8 * DAY }, facts())).toEqual({ ...nothing, beforeMs: 94 * DAY });
  expect(thinningGoal({ changesMax: 99, bytesMax: 10_000 }, facts())).toEqual({
    ...nothing,
    uptoVersion: 115,
    bytes: 1_000 - 7_500,
  });
  expect(thinningGoal({ changesMax: 1 }, facts())).toMatchObject({ uptoVersion: 189 });
});

test("[RET-2] the oldest go until all of the goal is reached", () => {
  expect(seqToThinTo(nothing)).toBe(100);
  expect(seqToThinTo({ ...nothing, uptoVersion: 92 })).toBe(104); // the void after the change goes with it
  expect(seqToThinTo({ ...nothing, bytes: 400 })).toBe(104);
  expect(seqToThinTo({ ...nothing, bytes: 401 })).toBe(105);
  expect(seqToThinTo({ ...nothing, beforeMs: 94 * DAY })).toBe(104);
  expect(seqToThinTo({ uptoVersion: 92, bytes: 700, beforeMs: 91 * DAY })).toBe(107);
  expect(seqToThinTo({ ...nothing, bytes: 1e9 })).toBe(120);
});

test("[RET-1] the settings become a policy: 0 bounds nothing", () => {
  expect(policyOf({ historyChanges: 0, historyDays: 0, historyBytes: 0 })).toEqual({});
  expect(policyOf({ historyChanges: 5, historyDays: 2, historyBytes: 7 })).toEqual({
    changesMax: 5,
    ageMsMax: 2 * DAY,
    bytesMax: 7,
  });
});

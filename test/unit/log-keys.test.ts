/** The layout's examples, and that byte order is the order meant. */
import { expect, test } from "vitest";
import * as keys from "../../server/storage/log/log-keys.ts";
import { idOf } from "../support/log-fixtures.ts";

const hex = (key: Uint8Array): string => Buffer.from(key).toString("hex");
const inRange = (key: Uint8Array, { gte, lt }: keys.KeyRange): boolean =>
  Buffer.compare(key, gte) >= 0 && Buffer.compare(key, lt) < 0;

test("[LOG-14] keys are as documented: a data folder outlives the program", () => {
  expect(hex(keys.FORMAT_KEY)).toBe("21666f726d6174");
  expect(hex(keys.NODE_KEY)).toBe("216e6f6465");
  expect(hex(keys.OPEN_KEY)).toBe("216f70656e");
  expect(hex(keys.contextKey(idOf("plan")))).toBe("63706c616e");
  expect(hex(keys.epochKey(idOf("plan")))).toBe("65706c616e");
  expect(hex(keys.headKey(7))).toBe("68000000000007");
  expect(hex(keys.checkpointKey(7, 2000))).toBe("6b0000000000070000000007d0");
  expect(hex(keys.runKey(7, 2001))).toBe("6c0000000000070000000007d1");
  expect(hex(keys.idempotencyKey(7, "k", 0x0199c5d2a800))).toBe("6900000000000700016b0199c5d2a800");
  expect(hex(keys.expiryKey(7, "k", 0x0199c5d2a800))).toBe("740199c5d2a80000000000000700016b");
  expect(hex(keys.purgeKey(7))).toBe("70000000000007");
  expect(hex(keys.recordKey(7, "types", "plan"))).toBe("72000000000007747970657300706c616e");
  expect(hex(keys.recordKey(keys.SERVER, "types", "ä"))).toBe("72000000000000747970657300c3a4");
});

test("[LOG-14] numbers come back out, and order as numbers", () => {
  const seqs = [0, 1, 255, 256, 65_535, 2 ** 32 - 1, 2 ** 32, 2 ** 47];
  const runs = seqs.map((seq) => keys.runKey(3, seq));
  expect(runs.map(keys.firstSeqOf)).toEqual(seqs);
  expect(runs.toSorted((a, b) => Buffer.compare(a, b))).toEqual(runs);
  expect(keys.contextNumberOf(keys.headKey(2 ** 40))).toBe(2 ** 40);
  expect(keys.contextIdOf(keys.contextKey(idOf("a:b.c-D")))).toBe("a:b.c-D");
  expect(keys.recordNameOf(keys.recordKey(7, "client-ids", "a\0ä🙂"))).toBe("a\0ä🙂");
  expect(keys.idempotencyKeyOf(keys.expiryKey(7, "schlüssel", 12))).toEqual(keys.idempotencyKey(7, "schlüssel", 12));
});

test("[LOG-14] ranges hold what they name and nothing of the neighbours", () => {
  expect(inRange(keys.runKey(3, 5), keys.runsBetween(3, 5, 6))).toBe(true);
  expect(inRange(keys.runKey(3, 6), keys.runsBetween(3, 5, 6))).toBe(false);
  expect(inRange(keys.runKey(4, 0), keys.runsBetween(3, 0, Infinity))).toBe(false);
  expect(inRange(keys.contextKey(idOf("a")), keys.contextsAfter(idOf("a")))).toBe(false);
  expect(inRange(keys.contextKey(idOf("a-")), keys.contextsAfter(idOf("a")))).toBe(true);
  expect(inRange(keys.contextKey(idOf("0")), keys.contextsAfter(undefined))).toBe(true);
  const owned = keys.ownedBy(3);
  const all = [
    keys.runKey(3, 9),
    keys.checkpointKey(3, 0),
    keys.idempotencyKey(3, "k", 1),
    keys.recordKey(3, "types", "k"),
  ];
  for (const key of all) expect(owned.some((range) => inRange(key, range))).toBe(true);
  for (const key of [keys.runKey(4, 0), keys.headKey(3), keys.contextKey(idOf("k"))]) {
    expect(owned.some((range) => inRange(key, range))).toBe(false);
  }
  expect(inRange(keys.idempotencyKey(3, "k", 5), keys.idempotencyRange(3, "k"))).toBe(true);
  expect(inRange(keys.idempotencyKey(3, "kk", 5), keys.idempotencyRange(3, "k"))).toBe(false);
  const types = { context: 3, collection: "types", after: undefined, reverse: false } as const;
  for (const reverse of [false, true]) {
    expect(inRange(keys.recordKey(3, "types", "\0"), keys.recordsBeyond({ ...types, reverse }))).toBe(true);
    expect(inRange(keys.recordKey(3, "types", "\u{10ffff}"), keys.recordsBeyond({ ...types, reverse }))).toBe(true);
    expect(inRange(keys.recordKey(3, "conflicts", "k"), keys.recordsBeyond({ ...types, reverse }))).toBe(false);
    expect(inRange(keys.recordKey(4, "types", "k"), keys.recordsBeyond({ ...types, reverse }))).toBe(false);
    expect(inRange(keys.recordKey(3, "types", "k"), keys.recordsBeyond({ ...types, reverse, after: "k" }))).toBe(false);
  }
  expect(inRange(keys.recordKey(3, "types", "k\0"), keys.recordsBeyond({ ...types, after: "k" }))).toBe(true);
  expect(inRange(keys.recordKey(3, "types", "j"), keys.recordsBeyond({ ...types, after: "k" }))).toBe(false);
  expect(inRange(keys.expiryKey(3, "k", 5), keys.expiredBefore(6))).toBe(true);
  expect(inRange(keys.expiryKey(3, "k", 6), keys.expiredBefore(6))).toBe(false);
});

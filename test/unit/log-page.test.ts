/** Pages of the log between threads: part of rule HIST-9. */
import { expect, test } from "vitest";
import { packEntries, unpackEntries } from "../../server/history/log-page.ts";
import type { LogEntry } from "../../server/storage/change-log.ts";
import { parseActor } from "../../shared/ids.ts";

const plain: LogEntry = {
  kind: "change",
  seq: 1,
  version: 1,
  actor: parseActor("ann"),
  origin: "sync",
  atMs: 1_700_000_000_000,
  paths: ["/a", "/b"],
  update: Uint8Array.of(1, 2),
};

/** Each differs from its neighbours in one respect. */
const respects: readonly Partial<LogEntry>[] = [
  {},
  {},
  { actor: parseActor("bob") },
  {},
  { origin: "rest" },
  { kind: "void" },
  {},
  { message: "why" },
  { message: "why not" },
  {},
  { resolves: "4.0" },
  {},
  { kind: "epoch", authorSalt: 7 },
  { kind: "epoch", authorSalt: 8 },
  {},
  { paths: ["/a"] },
  { paths: ["/a", "/c"] },
  { paths: [] },
  { update: new Uint8Array() },
  {},
];

test("[HIST-9] entries that differ in anything come out as they went in", () => {
  const entries = respects.map((respect, i) => ({
    ...plain,
    seq: i + 1,
    version: i + 1,
    atMs: plain.atMs + i,
    ...respect,
  }));
  const page = packEntries(entries);
  expect(unpackEntries(page)).toEqual(entries);
  for (const part of [page.rows, page.numbers, page.updates]) expect(part.buffer.byteLength).toBe(part.byteLength);
});

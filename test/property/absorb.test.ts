/** What another node appended, taken into a context in memory, against the context loaded from the log. */
import fc from "fast-check";
import * as Y from "yjs";
import { expect, test } from "vitest";
import { readData } from "../../shared/read-data.ts";
import type { LogEntry, StoredContext } from "../../server/storage/change-log.ts";
import type { ContextState } from "../../server/state/context-state.ts";
import { intBelow, randomFrom } from "../support/editing-history.ts";
import type { Past } from "../support/past.ts";
import { randomPast } from "../support/random-past.ts";
import { at, stateFrom, storedContext } from "../support/stored-state.ts";

/** Locks come and go among the entries of the past. */
function withLocks(entries: readonly LogEntry[], every: number): readonly LogEntry[] {
  let seq = 0;
  return entries.flatMap((entry, index): LogEntry[] => {
    const own = { ...entry, seq: ++seq };
    if (index % every !== 0) return [own];
    const { actor, atMs, version } = entry;
    const lockId = `lock-${index % (2 * every) === 0 ? "even" : "odd"}`;
    const lock =
      index % (4 * every) < 2 * every
        ? ({ op: "acquire", lockId, paths: [`/${index}`], mode: "exclusive", ttlMs: 30_000 } as const)
        : ({ op: "release", lockId } as const);
    const bare = { actor, atMs, version, origin: "sdk", paths: [], update: Uint8Array.of(0, 0) } as const;
    return [own, { ...bare, kind: "lock", seq: ++seq, lock }];
  });
}

function stored({ base }: Past, tail: readonly LogEntry[]): StoredContext {
  const last = tail.at(-1);
  const changed = tail.findLast(({ kind }) => kind === "change");
  const head = {
    seq: last?.seq ?? 0,
    version: last?.version ?? 0,
    lockSeq: 0,
    updatedAtMs: changed?.atMs ?? 0,
  };
  return { ...storedContext(), head, checkpoint: base, tail };
}

function shown(state: ContextState): object {
  const clients = [...state.doc.store.clients.keys()].sort((one, other) => one - other);
  return {
    data: readData(state.doc, ""),
    vector: Y.encodeStateVector(state.doc),
    owners: clients.map((client) => [client, state.clientIds.ownerOf(client)]),
    voids: new Map(state.voids),
    position: [state.seq, state.version, state.updatedAtMs],
    locks: state.locks.table.list(),
    writers: ["/a", "/b", "/c", "/c/a"].map((path) => state.touches.newestAt(path)),
  };
}

test("[NODE-3] a context that took in what others appended is the one that is loaded", () => {
  let locks = 0;
  fc.assert(
    fc.property(fc.integer(), (source) => {
      const random = randomFrom(source);
      const past = randomPast(random, { steps: 30 });
      const entries = withLocks(past.entries, 2 + intBelow(random, 4));
      const middle = intBelow(random, entries.length + 1);
      const loaded = stateFrom(stored(past, entries));
      const following = stateFrom(stored(past, entries.slice(0, middle)));
      const before = Y.decodeStateVector(Y.encodeStateVector(following.doc));
      const after = new Map(before);
      for (const entry of entries.slice(middle)) {
        for (const { client, from, to } of following.absorb(entry, at(0))) {
          expect(from).toBe(after.get(client) ?? 0);
          after.set(client, to);
        }
      }
      expect(shown(following)).toEqual(shown(loaded));
      expect(after).toEqual(Y.decodeStateVector(Y.encodeStateVector(following.doc)));
      locks += loaded.locks.table.size;
    }),
    { seed: 20_261_130, numRuns: 60 },
  );
  expect(locks).toBeGreaterThan(20);
});

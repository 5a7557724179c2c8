/** Feeds and watchers of contexts that other servers write: what is told without a hint, and what is not read. */
import { beforeEach, expect, test } from "vitest";
import type { ContextEventKind } from "../../shared/context.ts";
import type { ContextId } from "../../shared/ids.ts";
import { Onlookers } from "../../server/context/onlookers.ts";
import { MemoryChangeLog } from "../../server/storage/log/memory-change-log.ts";
import { emptyCheckpoint, entryOf, idOf, metaOf } from "../support/log-fixtures.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { turns } from "../support/service-rig.ts";

const PLAN = idOf("plan");

let log: MemoryChangeLog;
let woken: ContextId[];
let told: ContextEventKind[];
let onlookers: Onlookers;

beforeEach(async () => {
  log = new MemoryChangeLog({ clock: new ManualClock() });
  await log.open();
  await log.create(metaOf("plan"), emptyCheckpoint());
  woken = [];
  told = [];
  onlookers = new Onlookers({
    storage: log,
    sync: { wake: (id) => void woken.push(id), watched: () => [PLAN] },
    events: { isWatched: true, emit: (_meta, kind) => void told.push(kind) },
    readers: { isWatched: () => true, changed: () => undefined },
  });
});

async function append(seq: number): Promise<void> {
  await log.append(PLAN, { seq: seq - 1 }, [entryOf(seq)]);
}

test("[NODE-14] a feed of which the hint was lost is woken by comparing, once for each entry", async () => {
  const isInMemory = (): boolean => false;
  await onlookers.look(isInMemory);
  woken.length = 0;
  await onlookers.look(isInMemory);
  expect(woken).toEqual([]);
  await append(1);
  await onlookers.look(isInMemory);
  expect(woken).toEqual([PLAN]);
  await onlookers.look(isInMemory);
  expect(woken).toEqual([PLAN]);
  // it has a follower of its own
  await append(2);
  await onlookers.look(() => true);
  expect(woken).toEqual([PLAN]);
});

test("[NODE-15] what happened is told once, however many hints there were", async () => {
  await append(1);
  onlookers.hinted(PLAN, 1);
  onlookers.hinted(PLAN, 1);
  await turns(20);
  expect(told).toEqual(["changed"]);
  await append(2);
  await append(3);
  onlookers.hinted(PLAN, 3);
  await turns(20);
  expect(told).toEqual(["changed", "changed"]);
});

test("[NODE-15] a context at which nobody looks is not read", async () => {
  const unread = (): never => {
    throw new Error("it was read");
  };
  const silent = new Onlookers({
    storage: { summary: unread, read: unread, heads: unread },
    sync: { wake: (id) => void woken.push(id), watched: () => [] },
    events: { isWatched: false, emit: (_meta, kind) => void told.push(kind) },
    readers: { isWatched: () => false, changed: () => undefined },
  });
  await append(1);
  silent.hinted(PLAN, 1);
  await silent.look(() => false);
  await turns(20);
  expect([woken, told]).toEqual([[PLAN], []]);
});

/** Every operation of the store fails once, in turn: nothing acknowledged is lost, nothing is out of order, and the service comes back. */
import { describe, expect, test } from "vitest";
import type { ContextId } from "../../shared/ids.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { Checkpoint } from "../../server/storage/change-log.ts";
import { foldCheckpoint, InlineCheckpointBuilder } from "../../server/storage/checkpoint/checkpoint.ts";
import { KeyValueChangeLog } from "../../server/storage/log/key-value-change-log.ts";
import { StorageManager } from "../../server/storage/storage-manager.ts";
import { failNth, FaultyStore, type NthPlan, type StoreOperation } from "../support/faulty-store.ts";
import { emptyCheckpoint, idOf, metaOf, Typist } from "../support/log-fixtures.ts";
import { ManualClock } from "../support/manual-clock.ts";

const IDS = ["a", "b"].map(idOf);
const ROUNDS = 10;
const ATTEMPTS_MAX = 20;
const limits = { ...LIMITS, checkpointTailEntries: 4 };

interface Rig {
  readonly clock: ManualClock;
  readonly store: FaultyStore;
  readonly storage: StorageManager;
}

function newRig(plan: NthPlan): Rig {
  const clock = new ManualClock();
  const store = new FaultyStore(plan);
  const log = new KeyValueChangeLog({ store, clock, limits });
  return {
    clock,
    store,
    storage: new StorageManager({ log, clock, limits, checkpoints: new InlineCheckpointBuilder() }),
  };
}

/** Does it until it works, as a caller would; each time after the store is back. */
async function persist<T>(rig: Rig, action: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await action();
    } catch (error) {
      if (attempt === ATTEMPTS_MAX) throw error;
      await untilAvailable(rig);
    }
  }
}

async function untilAvailable({ clock, storage }: Rig): Promise<void> {
  for (let turn = 0; turn < 200 && !storage.status().available; turn++) {
    clock.advance(limits.reopenDelayMsMax);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Positions and updates that the service said are durable. */
type Acked = Map<number, Uint8Array>;

async function create({ storage }: Rig, id: ContextId): Promise<void> {
  if ((await storage.summary(id)) === undefined) await storage.create(metaOf(id), emptyCheckpoint());
}

/** Two appends at a time, the second built on the first; what was refused is forgotten, as LOG-5 demands. */
async function write(rig: Rig, id: ContextId, acked: Acked): Promise<void> {
  for (let round = 0; round < ROUNDS; round++) {
    const stored = await persist(rig, () => rig.storage.load(id));
    const typist = new Typist(100 + round).follow(stored);
    const entries = [typist.type(`${id}${round}.`), typist.type("+")];
    const results = await Promise.allSettled(entries.map((entry) => rig.storage.append(id, { lockSeq: 0 }, [entry])));
    for (const result of results) {
      if (result.status === "rejected" || result.value.kind !== "appended") continue;
      for (const { seq, update } of result.value.entries) acked.set(seq, update);
    }
    expect(
      results[0]?.status === "rejected" && results[1]?.status === "fulfilled",
      "a successor of a rejected append",
    ).toBe(false);
    await untilAvailable(rig);
  }
}

async function check(store: FaultyStore, id: ContextId, acked: Acked): Promise<void> {
  const log = new KeyValueChangeLog({ store, clock: new ManualClock() });
  await log.open();
  const entries = await log.read(id, 0, Infinity);
  expect(entries.map(({ seq, version }) => [seq, version])).toEqual(entries.map((_, index) => [index + 1, index + 1]));
  for (const [seq, update] of acked) expect(Buffer.from(entries[seq - 1]?.update ?? []).equals(update)).toBe(true);
  const stored = await log.load(id);
  const fromZero: Checkpoint = foldCheckpoint({ base: emptyCheckpoint(), tail: entries, nodeClientId: 1 });
  expect(new Typist(1).follow(stored).text).toBe(new Typist(1).follow({ checkpoint: fromZero, tail: [] }).text);
  await log.close();
}

async function runScenario(plan: NthPlan): Promise<void> {
  const rig = newRig(plan);
  await persist(rig, () => rig.storage.start());
  const acked = new Map(IDS.map((id) => [id, new Map<number, Uint8Array>()] as const));
  for (const id of IDS) await persist(rig, () => create(rig, id));
  await Promise.all([...acked].map(([id, those]) => write(rig, id, those)));
  await rig.storage.settled();
  await rig.storage.close().catch(() => undefined);
  const { store } = rig;
  store.crash();
  store.plan = failNth(Infinity);
  for (const [id, those] of acked) {
    expect(those.size).toBeGreaterThan(ROUNDS); // most rounds succeed: at most two faults
    await check(store, id, those);
  }
}

const OPERATIONS: readonly (readonly StoreOperation[])[] = [
  ["open"],
  ["close"],
  ["batch"],
  ["get", "pages"],
  ["open", "batch", "get", "pages", "close"],
];

describe("[STORE-5] the n-th operation of the store fails", () => {
  const cases = OPERATIONS.flatMap((operations) =>
    (["nothing", "everything"] as const).flatMap((leaves) => [1, 2].map((times) => ({ operations, leaves, times }))),
  );
  test.each(cases)(
    "$operations, $times in a row; a failed batch leaves $leaves",
    async ({ operations, leaves, times }) => {
      let n = 0;
      for (let reached = true; reached;) {
        const plan = failNth(++n, { operations, leaves, times });
        await runScenario(plan);
        reached = plan.wasReached;
      }
      expect(n).toBeGreaterThan(1);
    },
  );
});

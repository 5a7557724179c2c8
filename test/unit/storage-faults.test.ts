/** Every operation of the store fails once, in turn: nothing acknowledged is lost, nothing is out of order, and the service comes back. */
import { describe, expect, test } from "vitest";
import type { ContextId } from "../../shared/ids.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { LogEntry, RecordWrite, StoredContext } from "../../server/storage/change-log.ts";
import { foldCheckpoint, InlineCheckpointBuilder } from "../../server/storage/checkpoint/checkpoint.ts";
import { KeyValueChangeLog } from "../../server/storage/log/key-value-change-log.ts";
import { SoleWriterCore } from "../../server/storage/log/sole-writer-core.ts";
import { StorageManager } from "../../server/storage/storage-manager.ts";
import { failNth, FaultyStore, type NthPlan, type StoreOperation } from "../support/faulty-store.ts";
import { emptyCheckpoint, idOf, metaOf, Typist } from "../support/log-fixtures.ts";
import { ManualClock } from "../support/manual-clock.ts";

const IDS = ["a", "b"].map(idOf);
const ROUNDS = 6;
const ATTEMPTS_MAX = 20;
/** In which a checkpoint is kept. */
const KEEP_ROUND = 1;
const limits = { ...LIMITS, checkpointTailEntries: 4 };
/** So few that history is dropped again and again. */
const retention = { changesMax: 4 };

interface Rig {
  readonly clock: ManualClock;
  readonly store: FaultyStore;
  readonly storage: StorageManager;
}

function newRig(plan: NthPlan): Rig {
  const clock = new ManualClock();
  const store = new FaultyStore(plan);
  const log = new KeyValueChangeLog(new SoleWriterCore({ store, clock, limits }));
  return {
    clock,
    store,
    storage: new StorageManager({ log, clock, limits, checkpoints: new InlineCheckpointBuilder(), retention }),
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

/** What the service said is durable. */
interface Acked {
  /** By position. */
  readonly updates: Map<number, Uint8Array>;
  /** Text of the document at the kept checkpoints, by position. */
  readonly kept: Map<number, string>;
}

/** Each entry has a record of its own. */
const records = (placed: readonly LogEntry[]): RecordWrite[] =>
  placed.map(({ seq }) => ({ collection: "conflicts", key: `${seq}`, value: { seq } }));

async function create({ storage }: Rig, id: ContextId): Promise<void> {
  if ((await storage.summary(id)) === undefined) await storage.create(metaOf(id), emptyCheckpoint());
}

/** Two appends at a time, the second built on the first; what was refused is forgotten, as LOG-5 demands. */
async function write(rig: Rig, id: ContextId, acked: Acked): Promise<void> {
  for (let round = 0; round < ROUNDS; round++) {
    const stored = await persist(rig, () => rig.storage.load(id));
    const typist = new Typist(100 + round).follow(stored);
    const entries = [typist.type(`${id}${round}.`), typist.type("+")];
    const results = await Promise.allSettled(
      entries.map((entry) => rig.storage.append(id, { lockSeq: 0 }, [entry], { records })),
    );
    for (const result of results) {
      if (result.status === "rejected" || result.value.kind !== "appended") continue;
      for (const { seq, update } of result.value.entries) acked.updates.set(seq, update);
    }
    expect(
      results[0]?.status === "rejected" && results[1]?.status === "fulfilled",
      "a successor of a rejected append",
    ).toBe(false);
    await untilAvailable(rig);
    if (round === KEEP_ROUND) await persist(rig, () => keep(rig, id, acked));
  }
}

async function keep({ storage }: Rig, id: ContextId, acked: Acked): Promise<void> {
  const stored = await storage.load(id);
  if (stored === undefined) throw new Error("the context is gone");
  const { checkpoint: base, tail } = stored;
  const checkpoint = foldCheckpoint({ base, tail, nodeClientId: 1 });
  const { seq } = checkpoint;
  const named: RecordWrite = { collection: "checkpoints", key: "named", value: { seq } };
  await storage.writeCheckpoint(id, checkpoint, { isKept: true, records: [named] });
  acked.kept.set(seq, textOf({ checkpoint, tail: [] }));
}

const textOf = (stored: Pick<StoredContext, "checkpoint" | "tail"> | undefined): string =>
  new Typist(1).follow(stored).text;

interface Checked {
  readonly logBytes: number;
  readonly baseSeq: number;
}

async function check(store: FaultyStore, id: ContextId, acked: Acked): Promise<Checked> {
  const log = new KeyValueChangeLog(new SoleWriterCore({ store, clock: new ManualClock() }));
  await log.open();
  const stored = await log.load(id);
  if (stored === undefined) throw new Error("the context is gone");
  const { baseSeq } = stored.size;
  const entries = await log.read(id, 0, Infinity);
  expect(entries.map(({ seq, version }) => [seq, version])).toEqual(
    entries.map((_, index) => [baseSeq + index + 1, baseSeq + index + 1]),
  );
  for (const [seq, update] of acked.updates) {
    const entry = entries[seq - baseSeq - 1];
    if (seq > baseSeq) expect(Buffer.from(entry?.update ?? []).equals(update)).toBe(true);
    expect(await log.readRecord(id, "conflicts", `${seq}`)).toEqual({ seq });
  }
  const base = await log.checkpointBefore(id, baseSeq);
  if (base === undefined) throw new Error("the base is gone");
  const fromBase = foldCheckpoint({ base, tail: entries, nodeClientId: 1 });
  expect(textOf(stored)).toBe(textOf({ checkpoint: fromBase, tail: [] }));
  for (const [seq, text] of acked.kept) {
    const checkpoint = await log.checkpointBefore(id, seq);
    expect(checkpoint).toMatchObject({ seq });
    if (checkpoint !== undefined) expect(textOf({ checkpoint, tail: [] })).toBe(text);
    expect(await log.readRecord(id, "checkpoints", "named")).toEqual({ seq });
  }
  const logBytes = stored.size.logBytes;
  await log.close();
  return { logBytes, baseSeq };
}

/** Bytes of all runs. */
async function bytesOfRuns(store: FaultyStore): Promise<number> {
  let bytes = 0;
  await store.open();
  await store.view(async (view) => {
    for await (const page of view.pages({ gte: Buffer.from("l"), lt: Buffer.from("m") })) {
      for (const [, value] of page) bytes += value.length;
    }
  });
  await store.close();
  return bytes;
}

async function runScenario(plan: NthPlan): Promise<void> {
  const rig = newRig(plan);
  await persist(rig, () => rig.storage.start());
  const acked = new Map(IDS.map((id): [ContextId, Acked] => [id, { updates: new Map(), kept: new Map() }]));
  for (const id of IDS) await persist(rig, () => create(rig, id));
  await Promise.all([...acked].map(([id, those]) => write(rig, id, those)));
  await rig.storage.settled();
  await rig.storage.close().catch(() => undefined);
  const { store } = rig;
  store.crash();
  store.plan = failNth(Infinity);
  let logBytes = 0;
  for (const [id, those] of acked) {
    expect(those.updates.size).toBeGreaterThan(ROUNDS); // most rounds succeed: at most two faults
    expect(those.kept.size).toBeGreaterThan(0);
    const checked = await check(store, id, those);
    if (!plan.wasReached) expect(checked.baseSeq).toBeGreaterThan(0);
    logBytes += checked.logBytes;
  }
  expect(logBytes).toBe(await bytesOfRuns(store));
}

const OPERATIONS: readonly (readonly StoreOperation[])[] = [
  ["open"],
  ["close"],
  ["batch"],
  ["get", "pages"],
  ["open", "batch", "get", "pages", "close"],
];

/** Each case is some hundred scenarios: a second, and many on a busy machine. */
const TIMEOUT_MS = 60_000;

describe("[STORE-5] the n-th operation of the store fails", { timeout: TIMEOUT_MS }, () => {
  const cases = OPERATIONS.flatMap((operations) =>
    // What a failed batch leaves makes a difference only where batches fail.
    (["nothing", "everything"] as const)
      .slice(operations.includes("batch") ? 0 : 1)
      .flatMap((leaves) => [1, 2].map((times) => ({ operations, leaves, times }))),
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

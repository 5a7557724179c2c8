/** Dropping old history beside the traffic: when, how far, and what stays readable. */
import { afterEach, expect, test } from "vitest";
import * as Y from "yjs";
import type { ContextId } from "../../shared/ids.ts";
import { LIMITS, type Limits } from "../../shared/limits.ts";
import type { Checkpoint } from "../../server/storage/change-log.ts";
import {
  foldCheckpoint,
  InlineCheckpointBuilder,
  type CheckpointBuilder,
} from "../../server/storage/checkpoint/checkpoint.ts";
import { MemoryChangeLog } from "../../server/storage/log/memory-change-log.ts";
import { StorageManager } from "../../server/storage/storage-manager.ts";
import type { RetentionPolicy } from "../../server/state/retention.ts";
import { emptyCheckpoint, epochOf, idOf, metaOf, Typist } from "../support/log-fixtures.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { RecordingLogger } from "../support/recording-logger.ts";

const plan = idOf("plan");
const HOUSEKEEPING_MS = 60_000;
const DAY = 24 * 60 * 60 * 1000;

interface Rig {
  readonly clock: ManualClock;
  readonly storage: StorageManager;
  readonly logger: RecordingLogger;
}

let open: StorageManager[] = [];
afterEach(async () => {
  for (const storage of open) await storage.close();
  open = [];
});

interface RigOptions {
  readonly limits?: Partial<Limits>;
  readonly checkpoints?: CheckpointBuilder;
}

async function start(retention: RetentionPolicy, options: RigOptions = {}): Promise<Rig> {
  const limits = { ...LIMITS, checkpointTailEntries: 7, ...options.limits };
  const clock = new ManualClock();
  const logger = new RecordingLogger();
  const checkpoints = options.checkpoints ?? new InlineCheckpointBuilder();
  const log = new MemoryChangeLog({ clock, limits });
  const storage = new StorageManager({ log, clock, limits, logger, checkpoints, retention });
  await storage.start();
  open.push(storage);
  await storage.create(metaOf("plan"), emptyCheckpoint());
  return { clock, storage, logger };
}

/** Types `from` … `to` as changes of their own, each settled. */
async function type({ storage, clock }: Rig, from: number, to: number, id: ContextId = plan): Promise<void> {
  const typist = new Typist(100 + from).follow(await storage.load(id));
  for (let n = from; n <= to; n++) {
    await storage.append(id, { seq: n - 1 }, [{ ...typist.type(`${n} `), atMs: clock.nowMs() }]);
    await storage.settled();
  }
}

const baseOf = async ({ storage }: Rig, id: ContextId = plan): Promise<number | undefined> =>
  (await storage.load(id))?.size.baseVersion;
const textOf = (checkpoint: Checkpoint | undefined): string =>
  checkpoint === undefined ? "" : new Typist(9).follow({ checkpoint, tail: [] }).text;
const words = (to: number): string => Array.from({ length: to }, (_, n) => `${n + 1} `).join("");
const turns = async (count = 20): Promise<void> => {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
};

test("[RET-3] history beyond the bound is dropped down to three quarters, rarely; content and later history stay", async () => {
  const rig = await start({ changesMax: 20 });
  const bases: (number | undefined)[] = [];
  for (let n = 1; n <= 40; n++) {
    await type(rig, n, n);
    bases.push(await baseOf(rig));
  }
  expect([...new Set(bases)]).toEqual([0, 6, 12, 18, 24]);
  expect(bases[19]).toBe(0);
  expect(bases[20]).toBe(6);
  const stored = await rig.storage.load(plan);
  expect(new Typist(9).follow(stored).text).toBe(words(40));
  expect((await rig.storage.read(plan, 0, 100)).map(({ seq }) => seq)).toEqual(
    Array.from({ length: 16 }, (_, n) => 25 + n),
  );
  const base = await rig.storage.checkpointBefore(plan, 24);
  expect(textOf(base)).toBe(words(24));
  const tail = await rig.storage.read(plan, 24, 6);
  if (base === undefined) throw new Error("no base");
  expect(textOf(foldCheckpoint({ base, tail, nodeClientId: 1 }))).toBe(words(30));
});

test("[RET-3] kept checkpoints stay readable when the log around them is gone", async () => {
  const rig = await start({ changesMax: 20 });
  await type(rig, 1, 4);
  const base = await rig.storage.checkpointBefore(plan, 0);
  if (base === undefined) throw new Error("no base");
  const tail = await rig.storage.read(plan, 0, 3);
  await rig.storage.writeCheckpoint(plan, foldCheckpoint({ base, tail, nodeClientId: 1 }), { isKept: true });
  await type(rig, 5, 30);
  expect(await baseOf(rig)).toBeGreaterThan(3);
  expect(textOf(await rig.storage.checkpointBefore(plan, 3))).toBe(words(3));
});

test("[RET-3] the base is right when an epoch began before it", async () => {
  const rig = await start({ changesMax: 8 });
  await type(rig, 1, 5);
  const recreated = new Typist(50);
  recreated.type("new document ");
  await rig.storage.append(plan, { seq: 5 }, [epochOf(6, 99, { update: Y.encodeStateAsUpdate(recreated.doc) })]);
  for (let n = 7; n <= 16; n++) {
    await rig.storage.append(plan, { seq: n - 1 }, [recreated.type(`${n} `)]);
    await rig.storage.settled();
  }
  const base = await rig.storage.checkpointBefore(plan, (await rig.storage.load(plan))?.size.baseSeq ?? 0);
  expect(base).toMatchObject({ authorSalt: 99, firstEpoch: 1 });
  expect(base?.retired).toContain(101);
  expect(textOf(base)).toMatch(/^new document 7 /);
});

test("[RET-4] history of a quiet context gets too old too: it is found in rounds, up to its end", async () => {
  const rig = await start({ ageMsMax: 8 * DAY });
  const ids = Array.from({ length: 150 }, (_, n) => idOf(`c${String(n).padStart(3, "0")}`));
  for (const id of ids) await rig.storage.create(metaOf(id), emptyCheckpoint());
  const [first = plan, last = plan] = [ids[0], ids.at(-1)];
  await type(rig, 1, 3, first);
  await type(rig, 1, 3, last);
  rig.clock.advance(7 * DAY);
  await turns();
  expect(await baseOf(rig, first)).toBe(0);
  await type(rig, 4, 4, first);
  rig.clock.advance(DAY + HOUSEKEEPING_MS);
  for (let round = 0; round < 2; round++) {
    await turns();
    await rig.storage.settled();
    rig.clock.advance(HOUSEKEEPING_MS);
  }
  await turns();
  await rig.storage.settled();
  expect(await baseOf(rig, first)).toBe(3);
  expect(await baseOf(rig, last)).toBe(3);
  expect(new Typist(9).follow(await rig.storage.load(last)).text).toBe(words(3));
  expect(await rig.storage.append(last, { seq: 3 }, [new Typist(77).type("x")])).toMatchObject({ kind: "appended" });
});

test("[RET-4] one context at a time; deleting it meanwhile harms nobody", async () => {
  let release: () => void = () => undefined;
  let running = 0;
  let most = 0;
  const inline = new InlineCheckpointBuilder();
  const gate = new Promise<void>((resolve) => (release = resolve));
  const checkpoints: CheckpointBuilder = {
    async build(input) {
      most = Math.max(most, ++running);
      await gate;
      running--;
      return inline.build(input);
    },
    renew: (input, salts) => new InlineCheckpointBuilder().renew(input, salts),
    close: () => Promise.resolve(),
  };
  const rig = await start({ changesMax: 4 }, { checkpoints, limits: { checkpointTailEntries: 1000 } });
  const other = idOf("other");
  await rig.storage.create(metaOf("other"), emptyCheckpoint());
  const typists = new Map([plan, other].map((id) => [id, new Typist(1)] as const));
  for (let n = 1; n <= 6; n++) {
    for (const [id, typist] of typists) await rig.storage.append(id, { seq: n - 1 }, [typist.type(`${n} `)]);
  }
  await turns();
  await rig.storage.remove(plan);
  await rig.storage.create(metaOf("plan"), emptyCheckpoint());
  const typist = new Typist(2);
  for (let n = 1; n <= 4; n++) await rig.storage.append(plan, { seq: n - 1 }, [typist.type(`${n} `)]);
  release();
  await rig.storage.settled();
  expect(most).toBe(1);
  expect(await baseOf(rig, other)).toBe(3);
  expect((await rig.storage.load(plan))?.size.baseSeq).toBe(0);
  expect(new Typist(9).follow(await rig.storage.load(plan)).text).toBe(words(4));
});

test("[RET-4] a base that cannot be made is tried again only after as many entries; nothing else suffers", async () => {
  let tries = 0;
  const checkpoints: CheckpointBuilder = {
    build: () => Promise.reject(new Error(`no ${++tries}`)),
    renew: (input, salts) => new InlineCheckpointBuilder().renew(input, salts),
    close: () => Promise.resolve(),
  };
  const rig = await start(
    { changesMax: 5 },
    { checkpoints, limits: { checkpointTailEntries: 10, checkpointTailBytes: 1e9 } },
  );
  const typist = new Typist(1);
  for (let n = 1; n <= 9; n++) {
    await rig.storage.append(plan, { seq: n - 1 }, [typist.type("x")]);
    await rig.storage.settled();
  }
  expect(tries).toBe(1);
  expect(rig.logger.entries.filter(({ message }) => message.startsWith("Old history could not"))).toHaveLength(1);
});

test("[RET-5] a context that comes close to its bound on disk is told once, until it is smaller again", async () => {
  const rig = await start({ changesMax: 12 }, { limits: { contextStorageBytesWarn: 5_000 } });
  const warnings = (): number =>
    rig.logger.entries.filter(({ message }) => message.startsWith("A context comes close")).length;
  const typist = new Typist(1);
  const grow = async (n: number, chars: number): Promise<void> => {
    await rig.storage.append(plan, { seq: n - 1 }, [typist.type("x".repeat(chars))]);
    await rig.storage.settled();
  };
  for (let n = 1; n <= 4; n++) await grow(n, 1_000);
  expect(warnings()).toBe(0);
  for (let n = 5; n <= 9; n++) await grow(n, 1_000);
  expect(warnings()).toBe(1);
});

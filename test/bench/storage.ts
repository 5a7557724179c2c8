/**
 * The log by itself, in this process: appends per second by number of producers, one record per entry against runs
 * (decision 0003), and the cold load of a context with many small updates. Run: npx tsx test/bench/storage.ts
 *
 * Not here: anything over a socket (the other scenarios).
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as Y from "yjs";
import { systemClock } from "../../server/clock.ts";
import { encodeRun } from "../../server/storage/log/entry-codec.ts";
import { GroupCommit } from "../../server/storage/log/group-commit.ts";
import { LevelChangeLog } from "../../server/storage/log/level-change-log.ts";
import { LevelStore } from "../../server/storage/store/level-store.ts";
import { headKey, runKey } from "../../server/storage/log/log-keys.ts";
import { encodeHead } from "../../server/storage/log/record-codec.ts";
import { StorageManager } from "../../server/storage/storage-manager.ts";
import type { LogEntry } from "../../server/storage/change-log.ts";
import { LIMITS } from "../../shared/limits.ts";
import { emptyCheckpoint, entryOf, idOf, metaOf, Typist } from "../support/log-fixtures.ts";

const UPDATE = new Uint8Array(60).fill(7);
const RUN_MS = 1500;

interface Sample {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly cpuMicros: number;
}

/** Producers that each wait for their own append before the next. */
async function drive(producers: number, append: (producer: number) => Promise<unknown>): Promise<Sample> {
  const latencies: number[] = [];
  const until = performance.now() + RUN_MS;
  const started = performance.now();
  const cpu = process.cpuUsage();
  await Promise.all(
    Array.from({ length: producers }, async (_, producer) => {
      while (performance.now() < until) {
        const at = performance.now();
        await append(producer);
        latencies.push(performance.now() - at);
      }
    }),
  );
  const elapsed = performance.now() - started;
  const { user, system } = process.cpuUsage(cpu);
  latencies.sort((a, b) => a - b);
  const at = (share: number): number => latencies[Math.floor(latencies.length * share)] ?? 0;
  const perSecond = (latencies.length / elapsed) * 1000;
  return { perSecond, p50: at(0.5), p99: at(0.99), cpuMicros: (user + system) / latencies.length };
}

async function inFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "mcm-bench-"));
  try {
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The log as it is: what one commit carries of a context is one record. */
function withRuns(producers: number, contexts: number): Promise<Sample> {
  return inFolder(async (folder) => {
    const log = new LevelChangeLog({ folder });
    await log.open();
    const ids = Array.from({ length: contexts }, (_, n) => idOf(`c${n}`));
    for (const id of ids) await log.create(metaOf(id), emptyCheckpoint());
    const sample = await drive(producers, (producer) =>
      log.append(ids[producer % contexts] ?? idOf("c0"), { lockSeq: 0 }, [entryOf(producer, { update: UPDATE })]),
    );
    await log.close();
    return sample;
  });
}

/** The same store and codec, but a record for each entry, and the head of each context once in a commit. */
function withRecords(producers: number, contexts: number): Promise<Sample> {
  return inFolder(async (folder) => {
    const store = new LevelStore(folder);
    await store.open();
    const seqs = Array.from({ length: contexts }, () => 0);
    const checkpoints = [{ seq: 0, version: 0, bytes: 0, isKept: false }];
    const stored = { checkpoints, baseSeq: 0, logBytes: 0, coveredBytes: 0 };
    const commit = new GroupCommit<{ context: number; entry: LogEntry }>({
      clock: systemClock,
      limits: LIMITS,
      async write(items) {
        const records = items.map(({ context, entry }) => {
          const key = runKey(context, entry.seq);
          return { type: "put" as const, key, value: encodeRun(key, entry.version - 1, [entry]) };
        });
        const heads = [...new Map(items.map(({ context, entry }) => [context, entry]))].map(
          ([context, { seq, version, atMs }]) => {
            const key = headKey(context);
            const head = { seq, version, lockSeq: 0, updatedAtMs: atMs };
            return { type: "put" as const, key, value: encodeHead(key, { ...stored, head }) };
          },
        );
        await store.batch([...records, ...heads], { sync: true });
      },
    });
    const sample = await drive(producers, async (producer) => {
      const context = producer % contexts;
      const seq = (seqs[context] = (seqs[context] ?? 0) + 1);
      await commit.submit(
        { context, entry: { ...entryOf(producer, { update: UPDATE }), seq, version: seq } },
        { entries: 1, bytes: 188 },
      );
    });
    await commit.drained();
    await store.close();
    return sample;
  });
}

function row(cells: readonly (string | number)[]): void {
  console.log(`| ${cells.join(" | ")} |`);
}

function cellsOf({ perSecond, p50, p99, cpuMicros }: Sample): string {
  return `${Math.round(perSecond)}/s, ${p50.toFixed(2)}/${p99.toFixed(1)} ms, ${cpuMicros.toFixed(0)} µs`;
}

async function benchAppends(): Promise<void> {
  row(["contexts", "producers", "record per entry", "runs"]);
  row(["-", "-", "-", "-"]);
  for (const [contexts, producers] of [
    [1, 1],
    [1, 10],
    [1, 100],
    [1, 1000],
    [100, 100],
    [100, 1000],
  ] as const) {
    const samples = { records: [] as Sample[], runs: [] as Sample[] };
    for (let round = 0; round < 3; round++) {
      samples.records.push(await withRecords(producers, contexts));
      samples.runs.push(await withRuns(producers, contexts));
    }
    row([contexts, producers, cellsOf(median(samples.records)), cellsOf(median(samples.runs))]);
  }
}

function median(samples: readonly Sample[]): Sample {
  const sorted = samples.toSorted((a, b) => a.perSecond - b.perSecond);
  const middle = sorted[sorted.length >> 1];
  if (middle === undefined) throw new Error("no samples");
  return middle;
}

async function benchColdLoad(
  kind: string,
  entryAt: (typist: Typist, n: number) => ReturnType<Typist["type"]>,
): Promise<void> {
  await inFolder(async (folder) => {
    const storage = new StorageManager({ log: new LevelChangeLog({ folder }), clock: systemClock });
    await storage.start();
    const id = idOf("big");
    await storage.create(metaOf("big"), emptyCheckpoint());
    const typist = new Typist(1);
    let appends: Promise<unknown>[] = [];
    for (let n = 0; n < 50_000; n++) {
      appends.push(storage.append(id, { lockSeq: 0 }, [entryAt(typist, n)]));
      if (appends.length === 100) {
        await Promise.all(appends);
        appends = [];
      }
    }
    await storage.settled();
    await storage.close();
    const log = new LevelChangeLog({ folder });
    await log.open();
    for (const round of ["first", "second"]) {
      const at = performance.now();
      const stored = await log.load(id);
      const read = performance.now();
      const doc = new Y.Doc();
      if (stored === undefined) throw new Error("the context is gone");
      Y.applyUpdateV2(doc, stored.checkpoint.state);
      doc.transact(() => {
        for (const { update } of stored.tail) Y.applyUpdate(doc, update);
      });
      const done = performance.now();
      row([
        kind,
        round,
        `${(read - at).toFixed(1)} ms`,
        `${(done - at).toFixed(1)} ms`,
        stored.checkpoint.state.length,
        stored.tail.length,
      ]);
    }
    await log.close();
  });
}

await benchAppends();
row(["cold load of 50,000 updates", "", "read", "with the document built", "checkpoint bytes", "tail"]);
row(["-", "-", "-", "-", "-", "-"]);
await benchColdLoad("text, appended", (typist) => typist.type("x"));
await benchColdLoad("text, at random places", (typist) =>
  typist.typeAt(Math.floor(Math.random() * typist.length), "x"),
);
await benchColdLoad("20 map keys", (typist, n) => typist.set(`k${n % 20}`, n));

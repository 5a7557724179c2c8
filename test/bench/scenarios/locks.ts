/**
 * Locks: how long it takes to get one, to give it back, and to get it from whoever had it before. Ours alone.
 *
 * 1. A lock is granted, released and handed over when its entry is on disk: an fsync is in every figure.
 * 2. 100 wait for one place; each gives it back as soon as it has it, and the clock runs from sending that to the next one's
 *    answer. Everybody must be served, one after the other.
 *
 * Not here: what locks cost those who write elsewhere (admission.ts).
 */
import { openRoom, withServer } from "../scenario.ts";
import type { Scenario } from "../scenario.ts";
import { percentile } from "../stats.ts";
import { timedRequest } from "../rest-client.ts";

const WAITERS = 100;
const WAIT_MS = 60_000;

const inMs = { better: "lower" } as const;

export const locks: Scenario = {
  id: "locks",
  title: "Locks",
  what:
    "500 locks on places of their own taken and given back over REST, one after the other, beside 900 others; then 100 who wait for " +
    "one place, each giving it back at once, 5 times over.",
  needs: "ours",
  metrics: {
    acquireP50Ms: { label: "acquire: p50, ms", ...inMs },
    acquireP99Ms: { label: "acquire: p99, ms", ...inMs },
    releaseP50Ms: { label: "release: p50, ms", ...inMs },
    releaseP99Ms: { label: "release: p99, ms", ...inMs },
    handOverP50Ms: { label: "hand-over among 100 waiters: p50, ms", ...inMs },
    handOverP99Ms: { label: "hand-over among 100 waiters: p99, ms", ...inMs },
    eventLoopMaxMs: { label: "longest event-loop turn, ms", ...inMs },
  },
  run: (bench) =>
    withServer(bench, async (running) => {
      const { name } = await openRoom(bench, running, "locks");
      const desk = new LockDesk(new URL(`/v1/contexts/${name}/locks`, running.url));
      for (let i = 0; i < 900; i++) await desk.acquire({ paths: [`/elsewhere/${i}`], ttlMs: 600_000 });
      await roundTrips(desk, bench.count(100, 20)); // warm-up
      await running.watch();
      const { acquired, released } = await roundTrips(desk, bench.count(500, 100));
      const handedOver: number[] = [];
      for (let round = bench.count(5, 1); round > 0; round--) handedOver.push(...(await handOvers(desk)));
      return {
        acquireP50Ms: percentile(acquired, 0.5),
        acquireP99Ms: percentile(acquired, 0.99),
        releaseP50Ms: percentile(released, 0.5),
        releaseP99Ms: percentile(released, 0.99),
        handOverP50Ms: percentile(handedOver, 0.5),
        handOverP99Ms: percentile(handedOver, 0.99),
        eventLoopMaxMs: await running.watched(),
      };
    }),
};

interface Wanted {
  readonly paths: readonly string[];
  readonly ttlMs: number;
  readonly waitMs?: number;
}

interface Granted {
  readonly lockId: string;
  readonly fencingToken: number;
}

class LockDesk {
  readonly #url: URL;

  constructor(url: URL) {
    this.#url = url;
  }

  async acquire(wanted: Wanted): Promise<Granted & { readonly ms: number }> {
    const { bytes, ms } = await timedRequest(this.#url, "POST", wanted);
    const { lockId, fencingToken } = JSON.parse(bytes.toString()) as Granted;
    return { lockId, fencingToken, ms };
  }

  async list(): Promise<void> {
    await timedRequest(this.#url, "GET");
  }

  async release(lockId: string): Promise<number> {
    return (await timedRequest(new URL(`${this.#url.pathname}/${lockId}`, this.#url), "DELETE")).ms;
  }
}

async function roundTrips(desk: LockDesk, count: number) {
  const acquired: number[] = [];
  const released: number[] = [];
  for (let i = 0; i < count; i++) {
    const { lockId, ms: took } = await desk.acquire({ paths: [`/place/${i}`], ttlMs: 30_000 });
    acquired.push(took);
    released.push(await desk.release(lockId));
  }
  return { acquired, released };
}

/** From giving the lock back to the answer of whoever is next, for each in the line. */
async function handOvers(desk: LockDesk): Promise<readonly number[]> {
  const took: number[] = [];
  let freedAt = 0;
  let newest = 0;
  const give = async ({ lockId, fencingToken }: Granted): Promise<void> => {
    if (fencingToken <= newest) throw new Error(`Token ${fencingToken} came after ${newest}.`);
    newest = fencingToken;
    freedAt = performance.now();
    await desk.release(lockId);
  };
  const wanted = { paths: ["/wanted"], ttlMs: 600_000 };
  const first = await desk.acquire(wanted);
  const waiting = Array.from({ length: WAITERS }, async () => {
    const granted = await desk.acquire({ ...wanted, waitMs: WAIT_MS });
    took.push(performance.now() - freedAt);
    await give(granted);
  });
  // by then all of them are in line
  for (let i = 0; i < 10; i++) await desk.list();
  await give(first);
  await Promise.all(waiting);
  return took;
}

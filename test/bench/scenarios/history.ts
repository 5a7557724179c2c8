/**
 * History beside live sync: fan-out while the past of another context is read, compared, blamed and restored, against
 * fan-out alone. Ours alone.
 *
 * 1. Both are measured in one server, in turns, starting with the quiet one.
 * 2. No request is answered from a cache: each asks for other versions, and each blame comes after a restore. One follows
 *    the other, as fast as they are answered.
 */
import { LiveRoom } from "../live-room.ts";
import { timedRequest } from "../rest-client.ts";
import { openRoom, withServer } from "../scenario.ts";
import type { Bench, Scenario } from "../scenario.ts";
import type { RunningServer } from "../spawn-server.ts";
import { percentile } from "../stats.ts";
import { PAST, withPast } from "./past-context.ts";

const ROUNDS = 3;

const ms = { better: "lower" } as const;

export const history: Scenario = {
  id: "history",
  title: "History beside live sync",
  what:
    "1 writer at 100 updates/s, 100 readers, 3 × 4 s; then the same while old versions of a context of 26,078 changes are read, compared, " +
    "blamed and restored one after the other, in turns.",
  needs: "ours",
  metrics: {
    p50MsAlone: { label: "live alone: p50, ms", ...ms },
    p99MsAlone: { label: "live alone: p99, ms", ...ms },
    p50MsBeside: { label: "beside history: p50, ms", ...ms },
    p99MsBeside: { label: "beside history: p99, ms", ...ms },
    p99Ratio: { label: "p99 beside history against alone, ×", ...ms },
    eventLoopMaxMsAlone: { label: "longest event-loop turn alone, ms", ...ms },
    eventLoopMaxMsBeside: { label: "longest event-loop turn beside history, ms", ...ms },
    readMs: { label: "an old version read: p50, ms", ...ms },
    diffMs: { label: "two versions compared: p50, ms", ...ms },
    blameMs: { label: "blame: p50, ms", ...ms },
    restoreMs: { label: "restored: p50, ms", ...ms },
  },
  async run(bench) {
    const version = await withPast(bench);
    return withServer(bench, (running) => measured(bench, running, new Visits(running.url, version)));
  },
};

async function measured(bench: Bench, running: RunningServer, visits: Visits): Promise<Record<string, number>> {
  const seconds = bench.count(4, 1);
  const room = await openRoom(bench, running, "live");
  const live = await LiveRoom.open(room, { readers: 100, perSecond: 100, seconds: 2 + 2 * ROUNDS * seconds });
  await visits.during(live.window(2)); // warm-up of both
  visits.forget();
  const alone: Window[] = [];
  const beside: Window[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    alone.push(await watched(running, () => live.window(seconds)));
    beside.push(await watched(running, () => visits.during(live.window(seconds))));
  }
  live.close();
  const p99MsAlone = percentile(latenciesOf(alone), 0.99);
  const p99MsBeside = percentile(latenciesOf(beside), 0.99);
  return {
    p50MsAlone: percentile(latenciesOf(alone), 0.5),
    p99MsAlone,
    p50MsBeside: percentile(latenciesOf(beside), 0.5),
    p99MsBeside,
    p99Ratio: p99MsBeside / p99MsAlone,
    eventLoopMaxMsAlone: Math.max(...alone.map(({ eventLoopMaxMs }) => eventLoopMaxMs)),
    eventLoopMaxMsBeside: Math.max(...beside.map(({ eventLoopMaxMs }) => eventLoopMaxMs)),
    readMs: visits.median("read"),
    diffMs: visits.median("diff"),
    blameMs: visits.median("blame"),
    restoreMs: visits.median("restore"),
  };
}

interface Window {
  readonly latencies: readonly number[];
  readonly eventLoopMaxMs: number;
}

async function watched(running: RunningServer, work: () => Promise<readonly number[]>): Promise<Window> {
  await running.watch();
  const latencies = await work();
  return { latencies, eventLoopMaxMs: await running.watched() };
}

function latenciesOf(windows: readonly Window[]): number[] {
  return windows.flatMap(({ latencies }) => latencies);
}

const KINDS = ["read", "diff", "restore", "blame"] as const;
type Kind = (typeof KINDS)[number];

/** Requests for the past of one context. */
class Visits {
  readonly #context: string;
  readonly #server: URL;
  readonly #version: number;
  #asked = 0;
  #took = new Map<Kind, number[]>();

  constructor(server: URL, version: number) {
    this.#server = server;
    this.#context = `/v1/contexts/${PAST}`;
    this.#version = version;
  }

  /** Asks until `other` is settled, and for the answer that is then under way. */
  async during<Result>(other: Promise<Result>): Promise<Result> {
    const over = new AbortController();
    const end = (): void => over.abort();
    other.then(end, end);
    while (!over.signal.aborted) {
      for (const kind of KINDS) if (!over.signal.aborted) await this.#ask(kind);
    }
    return other;
  }

  forget(): void {
    this.#took = new Map();
  }

  median(kind: Kind): number {
    return percentile(this.#took.get(kind) ?? [], 0.5);
  }

  async #ask(kind: Kind): Promise<void> {
    const { ms: took } = await this.#request(kind);
    const all = this.#took.get(kind);
    if (all === undefined) this.#took.set(kind, [took]);
    else all.push(took);
  }

  #request(kind: Kind) {
    const get = (what: string) => timedRequest(new URL(`${this.#context}${what}`, this.#server), "GET");
    switch (kind) {
      case "read":
        return get(`?version=${this.#next()}`);
      case "diff":
        return get(`/diff?from=${this.#next()}&to=${this.#next()}`);
      case "blame":
        return get("/blame");
      default:
        return timedRequest(new URL(`${this.#context}/restore`, this.#server), "POST", { version: this.#next() });
    }
  }

  /** Versions all over the past, none twice. */
  #next(): number {
    return 1 + ((this.#asked++ * 10_007) % this.#version);
  }
}

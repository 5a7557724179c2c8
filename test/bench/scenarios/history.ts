/**
 * History beside live sync: fan-out while the past of another context is read, compared, blamed and restored, against
 * fan-out alone, and against fan-out beside a program that has nothing to do with us. Ours alone.
 *
 * 1. All are measured in one server, in turns. Its threads share one core, so that no kernel can hide what they take from
 *    each other; the busy program, on the same core, tells what sharing it costs by itself.
 * 2. The requests come from a process of their own (past-visitor.ts), at the lowest priority: what they cost their sender is
 *    not to be taken for a cost of the server.
 */
import { besideBusyProgram } from "../cpu.ts";
import { LiveRoom } from "../live-room.ts";
import { PastVisitor } from "../past-visitor.ts";
import { openRoom, withServer } from "../scenario.ts";
import type { Bench, Scenario } from "../scenario.ts";
import type { RunningServer } from "../spawn-server.ts";
import { percentile } from "../stats.ts";
import { PAST, withPast } from "./past-context.ts";

const ROUNDS = 3;
const WARM_UP_SECONDS = 3;

const ms = { better: "lower" } as const;

export const history: Scenario = {
  id: "history",
  title: "History beside live sync",
  what:
    "1 writer at 100 updates/s, 100 readers, alone and while the past of another context (every keystroke of a trace) is read, " +
    "compared, restored and blamed one after the other, none from a cache; and, to compare, while a program counts at the lowest priority on " +
    "the server's core. In turns, 3 × 3 s each.",
  needs: "ours",
  metrics: {
    p50MsAlone: { label: "live alone: p50, ms", ...ms },
    p50MsBusy: { label: "beside a busy program: p50, ms", ...ms },
    p50MsBeside: { label: "beside history: p50, ms", ...ms },
    p99MsAlone: { label: "live alone: p99, ms", ...ms },
    p99MsBusy: { label: "beside a busy program: p99, ms", ...ms },
    p99MsBeside: { label: "beside history: p99, ms", ...ms },
    p99Ratio: { label: "p99 beside history, × alone", ...ms },
    p99RatioBusy: { label: "p99 beside history, × beside a busy program", ...ms },
    eventLoopMaxMsAlone: { label: "longest event-loop turn alone, ms", ...ms },
    eventLoopMaxMsBeside: { label: "longest event-loop turn beside history, ms", ...ms },
    changes: { label: "changes in that past", better: "neither" },
    readMs: { label: "an old version read: p50, ms", ...ms },
    diffMs: { label: "two versions compared: p50, ms", ...ms },
    blameMs: { label: "blame: p50, ms", ...ms },
    restoreMs: { label: "restored: p50, ms", ...ms },
  },
  async run(bench) {
    const changes = await withPast(bench);
    return withServer(bench, async (running) => {
      const visitor = new PastVisitor(new URL(`/v1/contexts/${PAST}`, running.url), changes);
      try {
        return { ...(await measured(bench, running, visitor)), changes };
      } finally {
        visitor.end();
      }
    });
  },
};

async function measured(bench: Bench, running: RunningServer, visitor: PastVisitor): Promise<Record<string, number>> {
  const seconds = bench.count(3, 1);
  const room = await openRoom(bench, running, "live");
  const live = await LiveRoom.open(room, {
    readers: 100,
    perSecond: 100,
    seconds: WARM_UP_SECONDS + 3 * ROUNDS * seconds,
  });
  await visitor.during(live.window(WARM_UP_SECONDS));
  visitor.forget();
  const alone: Window[] = [];
  const busy: Window[] = [];
  const beside: Window[] = [];
  const window = () => live.window(seconds);
  for (let round = 0; round < ROUNDS; round++) {
    alone.push(await watched(running, window));
    busy.push(await watched(running, () => besideBusyProgram(window)));
    beside.push(await watched(running, () => visitor.during(window())));
  }
  live.close();
  const [p99MsAlone, p99MsBusy, p99MsBeside] = [
    percentileOf(alone, 0.99),
    percentileOf(busy, 0.99),
    percentileOf(beside, 0.99),
  ];
  return {
    p50MsAlone: percentileOf(alone, 0.5),
    p50MsBusy: percentileOf(busy, 0.5),
    p50MsBeside: percentileOf(beside, 0.5),
    p99MsAlone,
    p99MsBusy,
    p99MsBeside,
    p99Ratio: p99MsBeside / p99MsAlone,
    p99RatioBusy: p99MsBeside / p99MsBusy,
    eventLoopMaxMsAlone: Math.max(...alone.map(({ eventLoopMaxMs }) => eventLoopMaxMs)),
    eventLoopMaxMsBeside: Math.max(...beside.map(({ eventLoopMaxMs }) => eventLoopMaxMs)),
    readMs: visitor.median("read"),
    diffMs: visitor.median("diff"),
    blameMs: visitor.median("blame"),
    restoreMs: visitor.median("restore"),
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

function percentileOf(windows: readonly Window[], q: number): number {
  return percentile(
    windows.flatMap(({ latencies }) => latencies),
    q,
  );
}

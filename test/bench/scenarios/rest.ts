/**
 * REST against the limits of the specification: create, update, from an update to the others, health. Ours alone.
 *
 * 1. One request at a time over a kept-alive connection, the client's own work included; the first tenth is warm-up.
 */
import { Goal } from "../pace.ts";
import { joinAll, openRoom, withServer } from "../scenario.ts";
import type { Scenario } from "../scenario.ts";
import { percentile } from "../stats.ts";
import { Receiver, mark } from "../updates.ts";

const WATCHERS = 10;

export const rest: Scenario = {
  id: "rest",
  title: "REST",
  what: "500 creates, 1,000 updates of one context watched by 10 clients, 500 health checks, one after the other.",
  needs: "ours",
  metrics: {
    createP50Ms: { label: "create: p50, ms", better: "lower" },
    createP99Ms: { label: "create: p99, ms", better: "lower" },
    updateP50Ms: { label: "update: p50, ms", better: "lower" },
    updateP99Ms: { label: "update: p99, ms", better: "lower" },
    othersP50Ms: { label: "update to others: p50, ms", better: "lower" },
    othersP99Ms: { label: "update to others: p99, ms", better: "lower" },
    healthP99Ms: { label: "health: p99, ms", better: "lower" },
    eventLoopMaxMs: { label: "longest event-loop turn, ms", better: "lower" },
  },
  run: (bench) =>
    withServer(bench, async (running) => {
      await running.watch();
      const call = (path: string, method: string, body?: object): Promise<void> =>
        request(new URL(path, running.url), method, body);
      const updates = bench.count(1000, 200);
      const room = await openRoom(bench, running, "rest");
      const goal = new Goal(updates * WATCHERS);
      const sentAt: number[] = [];
      const seenMs: number[] = [];
      const watchers = await joinAll(room, WATCHERS, () => {
        const receiver = new Receiver(-1, (_, sequence) => seenMs.push(performance.now() - (sentAt[sequence] ?? 0)));
        return { onContent: (message) => goal.add(receiver.see(message)) };
      });
      const created = await timed(bench.count(500, 100), (i) =>
        call("/v1/contexts", "POST", { id: `created-${i}`, data: { n: i } }),
      );
      const updated = await timed(updates, (i) => {
        sentAt.push(performance.now());
        return call("/v1/contexts/rest", "PATCH", {
          changes: [{ op: "add", path: `/notes-${i % 10}`, value: mark(0, i) }],
        });
      });
      await goal.reached;
      const health = await timed(bench.count(500, 100), () => call("/readyz", "GET"));
      for (const watcher of watchers) watcher.close();
      return {
        createP50Ms: percentile(created, 0.5),
        createP99Ms: percentile(created, 0.99),
        updateP50Ms: percentile(updated, 0.5),
        updateP99Ms: percentile(updated, 0.99),
        othersP50Ms: percentile(seenMs, 0.5),
        othersP99Ms: percentile(seenMs, 0.99),
        healthP99Ms: percentile(health, 0.99),
        eventLoopMaxMs: await running.watched(),
      };
    }),
};

async function timed(count: number, act: (i: number) => Promise<void>): Promise<readonly number[]> {
  const took: number[] = [];
  for (let i = 0; i < count; i++) {
    const start = performance.now();
    await act(i);
    took.push(performance.now() - start);
  }
  return took.slice(count / 10);
}

async function request(url: URL, method: string, body?: object): Promise<void> {
  const response = await fetch(url, {
    method,
    ...(body === undefined ? {} : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${url.pathname} gave ${response.status}: ${text}`);
}

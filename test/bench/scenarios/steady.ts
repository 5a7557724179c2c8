/**
 * Steady typing in one room: `fan-out` has one writer and many readers, `mesh` has everybody typing.
 *
 * 1. Latency runs from the moment a frame is given to the writer's socket to the moment a receiver has read it, both in this process.
 * 2. The first second is not counted.
 */
import { atRate, Goal } from "../pace.ts";
import { joinAll, openRoom, withServer } from "../scenario.ts";
import type { Bench, Metric, Scenario } from "../scenario.ts";
import { percentile } from "../stats.ts";
import { Receiver, typing } from "../updates.ts";

const metrics: Readonly<Record<string, Metric>> = {
  p50Ms: { label: "p50, ms", better: "lower" },
  p99Ms: { label: "p99, ms", better: "lower" },
  cpuUsPerDelivery: { label: "server CPU per delivery, µs", better: "lower" },
  eventLoopMaxMs: { label: "longest event-loop turn, ms", better: "lower" },
};

interface Shape {
  readonly writers: number;
  readonly readers: number;
  /** Updates per second of all writers together. */
  readonly perSecond: number;
}

export const fanOut: Scenario = {
  id: "fan-out",
  title: "Fan-out",
  what: "1 writer at 100 updates/s, 100 readers, 5 s.",
  needs: "nothing",
  metrics,
  run: (bench) => steady(bench, { writers: 1, readers: 100, perSecond: 100 }),
};

export const mesh: Scenario = {
  id: "mesh",
  title: "Mesh",
  what: "50 clients in one room, all typing, 500 updates/s together, 5 s.",
  needs: "nothing",
  metrics,
  run: (bench) => steady(bench, { writers: 50, readers: 0, perSecond: 500 }),
};

function steady(bench: Bench, shape: Shape): Promise<Record<string, number>> {
  return withServer(bench, async (running) => {
    const room = await openRoom(bench, running, "steady");
    const perWriter = (shape.perSecond / shape.writers) * (1 + bench.count(5, 2));
    const warmUp = shape.perSecond;
    const total = perWriter * shape.writers;
    const goal = new Goal(total * (shape.writers + shape.readers - 1));
    const sentAt = new Float64Array(total);
    const latencies: number[] = [];
    const clients = await joinAll(room, shape.writers + shape.readers, (i) => {
      const receiver = new Receiver(i < shape.writers ? i : -1, (writer, sequence) => {
        const nth = sequence * shape.writers + writer;
        if (nth >= warmUp) latencies.push(performance.now() - (sentAt[nth] ?? 0));
      });
      return { onContent: (message) => goal.add(receiver.see(message)) };
    });
    const scripts = clients.slice(0, shape.writers).map((client, writer) => ({
      client,
      frames: typing(writer, perWriter).map((update) => client.updateFrame(update)),
    }));
    let cpuBefore = 0;
    await atRate(shape.perSecond, total, (nth) => {
      if (nth === warmUp) cpuBefore = running.cpuMs();
      const script = scripts[nth % shape.writers];
      const frame = script?.frames[Math.floor(nth / shape.writers)];
      sentAt[nth] = performance.now();
      if (frame !== undefined) script?.client.send(frame);
      if (nth === warmUp) void running.watch();
    });
    await goal.reached;
    const cpuMs = running.cpuMs() - cpuBefore;
    for (const client of clients) client.close();
    return {
      p50Ms: percentile(latencies, 0.5),
      p99Ms: percentile(latencies, 0.99),
      cpuUsPerDelivery: (cpuMs * 1000) / latencies.length,
      eventLoopMaxMs: await running.watched(),
    };
  });
}

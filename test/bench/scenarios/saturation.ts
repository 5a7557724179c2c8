/**
 * Saturation: how much content a server can spread when more comes than it can send one by one.
 *
 * 1. The measured updates come after as many in another room, for all servers: a server's first ten thousand measure V8's
 *    compiler, which took twice the CPU of the work itself for ours.
 * 2. CPU is read when the last delivery has arrived: what a server still has to persist then is not held against it.
 */
import { encodeUpdate } from "../../../shared/protocol/frames.ts";
import { Goal } from "../pace.ts";
import { joinAll, openRoom, withServer } from "../scenario.ts";
import type { Bench, Scenario } from "../scenario.ts";
import type { RunningServer } from "../spawn-server.ts";
import { Receiver, assertContent, typing } from "../updates.ts";

const WRITERS = 10;
const READERS = 20;
const UPDATES = 30_000;

export const saturation: Scenario = {
  id: "saturation",
  title: "Saturation",
  what: "10 writers as fast as TCP takes it, 20 readers, 30,000 updates of 64 B in one room, after as many in another.",
  needs: "nothing",
  metrics: {
    perCpuSecond: { label: "deliveries per server CPU second", better: "higher" },
    perSecond: { label: "deliveries per second", better: "higher" },
    eventLoopMaxMs: { label: "longest event-loop turn, ms", better: "lower" },
    peakMb: { label: "peak RSS, MB", better: "lower" },
  },
  run: (bench) =>
    withServer(bench, async (running) => {
      await spread(bench, running, { name: "warm-up", updates: bench.count(UPDATES, 2000) });
      await running.watch();
      const cost = await spread(bench, running, { name: "saturated", updates: bench.count(UPDATES, 2000) });
      return { ...cost, eventLoopMaxMs: await running.watched(), peakMb: running.peakRssKb() / 1024 };
    }),
};

async function spread(bench: Bench, running: RunningServer, load: { name: string; updates: number }) {
  const room = await openRoom(bench, running, load.name);
  const deliveries = load.updates * (WRITERS + READERS - 1);
  const goal = new Goal(deliveries);
  const witness: Buffer[] = [];
  const clients = await joinAll(room, WRITERS + READERS, (i) => {
    const receiver = new Receiver(i < WRITERS ? i : -1);
    const keeps = i === WRITERS; // the first reader's bytes are checked with a real document afterwards
    return {
      onContent(message) {
        if (keeps) witness.push(Buffer.from(message));
        goal.add(receiver.see(message));
      },
    };
  });
  const scripts = clients.slice(0, WRITERS).map((client, writer) => {
    const updates = typing(writer, load.updates / WRITERS);
    return { client, updates, frames: Buffer.concat(updates.map((update) => client.updateFrame(update))) };
  });
  const cpuBefore = running.cpuMs();
  const start = performance.now();
  for (const { client, frames } of scripts) client.send(frames);
  await goal.reached;
  const seconds = (performance.now() - start) / 1000;
  const cpuSeconds = (running.cpuMs() - cpuBefore) / 1000;
  for (const client of clients) client.close();
  assertContent(
    witness,
    scripts.flatMap(({ updates }) => updates.map((update) => Buffer.from(encodeUpdate(update)))),
  );
  return { perCpuSecond: deliveries / cpuSeconds, perSecond: deliveries / seconds };
}

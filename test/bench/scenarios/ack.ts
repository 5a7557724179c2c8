/**
 * Acks: how long a writer waits until its change is on disk. Ours alone; no other server here tells its clients.
 *
 * 1. A session speaks mcm.v1 and measures from giving a data frame to the socket to the ack that covers it: fsync included.
 * 2. The answer to the server's SyncStep1 is a data frame too, the first of every connection.
 */
import { SUBPROTOCOL } from "../../../shared/protocol/version.ts";
import { ackedFrames } from "../events.ts";
import { LoadClient } from "../load-client.ts";
import type { Room } from "../load-client.ts";
import { atRate, Goal } from "../pace.ts";
import { openRoom, withServer } from "../scenario.ts";
import type { Bench, Scenario } from "../scenario.ts";
import type { RunningServer } from "../spawn-server.ts";
import { percentile } from "../stats.ts";
import { typing } from "../updates.ts";

interface Load {
  readonly rooms: number;
  readonly clientsPerRoom: number;
  readonly perSecond: number;
  readonly seconds: number;
}

const milliseconds = { better: "lower" } as const;

export const ack: Scenario = {
  id: "ack",
  title: "Durable acks",
  what: "From sending a change to the ack that it is on disk: 1 client at 50/s, 50 in one context at 500/s, 100 contexts at 2,000/s; 5 s each.",
  needs: "ours",
  metrics: {
    p50MsAlone: { label: "1 client: p50, ms", ...milliseconds },
    p99MsAlone: { label: "1 client: p99, ms", ...milliseconds },
    p50MsTogether: { label: "50 clients: p50, ms", ...milliseconds },
    p99MsTogether: { label: "50 clients: p99, ms", ...milliseconds },
    p50MsMany: { label: "2,000/s over 100 contexts: p50, ms", ...milliseconds },
    p99MsMany: { label: "2,000/s over 100 contexts: p99, ms", ...milliseconds },
    eventLoopMaxMs: { label: "longest event-loop turn, ms", ...milliseconds },
  },
  run: (bench) =>
    withServer(bench, async (running) => {
      const seconds = bench.count(5, 2);
      await ackTimes(bench, running, { rooms: 1, clientsPerRoom: 10, perSecond: 500, seconds: 1 }); // warm-up
      await running.watch();
      const alone = await ackTimes(bench, running, { rooms: 1, clientsPerRoom: 1, perSecond: 50, seconds });
      const together = await ackTimes(bench, running, { rooms: 1, clientsPerRoom: 50, perSecond: 500, seconds });
      const many = await ackTimes(bench, running, { rooms: 100, clientsPerRoom: 1, perSecond: 2000, seconds });
      return {
        p50MsAlone: percentile(alone, 0.5),
        p99MsAlone: percentile(alone, 0.99),
        p50MsTogether: percentile(together, 0.5),
        p99MsTogether: percentile(together, 0.99),
        p50MsMany: percentile(many, 0.5),
        p99MsMany: percentile(many, 0.99),
        eventLoopMaxMs: await running.watched(),
      };
    }),
};

let roomsMade = 0;

async function ackTimes(bench: Bench, running: RunningServer, load: Load): Promise<readonly number[]> {
  const writers = load.rooms * load.clientsPerRoom;
  const total = load.perSecond * load.seconds;
  const goal = new Goal(total);
  const latencies: number[] = [];
  const scripts: Script[] = [];
  for (let i = 0; i < load.rooms; i++) {
    const room = await openRoom(bench, running, `ack-${roomsMade++}`);
    for (let k = 0; k < load.clientsPerRoom; k++) {
      const onAcked = (ms: number): void => {
        latencies.push(ms);
        goal.add(1);
      };
      scripts.push(await scriptOf(room, { writer: k, updates: Math.ceil(total / writers) }, onAcked));
    }
  }
  await atRate(load.perSecond, total, (nth) => scripts[nth % writers]?.sendNext());
  await goal.reached;
  for (const { client } of scripts) client.close();
  return latencies;
}

interface Script {
  readonly client: LoadClient;
  sendNext(): void;
}

async function scriptOf(
  room: Room,
  typed: { writer: number; updates: number },
  onAcked: (ms: number) => void,
): Promise<Script> {
  const sentAt: number[] = [];
  let acked = 1; // the answer to SyncStep1 is of no interest
  const client = await LoadClient.join(room, {
    subprotocol: SUBPROTOCOL,
    onOther(message) {
      const frames = ackedFrames(message) ?? 0;
      for (; acked < frames; acked++) onAcked(performance.now() - (sentAt[acked - 1] ?? 0));
    },
  });
  await client.synced;
  const frames = typing(typed.writer, typed.updates).map((update) => client.updateFrame(update));
  return {
    client,
    sendNext() {
      const frame = frames[sentAt.length];
      if (frame === undefined) return;
      sentAt.push(performance.now());
      client.send(frame);
    },
  };
}

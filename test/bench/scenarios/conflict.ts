/**
 * Conflicts: how soon a subscriber is told of a write that lost, while others write. Ours alone: no other server here tells.
 *
 * 1. Two clients set each key without having seen the other's value. The clock runs from giving the second one's frame, with
 *    which the conflict is there, to the socket, to having read the event. Its record is on disk by then.
 * 2. Every pair must be told, and told once.
 */
import * as Y from "yjs";
import { SUBPROTOCOL } from "../../../shared/protocol/version.ts";
import { toldConflict } from "../events.ts";
import { LoadClient } from "../load-client.ts";
import type { Room } from "../load-client.ts";
import { atRate, Goal } from "../pace.ts";
import { joinAll, openRoom, withServer } from "../scenario.ts";
import type { Scenario } from "../scenario.ts";
import { percentile } from "../stats.ts";
import { typing } from "../updates.ts";

/** Of a thousand changes: 100 pairs of rivals, 800 of people typing. */
const PER_SECOND = 1000;
const PAIR_EVERY = 10;
const TYPISTS = 10;
const WARM_UP_SECONDS = 2;

export const conflict: Scenario = {
  id: "conflict",
  title: "Conflicts",
  what: "1,000 changes/s by 12 clients in one context, 100 conflicts/s among them, 8 s; from sending the write that makes it one to the event at a subscriber.",
  needs: "ours",
  metrics: {
    p50Ms: { label: "told: p50, ms", better: "lower" },
    p99Ms: { label: "told: p99, ms", better: "lower" },
    eventLoopMaxMs: { label: "longest event-loop turn, ms", better: "lower" },
  },
  run: (bench) =>
    withServer(bench, async (running) => {
      await told(await openRoom(bench, running, "warm-up"), WARM_UP_SECONDS);
      await running.watch();
      const took = await told(await openRoom(bench, running, "disputed"), bench.count(8, 2));
      return {
        p50Ms: percentile(took, 0.5),
        p99Ms: percentile(took, 0.99),
        eventLoopMaxMs: await running.watched(),
      };
    }),
};

async function told(room: Room, seconds: number): Promise<readonly number[]> {
  const rounds = (seconds * PER_SECOND) / PAIR_EVERY;
  const goal = new Goal(rounds);
  const secondAt = new Map<string, number>();
  const took: number[] = [];
  const subscriber = await LoadClient.join(room, {
    subprotocol: SUBPROTOCOL,
    onOther(message) {
      const path = toldConflict(message);
      const sentAt = path === undefined ? undefined : secondAt.get(path);
      if (path === undefined || sentAt === undefined) return;
      secondAt.delete(path);
      took.push(performance.now() - sentAt);
      goal.add(1);
    },
  });
  await subscriber.synced;
  const typists = await joinAll(room, TYPISTS, () => ({}));
  const rivals = await joinAll(room, 2, () => ({}));
  const perTypist = Math.ceil((rounds * (PAIR_EVERY - 2)) / TYPISTS);
  const typed = typists.map((client, i) => ({
    client,
    frames: typing(i, perTypist).map((update) => client.updateFrame(update)),
  }));
  const sets = rivals.map((client, i) => ({
    client,
    frames: settings(i, rounds).map((update) => client.updateFrame(update)),
  }));
  await atRate(PER_SECOND, rounds * PAIR_EVERY, (nth) => {
    const [round, step] = [Math.floor(nth / PAIR_EVERY), nth % PAIR_EVERY];
    if (step >= 2) return sendNext(typed, round * (PAIR_EVERY - 2) + step - 2);
    const rival = sets[(round + step) % 2];
    const frame = rival?.frames[round];
    if (step === 1) secondAt.set(`/${keyOf(round)}`, performance.now());
    if (frame !== undefined) rival?.client.send(frame);
  });
  await goal.reached;
  for (const client of [subscriber, ...typists, ...rivals]) client.close();
  return took;
}

interface Script {
  readonly client: LoadClient;
  readonly frames: readonly Buffer[];
}

function sendNext(scripts: readonly Script[], nth: number): void {
  const script = scripts[nth % scripts.length];
  const frame = script?.frames[Math.floor(nth / scripts.length)];
  if (frame !== undefined) script?.client.send(frame);
}

const keyOf = (round: number): string => `key-${round}`;

/** The updates of one who sets one key after the other, and has seen nothing of anybody else. */
function settings(rival: number, count: number): readonly Uint8Array[] {
  const updates: Uint8Array[] = [];
  const doc = new Y.Doc();
  doc.clientID = 0x4000_0000 + rival;
  doc.on("update", (update: Uint8Array) => updates.push(update));
  for (let round = 0; round < count; round++) doc.getMap("data").set(keyOf(round), `by ${rival}`);
  return updates;
}

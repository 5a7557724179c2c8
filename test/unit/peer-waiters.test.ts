/** Who waits for locks at several servers: NODE-42. */
import { expect, test } from "vitest";
import { LIMITS } from "../../shared/limits.ts";
import { parseActor, parseContextId } from "../../shared/ids.ts";
import type { Json } from "../../shared/json.ts";
import { LockTable } from "../../server/state/locks/lock-table.ts";
import type { Peers, PeerTopic } from "../../server/storage/peers.ts";
import { WaitingRoom } from "../../server/use-cases/lock-waiting.ts";
import { PeerWaiters } from "../../server/use-cases/peer-waiters.ts";
import type { PlacedAsk } from "../../server/use-cases/peer-waiters.ts";
import { ManualClock } from "../support/manual-clock.ts";

const PLAN = parseContextId("plan");
const ADA = parseActor("ada");

/** A line on which every server hears what the others say, while it works. */
class Line {
  isUp = true;
  readonly said: Json[] = [];
  readonly #listeners: ((message: Json) => void)[] = [];
  readonly #gaps: (() => void)[] = [];

  join(): Pick<Peers, "say" | "hear" | "onGap"> {
    let own: ((message: Json) => void) | undefined;
    return {
      say: (_topic: PeerTopic, message) => {
        if (!this.isUp) return;
        this.said.push(message);
        for (const listener of this.#listeners) if (listener !== own) listener(JSON.parse(JSON.stringify(message)));
      },
      hear: (_topic, listener) => {
        own = listener;
        this.#listeners.push(listener);
      },
      onGap: (listener) => void this.#gaps.push(listener),
    };
  }

  mend(): void {
    this.isUp = true;
    for (const gap of this.#gaps) gap();
  }
}

class Server {
  readonly table = new LockTable();
  readonly waiters: PeerWaiters;
  readonly room: WaitingRoom;
  readonly lengths: number[] = [];
  #count = 0;

  constructor(line: Line, clock: ManualClock) {
    this.waiters = new PeerWaiters({ peers: line.join(), clock, changed: () => this.hear() });
    this.room = new WaitingRoom(this.table, {
      clock,
      told: (waiting) => this.lengths.push(waiting),
      tellOthers: (ours) => this.waiters.tell(PLAN, ours),
    });
  }

  hear(): void {
    this.room.elsewhere(this.waiters.of(PLAN));
  }

  ask(lockId: string, sinceMs: number): ReturnType<WaitingRoom["enter"]> {
    const asked = { lockId, paths: ["/a"], mode: "exclusive", actor: ADA, sinceMs, untilMs: sinceMs + 60_000 } as const;
    const ask: PlacedAsk = { asked, node: this.waiters.node, count: ++this.#count };
    return this.room.enter(ask);
  }

  get waiting(): readonly string[] {
    return this.room.waiting().map(({ lockId, position }) => `${position} ${lockId}`);
  }
}

function start() {
  const [line, clock] = [new Line(), new ManualClock()];
  const [a, b] = [new Server(line, clock), new Server(line, clock)];
  const held = { op: "acquire", lockId: "held", paths: ["/a"], mode: "exclusive", ttlMs: 1000 } as const;
  for (const { table } of [a, b]) table.apply(held, { seq: 1, actor: ADA, atMs: 0 });
  const release = (): void => {
    for (const { table, room } of [a, b]) {
      table.apply({ op: "release", lockId: "held" }, { seq: 2, actor: ADA, atMs: 0 });
      room.look();
    }
  };
  /** Tried once, in vain. */
  const waits = async (server: Server, lockId: string, sinceMs: number) => {
    const waiter = server.ask(lockId, sinceMs);
    if (waiter.takeTurn()) server.room.stay(waiter);
    await settled(clock);
    return waiter;
  };
  return { line, clock, a, b, release, waits };
}

async function settled(clock: ManualClock): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await Promise.resolve();
  clock.advance(LIMITS.lockWaitersPeersMs);
  for (let turn = 0; turn < 3; turn++) await Promise.resolve();
}

test("[NODE-42] all servers see the same queue, in the order of asking", async () => {
  const { a, b, waits } = start();
  await waits(a, "first", 10);
  await waits(b, "second", 20);
  await waits(a, "third", 30);
  expect(a.waiting).toEqual(["1 first", "2 second", "3 third"]);
  expect(b.waiting).toEqual(a.waiting);
  expect([a.lengths, b.lengths]).toEqual([
    [1, 2, 3],
    [1, 2, 3],
  ]);
});

test("[NODE-42] who waits at another server and came before is not overtaken, by who comes anew neither", async () => {
  const { clock, a, b, release, waits } = start();
  const first = await waits(a, "first", 10);
  const second = await waits(b, "second", 20);
  release();
  await settled(clock);
  expect([first.takeTurn(), second.takeTurn()]).toEqual([true, false]);
  expect(b.ask("late", 30).takeTurn()).toBe(false);
  // the log says at every server that the first one has it, before any word of the others does
  b.room.granted("first");
  b.room.look();
  await settled(clock);
  expect(second.takeTurn()).toBe(true);
});

test("[NODE-42] who does not wait any more is in nobody's way, and neither is who waited at a server that is gone", async () => {
  const { line, clock, a, b, release, waits } = start();
  const [first, second] = [await waits(a, "first", 10), await waits(a, "second", 20)];
  const third = await waits(b, "third", 30);
  a.room.leave(first);
  await settled(clock);
  expect(b.waiting).toEqual(["1 second", "2 third"]);
  line.isUp = false;
  release();
  await settled(clock);
  expect(second.takeTurn()).toBe(true);
  clock.advance(LIMITS.lockWaitersTtlMs - LIMITS.lockWaitersPeersMs);
  await settled(clock);
  expect(third.takeTurn()).toBe(false);
  clock.advance(LIMITS.lockWaitersEveryMs);
  await settled(clock);
  expect(third.takeTurn()).toBe(true);
});

test("[NODE-42] a word that is lost is made up for", async () => {
  const { line, clock, a, b, waits } = start();
  line.isUp = false;
  await waits(a, "first", 10);
  expect(b.waiting).toEqual([]);
  line.isUp = true;
  clock.advance(LIMITS.lockWaitersEveryMs);
  expect(b.waiting).toEqual(["1 first"]);
  line.isUp = false;
  await waits(a, "second", 20);
  line.mend();
  expect(b.waiting).toEqual(["1 first", "2 second"]);
});

test("[NODE-42] so many are told and no more, and changes at one time together", async () => {
  const { line, clock, a, b, waits } = start();
  await waits(a, "0", 0);
  const before = line.said.length;
  for (let n = 1; n <= LIMITS.lockWaitersToldMax; n++) {
    const waiter = a.ask(String(n), n);
    if (waiter.takeTurn()) a.room.stay(waiter);
  }
  await settled(clock);
  expect(line.said.length - before).toBeLessThanOrEqual(2);
  expect(a.waiting).toHaveLength(LIMITS.lockWaitersToldMax + 1);
  expect(b.waiting).toHaveLength(LIMITS.lockWaitersToldMax);
});

test("what is no such word is passed over", () => {
  const { line, b } = start();
  const stranger = line.join();
  for (const message of [
    null,
    {},
    { contextId: "no id!", node: "x", waiting: [] },
    { contextId: "plan", waiting: [1] },
  ])
    stranger.say("waiters", message);
  expect(b.waiting).toEqual([]);
});

/**
 * The parts of the simulation by themselves: chance, time, lines and disks behave as their headers say.
 */
import { describe, expect, test } from "vitest";
import { batchOf } from "../../server/sync/connection.ts";
import { EventQueue, drain } from "./event-queue.ts";
import { Random } from "./random.ts";
import { SimClock } from "./sim-clock.ts";
import { SimLink } from "./sim-link.ts";
import type { LinkNature } from "./sim-link.ts";
import { SimDisk } from "./sim-store.ts";

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

describe("chance", () => {
  test("is the same for the same seed, and different for others", () => {
    const draw = (seed: number): number[] => {
      const random = new Random(seed);
      return Array.from({ length: 5 }, () => random.uint32());
    };
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1)).not.toEqual(draw(2));
    expect(new Set(Array.from({ length: 1000 }, (_, seed) => draw(seed)[0])).size).toBe(1000);
  });

  test("favours no number", () => {
    const random = new Random(7);
    const counts = [0, 0, 0, 0, 0, 0];
    for (let i = 0; i < 60_000; i++) {
      const drawn = random.below(6);
      counts[drawn] = (counts[drawn] ?? 0) + 1;
    }
    for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(400);
  });

  test("makes ids in the form of a UUID", () => {
    expect(new Random(1).uuid()).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/);
  });
});

describe("time", () => {
  test("runs events in order of time, then of scheduling, each with its promises", async () => {
    const events = new EventQueue();
    const seen: string[] = [];
    const say = (what: string) => (): void => {
      seen.push(what);
      void Promise.resolve().then(() => seen.push(`${what} after`));
    };
    for (const [atMs, what] of [
      [5, "c"],
      [1, "a"],
      [5, "d"],
      [2, "b"],
    ] as const)
      events.after(atMs, say(what));
    await events.runUntil(4);
    expect(seen).toEqual(["a", "a after", "b", "b after"]);
    await events.runUntil(5);
    expect(seen.slice(4)).toEqual(["c", "c after", "d", "d after"]);
  });

  test("stops at the first violation, and takes an exception for one", async () => {
    const events = new EventQueue();
    const seen: number[] = [];
    events.after(1, () => {
      throw new Error("boom");
    });
    events.after(2, () => seen.push(2));
    await events.runUntil(10);
    expect(events.violation).toContain("boom");
    expect(seen).toEqual([]);
  });

  test("of a stopped process runs no more; its wall clock can be set", async () => {
    const events = new EventQueue();
    const clock = new SimClock(events, new Random(1), 0);
    const seen: string[] = [];
    const cancel = clock.setTimer(1, () => seen.push("cancelled"));
    clock.setTimer(1, () => seen.push("timer"));
    clock.setTimer(5, () => seen.push("too late"));
    cancel();
    const before = clock.nowMs();
    clock.setSkew(-50);
    expect(clock.nowMs()).toBe(before - 50);
    await events.runUntil(2);
    clock.stop();
    await events.runUntil(9);
    expect(seen).toEqual(["timer"]);
  });
});

describe("a line", () => {
  const NATURE: LinkNature = { latencyMsMax: 20, bytesPerMs: 0, weight: 10 };

  function line(nature = NATURE) {
    const events = new EventQueue();
    const got: (number | string)[] = [];
    const heard: (number | string)[] = [];
    const nothing = (): void => undefined;
    const tap = { fromServer: nothing, fromClient: nothing, reached: nothing, buffered: nothing, over: nothing };
    const client = {
      receive: (it: Uint8Array) => got.push(it[0] ?? -1),
      closed: (code: number) => got.push(`closed ${code}`),
    };
    const link = new SimLink(events, new Random(3), nature, { tap, client });
    const open = (): void =>
      link.attach({ receive: (it) => heard.push(it[0] ?? -1), closed: () => heard.push("closed") });
    return { events, link, got, heard, open };
  }

  test("keeps messages in order and waits with the client's until the session is open", async () => {
    const { events, link, got, heard, open } = line();
    for (let i = 0; i < 9; i++) {
      link.send(batchOf([bytes(i)]));
      link.clientSend(bytes(i));
    }
    expect(link.bufferedBytes).toBe(90);
    await events.runUntil(500);
    expect(got).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect(heard).toEqual([]);
    open();
    await events.runUntil(1000);
    expect(heard).toEqual(got);
    expect(link.bufferedBytes).toBe(0);
  });

  test("loses what is under way when it is cut, and tells each side in its time", async () => {
    const { events, link, got, heard, open } = line();
    open();
    link.send(batchOf([bytes(1)]));
    link.clientSend(bytes(1));
    link.cut({ clientMs: 5, serverMs: "never" });
    await events.runUntil(500);
    expect([got, heard]).toEqual([["closed 1006"], []]);
  });

  test("says that it is drained when the client has everything", async () => {
    const { events, link, open } = line();
    open();
    const seen: number[] = [];
    link.send(batchOf([bytes(1), bytes(2)]));
    link.onDrained(() => seen.push(link.bufferedBytes));
    expect(seen).toEqual([]);
    await events.runUntil(500);
    expect(seen).toEqual([0]);
  });

  test("delivers what was sent before a close, and nothing after it", async () => {
    const { events, link, got, open } = line();
    open();
    link.send(batchOf([bytes(1)]));
    link.close(4503);
    link.send(batchOf([bytes(2)]));
    await events.runUntil(500);
    expect(got).toEqual([1, "closed 4503"]);
  });
});

describe("a disk", () => {
  const put = (value: number) => [{ type: "put", key: bytes(1), value: bytes(value) } as const];
  const sound = { batchMsMax: 10, viewMsMax: 0, batchFailures: 0, viewFailures: 0 };

  async function contentAfter(
    seed: number,
    play: (disk: SimDisk, events: EventQueue) => Promise<void>,
  ): Promise<number | undefined> {
    const events = new EventQueue();
    const disk = new SimDisk(events, new Random(seed), sound);
    await play(disk, events);
    const copy = await disk.durableCopy();
    await copy?.open();
    return copy?.view(async (view) => (await view.get(bytes(1)))?.[0]);
  }

  test("keeps a batch that was acknowledged, and one under way at a crash wholly or not at all", async () => {
    const found = new Set<number | undefined>();
    for (let seed = 1; seed < 20; seed++) {
      found.add(
        await contentAfter(seed, async (disk, events) => {
          const store = disk.mount();
          void store.open();
          await events.runUntil(1);
          let isKept = false;
          void store.batch(put(1), { sync: true }).then(() => (isKept = true));
          await events.runUntil(100);
          expect(isKept).toBe(true);
          void store.batch(put(2), { sync: true });
          disk.crash();
        }),
      );
    }
    expect(found).toEqual(new Set([1, 2]));
  });

  test("loses what is written after a failed batch when the store is closed", async () => {
    const found = await contentAfter(1, async (disk, events) => {
      const store = disk.mount();
      const failed: unknown[] = [];
      void store.open();
      await events.runUntil(1);
      disk.isFull = true;
      store.batch(put(1), { sync: true }).catch((error: unknown) => failed.push(error));
      await events.runUntil(50);
      disk.isFull = false;
      void store.batch(put(2), { sync: true });
      await events.runUntil(100);
      expect(failed).toHaveLength(1);
      expect(await disk.durableCopy()).toBeUndefined();
      void store.close();
      await events.runUntil(101);
      await drain();
    });
    expect(found).toBeUndefined();
  });
});

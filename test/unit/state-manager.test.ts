/** Loading, unloading and turns: rules LIVE-1…5. */
import { beforeEach, describe, expect, test } from "vitest";
import { ServiceError } from "../../shared/errors.ts";
import { ANONYMOUS, parseContextId } from "../../shared/ids.ts";
import type { ContextId } from "../../shared/ids.ts";
import { LIMITS } from "../../shared/limits.ts";
import { StateManager } from "../../server/state/state-manager.ts";
import type { LiveContext, QueuedWrite } from "../../server/state/state-manager.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { NODE, storedContext } from "../support/stored-state.ts";

const PLAN = parseContextId("plan");

let clock: ManualClock;
let loads: ContextId[];
let turns: (readonly QueuedWrite[])[];
let options: ConstructorParameters<typeof StateManager<QueuedWrite>>[0];
let manager: StateManager<QueuedWrite>;
let isThere: boolean;

beforeEach(() => {
  clock = new ManualClock();
  loads = [];
  turns = [];
  isThere = true;
  options = {
    load: async (id) => {
      loads.push(id);
      await Promise.resolve();
      if (!isThere) return undefined;
      const stored = storedContext();
      return { ...stored, meta: { ...stored.meta, id } };
    },
    turns: clock,
    limits: LIMITS,
    nodeClientId: () => NODE,
    schemaOf: () => undefined,
    onLoaded: () => undefined,
    onDropped: () => undefined,
    onTurn: (_context, writes) => void turns.push(writes),
  };
  manager = new StateManager(options);
});

const refusals: string[] = [];
function write(bytes = 1): QueuedWrite {
  return {
    write: { kind: "update", actor: ANONYMOUS, update: new Uint8Array(bytes) },
    settle: () => undefined,
    refuse: ({ code }) => void refusals.push(code),
  };
}

const microtasks = async (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

describe("[LIVE-1] loading", () => {
  test("[CTX-5] a load under way when the context is forgotten is not used", async () => {
    const asked = manager.acquire(PLAN);
    manager.forget(PLAN, new ServiceError("CONTEXT_NOT_FOUND", "gone"));
    const context = await asked;
    expect(loads).toEqual([PLAN, PLAN]);
    expect(context.isDropped).toBe(false);
    expect(manager.get(PLAN)).toBe(context);
    expect(manager.liveCount).toBe(1);
  });

  test("a context is loaded once, however many ask", async () => {
    const contexts = await Promise.all([manager.acquire(PLAN), manager.acquire(PLAN), manager.acquire(PLAN)]);
    expect(new Set(contexts).size).toBe(1);
    expect(loads).toEqual([PLAN]);
  });

  test("one that is not there is asked for again next time", async () => {
    isThere = false;
    await expect(manager.acquire(PLAN)).rejects.toMatchObject({ code: "CONTEXT_NOT_FOUND" });
    expect(manager.liveCount).toBe(0);
    isThere = true;
    await manager.acquire(PLAN);
    expect(loads).toHaveLength(2);
  });
});

describe("[LIVE-2] unloading", () => {
  const isLive = (): boolean => manager.get(PLAN) !== undefined;

  test("what nobody used for a while goes, not earlier", async () => {
    manager.release(await manager.acquire(PLAN));
    clock.advance(LIMITS.idleUnloadMs - 1);
    manager.unloadIdle();
    expect(isLive()).toBe(true);
    clock.advance(1);
    manager.unloadIdle();
    expect(isLive()).toBe(false);
  });

  test.each<[string, (context: LiveContext) => void]>([
    ["in use", (context) => context.retain()],
    [
      "with locks",
      ({ state }) => {
        const event = { op: "acquire", lockId: "l", paths: [""], mode: "exclusive", ttlMs: 1000 } as const;
        state.admit([{ kind: "lock", actor: ANONYMOUS, origin: "rest", event }], { atMs: 0, monotonicMs: 0 });
      },
    ],
    ["with queued writes", (context) => context.push(write(), 0)],
    ["with appends under way", (context) => void context.appending++],
  ])("[LOCK-10] one %s stays", async (_what, keep) => {
    const context = await manager.acquire(PLAN);
    keep(context);
    manager.release(context);
    clock.advance(LIMITS.idleUnloadMs * 2);
    manager.unloadIdle();
    expect(isLive()).toBe(true);
  });
});

test("[LIVE-6] what is too much in memory makes room before another context is loaded", async () => {
  const ids = ["one", "two", "three"].map(parseContextId);
  manager = new StateManager({ ...options, limits: { ...LIMITS, liveBytesMax: 1 } });
  manager.release(await manager.acquire(parseContextId("one")));
  const two = await manager.acquire(parseContextId("two"));
  await manager.acquire(parseContextId("three"));
  expect(ids.map((id) => manager.get(id) !== undefined)).toEqual([false, true, true]);
  expect(two.isDropped).toBe(false);
});

test("[TYPE-9] a schema that is registered in the moment of loading holds for the context", async () => {
  const schemas: unknown[] = [];
  let load = (_stored: ReturnType<typeof storedContext>): void => undefined;
  let schema = "old";
  manager = new StateManager({
    ...options,
    load: () => new Promise((resolve) => void (load = resolve)),
    schemaOf: () => void schemas.push(schema),
  });
  const loading = manager.acquire(PLAN);
  load(storedContext());
  // as a registration does in each of the steps that loading takes: it holds for what is live, or is what loading finds
  for (let step = 0; step < 10; step++) {
    await Promise.resolve();
    if (schemas.length > 0) break;
  }
  schema = "new";
  expect([manager.get(PLAN) !== undefined, schemas]).toEqual([true, ["old"]]);
  await loading;
});

describe("[LIVE-3] turns", () => {
  test("what came in one turn of the loop is one turn of the context, in order", async () => {
    const context = await manager.acquire(PLAN);
    const writes = [write(), write(), write()];
    for (const one of writes) manager.enqueue(context, one);
    expect(turns).toEqual([]);
    await microtasks();
    expect(turns).toEqual([writes]);
    manager.enqueue(context, write());
    await microtasks();
    expect(turns).toHaveLength(2);
  });

  test("a turn is bounded in count and bytes, and the rest follows", async () => {
    const context = await manager.acquire(PLAN);
    for (let i = 0; i < 1100; i++) manager.enqueue(context, write());
    await microtasks();
    expect(turns.map(({ length }) => length)).toEqual([512, 512, 76]);
    turns.length = 0;
    for (let i = 0; i < 4; i++) manager.enqueue(context, write(600 * 1024));
    await microtasks();
    expect(turns.map(({ length }) => length)).toEqual([2, 2]);
  });
});

test("[LIVE-4] a dropped context refuses what is queued and what comes, and is loaded anew", async () => {
  const context = await manager.acquire(PLAN);
  refusals.length = 0;
  manager.enqueue(context, write());
  manager.drop(context, new ServiceError("INTERNAL", "broken"));
  manager.enqueue(context, write());
  await microtasks();
  expect(refusals).toEqual(["INTERNAL", "INTERNAL"]);
  expect(turns).toEqual([]);
  expect(await manager.acquire(PLAN)).not.toBe(context);
  expect(loads).toHaveLength(2);
});

test("[LIVE-5] a paused context takes no turn and stays in memory; resumed, it takes what waited, in order", async () => {
  const context = await manager.acquire(PLAN);
  manager.pause(context);
  const waiting = [write(), write()];
  for (const each of waiting) manager.enqueue(context, each);
  await microtasks();
  manager.release(context);
  clock.advance(LIMITS.idleUnloadMs);
  manager.unloadIdle();
  expect(turns).toEqual([]);
  expect(manager.get(PLAN)).toBe(context);
  // held up twice, it waits for both
  manager.pause(context);
  manager.resume(context);
  await microtasks();
  expect(turns).toEqual([]);
  manager.resume(context);
  await microtasks();
  expect(turns).toEqual([waiting]);
});

/** Locks and refusals through the SDK, against the real server over real sockets. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { connect } from "../../client/index.ts";
import type { Context, ContextEvents, Lease, Refusal } from "../../client/index.ts";
import { PATIENT } from "../support/patience.ts";
import { Relay } from "../support/relay.ts";
import { createContext, readContext, startTestServer, until } from "../support/running-server.ts";
import type { TestServer } from "../support/running-server.ts";
import { openStockClient } from "../support/stock-client.ts";

let server: TestServer;
let relay: Relay;
const closing: (() => Promise<void>)[] = [];

beforeEach(async () => {
  server = await startTestServer();
  relay = await Relay.start(server.url);
  await createContext(server, "plan", { tasks: { t1: { title: "Ship it" }, t2: { title: "Sleep" } }, n: 0 });
});

afterEach(async () => {
  relay.isOpen = true;
  for (const close of closing.splice(0)) await close().catch(() => {});
  await relay.close();
  await server.close();
});

/** All are of one actor: agents that a person runs side by side. */
async function agent(url = server.url): Promise<Context> {
  const client = await connect(url, { actor: "agent", ...PATIENT });
  closing.push(() => client.close());
  return client.open("plan");
}

const code = (expected: string): object => expect.objectContaining({ code: expected });
const task = (context: Context, id: string) => context.data.getMap("tasks").get(id) as Map<string, unknown>;
const rename = (id: string, title: string) => [{ op: "replace", path: `/tasks/${id}/title`, value: title }] as const;
const lost = (lease: Lease): Promise<unknown> => new Promise((resolve) => lease.onLost(resolve));

function next<Name extends keyof ContextEvents>(
  context: Context,
  name: Name,
  isIt: (...args: ContextEvents[Name]) => boolean = () => true,
): Promise<ContextEvents[Name]> {
  return new Promise((resolve) => {
    const off = context.on(name, (...args) => {
      if (!isIt(...args)) return;
      off();
      resolve(args);
    });
  });
}

async function online(context: Context): Promise<void> {
  if (context.status !== "online") await next(context, "status", (status) => status === "online");
}

/** Until each replica holds what the server has. */
async function equal(...contexts: Context[]): Promise<unknown> {
  const { data, version } = await readContext(server, "plan");
  for (const context of contexts) {
    await online(context);
    await expect.poll(() => context.version).toBeGreaterThanOrEqual(version);
    expect(context.get()).toEqual(data);
  }
  return data;
}

describe("under a lock", () => {
  test("[SDK-40] [SDK-45] its holder writes, both ways; a sibling of the same name does not", async () => {
    const [holder, sibling] = [await agent(), await agent()];
    const lease = await holder.lock("/tasks/t1", { purpose: "rewriting" });
    await expect(sibling.update(rename("t1", "mine"))).rejects.toMatchObject({
      code: "LOCKED",
      details: { holder: "agent", purpose: "rewriting" },
    });
    await expect(sibling.update([{ op: "remove", path: "/tasks" }])).rejects.toEqual(code("LOCKED"));
    await expect(sibling.lock("/tasks/t1/title")).rejects.toEqual(code("LOCKED"));
    await sibling.update(rename("t2", "elsewhere"));
    await holder.update(rename("t1", "by the holder"));
    task(holder, "t1").set("done", true);
    await holder.saved();
    await expect(sibling.restore(0)).rejects.toEqual(code("LOCKED"));
    await holder.modify("/tasks/t1/title", () => "modified");
    await holder.restore(0, { path: "/tasks/t1" });
    await lease.release();
    await sibling.update(rename("t1", "after"));
    expect(await equal(holder, sibling)).toEqual({
      tasks: { t1: { title: "after" }, t2: { title: "elsewhere" } },
      n: 0,
    });
  });

  test("[SDK-11] a sibling's live edit there is handed over; what it did before, meanwhile and elsewhere stays", async () => {
    const [holder, sibling] = [await agent(), await agent()];
    await holder.lock("/tasks/t1");
    const refused: Refusal[] = [];
    sibling.on("rejected", (refusal) => refused.push(refusal));
    const reset = next(sibling, "reset");
    task(sibling, "t2").set("before", 1);
    task(sibling, "t1").set("refused", 1);
    task(sibling, "t2").set("after", 1);
    await expect(sibling.saved()).rejects.toEqual(code("LOCKED"));
    task(sibling, "t2").set("later", 1);
    await reset;
    await sibling.saved();
    expect(refused.map(({ error }) => error.code)).toEqual(["LOCKED"]);
    expect(Buffer.from(refused[0]?.update ?? []).toString("latin1")).toContain("refused");
    expect(await equal(holder, sibling)).toEqual({
      tasks: { t1: { title: "Ship it" }, t2: { title: "Sleep", before: 1, after: 1, later: 1 } },
      n: 0,
    });
  });

  test("[SDK-11] an edit in two places, one of them locked, stays out of both", async () => {
    const [holder, sibling] = [await agent(), await agent()];
    await holder.lock("/tasks/t1");
    const rejected = next(sibling, "rejected");
    const reset = next(sibling, "reset");
    sibling.doc.transact(() => {
      task(sibling, "t1").set("half", 1);
      task(sibling, "t2").set("half", 1);
    });
    expect((await rejected)[0].error).toEqual(code("LOCKED"));
    await reset;
    expect(JSON.stringify(await equal(holder, sibling))).not.toContain("half");
  });

  test("a stock client that edits there is closed with 4403, and nobody sees its edit", async () => {
    const [holder, sibling] = [await agent(), await agent()];
    await holder.lock("/tasks/t1");
    const stock = openStockClient({ url: server.url, contextId: "plan", actor: "agent" });
    await stock.synced();
    const closed = new Promise<{ code: number; reason: string }>((resolve) => stock.provider.on("closed", resolve));
    stock.doc.getMap("data").set("before", 1);
    const tasks = stock.doc.getMap("data").get("tasks") as Map<string, Map<string, unknown>>;
    tasks.get("t1")?.set("refused", 1);
    expect(await closed).toMatchObject({ code: 4403, reason: expect.stringMatching(/^LOCKED: /) });
    stock.close();
    await until(sibling.doc, () => sibling.data.root.has("before"));
    expect(JSON.stringify(await equal(holder, sibling))).not.toContain("refused");
  });

  test("[SDK-40] a shared lock keeps everybody from writing, and lets others share it", async () => {
    const [one, other] = [await agent(), await agent()];
    await one.lock("/tasks", { mode: "shared" });
    const second = await other.lock("/tasks/t1", { mode: "shared" });
    expect(second).toMatchObject({ mode: "shared", isHeld: true });
    await expect(one.update(rename("t2", "x"))).rejects.toEqual(code("LOCKED"));
    await one.update([{ op: "increment", path: "/n", by: 1 }]);
  });

  test("[SDK-46] everybody sees which locks there are, and hears of them", async () => {
    const [holder, sibling] = [await agent(), await agent()];
    const acquired = next(sibling, "lock");
    const lease = await holder.lock(["/tasks/t1", "/n"], { ttlMs: 60_000, purpose: "counting" });
    const { lockId, fencingToken } = lease;
    const paths = ["/n", "/tasks/t1"];
    expect((await acquired)[0]).toMatchObject({ op: "acquire", lockId, paths, seq: fencingToken, actor: "agent" });
    const [lock, ...others] = await sibling.locks();
    expect(others).toEqual([]);
    expect(lock).toMatchObject({ lockId, paths, mode: "exclusive", holder: "agent", fencingToken, ttlMs: 60_000 });
    expect(lock?.expiresAtMs).toBeGreaterThan(Date.now());
    const released = next(sibling, "lock");
    await lease.release();
    expect((await released)[0]).toMatchObject({ op: "release", lockId });
    expect(await sibling.locks()).toEqual([]);
  });
});

describe("taking and giving back", () => {
  test("[SDK-40] who waits gets it in order", async () => {
    const contexts = [await agent(), await agent(), await agent(), await agent()];
    const order: number[] = [];
    const [first, ...others] = contexts;
    const lease = await first?.lock("/tasks/t1");
    const turns = [];
    for (const [index, context] of others.entries()) {
      const turn = context.lock("/tasks/t1", { waitMs: 10_000 }).then(async (granted) => {
        order.push(index);
        await granted.release();
      });
      turns.push(turn);
      // its request has arrived, wherever one looks
      for (const other of contexts) await expect.poll(async () => (await other.lockQueue()).length).toBe(index + 1);
    }
    expect(order).toEqual([]);
    await lease?.release();
    await Promise.all(turns);
    expect(order).toEqual([0, 1, 2]);
  });

  test("[SDK-40] an edit made while the lock is being asked for counts as made under it", async () => {
    const holder = await agent();
    const taking = holder.lock("/tasks/t1");
    task(holder, "t1").set("early", 1);
    await holder.saved();
    expect((await taking).isHeld).toBe(true);
  });

  test("[SDK-44] `await using` holds it for a block", async () => {
    const [holder, sibling] = [await agent(), await agent()];
    {
      await using lease = await holder.lock("/tasks/t1");
      expect(lease.isHeld).toBe(true);
      task(holder, "t1").set("done", true);
    }
    await sibling.update([{ op: "test", path: "/tasks/t1/done", value: true }, ...rename("t1", "free")]);
  });

  test("[SDK-41] [SDK-46] closing the context frees its locks, and ends its waiting", async () => {
    const [holder, other, third] = [await agent(), await agent(), await agent()];
    await holder.lock("/tasks/t1");
    const queued = new Promise<number>((resolve) => third.on("lockQueue", resolve));
    const waiting = other.lock("/tasks/t1", { waitMs: 30_000 });
    waiting.catch(() => {});
    expect(await queued).toBe(1);
    const [waiter] = await third.lockQueue();
    expect(waiter).toMatchObject({ actor: expect.any(String), sessionId: expect.any(String), position: 1 });
    expect((waiter?.untilMs ?? 0) - (waiter?.sinceMs ?? 0)).toBe(30_000);
    await other.close();
    await expect(waiting).rejects.toEqual(code("CLOSED"));
    await holder.close();
    const lease = await third.lock("/tasks/t1", { waitMs: 10_000 });
    expect((await third.locks()).map(({ lockId }) => lockId)).toEqual([lease.lockId]);
  });

  test("[SDK-41] a signal ends the waiting, and nobody holds the lock then", async () => {
    const [holder, other] = [await agent(), await agent()];
    const lease = await holder.lock("/tasks/t1");
    const controller = new AbortController();
    const waiting = other.lock("/tasks/t1", { waitMs: 30_000, signal: controller.signal });
    controller.abort(new Error("enough"));
    await expect(waiting).rejects.toThrow("enough");
    await other.update([{ op: "test", path: "/n", value: 0 }]);
    await lease.release();
    expect(await other.locks()).toEqual([]);
  });

  test("[SDK-43] one that somebody takes away is lost, once; later edits go through", async () => {
    const holder = await agent();
    const lease = await holder.lock("/tasks/t1");
    const heard: unknown[] = [];
    lease.onLost((error) => heard.push(error));
    await fetch(`${server.url}/v1/contexts/plan/locks/${lease.lockId}`, {
      method: "DELETE",
      headers: { "mcm-actor": "agent" },
    });
    await lost(lease);
    expect(heard).toEqual([code("LOCK_NOT_FOUND")]);
    expect([lease.isHeld, lease.signal.aborted]).toEqual([false, true]);
    await expect(holder.update(rename("t1", "x"), { lease })).rejects.toEqual(code("FENCE_STALE"));
    // what was asked after the unlock is answered after it
    await holder.update(rename("t1", "y"));
    task(holder, "t1").set("late", 1);
    await holder.saved();
    await lease.release();
    expect(heard).toHaveLength(1);
  });
});

describe("over a line that breaks", () => {
  test("[SDK-42] a lock outlives the connection; edits made meanwhile count as made under it", async () => {
    const [holder, sibling] = [await agent(relay.url), await agent()];
    const lease = await holder.lock("/tasks/t1");
    relay.isOpen = false;
    relay.cut();
    await next(holder, "status", (status) => status === "offline");
    task(holder, "t1").set("offline", 1);
    await expect(sibling.update(rename("t1", "x"))).rejects.toEqual(code("LOCKED"));
    relay.isOpen = true;
    await holder.saved();
    expect(lease.isHeld).toBe(true);
    await holder.update(rename("t1", "back"));
    await expect(sibling.update(rename("t1", "x"))).rejects.toEqual(code("LOCKED"));
    expect(await equal(holder, sibling)).toMatchObject({ tasks: { t1: { title: "back", offline: 1 } } });
  });

  test("[SDK-45] edits that a compaction makes changes of are carried over under the lock", async () => {
    const [holder, sibling] = [await agent(relay.url), await agent()];
    const lease = await holder.lock("/tasks/t1");
    relay.isOpen = false;
    relay.cut();
    await next(holder, "status", (status) => status === "offline");
    const refused: Refusal[] = [];
    holder.on("rejected", (refusal) => refused.push(refusal));
    task(holder, "t1").set("offline", 1);
    await sibling.compact();
    const reset = next(holder, "reset");
    relay.isOpen = true;
    await reset;
    await holder.saved();
    expect([refused, lease.isHeld]).toEqual([[], true]);
    await expect(sibling.update(rename("t1", "x"))).rejects.toEqual(code("LOCKED"));
    expect(await equal(holder, sibling)).toMatchObject({ tasks: { t1: { offline: 1 } } });
  });

  test("[SDK-41] a lock whose answer was lost is the same lock when it is asked for again", async () => {
    const [holder, sibling] = [await agent(relay.url), await agent()];
    const granted = next(sibling, "lock");
    relay.isDeaf = true;
    const taking = holder.lock("/tasks/t1");
    const [{ lockId, seq }] = await granted;
    relay.cut();
    relay.isDeaf = false;
    const lease = await taking;
    expect(lease).toMatchObject({ lockId, fencingToken: seq, isHeld: true });
    task(holder, "t1").set("mine", 1);
    await holder.saved();
    expect(await sibling.locks()).toHaveLength(1);
  });

  test("[SDK-43] a holder that was away too long is refused, whichever way it writes", async () => {
    const [holder, next_] = [await agent(relay.url), await agent()];
    const lease = await holder.lock("/tasks/t1", { ttlMs: 1000 });
    relay.isOpen = false;
    relay.cut();
    await next(holder, "status", (status) => status === "offline");
    const refused: Refusal[] = [];
    holder.on("rejected", (refusal) => refused.push(refusal));
    task(holder, "t1").set("late", 1);
    task(holder, "t2").set("fine", 1);
    const updating = holder.update(rename("t1", "late"), { lease });
    updating.catch(() => {});
    const taken = await next_.lock("/tasks/t1", { waitMs: 10_000 });
    await next_.update(rename("t1", "new holder"));
    // then it is free again: nothing but the old lease speaks against the late writes
    await taken.release();
    await lost(lease);
    relay.isOpen = true;
    await expect(updating).rejects.toEqual(code("FENCE_STALE"));
    await online(holder);
    await holder.saved().catch(() => {});
    expect(refused.map(({ error }) => error.code)).toEqual(["FENCE_STALE"]);
    // it knows now, and may write there again
    await holder.saved();
    task(holder, "t1").set("again", 1);
    await holder.saved();
    expect(await equal(holder, next_)).toEqual({
      tasks: { t1: { title: "new holder", again: 1 }, t2: { title: "Sleep", fine: 1 } },
      n: 0,
    });
  });

  test("[SDK-11] an edit whose refusal got lost is refused again, not taken for saved", async () => {
    const [holder, sibling] = [await agent(), await agent(relay.url)];
    const lease = await holder.lock("/tasks/t1");
    relay.isDeaf = true;
    const sent = next(holder, "lock", ({ op }) => op === "release");
    task(sibling, "t1").set("refused", 1);
    task(sibling, "t2").set("fine", 1);
    // the void and the release are in the log, in this order
    await until(holder.doc, () => task(holder, "t2").get("fine") === 1);
    await lease.release();
    await sent;
    const rejected = next(sibling, "rejected");
    relay.cut();
    relay.isDeaf = false;
    expect((await rejected)[0].error).toEqual(code("FORBIDDEN"));
    await online(sibling);
    await sibling.saved();
    expect(await equal(holder, sibling)).toEqual({
      tasks: { t1: { title: "Ship it" }, t2: { title: "Sleep", fine: 1 } },
      n: 0,
    });
  });
});

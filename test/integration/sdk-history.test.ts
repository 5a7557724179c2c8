/** The SDK's preconditions, compare-and-set, past, conflicts and types against the real server, over real sockets. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { connect } from "../../client/index.ts";
import type { ChangeRecord, Client, Conflict, Context } from "../../client/index.ts";
import { PATIENT } from "../support/patience.ts";
import { RestCaller } from "../support/rest-caller.ts";
import { startTestServer, until } from "../support/running-server.ts";
import type { TestServer } from "../support/running-server.ts";
import { nodeCount } from "../support/start-server.ts";

const AGENTS = 8;
// they collide more often where a write takes longer: 50 on nodes take a while, too
const CYCLES = nodeCount() === 1 ? 200 : 50;

interface Board {
  n: number;
  mine: Record<string, number>;
  note: string;
}

let server: TestServer;
const clients: Client[] = [];

beforeEach(async () => {
  server = await startTestServer();
});

afterEach(async () => {
  for (const client of clients.splice(0)) await client.close().catch(() => {});
  await server.close();
});

async function open(actor: string): Promise<Context<Board>> {
  const client = await connect(server.url, { actor, ...PATIENT });
  clients.push(client);
  return client.open<Board>("board", { create: { data: { n: 0, mine: {}, note: { $text: "" } } } });
}

const openAll = (): Promise<Context<Board>[]> =>
  Promise.all(Array.from({ length: AGENTS }, (_, i) => open(`agent-${i}`)));

const code = (expected: string): object => expect.objectContaining({ code: expected });

async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const list: Item[] = [];
  for await (const item of items) list.push(item);
  return list;
}

async function times(count: number, task: (i: number) => Promise<unknown>): Promise<void> {
  for (let i = 0; i < count; i++) await task(i);
}

describe("read, compute, write", () => {
  test(`[SDK-24] ${AGENTS} agents, ${CYCLES} times each, at one value: every update counts`, async () => {
    const agents = await openAll();
    const values: number[] = [];
    let computed = 0;
    const increase = (n = 0): number => {
      computed++;
      return n + 1;
    };
    await Promise.all(
      agents.map((agent) => times(CYCLES, async () => values.push((await agent.modify("/n", increase)).value))),
    );
    const total = AGENTS * CYCLES;
    expect(values.sort((a, b) => a - b)).toEqual(Array.from({ length: total }, (_, i) => i + 1));
    expect((await open("late")).get("/n")).toBe(total);
    expect(computed).toBeGreaterThan(total); // they did collide
    const versions = (await all(agents[0]?.changes() ?? none())).map(({ version }) => version);
    expect(versions).toEqual(Array.from({ length: total }, (_, i) => i + 1));
  });

  test("[SDK-23] at separate paths nobody is ever refused", async () => {
    const agents = await openAll();
    let refusals = 0;
    await Promise.all(
      agents.map((agent, i) =>
        times(CYCLES, async (cycle) => {
          const path = `/mine/${i}` as const;
          const write = { op: "add", path, value: cycle === 0 ? 1 : agent.get(path) + 1 } as const;
          await agent.update([write], { ifVersion: agent.version }).catch(() => refusals++);
        }),
      ),
    );
    expect(refusals).toBe(0);
    const late = await open("late");
    expect(Object.values(late.get("/mine"))).toEqual(Array.from({ length: AGENTS }, () => CYCLES));
    await Promise.all(
      agents.map((agent, i) => agent.modify(`/mine/${i}`, (n = 0) => n + 1, { attempts: 1 }).catch(() => refusals++)),
    );
    expect(refusals).toBe(0);
  });

  test("[SDK-23] who comes too late is told the version, the value, and by whom", async () => {
    const [ada, bob] = [await open("ada"), await open("bob")];
    const { version: seen } = ada;
    await bob.update([{ op: "replace", path: "/n", value: 7 }]);
    const late = ada.update([{ op: "replace", path: "/n", value: 1 }], { ifVersion: seen });
    await expect(late).rejects.toMatchObject({
      code: "VERSION_CONFLICT",
      details: { currentVersion: 1, path: "/n", value: 7, changedBy: { actor: "bob", version: 1 } },
    });
    await ada.update([{ op: "add", path: "/mine/ada", value: 1 }], { ifVersion: seen });
    const scoped = ada.update([{ op: "add", path: "/mine/ada", value: 2 }], {
      ifVersion: seen,
      ifVersionScope: "context",
    });
    await expect(scoped).rejects.toEqual(code("VERSION_CONFLICT"));
  });

  test("[SDK-24] computes anew from what others and its own live edits say", async () => {
    const [ada, bob] = [await open("ada"), await open("bob")];
    ada.data.root.set("n", 5);
    expect(await ada.modify("/n", (n = 0) => n * 2)).toMatchObject({ value: 10 });
    let first = true;
    const { value } = await ada.modify("/n", async (n = 0) => {
      if (first) await bob.update([{ op: "replace", path: "/n", value: 100 }]);
      first = false;
      return n + 1;
    });
    expect([value, ada.get("/n")]).toEqual([101, 101]);
  });

  test("[SDK-24] finds out when what it replaces was removed meanwhile", async () => {
    const [ada, bob] = [await open("ada"), await open("bob")];
    await bob.update([{ op: "add", path: "/mine/x", value: 1 }]);
    await until(ada.doc, () => "x" in ada.get("/mine"));
    const seen: unknown[] = [];
    await ada.modify("/mine/x", async (x) => {
      if (seen.push(x) === 1) await bob.update([{ op: "remove", path: "/mine/x" }]);
      return (x ?? 10) + 1;
    });
    expect([seen, ada.get("/mine/x")]).toEqual([[1, undefined], 11]);
  });

  test("increments of SDK and REST callers at once add up", async () => {
    const agents = await openAll();
    const callers = Array.from({ length: AGENTS }, (_, i) => new RestCaller(server.url, `rest-${i}`));
    const op = { op: "increment", path: "/n", by: 1 } as const;
    const each = 50;
    await Promise.all([
      ...agents.map((agent) => times(each, () => agent.update([op]))),
      ...callers.map((caller, i) => times(each, (n) => caller.change("board", [op], `${i}-${n}`))),
    ]);
    expect((await open("late")).get("/n")).toBe(2 * AGENTS * each);
  });
});

describe("the past", () => {
  test("[SDK-25] old versions, changes, differences and blame are what happened", async () => {
    const [ada, bob] = [await open("ada"), await open("bob")];
    await ada.update([{ op: "add", path: "/mine/ada", value: 1 }], { message: "first" });
    await bob.update([{ op: "add", path: "/mine/bob", value: 2 }]);
    await ada.update([{ op: "replace", path: "/n", value: 3 }]);
    expect(await ada.at(1)).toEqual({
      version: 1,
      atMs: expect.any(Number),
      data: { n: 0, mine: { ada: 1 }, note: "" },
    });
    expect((await ada.at(2, "/mine/bob")).data).toBe(2);
    await expect(ada.at(99)).rejects.toEqual(code("VERSION_NOT_FOUND"));
    await expect(ada.at(1, "/mine/bob")).rejects.toEqual(code("PATH_NOT_FOUND"));
    const page = await bob.history({ path: "/mine", order: "newest", limit: 1 });
    expect(page.changes).toMatchObject([{ version: 2, actor: "bob", paths: ["/mine/bob"] }]);
    const { next: before = 0 } = page;
    expect((await bob.history({ path: "/mine", order: "newest", before })).changes).toMatchObject([
      { version: 1, message: "first" },
    ]);
    expect((await all(bob.changes({ actor: "ada", order: "newest" }))).map(({ version }) => version)).toEqual([3, 1]);
    expect(await ada.diff(2, 1)).toEqual({
      from: 2,
      to: 1,
      path: "",
      changes: [{ op: "remove", path: "/mine/bob" }],
    });
    const { version, lines } = await ada.blame("/mine");
    expect([version, lines.map(({ path, actor }) => [path, actor])]).toEqual([
      3,
      [
        ["/mine/ada", "ada"],
        ["/mine/bob", "bob"],
      ],
    ]);
  });

  test("[SDK-25] what a subscription and the history say of a change is the same", async () => {
    const [ada, bob] = [await open("ada"), await open("bob")];
    const heard = new Promise<readonly ChangeRecord[]>((resolve) =>
      bob.subscribe("/n", ({ changes }) => resolve(changes)),
    );
    await ada.update([{ op: "replace", path: "/n", value: 1 }], { message: "why" });
    expect((await bob.history()).changes).toEqual(await heard);
  });

  test("[SDK-26] restored and undone content is here when the call resolves", async () => {
    const [ada, bob] = [await open("ada"), await open("bob")];
    await ada.update([{ op: "add", path: "/mine/a", value: 1 }]);
    await bob.update([{ op: "add", path: "/mine/b", value: 2 }]);
    await ada.update([{ op: "replace", path: "/n", value: 3 }]);
    const tried = await ada.restore(0, { path: "/mine", dryRun: true });
    expect([tried.dryRun, tried.version, tried.changes.length > 0]).toEqual([true, 3, true]);
    expect(ada.get("/mine")).toEqual({ a: 1, b: 2 });
    await ada.restore(1, { path: "/mine", message: "back" });
    expect([ada.version, ada.get()]).toEqual([4, { n: 3, mine: { a: 1 }, note: "" }]);
    const { version, kept } = await ada.undo("ada", { from: 2, to: 3 });
    expect([version, ada.version, kept, ada.get("/n")]).toEqual([5, 5, [], 0]);
    expect((await ada.history({ since: 3 })).changes).toMatchObject([
      { origin: "restore", message: "back" },
      { origin: "undo" },
    ]);
  });

  test("[SDK-25] named versions come, stay and go", async () => {
    const ada = await open("ada");
    await ada.update([{ op: "replace", path: "/n", value: 1 }]);
    const named = await ada.checkpoint("v1", { version: 0, message: "the beginning" });
    expect(named).toMatchObject({ name: "v1", version: 0, actor: "ada", message: "the beginning" });
    await expect(ada.checkpoint("v1")).rejects.toEqual(code("ALREADY_EXISTS"));
    await ada.checkpoint("v2");
    expect((await ada.checkpoints()).map(({ name }) => name)).toEqual(["v2", "v1"]);
    await ada.forgetCheckpoint("v1");
    await expect(ada.forgetCheckpoint("v1")).rejects.toEqual(code("CHECKPOINT_NOT_FOUND"));
    expect(await ada.checkpoints()).toHaveLength(1);
  });
});

describe("conflicts", () => {
  /** Two who write the same place in the same moment; resolves with what `heard` is told of it. */
  async function collide(ada: Context<Board>, bob: Context<Board>, heard: Context<Board>): Promise<Conflict> {
    const told = new Promise<Conflict>((resolve) => heard.on("conflict", resolve));
    ada.data.root.set("n", 1);
    bob.data.root.set("n", 2);
    await Promise.all([ada.saved(), bob.saved()]);
    return told;
  }

  test("[SDK-25] [SDK-35] reach those who look on, and are listed the same", async () => {
    const [ada, bob, eve] = [await open("ada"), await open("bob"), await open("eve")];
    const conflict = await collide(ada, bob, eve);
    expect(conflict).toMatchObject({ path: "/n", kind: "set-set", status: "recorded" });
    expect([conflict.winner.value, conflict.loser.value]).toEqual(expect.arrayContaining([1, 2]));
    expect(eve.get("/n")).toBe(conflict.winner.value);
    expect(await eve.conflicts({ path: "/n" })).toEqual({ conflicts: [conflict] });
    expect(await eve.conflicts({ status: "open" })).toEqual({ conflicts: [] });
  });

  test("[SDK-26] the loser's value is back when resolve resolves, once", async () => {
    const [ada, bob, eve] = [await open("ada"), await open("bob"), await open("eve")];
    const { id, loser } = await collide(ada, bob, eve);
    const { version, conflict } = await eve.resolve(id, "loser");
    expect([eve.get("/n"), eve.version >= version]).toEqual([loser.value, true]);
    expect(conflict).toMatchObject({ id, status: "resolved", resolution: { actor: "eve", version } });
    expect((await eve.history({ since: version - 1 })).changes).toMatchObject([{ resolves: id, actor: "eve" }]);
    await expect(eve.resolve(id, "winner")).rejects.toEqual(code("CONFLICT_RESOLVED"));
  });
});

test("[SDK-25] types are registered, read, and hold their contexts", async () => {
  const client = await connect(server.url, { actor: "ada", ...PATIENT });
  clients.push(client);
  const untyped = await client.create({ id: "old", type: "task", data: { done: "maybe" } });
  expect(untyped).toMatchObject({ type: "task" });
  const schema = { type: "object", properties: { done: { type: "boolean" } } };
  const { type, report } = await client.types.put("task", schema);
  expect(type).toMatchObject({ name: "task", schema, revision: 1, updatedBy: "ada", updatedAtMs: expect.any(Number) });
  expect(report).toMatchObject({ checked: 1, invalid: [{ id: "old" }] });
  expect(await client.types.list()).toEqual([type]);
  expect(await client.types.get("task")).toEqual(type);
  const task = await client.open("new", { create: { type: "task", data: { done: false } } });
  await expect(task.update([{ op: "replace", path: "/done", value: "no" }])).rejects.toEqual(code("SCHEMA_VIOLATION"));
  await client.types.delete("task");
  await expect(client.types.get("task")).rejects.toEqual(code("TYPE_NOT_FOUND"));
});

async function* none(): AsyncGenerator<never> {}

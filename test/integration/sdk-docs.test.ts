/** The examples of docs/reference/sdk.md: they stand in here word for word, so they compile and run. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { connect } from "../../client/index.ts";
import type { Client, Context } from "../../client/index.ts";
import { fileStore } from "../../client/node/file-store.ts";
import { startJwtServer } from "../support/jwt-server.ts";
import type { JwtServer } from "../support/jwt-server.ts";
import { startTestServer } from "../support/running-server.ts";
import type { TestServer } from "../support/running-server.ts";

interface Task {
  title: string;
  owner?: string;
  votes?: number;
}
interface Plan {
  tasks: Record<string, Task>;
  notes: string; // a collaborative text reads as a string
}

let server: TestServer;
let url: string;
let folder: string;
const opened: Client[] = [];
const printed: unknown[][] = [];
const console = { log: (...words: unknown[]): void => void printed.push(words) };

beforeEach(async () => {
  server = await startTestServer();
  url = server.url;
  folder = await mkdtemp(join(tmpdir(), "mcm-sdk-docs-"));
  printed.length = 0;
});

afterEach(async () => {
  for (const client of opened.splice(0)) await client.close().catch(() => {});
  await server.close();
  await rm(folder, { recursive: true });
});

async function connected(actor = "agent-1"): Promise<Client> {
  const client = await connect(url, { actor });
  opened.push(client);
  return client;
}

/** Version 1: there is a task, and notes. */
async function planned(client: Client): Promise<Context<Plan>> {
  const plan = await client.open<Plan>("plan", {
    create: { data: { tasks: {}, notes: { $text: "Draft. " } } },
  });
  await plan.update([{ op: "add", path: "/tasks/t1", value: { title: "Ship it", votes: 1 } }]);
  return plan;
}

test("a session", async () => {
  const client = await connect(url, { actor: "agent-1" });
  const plan = await client.open("plan", { create: { data: { tasks: {}, notes: { $text: "" } } } });

  await plan.update([{ op: "add", path: "/tasks/t1", value: { title: "Ship it" } }]);
  plan.data.getText("notes").insert(0, "Draft. ");
  await plan.saved();

  await client.close();
  expect(plan.get()).toEqual({ tasks: { t1: { title: "Ship it" } }, notes: "Draft. " });
});

test("types by path", async () => {
  const client = await connected();

  const plan = await client.open<Plan>("plan", { create: { data: { tasks: {}, notes: { $text: "" } } } });
  const id = "t1";
  await plan.update([{ op: "add", path: `/tasks/${id}`, value: { title: "Ship it" } }]);
  const title: string = plan.get(`/tasks/${id}/title`);

  expect(title).toBe("Ship it");
});

test("locks", async () => {
  const plan = await planned(await connected());
  const other = await (await connected("agent-2")).open<Plan>("plan");
  const rewritten = async (title: string, signal: AbortSignal): Promise<string> => {
    await expect(other.update([{ op: "remove", path: "/tasks/t1" }])).rejects.toMatchObject({ code: "LOCKED" });

    for (const { paths, holder, purpose } of await plan.locks()) {
      console.log(`${holder} has ${paths.join(", ")}: ${purpose}`);
    }

    signal.throwIfAborted();
    return title.toUpperCase();
  };

  {
    await using lease = await plan.lock("/tasks/t1", { purpose: "rewriting", waitMs: 10_000 });
    const title = await rewritten(plan.get("/tasks/t1/title"), lease.signal); // takes minutes
    await plan.update([{ op: "replace", path: "/tasks/t1/title", value: title }], { lease });
  } // given back here, when all that was written is saved

  expect(printed).toEqual([["agent-1 has /tasks/t1: rewriting"]]);
  await other.update([
    { op: "test", path: "/tasks/t1/title", value: "SHIP IT" },
    { op: "remove", path: "/tasks/t1" },
  ]);
});

test("writing", async () => {
  const plan = await planned(await connected());

  const { version } = await plan.update(
    [
      { op: "edit_text", path: "/notes", old: "Draft", new: "Final" },
      { op: "increment", path: "/tasks/t1/votes", by: 1 },
    ],
    { ifVersion: plan.version, message: "review" },
  );
  expect([version, plan.get("/notes"), plan.get("/tasks/t1/votes")]).toEqual([2, "Final. ", 2]);

  const { value: owner } = await plan.modify("/tasks/t1/owner", (present) => present ?? "agent-1");
  if (owner === "agent-1") await plan.modify("/tasks/t1/votes", (votes = 0) => votes * 2);
  expect(plan.get("/tasks/t1")).toEqual({ title: "Ship it", owner: "agent-1", votes: 4 });

  const tasks = plan.data.getMap("tasks"); // also getText, getArray, and root: live Yjs types, for editors
  const page = plan.doc.getXmlFragment("page"); // other root types; plan.awareness is for editors that show cursors
  tasks.set("t2", "Sleep");
  await plan.saved(); // every edit so far is durable
  expect([page.length, plan.version, plan.get("/tasks/t2")]).toEqual([0, 5, "Sleep"]);
});

test("following", async () => {
  const plan = await planned(await connected());

  const unsubscribe = plan.subscribe("/tasks", ({ origin, paths, changes, value }) => {
    console.log(
      origin,
      paths,
      changes.map(({ actor, version }) => `${actor} made ${version}`),
      value,
    );
  });

  const other = await (await connected("agent-2")).open<Plan>("plan");
  await other.update([{ op: "remove", path: "/tasks/t1" }]);
  await plan.update([{ op: "append_text", path: "/notes", text: "." }]);
  unsubscribe();
  expect(printed).toEqual([["remote", ["/tasks/t1"], ["agent-2 made 2"], {}]]);
});

test("the past", async () => {
  const plan = await planned(await connected());
  const other = await (await connected("agent-2")).open<Plan>("plan");
  await other.update([{ op: "add", path: "/tasks/t2", value: { title: "Sleep" } }], { message: "tired" });
  await plan.update([{ op: "replace", path: "/tasks/t1/title", value: "Wait" }]);

  const before = await plan.at(1, "/tasks/t1"); // { version, atMs, data }
  const { changes } = await plan.diff(1); // JSON Patch from version 1 to now
  const { lines } = await plan.blame("/notes"); // who wrote what stands there, run by run
  for await (const { version, actor, message } of plan.changes({ path: "/tasks" })) {
    console.log(version, actor, message);
  }

  await plan.checkpoint("reviewed", { message: "before the rewrite" });
  const { kept } = await plan.undo("agent-2", { from: 1, path: "/tasks" });
  await plan.restore(1, { path: "/tasks/t1" });

  expect(before).toMatchObject({ version: 1, data: { title: "Ship it", votes: 1 } });
  expect(changes.map(({ path }) => path).sort()).toEqual(["/tasks/t1/title", "/tasks/t2"]);
  expect(lines).toMatchObject([{ path: "/notes", text: "Draft. " }]);
  expect(printed).toEqual([
    [1, "agent-1", undefined],
    [2, "agent-2", "tired"],
    [3, "agent-1", undefined],
  ]);
  expect(kept).toEqual([]);
  expect(plan.get("/tasks")).toEqual({ t1: { title: "Ship it", votes: 1 } });
  expect(await plan.checkpoints()).toMatchObject([{ name: "reviewed", version: 3, actor: "agent-1" }]);
});

test("conflicts", async () => {
  const plan = await planned(await connected());

  plan.on("conflict", ({ path, winner, loser }) => {
    console.log(`${loser.actor} wanted ${JSON.stringify(loser.value)} at ${path}, ${winner.actor} won`);
  });

  const { conflicts } = await plan.conflicts({ status: "open" });
  for (const { id } of conflicts) await plan.resolve(id, "loser", { message: "the first was right" });

  expect(conflicts).toEqual([]);
});

test("types of contexts", async () => {
  const client = await connected();

  const schema = { type: "object", properties: { title: { type: "string" } }, required: ["title"] };
  const { report } = await client.types.put("task", schema); // report: existing contexts that break it
  await client.create({ id: "t1", type: "task", data: { title: "Ship it" } });

  expect(report).toEqual({ checked: 0, invalid: [] });
  await expect(client.create({ type: "task", data: {} })).rejects.toMatchObject({ code: "SCHEMA_VIOLATION" });
});

describe("identity and rights", () => {
  let jwt: JwtServer;
  beforeEach(async () => {
    jwt = await startJwtServer();
    url = jwt.url;
  });
  afterEach(() => jwt.close());

  test("run on a server that checks tokens", async () => {
    const fetch = async (_address: string): Promise<Response> => new Response(await jwt.token("ada"));

    const client = await connect(url, {
      token: async () => (await fetch("/login/token")).text(),
    });
    const plan = await client.open("plan", { create: { data: { tasks: {}, notes: { $text: "" } } } });
    opened.push(client);

    await plan.lock("/tasks");
    await plan.setAcl({
      grants: [
        { principal: "bob", role: "writer", paths: ["/notes"] },
        { principal: "*", role: "reader" },
      ],
    });
    for (const { lockId } of await plan.locks()) await plan.unlock(lockId, { force: true });

    expect(await plan.locks()).toEqual([]);
    await follow(await jwt.token("bob"));
    await jwt.grant("plan", "ada", { principal: "bob", role: "reader" });
    await expect.poll(() => String(printed)).toMatch(/^FORBIDDEN: \d+ bytes were not saved$/);
  });

  async function follow(token: string): Promise<void> {
    const client = await connect(url, { token });
    opened.push(client);
    const plan = await client.open("plan");

    const editable = () => plan.status !== "closed" && plan.mayWriteAt("/notes");
    let isReadOnly = !editable();
    plan.on("access", () => (isReadOnly = !editable()));
    plan.on("rejected", ({ error, update }) => {
      console.log(`${error.code}: ${update.byteLength} bytes were not saved`);
    });

    expect(isReadOnly).toBe(false);
    plan.on("access", () => {
      expect(isReadOnly).toBe(true);
      plan.data.getText("notes").insert(0, "x");
    });
  }
});

test("local copies", async () => {
  const client = await connect(url, { actor: "agent-1", persistence: fileStore(folder), offline: true });
  opened.push(client);
  expect((await client.open("plan", { create: {} })).get()).toEqual({});
});

test("every example of the page is one of these", async () => {
  const page = await readFile(new URL("../../docs/reference/sdk.md", import.meta.url), "utf8");
  const here = linesOf(await readFile(new URL(import.meta.url), "utf8"));
  const examples = [...page.matchAll(/^```ts\n(.*?)^```/gms)].map(([, code = ""]) => linesOf(withStandIns(code)));
  expect(examples.length).toBeGreaterThan(8);
  expect(examples.filter((example) => !here.includes(example))).toEqual([]);
});

/** What an example can't have here. */
function withStandIns(code: string): string {
  return code
    .replaceAll('"http://127.0.0.1:4400"', "url")
    .replaceAll('"./replicas"', "folder")
    .replaceAll(/^import .*\n/gm, "");
}

/** Lines without their indentation, and without empty ones. */
function linesOf(code: string): string {
  const lines = code.split("\n").map((line) => line.trim());
  return lines.filter((line) => line !== "").join("\n");
}

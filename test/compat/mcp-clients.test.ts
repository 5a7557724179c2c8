/**
 * The MCP surface as the official clients use it: SDK 2 in both generations of the protocol and SDK 1, at /mcp and over
 * `mcm mcp` on stdio.
 *
 * Not here: what each tool does (test/unit/mcp), who may what (test/integration/mcp-access.test.ts).
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TOOLS } from "../../server/transport/mcp/tools.ts";
import { mcm } from "../support/mcm-program.ts";
import { GENERATIONS, LIST, overHttp, overStdio } from "../support/mcp-clients.ts";
import type { Generation, McpTalk } from "../support/mcp-clients.ts";
import { createContext, startTestServer } from "../support/running-server.ts";
import type { TestServer } from "../support/running-server.ts";

const DOORS = ["/mcp", "stdio"] as const;
const START_MS_MAX = 60_000;

const CLIENTS = DOORS.flatMap((door) => GENERATIONS.map((generation) => ({ door, generation })));

let server: TestServer;
let talks: readonly McpTalk[];
beforeAll(async () => {
  server = await startTestServer();
  talks = await Promise.all(CLIENTS.map(({ door, generation }) => connected(door, generation)));
}, START_MS_MAX);
afterAll(async () => {
  await Promise.all(talks.map((talk) => talk.close()));
  await server.close();
});

function talkOf(index: number): McpTalk {
  const talk = talks[index];
  if (talk === undefined) throw new Error("not connected");
  return talk;
}

function connected(door: (typeof DOORS)[number], generation: Generation): Promise<McpTalk> {
  const { url } = server;
  return door === "/mcp"
    ? overHttp(generation, { url, name: "ada" })
    : overStdio(generation, mcm(["mcp", "--url", url, "--actor", "ada"]));
}

async function change(id: string, path: string, value: unknown): Promise<void> {
  const response = await fetch(`${server.url}/v1/contexts/${id}`, {
    method: "PATCH",
    headers: { "content-type": "application/json", "mcm-actor": "bob" },
    body: JSON.stringify({ changes: [{ op: "add", path, value }] }),
  });
  if (!response.ok) throw new Error(await response.text());
}

describe.each(CLIENTS.map((client, index) => ({ ...client, index })))("$generation at $door", ({ index }) => {
  let ada: McpTalk;
  const id = `plan-${index}`;
  const uri = `context://contexts/${id}`;

  beforeAll(() => {
    ada = talkOf(index);
  });

  test("[MCP-1] finds the tools, and how to work with them", async () => {
    expect(await ada.tools()).toEqual(TOOLS.map(({ name }) => name));
    expect(ada.instructions).toContain("context_");
  });

  test("[MCP-1] [MCP-5] [MCP-18] works: results are checked against the tools' schemas, refusals say what to do", async () => {
    await ada.tools();
    const made = await ada.call("context_create", { id, data: { tasks: [{ title: "dig" }] } });
    expect([made.isError, made.data["version"], JSON.parse(made.text)]).toEqual([false, 0, made.data]);
    const ops = [{ op: "add", path: "/tasks/0/owner", value: "ada" }];
    expect((await ada.call("context_update", { id, ops, idempotency_key: "k" })).data).toMatchObject({
      version: 1,
      replayed: false,
    });
    expect((await ada.call("context_update", { id, ops, idempotency_key: "k" })).data["replayed"]).toBe(true);
    const lock = await ada.call("context_lock", { id, path: "/tasks", ttl_seconds: 60 });
    expect(lock.data["holder"]).toBe("ada");
    expect((await ada.call("context_read", { id, path: "/tasks/0" })).data["data"]).toEqual({
      title: "dig",
      owner: "ada",
    });
    const stale = await ada.call("context_update", { id, ops, if_version: 0 });
    expect([stale.isError, stale.text]).toEqual([true, expect.stringContaining("VERSION_CONFLICT")]);
    expect((await ada.call("context_unlock", { id, lock_token: lock.data["lock_token"] })).data["released"]).toBe(true);
    const { data } = await ada.call("context_history", { id });
    expect(data["history"]).toMatchObject([{ by: "ada", via: "mcp", version: 1 }]);
  });

  test("[MCP-19] lists and reads resources, completes ids, fills prompts", async () => {
    expect(await ada.resources()).toEqual(expect.arrayContaining(["context://index/all", uri]));
    expect(await ada.templates()).toContain("context://contexts/{id}/at/{+path}");
    expect(JSON.parse(await ada.read(uri))).toEqual({ tasks: [{ title: "dig", owner: "ada" }] });
    expect(await ada.read(`${uri}/at/tasks/0/title`)).toBe('"dig"');
    expect(JSON.parse(await ada.read(`${uri}/versions/0`))).toEqual({ tasks: [{ title: "dig" }] });
    await expect(ada.read("context://contexts/nowhere")).rejects.toThrow(/not found/i);
    expect(await ada.completions("context://contexts/{id}", id.slice(0, -1))).toContain(id);
    expect(await ada.prompts()).toEqual(["join_context", "catch_up"]);
    expect(await ada.prompt("join_context", { id, task: "dig deeper" })).toContain("dig deeper");
  });

  test("[MCP-15] [MCP-9] is told of what it follows, and of new contexts", async () => {
    expect(await ada.follow(uri, "context://contexts/nowhere")).toEqual([uri]);
    await change(id, "/told", true);
    await expect.poll(() => ada.untold, { timeout: 20_000 }).toContain(uri);
    await ada.told(ada.untold.length);
    await createContext(server, `${id}-2`);
    await expect.poll(() => ada.untold, { timeout: 20_000 }).toContain(LIST);
    // the index is a resource of its own, which it does not follow
    expect(ada.untold).not.toContain("context://index/all");
  });

  test("[MCP-8] waits for a change of others", async () => {
    const since = (await ada.call("context_read", { id })).data["version"];
    const waiting = ada.call("context_wait", { targets: [{ id, since_version: since }], timeout_seconds: 15 });
    await change(id, "/woken", true);
    const { data } = await waiting;
    expect(data).toMatchObject({ timed_out: false, changed: [{ id, since_version: since, by: ["bob"] }] });
  });
});

test("[MCP-8] each hears that a wait goes on, and can give it up", async () => {
  const heard = CLIENTS.map(async (_client, index) => {
    const talk = talkOf(index);
    const id = `plan-${index}`;
    const { version } = (await talk.call("context_read", { id })).data;
    const givenUp = new AbortController();
    const said: unknown[] = [];
    const hopeless = talk.call(
      "context_wait",
      { targets: [{ id, since_version: version }], timeout_seconds: 50 },
      {
        signal: givenUp.signal,
        onprogress: ({ message }) => {
          said.push(message);
          givenUp.abort();
        },
      },
    );
    await expect(hopeless).rejects.toThrow("aborted");
    return said;
  });
  const once = [expect.stringMatching(/^waiting for changes, \d+ s$/)];
  expect(await Promise.all(heard)).toEqual(CLIENTS.map(() => once));
});

/** The parts of /mcp by themselves: limits of actors, bounded streams, what is replayed, sessions and their end. */
import { beforeEach, describe, expect, test } from "vitest";
import { ActorLimits } from "../../../server/transport/mcp/http/actor-limits.ts";
import { boundedStream } from "../../../server/transport/mcp/http/bounded-stream.ts";
import { McpEndpoint } from "../../../server/transport/mcp/http/endpoint.ts";
import { Principal } from "../../../server/transport/mcp/http/principal.ts";
import { ReplayRing } from "../../../server/transport/mcp/http/replay-ring.ts";
import { parseResourceUri } from "../../../server/transport/mcp/uris.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { callerOf } from "../../support/callers.ts";
import { FakeContextService } from "../../support/fake-context-service.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { turns } from "../../support/service-rig.ts";

describe("limits of an actor", () => {
  test("[MCP-11] at the limit one more is refused, others are not, and what is over makes room once", () => {
    const limits = new ActorLimits(2, "calls under way");
    const leave = limits.enter("ada");
    limits.enter("ada");
    expect(() => limits.enter("ada")).toThrow("You have 2 calls under way at once");
    limits.enter("bob");
    leave();
    leave();
    limits.enter("ada");
    expect(() => limits.enter("ada")).toThrow("which is the limit");
  });
});

describe("a stream", () => {
  const encoder = new TextEncoder();

  function stream() {
    let cancelled = false;
    let push = (_text: string): void => undefined;
    let close = (): void => undefined;
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        push = (text) => controller.enqueue(encoder.encode(text));
        close = () => controller.close();
      },
      cancel: () => void (cancelled = true),
    });
    const inner = new Response(body, { headers: { "content-type": "text/event-stream" } });
    let ends = 0;
    const response = boundedStream(inner, { bytesMax: 100, onEnd: () => void (ends += 1) });
    return { response, push, close, ends: () => ends, isCancelled: () => cancelled };
  }

  test("[MCP-10] passes on what comes, and its end", async () => {
    const { response, push, close, ends } = stream();
    push("a");
    push("b");
    close();
    expect(await response.text()).toBe("ab");
    expect(ends()).toBe(1);
  });

  test("[MCP-10] breaks off when more waits than the bound, not at it", async () => {
    const { response, push, ends, isCancelled } = stream();
    push("x".repeat(100));
    await turns();
    expect([ends(), isCancelled()]).toEqual([0, false]);
    push("y");
    await turns();
    expect([ends(), isCancelled()]).toEqual([1, true]);
    await expect(response.text()).rejects.toThrow("reads too slowly");
  });

  test("[MCP-10] frees its source when the client goes away", async () => {
    const { response, ends, isCancelled } = stream();
    await response.body?.cancel();
    expect([ends(), isCancelled()]).toEqual([1, true]);
  });

  test("an answer that is no stream is over at once", async () => {
    let ends = 0;
    const response = boundedStream(Response.json({ a: 1 }), { bytesMax: 1, onEnd: () => void (ends += 1) });
    expect([ends, await response.json()]).toEqual([1, { a: 1 }]);
  });
});

describe("what is replayed", () => {
  const message = (n: number, size = 0) => ({
    jsonrpc: "2.0" as const,
    method: `m${n}`,
    params: { x: "y".repeat(size) },
  });

  async function replayed(ring: ReplayRing, id: string): Promise<string[]> {
    const sent: string[] = [];
    await ring.replayEventsAfter(id, {
      send: async (_id, it) => void sent.push("method" in it ? it.method : ""),
    });
    return sent;
  }

  test("[MCP-12] the messages of one stream after an event, in order, without those that only primed it", async () => {
    const ring = new ReplayRing();
    const primed = await ring.storeEvent("one", {} as never);
    const first = await ring.storeEvent("one", message(1));
    await ring.storeEvent("other", message(2));
    await ring.storeEvent("one", message(3));
    expect(await replayed(ring, primed)).toEqual(["m1", "m3"]);
    expect(await replayed(ring, first)).toEqual(["m3"]);
    expect(await ring.getStreamIdForEventId(first)).toBe("one");
    expect(await ring.getStreamIdForEventId("what is this")).toBeUndefined();
    expect(await replayed(ring, "unknown.1")).toEqual([]);
  });

  test("[MCP-12] the oldest go beyond the bounds in messages and bytes; the newest stays", async () => {
    const many = new ReplayRing();
    const id = await many.storeEvent("s", message(0));
    for (let n = 1; n <= LIMITS.mcpReplayMessagesMax; n++) await many.storeEvent("s", message(n));
    const kept = await replayed(many, id);
    expect([kept.length, kept[0]]).toEqual([LIMITS.mcpReplayMessagesMax, "m1"]);
    await many.storeEvent("s", message(-1));
    expect((await replayed(many, id))[0]).toBe("m2");
    const large = new ReplayRing();
    const start = await large.storeEvent("s", message(0));
    await large.storeEvent("s", message(1, LIMITS.mcpReplayBytesMax));
    expect(await replayed(large, start)).toEqual(["m1"]);
    await large.storeEvent("s", message(2));
    expect(await replayed(large, start)).toEqual(["m2"]);
  });
});

describe("URIs", () => {
  test.each([
    ["context://contexts/plan", { kind: "context", id: "plan" }],
    ["context://contexts/plan/locks", { kind: "locks", id: "plan" }],
    ["context://contexts/plan/versions/7", { kind: "version", id: "plan", version: 7 }],
    ["context://contexts/plan/changes/0", { kind: "changes", id: "plan", version: 0 }],
    ["context://contexts/plan/at/tasks/a~1b", { kind: "part", id: "plan", path: "/tasks/a~1b" }],
    ["context://contexts/plan/at/a%20b", { kind: "part", id: "plan", path: "/a b" }],
    ["context://contexts/plan/at/@notes", { kind: "part", id: "plan", path: "@notes" }],
    ["context://index/all", { kind: "index" }],
  ])("[MCP-19] %s", (uri, name) => {
    expect(parseResourceUri(uri)).toEqual(name);
  });

  test.each([
    "context://contexts/",
    "context://contexts/../etc",
    "context://contexts/plan/versions/x",
    "context://contexts/plan/versions/1/2",
    "context://contexts/plan/locks/1",
    "context://contexts/plan/at/%E0%A4%A",
    "context://index",
    "file:///etc/passwd",
  ])("[MCP-19] %s is none of ours", (uri) => {
    expect(parseResourceUri(uri)).toBeUndefined();
  });
});

describe("sessions", () => {
  let clock: ManualClock;
  let endpoint: McpEndpoint;
  let service: FakeContextService;
  let actor = "ada";

  beforeEach(() => {
    clock = new ManualClock();
    service = new FakeContextService(clock);
    actor = "ada";
    endpoint = new McpEndpoint({ surface: { clock, toolset: "all", onError: () => undefined } });
  });

  const ask = (request: Request) =>
    endpoint.fetch(request, {
      identify: async () => new Principal(service, callerOf(actor, "mcp")),
      spend: () => undefined,
      hold: () => () => undefined,
    });

  const post = (body: object, headers: Record<string, string> = {}) =>
    ask(
      new Request("http://localhost/mcp", {
        method: "POST",
        body: JSON.stringify(body),
        headers: {
          "content-type": "application/json",
          accept: "application/json, text/event-stream",
          ...headers,
        },
      }),
    );

  async function begin(): Promise<string> {
    const clientInfo = { name: "test", version: "1" };
    const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo };
    const response = await post({ jsonrpc: "2.0", id: 1, method: "initialize", params });
    await response.text();
    return response.headers.get("mcp-session-id") ?? "";
  }

  const ping = (session: string) => post({ jsonrpc: "2.0", id: 2, method: "ping" }, { "mcp-session-id": session });
  const isThere = async (session: string): Promise<boolean> => (await ping(session)).status === 200;

  test("whether a connection is kept is not for an answer to say", async () => {
    const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "test", version: "1" } };
    const response = await post({ jsonrpc: "2.0", id: 1, method: "initialize", params });
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    expect(response.headers.get("connection")).toBeNull();
    await response.text();
  });

  test("[MCP-13] a session is its actor's; to others it is unknown, like one that there is not", async () => {
    const session = await begin();
    expect(await isThere(session)).toBe(true);
    actor = "eve";
    const foreign = await ping(session);
    const none = await ping("none");
    expect([foreign.status, await foreign.text()]).toEqual([404, await none.text()]);
  });

  test("[MCP-13] one without requests ends after its time, one with an open stream stays", async () => {
    const idle = await begin();
    const busy = await begin();
    const stream = await ask(
      new Request("http://localhost/mcp", { headers: { accept: "text/event-stream", "mcp-session-id": busy } }),
    );
    expect(stream.status).toBe(200);
    clock.advance(LIMITS.mcpSessionIdleMs - 1);
    expect(endpoint.sessionCount).toBe(2);
    clock.advance(LIMITS.mcpSessionIdleMs);
    await turns();
    expect(endpoint.sessionCount).toBe(1);
    expect([await isThere(idle), await isThere(busy)]).toEqual([false, true]);
    await stream.body?.cancel();
    clock.advance(2 * LIMITS.mcpSessionIdleMs);
    await turns();
    expect([endpoint.sessionCount, clock.timerCount]).toEqual([0, 0]);
  });

  test("[MCP-13] at the limit a new one takes the place of the one that is idle longest", async () => {
    const sessions: string[] = [];
    for (let n = 0; n < LIMITS.mcpSessionsPerActorMax; n++) {
      sessions.push(await begin());
      clock.advance(1);
    }
    const [first = "", second = ""] = sessions;
    expect(await isThere(first)).toBe(true);
    clock.advance(1);
    await begin();
    expect([endpoint.sessionCount, await isThere(first), await isThere(second)]).toEqual([
      LIMITS.mcpSessionsPerActorMax,
      true,
      false,
    ]);
  }, 30_000);

  test("[MCP-1] what belongs to no session is told what to send", async () => {
    const lost = await post({ jsonrpc: "2.0", id: 7, method: "tools/list" });
    expect([lost.status, await lost.json()]).toMatchObject([
      400,
      { id: 7, error: { code: -32_600, message: expect.stringContaining("Send initialize first") } },
    ]);
    const get = await ask(new Request("http://localhost/mcp", { headers: { accept: "text/event-stream" } }));
    expect([get.status, get.headers.get("allow")]).toEqual([405, "POST"]);
    const put = await ask(new Request("http://localhost/mcp", { method: "PUT" }));
    expect(put.status).toBe(405);
  });

  test("[MCP-17] other media types, and what is no JSON, are refused", async () => {
    const status = async (response: Promise<Response>) => (await response).status;
    const body = { jsonrpc: "2.0", id: 1, method: "ping" };
    expect(await status(post(body, { "content-type": "text/plain" }))).toBe(415);
    const raw = (text: string) =>
      ask(
        new Request("http://localhost/mcp", {
          method: "POST",
          body: text,
          headers: { "content-type": "application/json" },
        }),
      );
    for (const text of ["", "{", '{"a": 1, "a": 2}', '{"__proto__": 1}']) {
      const response = await raw(text);
      expect([text.slice(0, 20), response.status, await response.json()]).toMatchObject([
        text.slice(0, 20),
        400,
        { error: { code: -32_700 }, id: null },
      ]);
    }
    expect((await raw("7")).status).toBe(400);
    expect((await raw(`${"[".repeat(500)}${"]".repeat(500)}`)).status).toBe(413);
    const size = (bytes: number) => raw(`"${"x".repeat(bytes - 2)}"`);
    expect((await size(LIMITS.bodyBytesMax)).status).toBe(400);
    expect((await size(LIMITS.bodyBytesMax + 1)).status).toBe(413);
  });

  test("[NODE-19] a call that is under way when the server stops is answered so that it is sent again", async () => {
    let begun = (): void => undefined;
    const isBegun = new Promise<void>((resolve) => (begun = resolve));
    service.find = () => new Promise(() => begun());
    const meta = { protocolVersion: "2026-07-28", clientInfo: { name: "test", version: "1" }, clientCapabilities: {} };
    const _meta = Object.fromEntries(
      Object.entries(meta).map(([name, value]) => [`io.modelcontextprotocol/${name}`, value]),
    );
    const method = "tools/call";
    const answer = post(
      { jsonrpc: "2.0", id: 9, method, params: { _meta, name: "context_find", arguments: {} } },
      { "mcp-protocol-version": "2026-07-28", "mcp-method": method, "mcp-name": "context_find" },
    );
    await Promise.race([isBegun, answer]);
    await endpoint.close();
    const response = await answer;
    expect([response.status, response.headers.get("retry-after"), await response.json()]).toMatchObject([
      503,
      "1",
      { id: 9, error: { data: { code: "SHUTTING_DOWN", retry: "later" } } },
    ]);
  });

  test("a stopping server takes no more, and its sessions end", async () => {
    await begin();
    await endpoint.close();
    expect([endpoint.sessionCount, clock.timerCount]).toEqual([0, 0]);
    expect((await post({ jsonrpc: "2.0", id: 1, method: "ping" })).status).toBe(503);
  });
});

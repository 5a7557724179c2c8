/**
 * Streams of /mcp over real connections: clients that vanish, come back and give up, and many that wait at once.
 *
 * Not here: the parts by themselves (test/unit/mcp/http-parts.test.ts), who is told what (mcp-access.test.ts).
 */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { systemClock } from "../../server/clock.ts";
import { parseContextId } from "../../shared/ids.ts";
import { LIMITS } from "../../shared/limits.ts";
import { callerOf } from "../support/callers.ts";
import { FakeContextService } from "../support/fake-context-service.ts";
import { messageOf, messagesOf, RawMcp } from "../support/raw-mcp.ts";
import type { Told } from "../support/raw-mcp.ts";
import { startRestServer } from "../support/rest-server.ts";

const PLAN = parseContextId("plan");
const URI = "context://contexts/plan";
const bob = callerOf("bob");
const BOTH = ["2026-07-28", "2025-11-25"] as const;

let service: FakeContextService;
let server: Awaited<ReturnType<typeof startRestServer>>;
let ada: RawMcp;

let count = 0;

beforeEach(async () => {
  count = 0;
  service = new FakeContextService();
  await service.create(bob, { id: PLAN, data: { n: 0 } });
  server = await startRestServer(service, systemClock, { hasMcp: true });
  ada = new RawMcp(server.url, { path: "/mcp?actor=ada" });
  await ada.begin();
});
afterEach(() => server.close());

async function change(): Promise<void> {
  await service.change(bob, PLAN, { ops: [{ op: "add", path: "/n", value: ++count }] });
}

const followers = (expected: number) => expect.poll(() => service.followerCount, { timeout: 20_000 }).toBe(expected);
const watchers = (expected: number) => expect.poll(() => service.watcherCount, { timeout: 20_000 }).toBe(expected);

/** The stream's next message. */
async function next(messages: AsyncGenerator<Told>): Promise<Told> {
  const { value, done } = await messages.next();
  if (done === true) throw new Error("the stream ended");
  return value;
}

const waitFor = (seconds: number) => ({
  name: "context_wait",
  arguments: { targets: [{ id: PLAN, since_version: count }], timeout_seconds: seconds },
});

describe("a client that vanishes", () => {
  test("[MCP-10] can open its session's stream again at once, as often as it likes, and is told there", async () => {
    await (await ada.legacy("resources/subscribe", { uri: URI })).text();
    const stop = new AbortController();
    // the server learns a moment later that the one before is gone
    const opened = async (signal: AbortSignal): Promise<Response> => {
      let stream = await ada.stream(signal);
      for (let tries = 0; stream.status === 409 && tries < 1000; tries++, stream = await ada.stream(signal))
        await stream.text();
      expect(stream.status).toBe(200);
      return stream;
    };
    for (let n = 0; n < 20; n++) {
      const gone = new AbortController();
      await opened(gone.signal);
      gone.abort();
    }
    const stream = await opened(stop.signal);
    await change();
    expect(await next(messagesOf(stream))).toMatchObject({
      method: "notifications/resources/updated",
      params: { uri: URI },
    });
    expect(service.watcherCount).toBe(1);
    stop.abort();
    expect((await ada.end()).status).toBe(200);
    await watchers(0);
  });

  test("[MCP-10] leaves nothing of its streams of 2026-07-28", async () => {
    const gone = new AbortController();
    const filter = { notifications: { resourceSubscriptions: [URI], resourcesListChanged: true } };
    const streams = await Promise.all(
      Array.from({ length: 20 }, () => ada.modern("subscriptions/listen", filter, gone.signal)),
    );
    expect(streams.map(({ status }) => status)).toEqual(streams.map(() => 200));
    await watchers(20);
    gone.abort();
    await watchers(0);
    await change();
  });

  test("[MCP-12] comes back with the id of the last message that it saw, and gets the others", async () => {
    await (await ada.legacy("resources/subscribe", { uri: URI })).text();
    const gone = new AbortController();
    const messages = messagesOf(await ada.stream(gone.signal));
    await change();
    const seen = await next(messages);
    gone.abort();
    await change();
    await expect
      .poll(async () => {
        const again = new AbortController();
        const stream = await ada.stream(again.signal, seen.eventId);
        if (stream.status !== 200) return stream.status;
        const missed = await next(messagesOf(stream));
        again.abort();
        return missed;
      })
      .toMatchObject({ method: "notifications/resources/updated", params: { uri: URI } });
  });

  test("[MCP-12] gets by it the result of a call, whose connection broke, too", async () => {
    const params = { ...waitFor(LIMITS.mcpWaitSecondsMax), _meta: { progressToken: "p" } };
    const response = await ada.legacy("tools/call", params, 7);
    const reader = response.body?.getReader();
    // an id to come back with is the first thing on the stream
    const first = new TextDecoder().decode((await reader?.read())?.value);
    const [, eventId = ""] = /^id: (.+)$/m.exec(first) ?? [];
    await followers(1);
    await reader?.cancel();
    await change();
    await followers(0);
    const again = new AbortController();
    const answer = await next(messagesOf(await ada.stream(again.signal, eventId)));
    expect(answer).toMatchObject({ id: 7, result: { structuredContent: { timed_out: false } } });
    again.abort();
  });
});

describe("waiting", () => {
  test.each(BOTH)("[MCP-8] %s: 200 that wait wake by one change, all of them", async (generation) => {
    const call = waitFor(LIMITS.mcpWaitSecondsMax);
    const answers = Array.from({ length: 200 }, async (_, n) => {
      const asked = generation === "2026-07-28" ? ada.modern("tools/call", call) : ada.legacy("tools/call", call, n);
      return messageOf(await asked);
    });
    await followers(200);
    await change();
    for (const { result } of await Promise.all(answers))
      expect(result).toMatchObject({ structuredContent: { timed_out: false, changed: [{ by: ["bob"] }] } });
    await followers(0);
  });

  test("[MCP-8] 200 that are given up leave nothing: 2026-07-28, by closing the request", async () => {
    const gone = new AbortController();
    const asked = Array.from({ length: 200 }, () => ada.modern("tools/call", waitFor(50), gone.signal).then(messageOf));
    const ends = Promise.allSettled(asked);
    await followers(200);
    gone.abort();
    await followers(0);
    expect((await ends).every(({ status }) => status === "rejected")).toBe(true);
  });

  test("[MCP-8] 200 that are given up leave nothing: 2025, by a notification or the session's end", async () => {
    const ends = Array.from({ length: 200 }, (_, n) =>
      ada.legacy("tools/call", waitFor(50), `w${n}`).then(async (response) => void (await response.text())),
    );
    await followers(200);
    for (let n = 0; n < 100; n++)
      await (await ada.legacy("notifications/cancelled", { requestId: `w${n}`, reason: "no need" })).text();
    await followers(100);
    await Promise.all(ends.slice(0, 100));
    expect((await ada.end()).status).toBe(200);
    await followers(0);
    await Promise.all(ends);
  });
});

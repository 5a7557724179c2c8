/** Metrics, figures, alerts and sessions over HTTP, on the real server. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { LIMITS } from "../../shared/limits.ts";
import {
  alertListSchema,
  healthSchema,
  sessionListSchema,
  statsSchema,
} from "../../shared/protocol/rest-monitoring.ts";
import type { SessionList } from "../../shared/protocol/rest-monitoring.ts";
import { parseConfig } from "../../server/config.ts";
import { startServer } from "../support/start-server.ts";
import { CountingClient } from "../support/counting-client.ts";
import { FakeContextService } from "../support/fake-context-service.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { metricsIn } from "../support/metrics-text.ts";
import { RecordingLogger } from "../support/recording-logger.ts";
import { startRestServer } from "../support/rest-server.ts";
import { createContext } from "../support/running-server.ts";
import type { TestServer } from "../support/running-server.ts";

let server: TestServer;
let clock: ManualClock;
beforeEach(async () => {
  const logger = new RecordingLogger();
  clock = new ManualClock();
  const running = await startServer(parseConfig({ port: "0", storage: "memory" }, {}), { logger, clock });
  server = { url: running.url, logger, close: () => running.close() };
  await createContext(server, "plan", { title: "One" });
});
afterEach(() => server.close());

const get = (path: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> =>
  fetch(`${server.url}${path}`, { headers });
const open = (contextId: string, actor: string, isExtended: boolean): Promise<CountingClient> =>
  CountingClient.open({ url: server.url, contextId, actor, isExtended });

describe("metrics", () => {
  test("[MON-7] GET /metrics answers Prometheus' text format; nothing may keep a copy", async () => {
    const response = await get("/metrics");
    expect([response.status, response.headers.get("content-type"), response.headers.get("cache-control")]).toEqual([
      200,
      "text/plain; version=0.0.4; charset=utf-8",
      "no-store",
    ]);
    const found = metricsIn(await response.text());
    expect(found.get('mcm_operations_total{operation="create",outcome="ok"}')).toBe(1);
    expect(found.get("mcm_contexts_in_memory")).toBe(0);
    expect((await get("/metrics?all=1")).status).toBe(400);
  });

  test("[MON-4] what clients invent makes no series: methods, addresses, ids", async () => {
    // Node's parser lets no other methods through than those it knows
    for (const method of ["PROPFIND", "MKCOL", "LINK", "SEARCH"]) await fetch(`${server.url}/${method}`, { method });
    for (let n = 0; n < 30; n++) await get(`/v1/contexts/unknown-${n}`);
    const found = metricsIn(await (await get("/metrics")).text());
    const requests = [...found].filter(([series]) => series.startsWith("mcm_http_requests_total"));
    expect(requests.map(([series, value]) => `${series.replace(/^[^{]*/, "")} ${value}`).toSorted()).toEqual([
      '{method="GET",route="/v1/contexts/:id",status="404"} 30',
      '{method="POST",route="/v1/contexts",status="201"} 1',
      '{method="other",route="/*",status="404"} 4',
    ]);
  });
});

describe("figures", () => {
  test("[MON-8] GET /v1/stats tells contexts, sessions, rates, latencies, log, process and alerts", async () => {
    const [ada, bob] = [await open("plan", "ada", true), await open("plan", "bob", false)];
    for (let n = 0; n < 10; n++) ada.set("k", n);
    await expect.poll(() => ada.acked).toBe(ada.edits + ada.idle);
    clock.advance(LIMITS.monitorSampleMs);
    const stats = statsSchema.parse(await (await get("/v1/stats")).json());
    expect(stats).toMatchObject({
      status: expect.stringMatching(/^(ok|degraded)$/),
      uptimeMs: LIMITS.monitorSampleMs,
      contexts: { inMemory: 1, queuedWrites: 0, largest: [{ id: "plan", yjsClientIds: 1 }] },
      sessions: { open: 2, byProtocol: { "mcm.v1": 1, "y-websocket": 1 }, behind: 0 },
      rates: { changes: 2, conflicts: 0, refusals: 0 },
      log: { available: true, lagMs: 0, queueBytes: 0 },
    });
    expect(stats.latencies.ack.count).toBeGreaterThanOrEqual(10);
    expect(stats.latencies.propagation.count).toBe(10);
    expect(stats.process.heapUsedBytes).toBeGreaterThan(1e6);
    expect(stats.rates.framesIn).toBeGreaterThan(2);
    await Promise.all([ada.close(), bob.close()]);
  });

  test("[MON-8] GET /v1/sessions lists who is connected, by context, page by page, with queue, lag and traffic", async () => {
    await createContext(server, "other");
    const clients = [
      await open("plan", "ada", true),
      await open("plan", "bob", false),
      await open("other", "cy", true),
    ];
    clients[0]?.set("k", 1);
    await expect.poll(() => clients[0]?.acked).toBe(2);
    const list = async (query = ""): Promise<SessionList> =>
      sessionListSchema.parse(await (await get(`/v1/sessions${query}`)).json());
    const { sessions, next } = await list();
    expect([sessions.length, next]).toEqual([3, undefined]);
    expect(sessions.map(({ id }) => id)).toEqual(sessions.map(({ id }) => id).toSorted());
    expect(sessions.find(({ actor }) => actor === "ada")).toMatchObject({
      contextId: "plan",
      protocol: "mcm.v1",
      openedAt: expect.stringMatching(/^2025-/),
      queueBytes: 0,
      lagMs: 0,
      framesIn: clients[0]?.sent,
      bytesIn: clients[0]?.sentBytes,
    });
    expect(sessions.find(({ actor }) => actor === "bob")).toMatchObject({ protocol: "y-websocket" });
    expect((await list("?context=other")).sessions.map(({ actor }) => actor)).toEqual(["cy"]);
    const first = await list("?limit=2");
    expect([first.sessions.length, first.next]).toEqual([2, first.sessions[1]?.id]);
    const second = await list(`?limit=2&cursor=${first.next}`);
    expect([...first.sessions, ...second.sessions].map(({ id }) => id)).toEqual(sessions.map(({ id }) => id));
    expect(second.next).toBeUndefined();
    expect((await get("/v1/sessions?limit=0")).status).toBe(400);
    await Promise.all(clients.map((client) => client.close()));
    await expect.poll(async () => (await list()).sessions).toEqual([]);
  });
});

describe("health", () => {
  test("[HEALTH-5] liveness says only that the process lives; readiness says what was looked at", async () => {
    const [alive, ready] = [await get("/healthz"), await get("/readyz")];
    expect([alive.status, await alive.json()]).toEqual([200, { status: "ok", reasons: [] }]);
    const health = healthSchema.parse(await ready.json());
    expect([ready.status, health.checks?.length]).toEqual([200, 7]);
    expect(ready.headers.get("cache-control")).toBe("no-store");
  });

  test("[HEALTH-2] a server that stops is down for new work before it is gone", async () => {
    const service = new FakeContextService();
    service.reasons = ["The server is stopping."];
    const rest = await startRestServer(service);
    const ready = await fetch(`${rest.url}/readyz`);
    expect([ready.status, await ready.json()]).toMatchObject([
      503,
      { status: "down", reasons: ["The server is stopping."] },
    ]);
    expect((await fetch(`${rest.url}/healthz`)).status).toBe(200);
    await rest.close();
  });
});

describe("alerts", () => {
  test("[ALERT-3] GET /v1/alerts lists those there are and those that are over", async () => {
    expect(alertListSchema.parse(await (await get("/v1/alerts")).json()).cleared).toEqual([]);
  });

  test("[ALERT-7] the live feed begins with those there are, tells what happens, and ends with the server's reason", async () => {
    const response = await get("/v1/alerts", { accept: "text/event-stream" });
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    const blocks = blocksOf(response);
    const first = await blocks.next();
    expect(first.value).toMatch(/^retry: 1000\nevent: alerts\ndata: \{"alerts":\[/);
    await server.close();
    let last = first;
    for (let next = await blocks.next(); next.done !== true; next = await blocks.next()) last = next;
    expect(last.value).toMatch(/^event: problem\ndata: .*"code":"SHUTTING_DOWN"/);
  });

  test("[ALERT-7] an alert comes as an event of its own, a comment while nothing happens", async () => {
    const service = new FakeContextService();
    const rest = await startRestServer(service, clock);
    const response = await fetch(`${rest.url}/v1/alerts`, { headers: { accept: "text/event-stream" } });
    const blocks = blocksOf(response);
    await blocks.next();
    service.monitoring.feed.publish({
      kind: "raised",
      atMs: 0,
      alert: {
        id: "heat-1",
        name: "heat",
        level: "info",
        summary: "Hot.",
        advice: "Cool it.",
        value: 2,
        threshold: 1,
        unit: "",
        raisedAtMs: 0,
      },
    });
    const { value } = await blocks.next();
    expect(value).toMatch(
      /^event: alert\ndata: \{"type":"alert\.raised","at":"1970-01-01T00:00:00\.000Z","alert":\{"id":"heat-1"/,
    );
    clock.advance(LIMITS.eventStreamHeartbeatMs);
    expect((await blocks.next()).value).toBe(":");
    const timers = clock.timerCount;
    await response.body?.cancel().catch(() => undefined);
    await blocks.return(undefined);
    await expect.poll(() => clock.timerCount).toBe(timers - 1);
    await rest.close();
  });
});

/** What a live feed sends, block by block. */
async function* blocksOf({ body }: Response): AsyncGenerator<string, undefined> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      yield text.slice(0, end);
      text = text.slice(end + 2);
    }
  }
  return undefined;
}

/**
 * REST when what stands behind it fails, and when clients of the live feed go away or don't read.
 */
import { callerOf } from "../support/callers.ts";
import { get as httpGet } from "node:http";
import type { IncomingMessage } from "node:http";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ServiceError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import { parseContextId } from "../../shared/ids.ts";
import { turns } from "../support/event-loop.ts";
import { FakeContextService } from "../support/fake-context-service.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { startRestServer } from "../support/rest-server.ts";

const caller = callerOf("anonymous");
const id = parseContextId("plan");

let service: FakeContextService;
let clock: ManualClock;
let server: Awaited<ReturnType<typeof startRestServer>>;
/** Of the server while nobody is there. */
let idleTimers = 0;

beforeEach(async () => {
  service = new FakeContextService();
  clock = new ManualClock();
  server = await startRestServer(service, clock);
  idleTimers = clock.timerCount;
  await service.create(caller, { id });
});
afterEach(() => server.close());

test("[REST-15] what nobody foresaw is INTERNAL: its text stays in the log, under the request's id", async () => {
  service.failure = new TypeError("secret in /etc/mcm");
  const response = await fetch(`${server.url}/v1/contexts/plan`);
  const text = await response.text();
  expect([response.status, text.includes("secret")]).toEqual([500, false]);
  const requestId = response.headers.get("x-request-id");
  expect(JSON.parse(text)).toMatchObject({ code: "INTERNAL", requestId });
  expect(server.logger.at("error")).toMatchObject([{ fields: { requestId, error: service.failure } }]);
});

test("[REST-15] a store that can't write now is 503 with Retry-After", async () => {
  service.failure = new ServiceError("STORE_UNAVAILABLE", "The disk is full. Try again later.");
  const response = await fetch(`${server.url}/v1/contexts`);
  expect([response.status, response.headers.get("retry-after")]).toEqual([503, "1"]);
  expect(await response.json()).toMatchObject({ code: "STORE_UNAVAILABLE", retry: "later" });
});

test("[REST-23] not ready is 503 with the reasons; alive all the same", async () => {
  service.reasons = ["the disk is full"];
  const ready = await fetch(`${server.url}/readyz`);
  expect([ready.status, await ready.json()]).toMatchObject([503, { status: "down", reasons: ["the disk is full"] }]);
  expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
});

/** Opens the feed and leaves it unread. */
async function openFeed(): Promise<IncomingMessage> {
  const feed = await new Promise<IncomingMessage>((resolve, reject) => {
    const headers = { accept: "text/event-stream" };
    httpGet(`${server.url}/v1/contexts/plan/changes?since=0`, { headers }, resolve).on("error", reject);
  });
  feed.on("error", () => {});
  return feed;
}

const textOf = (feed: IncomingMessage) =>
  new Promise<string>((resolve) => feed.once("data", (chunk: Buffer) => resolve(chunk.toString())));

test("[REST-20] a heartbeat comes while nothing happens", async () => {
  const feed = await openFeed();
  expect(await textOf(feed)).toBe("retry: 1000\nid: 0\n\n");
  clock.advance(LIMITS.eventStreamHeartbeatMs);
  expect(await textOf(feed)).toBe(":\n\n");
  clock.advance(LIMITS.eventStreamHeartbeatMs);
  expect(await textOf(feed)).toBe(":\n\n");
  feed.destroy();
});

test("[REST-21] a client that goes away takes its feed with it", async () => {
  const feed = await openFeed();
  await textOf(feed);
  expect([service.followerCount, clock.timerCount - idleTimers]).toEqual([1, 1]);
  feed.destroy();
  await expect.poll(() => [service.followerCount, clock.timerCount - idleTimers]).toEqual([0, 0]);
});

test("[REST-21] HEAD opens no feed", async () => {
  const headers = { accept: "text/event-stream" };
  const response = await fetch(`${server.url}/v1/contexts/plan/changes`, { method: "HEAD", headers });
  expect([response.status, response.headers.get("content-type")]).toEqual([200, "application/json"]);
  expect([service.followerCount, clock.timerCount - idleTimers]).toEqual([0, 0]);
});

test("[REST-21] a client that does not read holds nothing back, and is cut", async () => {
  const message = "x".repeat(400);
  for (let count = 0; count < 40_000; count += 1) {
    await service.change(caller, id, { ops: [{ op: "add", path: "/a", value: count }], message });
  }
  const feed = await openFeed();
  const ended = new Promise<void>((resolve) => feed.once("close", resolve));
  // The source is asked no further once the sockets are full: 40,000 changes are 20 MB, of which a part was taken.
  await expect.poll(() => service.yieldCount).toBeGreaterThan(0);
  for (let taken = -1; taken !== service.yieldCount;) {
    taken = service.yieldCount;
    await turns(200);
  }
  expect(service.yieldCount).toBeLessThan(40_000);
  clock.advance(LIMITS.slowConsumerMsMax + LIMITS.eventStreamHeartbeatMs);
  await expect.poll(() => [service.followerCount, clock.timerCount - idleTimers]).toEqual([0, 0]);
  feed.resume();
  await ended;
  expect(feed.complete).toBe(false);
});

test("[REST-20] a server that stops says so to every feed", async () => {
  const feed = await openFeed();
  await textOf(feed);
  const last = textOf(feed);
  service.failure = new ServiceError("SHUTTING_DOWN", "The server is stopping. Connect again in a moment.");
  service.announce();
  expect(await last).toMatch(/^event: problem\ndata: \{.*"code":"SHUTTING_DOWN"/);
});

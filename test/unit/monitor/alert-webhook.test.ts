/** Alerts to a webhook: signed, in order, again and again until they arrive or are old; and to those who follow them. */
import { createHmac, createSecretKey } from "node:crypto";
import { beforeEach, describe, expect, test } from "vitest";
import { AlertFeed } from "../../../server/monitor/alerts/alert-feed.ts";
import { AlertWebhook } from "../../../server/monitor/alerts/alert-webhook.ts";
import type { Post, PostRequest } from "../../../server/outbound/http-post.ts";
import { signatureOf } from "../../../server/outbound/signature.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { AlertEvent } from "../../../shared/monitoring.ts";
import { alertEventSchema } from "../../../shared/protocol/rest-monitoring.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

const KEY = Buffer.from("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "base64");
const MINUTE_MS = 60_000;

const eventOf = (name: string): AlertEvent => ({
  kind: "raised",
  atMs: 0,
  alert: {
    id: `${name}-1`,
    name,
    level: "warning",
    summary: "It is hot.",
    advice: "Cool it.",
    value: 2,
    threshold: 1,
    unit: "s",
    raisedAtMs: 0,
  },
});

const settle = async (): Promise<void> => {
  for (let n = 0; n < 20; n++) await Promise.resolve();
};

describe("a webhook", () => {
  let clock: ManualClock;
  let logger: RecordingLogger;
  let requests: PostRequest[];
  let deliver: Post;
  let webhook: AlertWebhook;
  const names = (): readonly unknown[] =>
    requests.map(({ body }) => alertEventSchema.parse(JSON.parse(body)).alert.name);

  beforeEach(() => {
    clock = new ManualClock();
    logger = new RecordingLogger();
    requests = [];
    deliver = async () => ({ status: 204 });
    const options = { url: "https://ops.test/hook", key: createSecretKey(KEY), clock, logger };
    webhook = new AlertWebhook({
      ...options,
      deliver: async (request) => {
        requests.push(request);
        return deliver(request);
      },
    });
  });

  test("[ALERT-6] a request says what happened and is signed over its id, time and body", async () => {
    webhook.send(eventOf("heat"));
    await settle();
    const [request] = requests;
    if (request === undefined) throw new Error("nothing was sent");
    const { url, headers, body } = request;
    expect([url, headers["content-type"]]).toEqual(["https://ops.test/hook", "application/json"]);
    expect(JSON.parse(body)).toMatchObject({ type: "alert.raised", alert: { name: "heat" }, dropped: 0 });
    const content = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`;
    expect(headers["webhook-signature"]).toBe(`v1,${createHmac("sha256", KEY).update(content).digest("base64")}`);
    expect(Number(headers["webhook-timestamp"])).toBe(Math.floor(clock.nowMs() / 1000));
    expect([webhook.queued, clock.timerCount]).toEqual([0, 0]);
  });

  test("[ALERT-6] the signature is that of Standard Webhooks: the example of its specification", () => {
    const content = 'msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{"test": 2432232314}';
    expect(signatureOf(createSecretKey(KEY), content)).toBe("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
  });

  test("[ALERT-6] down for five minutes: nothing is lost, all comes in order, retries have the id of the first try", async () => {
    deliver = async () => Promise.reject(new Error("connect ECONNREFUSED"));
    webhook.send(eventOf("first"));
    await settle();
    webhook.send(eventOf("second"));
    const upAtMs = clock.monotonicMs() + 5 * MINUTE_MS;
    const triedAtMs: number[] = [clock.monotonicMs()];
    while (clock.monotonicMs() < upAtMs) {
      clock.advance(100);
      await settle();
      if (requests.length > triedAtMs.length) triedAtMs.push(clock.monotonicMs());
    }
    const pausesMs = triedAtMs.slice(1).map((atMs, n) => atMs - (triedAtMs[n] ?? 0));
    // 1, 2, 4 … 60 s, less up to a quarter
    expect(pausesMs.length).toBeGreaterThan(7);
    expect(pausesMs.length).toBeLessThan(14);
    for (const [n, pauseMs] of pausesMs.entries()) {
      const fullMs = Math.min(LIMITS.alertRetryMsMax, LIMITS.alertRetryMsMin * 2 ** n);
      expect(pauseMs).toBeGreaterThanOrEqual(fullMs * 0.75);
      expect(pauseMs).toBeLessThanOrEqual(fullMs + 100);
    }
    expect(new Set(names())).toEqual(new Set(["first"]));
    expect(new Set(requests.map(({ headers }) => headers["webhook-id"])).size).toBe(1);

    deliver = async () => ({ status: 200 });
    requests.length = 0;
    clock.advance(LIMITS.alertRetryMsMax);
    await settle();
    expect([names(), webhook.queued]).toEqual([["first", "second"], 0]);
    expect(logger.at("info")).toMatchObject([{ message: "the alert webhook answers again" }]);
    // news go out at once again
    webhook.send(eventOf("third"));
    await settle();
    expect(names()).toEqual(["first", "second", "third"]);
  });

  test.each([302, 400, 410, 500])("[ALERT-6] %i is no success", async (status) => {
    deliver = async () => ({ status });
    webhook.send(eventOf("heat"));
    await settle();
    expect([webhook.queued, logger.at("warn")[0]?.fields["reason"]]).toEqual([1, `it answered ${status}`]);
  });

  test("[ALERT-6] a target that does not answer is given up after its time", async () => {
    deliver = ({ signal }) =>
      new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(new Error("aborted"))));
    webhook.send(eventOf("heat"));
    await settle();
    clock.advance(LIMITS.alertRequestMsMax - 1);
    await settle();
    expect(logger.at("warn")).toEqual([]);
    clock.advance(1);
    await settle();
    expect(logger.at("warn")).toMatchObject([{ fields: { reason: "aborted" } }]);
  });

  test("[ALERT-6] after an hour an alert is no news: it is dropped, and the next request says so", async () => {
    deliver = async () => ({ status: 503 });
    webhook.send(eventOf("old"));
    await settle();
    for (let n = 0; n < 70; n++) {
      clock.advance(MINUTE_MS);
      await settle();
    }
    expect([webhook.queued, logger.at("error")]).toMatchObject([0, [{ fields: { alert: "old" } }]]);
    deliver = async () => ({ status: 200 });
    webhook.send(eventOf("new"));
    clock.advance(MINUTE_MS);
    await settle();
    expect(JSON.parse(requests.at(-1)?.body ?? "")).toMatchObject({ alert: { name: "new" }, dropped: 1 });
  });

  test("[ALERT-6] so many wait and no more: the oldest give way, but not the one on its way", async () => {
    deliver = async () => ({ status: 503 });
    webhook.send(eventOf("on-its-way"));
    await settle();
    for (let n = 1; n < LIMITS.alertQueueMax; n++) webhook.send(eventOf(`e${n}`));
    expect([webhook.queued, logger.at("error")]).toEqual([LIMITS.alertQueueMax, []]);
    webhook.send(eventOf("one-more"));
    expect([webhook.queued, logger.at("error")]).toMatchObject([LIMITS.alertQueueMax, [{ fields: { alert: "e1" } }]]);
    deliver = async () => ({ status: 200 });
    requests.length = 0;
    clock.advance(LIMITS.alertRetryMsMax);
    for (let n = 0; n < 20; n++) await settle();
    expect([names()[0], names()[1], names().at(-1), requests.length]).toEqual([
      "on-its-way",
      "e2",
      "one-more",
      LIMITS.alertQueueMax,
    ]);
    expect(requests.map(({ body }) => JSON.parse(body).dropped).slice(0, 2)).toEqual([1, 0]);
  });

  test("[ALERT-6] when the server stops nothing more is sent, and no timer is left", async () => {
    deliver = async () => ({ status: 503 });
    webhook.send(eventOf("heat"));
    await settle();
    webhook.stop();
    await settle();
    webhook.send(eventOf("late"));
    clock.advance(10 * MINUTE_MS);
    await settle();
    expect([requests.length, webhook.queued, clock.timerCount]).toEqual([1, 0, 0]);
  });
});

describe("a feed", () => {
  const take = async (feed: AsyncGenerator<AlertEvent>, count: number): Promise<readonly string[]> => {
    const seen: string[] = [];
    for (let n = 0; n < count; n++) {
      const next = await feed.next();
      if (next.done === true) break;
      seen.push(next.value.alert.name);
    }
    return seen;
  };

  test("[ALERT-7] it has every event from the call on, whoever reads when", async () => {
    const feed = new AlertFeed();
    feed.publish(eventOf("before"));
    const follower = feed.follow(new AbortController().signal);
    feed.publish(eventOf("a"));
    const reading = take(follower, 2);
    await settle();
    feed.publish(eventOf("b"));
    expect(await reading).toEqual(["a", "b"]);
  });

  test("[ALERT-7] it ends by its signal; with the server it ends with the reason", async () => {
    const feed = new AlertFeed();
    const stop = new AbortController();
    const left = take(feed.follow(stop.signal), 1);
    await settle();
    stop.abort();
    expect(await left).toEqual([]);
    const stays = take(feed.follow(new AbortController().signal), 1);
    await settle();
    feed.close();
    await expect(stays).rejects.toMatchObject({ code: "SHUTTING_DOWN" });
  });

  test("[ALERT-7] who falls behind is ended, not given a gap", async () => {
    const feed = new AlertFeed();
    const signal = new AbortController().signal;
    const [slow, slower] = [feed.follow(signal), feed.follow(signal)];
    for (let n = 0; n < 256; n++) feed.publish(eventOf(`e${n}`));
    expect(await take(slow, 1)).toEqual(["e0"]);
    feed.publish(eventOf("e256"));
    expect(await take(slow, 256)).toHaveLength(256);
    await expect(slower.next()).rejects.toMatchObject({ code: "SLOW_CONSUMER" });
  });
});

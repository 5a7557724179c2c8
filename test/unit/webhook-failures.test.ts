/** Targets that fail, deliveries that are refused, servers that die: rules HOOK-1, HOOK-2, HOOK-8 to HOOK-11, HOOK-17 to HOOK-21. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { PostRequest } from "../../server/outbound/http-post.ts";
import { COLLECTIONS } from "../../server/storage/change-log.ts";
import { retryPauseMs } from "../../server/webhooks/retry-pause.ts";
import { ServiceError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { DeliveryBody } from "../../shared/protocol/rest-webhooks.ts";
import { entryOf, idOf } from "../support/log-fixtures.ts";
import { silence } from "../support/fake-target.ts";
import { turns } from "../support/service-rig.ts";
import { admin, WebhookRig } from "../support/webhook-rig.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

let rig: WebhookRig;

beforeEach(async () => {
  rig = await WebhookRig.start();
});
afterEach(() => rig.close());

const status = async () => {
  const [only] = await rig.manager.list(admin);
  if (only === undefined) throw new Error("there is no webhook");
  return only;
};
const report = async () => rig.manager.get(admin, (await status()).id);
const refused = (code: string) => expect.objectContaining({ name: "ServiceError", code });

describe("a target that takes nothing", () => {
  test("[HOOK-8] pauses double from a second to a quarter of an hour, a fifth more or less", () => {
    expect([1, 2, 3, 10, 11, 1000].map((failures) => retryPauseMs(failures, 0.5))).toEqual([
      1000, 2000, 4000, 512_000, 900_000, 900_000,
    ]);
    expect(retryPauseMs(1, 0)).toBe(800);
    expect(retryPauseMs(1, 0.999)).toBeCloseTo(1200, -1);
  });

  test("[HOOK-8] a delivery is tried again after a pause, not before, and then the next one follows", async () => {
    await rig.create("plan");
    await rig.add();
    rig.target.answer = () => 500;
    await rig.change("plan");
    await rig.settle();
    expect(rig.target.requests).toHaveLength(1);
    expect(await status()).toMatchObject({
      state: "retrying",
      failures: 1,
      behind: 1,
      lastError: { contextId: "plan", message: "it answered 500", atMs: rig.clock.nowMs() },
    });
    const { nextAttemptAtMs = 0 } = await status();
    const pauseMs = nextAttemptAtMs - rig.clock.nowMs();
    expect(pauseMs).toBeGreaterThanOrEqual(800);
    expect(pauseMs).toBeLessThanOrEqual(1200);
    rig.target.answer = () => 204;
    await rig.change("plan");
    await rig.pass(799);
    expect(rig.target.requests).toHaveLength(1);
    await rig.pass(500);
    expect(rig.target.versionsOf("plan")).toEqual([1, 2]);
    expect(await status()).toMatchObject({ state: "active", failures: 0, behind: 0 });
    expect(await status()).not.toHaveProperty("nextAttemptAtMs");
  });

  test.each([
    ["500", () => 500, "it answered 500"],
    ["a redirect", () => 302, "it answered 302; redirects are not followed"],
    ["no answer", silence, "it did not answer within 10 s"],
    [
      "a refused connection",
      () => Promise.reject(Object.assign(new Error("x"), { code: "ECONNREFUSED" })),
      "it cannot be reached (ECONNREFUSED)",
    ],
    [
      "an address that may not be",
      () => Promise.reject(new ServiceError("TARGET_REFUSED", "It leads inside.")),
      "It leads inside.",
    ],
  ] as const)(
    "[HOOK-8] %s is a failure, and says which",
    async (_, answer: (request: PostRequest) => number | Promise<never>, message) => {
      await rig.create("plan");
      await rig.add();
      rig.target.answer = answer;
      await rig.change("plan");
      await rig.settle();
      await rig.pass(10_001, 2);
      expect((await status()).lastError).toMatchObject({ message });
      expect(rig.target.taken).toEqual([]);
      rig.target.answer = () => 200;
      await rig.pass(MINUTE);
      expect(rig.target.versionsOf("plan")).toEqual([1]);
    },
  );

  test("[HOOK-8] a target that asks for a longer pause gets it, up to the bound", async () => {
    await rig.create("plan");
    await rig.add();
    rig.target.answer = () => ({ status: 503, retryAfterMs: 60_000 });
    await rig.change("plan");
    await rig.settle();
    await rig.pass(59_000);
    expect(rig.target.requests).toHaveLength(1);
    rig.target.answer = () => ({ status: 429, retryAfterMs: 10 * HOUR });
    await rig.pass(2000);
    expect(rig.target.requests).toHaveLength(2);
    rig.target.answer = () => 204;
    await rig.pass(LIMITS.webhookRetryMsMax - 3000);
    expect(rig.target.requests).toHaveLength(2);
    await rig.pass(4000);
    expect(rig.target.versionsOf("plan")).toEqual([1]);
  });

  test("[HOOK-9] a target that is down for five minutes is told of everything when it is back, in order", async () => {
    const ids = ["a", "b", "c", "d", "e", "f"];
    await rig.create(...ids);
    await rig.add();
    let isDown = true;
    rig.target.answer = async () => {
      await turns(3);
      if (isDown) throw Object.assign(new Error("down"), { code: "ECONNREFUSED" });
      return 204;
    };
    for (const id of ids) await rig.change(id, 2);
    await rig.settle();
    rig.target.peak = 0;
    for (let minute = 0; minute < 5; minute++) {
      await rig.pass(MINUTE);
      if (minute < 4) for (const id of ids) await rig.change(id, 2);
    }
    // one attempt at a time for all of them: 1, 2, 4, … seconds
    expect(rig.target.peak).toBe(1);
    expect(rig.target.requests.length).toBeLessThan(LIMITS.webhookRequestsMax + 12);
    isDown = false;
    const { nextAttemptAtMs = 0 } = await status();
    await rig.pass(nextAttemptAtMs - rig.clock.nowMs() + 1);
    for (const id of ids) expect(rig.target.versionsOf(id)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(await status()).toMatchObject({ state: "active", deadLetters: 0 });
    expect(rig.logger.at("warn")).toHaveLength(1);
    expect(rig.logger.at("info")).toHaveLength(1);
  });

  test("[HOOK-9] when it takes one, those that were to wait for longer follow at once", async () => {
    await rig.create("a", "b");
    await rig.add();
    let draws = 0;
    // the pause of the delivery is as long as it may be, that of the target as short
    rig.clock.randomUint32 = () => (++draws % 2 === 1 ? 2 ** 32 - 1 : 0);
    rig.target.answer = () => 500;
    await rig.change("a");
    await rig.settle();
    rig.target.answer = () => 204;
    await rig.change("b");
    await rig.pass(900, 9);
    expect([rig.target.versionsOf("b"), rig.target.versionsOf("a")]).toEqual([[1], [1]]);
  });

  test("[HOOK-9] after so many attempts the webhook stops, and loses nothing; resumed, it goes on where it was", async () => {
    await rig.create("plan");
    await rig.add();
    rig.target.answer = () => 503;
    await rig.change("plan");
    await rig.pass(30 * HOUR, 400);
    expect(rig.target.requests).toHaveLength(LIMITS.webhookFailuresMax);
    expect(await status()).toMatchObject({
      state: "stopped",
      deadLetters: 0,
      lastError: { message: "it answered 503" },
    });
    expect(rig.clock.timerCount).toBe(0);
    expect(rig.logger.at("error")).toHaveLength(1);
    rig.target.answer = () => 204;
    await rig.change("plan");
    await rig.restart();
    await rig.pass(HOUR);
    expect(await status()).toMatchObject({ state: "stopped", lastError: { message: "it answered 503" } });
    expect(rig.target.taken).toEqual([]);
    const { id } = await status();
    expect(await rig.manager.resume(admin, id)).toMatchObject({ state: "active" });
    await rig.settle();
    expect(rig.target.versionsOf("plan")).toEqual([1, 2]);
    await rig.restart();
    expect(await status()).toMatchObject({ state: "active" });
  });

  test("[HOOK-9] a target that is gone (410) is not asked again", async () => {
    await rig.create("plan");
    await rig.add();
    rig.target.answer = () => 410;
    await rig.change("plan");
    await rig.pass(HOUR);
    expect(rig.target.requests).toHaveLength(1);
    expect(await status()).toMatchObject({ state: "stopped" });
  });

  test("[HOOK-17] resumed between two attempts, it tries at once", async () => {
    await rig.create("plan", "other");
    const id = await rig.add();
    rig.target.answer = () => 500;
    await rig.change("plan");
    await rig.change("other");
    await rig.pass(10 * MINUTE);
    rig.target.answer = () => 204;
    await rig.manager.resume(admin, id);
    await rig.settle();
    expect([...rig.target.versionsOf("plan"), ...rig.target.versionsOf("other")]).toEqual([1, 1]);
  });

  test("[HOOK-17] paused, it sends nothing, also after a restart", async () => {
    await rig.create("plan");
    const id = await rig.add();
    expect(await rig.manager.pause(admin, id)).toMatchObject({ state: "paused" });
    await rig.change("plan");
    await rig.settle();
    await rig.restart();
    await rig.change("plan");
    await rig.pass(HOUR);
    expect(rig.target.requests).toEqual([]);
    expect(await status()).toMatchObject({ state: "paused" });
    await rig.manager.resume(admin, id);
    await rig.settle();
    expect(rig.target.versionsOf("plan")).toEqual([1, 2]);
  });

  test("[HOOK-17] paused in the middle of a request, what was sent is not sent again", async () => {
    await rig.create("plan");
    const id = await rig.add();
    let take = (): void => {};
    rig.target.answer = () => new Promise((resolve) => (take = () => resolve(204)));
    await rig.change("plan");
    await rig.settle();
    await rig.manager.pause(admin, id);
    take();
    await rig.settle();
    rig.target.answer = () => 204;
    await rig.change("plan");
    await rig.manager.resume(admin, id);
    await rig.settle();
    expect(rig.target.versionsOf("plan")).toEqual([1, 2]);
  });

  test("[HOOK-17] another address, or another secret, is used from the next attempt on", async () => {
    await rig.create("plan");
    const id = await rig.add();
    rig.target.answer = () => 500;
    await rig.change("plan");
    await rig.pass(MINUTE);
    const before = await status();
    rig.target.answer = ({ url }) => (url === "https://b.example/" ? 204 : 500);
    const after = await rig.manager.change(admin, id, { url: "https://b.example/", secret: "x".repeat(20) });
    expect(after.keyId).not.toBe(before.keyId);
    await rig.settle();
    expect(rig.target.versionsOf("plan")).toEqual([1]);
    expect(rig.target.requests.at(-1)?.headers).toMatchObject({ "mcm-key-id": after.keyId });
    await rig.restart();
    expect(await status()).toMatchObject({ url: "https://b.example/", keyId: after.keyId });
    await expect(rig.manager.change(admin, id, { url: "http://b.example/" })).rejects.toEqual(
      refused("TARGET_REFUSED"),
    );
    await expect(rig.manager.change(admin, id, { secret: "whsec_x" })).rejects.toEqual(refused("INVALID_REQUEST"));
  });
});

describe("a delivery that is refused", () => {
  const isBad = ({ contextId, changes }: DeliveryBody) =>
    contextId === "bad" && changes.some(({ version }) => version === 2);

  /** A context whose second change the target refuses, and a good one that is told of in between. */
  const poison = async (code: number): Promise<void> => {
    await rig.create("bad", "good");
    await rig.add();
    rig.target.answer = (_, body) => (isBad(body) ? code : 204);
    await rig.change("bad");
    await rig.settle();
    await rig.change("bad");
    await rig.settle();
    await rig.change("bad");
  };

  test.each([400, 413, 415, 422])("[HOOK-10] with %i: it waits alone, and becomes a dead letter", async (code) => {
    await poison(code);
    await rig.change("good", 3);
    await rig.settle();
    expect(await status()).toMatchObject({ state: "active", failures: 0, behind: 1 });
    expect(await report()).toMatchObject({
      positions: [
        { contextId: "bad", version: 1, currentVersion: 3, failures: 1, nextAttemptAtMs: expect.any(Number) },
      ],
    });
    expect(rig.target.versionsOf("good")).toEqual([1, 2, 3]);
    await rig.pass(2 * HOUR, 100);
    const bad = rig.target.requests.filter(({ body }) => isBad(JSON.parse(body)));
    expect(bad).toHaveLength(LIMITS.webhookAttemptsMax);
    expect(new Set(bad.map(({ headers }) => headers["webhook-id"])).size).toBe(1);
    expect(new Set(bad.map(({ body }) => body)).size).toBe(1);
    expect(rig.target.taken.filter(({ contextId }) => contextId === "bad")).toMatchObject([
      { version: 1, changes: [{ version: 1 }] },
      { version: 3, gaps: [{ from: 2, to: 2, reason: "dead-letter" }], changes: [{ version: 3 }] },
    ]);
    expect(await report()).toMatchObject({
      state: "active",
      behind: 0,
      deadLetters: 1,
      oldestDeadLetters: [
        {
          deliveryId: bad[0]?.headers["webhook-id"],
          contextId: "bad",
          fromVersion: 2,
          toVersion: 2,
          attempts: LIMITS.webhookAttemptsMax,
          error: `it answered ${code}`,
        },
      ],
    });
  });

  test("[HOOK-10] with 500, while the target takes others: likewise, and the others do not wait for long", async () => {
    await poison(500);
    for (let i = 0; i < 100; i++) {
      await rig.change("good");
      await rig.pass(2 * MINUTE, 8);
    }
    expect(rig.target.versionsOf("good")).toHaveLength(100);
    expect(await status()).toMatchObject({ state: "active", deadLetters: 1 });
    expect(rig.target.versionsOf("bad")).toEqual([1, 3]);
    expect(rig.manager.vitals()).toMatchObject({ byState: { active: 1, retrying: 0 }, behind: 0, deadLetters: 1 });
  });

  test("[HOOK-10] with 500, while the target takes nothing else, it is the target that is waited for", async () => {
    await poison(500);
    await rig.pass(6 * HOUR, 100);
    expect(await status()).toMatchObject({ state: "retrying", deadLetters: 0 });
    expect(rig.target.versionsOf("bad")).toEqual([1]);
    expect(rig.manager.vitals()).toMatchObject({ byState: { active: 0, retrying: 1 }, behind: 1, deadLetters: 0 });
  });

  test("[HOOK-10] attempts while the target was down do not count", async () => {
    await rig.create("bad", "good");
    await rig.add();
    rig.target.answer = () => 503;
    await rig.change("bad");
    await rig.pass(4 * HOUR, 100);
    const { nextAttemptAtMs = 0 } = await status();
    rig.target.answer = (_, { contextId }) => (contextId === "bad" ? 503 : 204);
    await rig.change("good");
    await rig.pass(nextAttemptAtMs - rig.clock.nowMs() + 20 * MINUTE, 100);
    expect(rig.target.versionsOf("good")).toEqual([1]);
    expect(await status()).toMatchObject({ deadLetters: 0 });
    rig.target.answer = () => 204;
    await rig.pass(20 * MINUTE, 50);
    expect(rig.target.versionsOf("bad")).toEqual([1]);
  });

  test("[HOOK-10] when the target itself goes down after that, the delivery waits for it like others", async () => {
    await poison(500);
    await rig.change("good");
    await rig.pass(MINUTE);
    expect(await report()).toMatchObject({ state: "active", positions: [{ contextId: "bad" }] });
    rig.target.answer = () => 503;
    await rig.change("good");
    await rig.pass(10 * HOUR, 200);
    expect(await status()).toMatchObject({ state: "retrying", deadLetters: 0 });
    rig.target.answer = () => 204;
    await rig.pass(20 * MINUTE);
    expect([rig.target.versionsOf("bad"), rig.target.versionsOf("good")]).toEqual([
      [1, 2, 3],
      [1, 2],
    ]);
  });

  test("[HOOK-10] that the target asks for a pause (429) is never the delivery's fault", async () => {
    await poison(429);
    for (let i = 0; i < 40; i++) {
      await rig.change("good");
      await rig.pass(20 * MINUTE, 8);
    }
    expect(await status()).toMatchObject({ deadLetters: 0 });
  });

  test("[HOOK-10] gaps that follow on each other are told as one, and the end of a context after them", async () => {
    await rig.create("bad");
    await rig.add();
    rig.target.answer = (_, { changes }) => (changes.length > 0 ? 422 : 204);
    for (let i = 0; i < 2; i++) {
      await rig.change("bad", 1);
      await rig.pass(2 * HOUR, 60);
    }
    await rig.remove("bad");
    await rig.settle();
    expect(rig.target.taken).toMatchObject([
      { deleted: true, version: 2, gaps: [{ from: 1, to: 2, reason: "dead-letter" }] },
    ]);
  });
});

describe("dead letters", () => {
  /** Two of context "bad", versions 1 and 2. */
  const twoLetters = async (): Promise<string> => {
    await rig.create("bad");
    const id = await rig.add();
    rig.target.answer = () => 400;
    for (let i = 0; i < 2; i++) {
      await rig.change("bad");
      await rig.pass(2 * HOUR, 60);
    }
    expect(await status()).toMatchObject({ deadLetters: 2 });
    rig.target.requests.length = 0;
    rig.target.answer = () => 204;
    return id;
  };

  test("[HOOK-11] are sent again on request, oldest first, as what they were", async () => {
    const id = await twoLetters();
    const { oldestDeadLetters } = await report();
    expect(await rig.manager.redeliver(admin, id, {})).toEqual({ redelivered: 2, left: 0 });
    expect(rig.target.taken).toEqual([
      expect.objectContaining({ redelivered: true, version: 1, changes: [expect.objectContaining({ version: 1 })] }),
      expect.objectContaining({ redelivered: true, version: 2, changes: [expect.objectContaining({ version: 2 })] }),
    ]);
    expect(rig.target.taken.map(({ deliveryId }) => deliveryId)).toEqual(
      oldestDeadLetters.map(({ deliveryId }) => deliveryId),
    );
    expect(await report()).toMatchObject({ deadLetters: 0, oldestDeadLetters: [] });
    await rig.restart();
    expect(await status()).toMatchObject({ deadLetters: 0 });
  });

  test("[HOOK-11] … until one fails; those that are left stay", async () => {
    const id = await twoLetters();
    rig.target.answer = (_, { version }) => (version === 2 ? 500 : 204);
    expect(await rig.manager.redeliver(admin, id, {})).toEqual({ redelivered: 1, left: 1, error: "it answered 500" });
    await rig.restart();
    expect(await report()).toMatchObject({ deadLetters: 1, oldestDeadLetters: [{ toVersion: 2 }] });
  });

  test("[HOOK-11] … or until the time of one request is over", async () => {
    const id = await twoLetters();
    rig.target.answer = () => {
      rig.clock.advance(LIMITS.webhookRedeliverMsMax);
      return 204;
    };
    expect(await rig.manager.redeliver(admin, id, {})).toMatchObject({ redelivered: 1, left: 1, error: /ask again/ });
  });

  test("[HOOK-11] … or one of them alone", async () => {
    const id = await twoLetters();
    const [, second] = (await report()).oldestDeadLetters;
    expect(await rig.manager.redeliver(admin, id, { deliveryId: second?.deliveryId ?? "" })).toEqual({
      redelivered: 1,
      left: 1,
    });
    expect(rig.target.taken).toMatchObject([{ version: 2 }]);
    await expect(rig.manager.redeliver(admin, id, { deliveryId: "none" })).rejects.toEqual(
      refused("WEBHOOK_NOT_FOUND"),
    );
  });

  test("[HOOK-11] … with what the history has lost meanwhile as a gap", async () => {
    const id = await twoLetters();
    await rig.change("bad");
    await rig.settle();
    await rig.thin("bad", 1);
    await rig.manager.redeliver(admin, id, {});
    expect(rig.target.taken.slice(1)).toMatchObject([
      { redelivered: true, version: 1, gaps: [{ from: 1, to: 1, reason: "thinned" }], changes: [] },
      { redelivered: true, version: 2, changes: [{ version: 2 }] },
    ]);
  });

  test("[HOOK-11] … also when the context is gone, or another one has its id", async () => {
    const id = await twoLetters();
    await rig.remove("bad");
    await rig.create("bad");
    await rig.change("bad", 4);
    await rig.settle();
    await rig.manager.redeliver(admin, id, {});
    expect(rig.target.taken.filter(({ redelivered }) => redelivered)).toMatchObject([
      { version: 1, gaps: [{ from: 1, to: 1, reason: "deleted" }], changes: [] },
      {
        version: 2,
        gaps: [
          { from: 1, to: 1, reason: "dead-letter" },
          { from: 2, to: 2, reason: "deleted" },
        ],
        changes: [],
      },
    ]);
  });

  test("[HOOK-11] at so many of them the webhook stops", async () => {
    await rig.close();
    rig = await WebhookRig.start({ webhookDeadLettersMax: 3 });
    await rig.create("a", "b", "c", "d", "e");
    const id = await rig.add();
    rig.target.answer = () => 400;
    for (const it of ["a", "b", "c", "d", "e"]) await rig.change(it);
    await rig.pass(5 * HOUR, 200);
    expect(await status()).toMatchObject({ state: "stopped" });
    expect((await status()).deadLetters).toBeGreaterThanOrEqual(3);
    rig.target.answer = () => 204;
    await rig.manager.resume(admin, id);
    await rig.manager.redeliver(admin, id, {});
    await rig.settle();
    expect(rig.target.taken.map(({ contextId }) => contextId).sort()).toEqual(["a", "b", "c", "d", "e"]);
  });
});

describe("a server that dies", () => {
  test("[HOOK-2] after the target took a delivery and before that is known: the same one is sent again", async () => {
    await rig.create("plan");
    await rig.add();
    let isTaken = false;
    rig.beforeCall = (name) => {
      if (isTaken && name === "writeRecords") throw new Error("the server dies here");
    };
    rig.target.answer = () => {
      isTaken = true;
      return 204;
    };
    await rig.change("plan");
    await rig.settle();
    rig.beforeCall = () => {};
    await rig.change("plan");
    await rig.crash();
    await rig.settle();
    expect(rig.target.versionsOf("plan")).toEqual([1, 1, 2]);
    const [first, again] = rig.target.requests;
    expect(again?.body).toBe(first?.body);
    expect(again?.headers["webhook-id"]).toBe(first?.headers["webhook-id"]);
    expect(rig.target.requests[2]?.headers["webhook-id"]).not.toBe(first?.headers["webhook-id"]);
  });

  test("[HOOK-2] what was thinned between two attempts makes another delivery of it", async () => {
    await rig.create("plan");
    await rig.add();
    rig.target.answer = () => 500;
    await rig.change("plan", 2);
    await rig.settle();
    await rig.thin("plan", 1);
    rig.target.answer = () => 204;
    await rig.pass(10_000);
    expect(rig.target.taken).toMatchObject([{ version: 2, gaps: [{ from: 1, to: 1, reason: "thinned" }] }]);
    expect(rig.target.taken[0]?.deliveryId).not.toBe(rig.target.requests[0]?.headers["webhook-id"]);
  });

  test("[HOOK-20] a log that cannot be read or written delays, and is no fault of the target", async () => {
    await rig.create("plan");
    await rig.add();
    for (const broken of ["read", "summary", "readRecord", "writeRecords"]) {
      rig.beforeCall = (name) => {
        if (name === broken) throw new ServiceError("STORE_UNAVAILABLE", "The log is being reopened.");
      };
      await rig.change("plan");
      await rig.settle();
      expect(await status()).toMatchObject({ state: "active", failures: 0, behind: 1 });
      rig.beforeCall = () => {};
      await rig.pass(LIMITS.reopenDelayMsMax);
    }
    expect(rig.target.versionsOf("plan")).toEqual([1, 2, 3, 4]);
  });

  test("[HOOK-20] a scan that fails is made again", async () => {
    await rig.create("plan");
    await rig.add();
    await rig.manager.close();
    await rig.change("plan");
    let isBroken = true;
    rig.beforeCall = (name) => {
      if (isBroken && name === "list") throw new ServiceError("STORE_UNAVAILABLE", "The log is being reopened.");
    };
    await rig.restart();
    await rig.settle();
    expect(rig.target.requests).toEqual([]);
    isBroken = false;
    await rig.pass(LIMITS.reopenDelayMsMax);
    expect(rig.target.versionsOf("plan")).toEqual([1]);
  });

  test("[HOOK-20] what became durable and was announced to nobody is found when the log is open again", async () => {
    await rig.create("plan");
    await rig.add();
    await rig.log.append(idOf("plan"), { seq: 0 }, [entryOf(1)]);
    await rig.settle();
    expect(rig.target.requests).toEqual([]);
    rig.manager.recovered();
    await rig.settle();
    expect(rig.target.versionsOf("plan")).toEqual([1]);
  });

  const keptRecords = async (): Promise<string[]> => {
    const kept = COLLECTIONS.filter((name) => name.startsWith("webhook"));
    const records = await Promise.all(kept.map((name) => rig.log.listRecords(undefined, name, { limit: 99 })));
    return records.flat().map(({ key }) => key);
  };

  test("[HOOK-21] a webhook that is removed leaves nothing, and is not told of anything any more", async () => {
    await rig.create("bad", "plan");
    const id = await rig.add();
    rig.target.answer = (_, { contextId }) => (contextId === "bad" ? 400 : 204);
    await rig.change("bad");
    await rig.pass(2 * HOUR, 60);
    rig.target.answer = silence;
    await rig.change("plan");
    await rig.settle();
    await rig.manager.pause(admin, await rig.add(["other"]));
    await rig.create("other");
    await rig.remove("other");
    await rig.settle();
    expect((await keptRecords()).length).toBeGreaterThan(4);
    const count = rig.target.requests.length;
    for (const webhook of await rig.manager.list(admin)) await rig.manager.remove(admin, webhook.id);
    await rig.change("plan");
    await rig.pass(HOUR);
    expect(rig.target.requests).toHaveLength(count);
    expect(await keptRecords()).toEqual([]);
    await expect(rig.manager.remove(admin, id)).rejects.toEqual(refused("WEBHOOK_NOT_FOUND"));
  });

  test("[HOOK-21] one that was being removed, or added, when the server died is gone after the next start", async () => {
    await rig.create("plan");
    const kept = await rig.add();
    const before = await keptRecords();
    const removed = await rig.add();
    let writes = 0;
    rig.beforeCall = (name) => {
      if (name === "writeRecords" && ++writes > 1) throw new Error("the server dies here");
    };
    await expect(rig.manager.remove(admin, removed)).rejects.toThrow("dies here");
    writes = 0;
    await expect(rig.add()).rejects.toThrow("dies here");
    expect((await keptRecords()).length).toBeGreaterThan(before.length);
    rig.beforeCall = () => {};
    await rig.crash();
    expect(await keptRecords()).toEqual(before);
    expect((await rig.manager.list(admin)).map(({ id }) => id)).toEqual([kept]);
  });
});

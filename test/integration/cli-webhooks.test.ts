/** `mcm webhook`, against a real HTTP server over the real manager of webhooks and a target that answers as it is told. */
import { describe, expect, test } from "vitest";
import { parseContextId } from "../../shared/ids.ts";
import {
  webhookReportSchema,
  webhookListSchema,
  webhookTestResultSchema,
} from "../../shared/protocol/rest-webhooks.ts";
import { callerOf } from "../support/callers.ts";
import { CliHarness } from "./cli-harness.ts";

const cli = new CliHarness();
const { mcm } = cli;
const UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}";
const SECRET = "a secret of many characters";

const add = async (...more: string[]): Promise<string> => {
  const args = ["webhook", "add", "https://hooks.example.org/a", "--context", "plan-*", ...more];
  const { code, out } = await mcm(args, (io) => (io.environment = { ...io.environment, MCM_WEBHOOK_SECRET: SECRET }));
  expect([code, out]).toEqual([0, expect.stringMatching(new RegExp(`^${UUID}$`))]);
  return out;
};

describe("webhooks", () => {
  test("[HOOK-23] one is added, listed, shown and removed", async () => {
    expect(await mcm(["webhook", "list"])).toEqual({
      code: 0,
      out: "",
      err: "No webhooks. Add one with 'mcm webhook add <url>'.",
    });
    const id = await add("--context", "b", "--path", "/tasks", "--path", "");
    const { out } = await mcm(["webhook", "list"]);
    expect(out).toMatch(
      new RegExp(
        `^ID +STATE +BEHIND +DEAD +CONTEXTS +URL\n${id} +active +0 +0 +plan-\\*,b +https://hooks.example.org/a$`,
      ),
    );
    const list = webhookListSchema.parse(JSON.parse((await mcm(["webhook", "list", "--json"])).out));
    expect(list.webhooks).toMatchObject([{ id, createdBy: "zoë", paths: ["/tasks", ""] }]);
    const shown = await mcm(["webhook", "show", id]);
    expect(shown.out).toMatch(
      /^\S+ is active, since \S+Z by zoë\n  to https:\S+, key [0-9a-f]{8}\n  of plan-\* b at \/tasks ""\n  last delivery: none since the server started\n  0 contexts behind, 0 dead letters$/,
    );
    const report = webhookReportSchema.parse(JSON.parse((await mcm(["webhook", "show", id, "--json"])).out));
    expect(report.id).toBe(id);
    expect(await mcm(["webhook", "remove", id])).toEqual({ code: 0, out: `${id} is removed`, err: "" });
    expect(await mcm(["webhook", "remove", id])).toMatchObject({
      code: 3,
      err: expect.stringMatching(/WEBHOOK_NOT_FOUND/),
    });
  });

  test("[HOOK-23] the secret comes from a file, stdin or the environment, and goes to nobody", async () => {
    const args = ["webhook", "add", "https://hooks.example.org/a", "--context", "*", "--json", "--secret-file"];
    for (const file of ["secret.txt", "-"]) {
      const { code, out, err } = await mcm([...args, file], (io) => io.files.set(file, `${SECRET}\nmore\n`));
      expect([code, err]).toEqual([0, ""]);
      expect(out).not.toContain(SECRET);
    }
    await mcm(["webhook", "test", await add()]);
    const { target } = cli.service.webhooks;
    expect(target.requests.at(-1)?.headers["webhook-signature"]).toMatch(/^v1,/);
    expect(target.requests.at(-1)?.body).not.toContain(SECRET);
  });

  test("[HOOK-23] it is tried: the exit code says whether the target took it", async () => {
    const id = await add();
    expect(await mcm(["webhook", "test", id])).toEqual({
      code: 0,
      out: expect.stringMatching(/^The target took it, in \d+ ms$/),
      err: "",
    });
    cli.service.webhooks.target.answer = () => 503;
    expect(await mcm(["webhook", "test", id])).toEqual({
      code: 1,
      out: "The target did not take it: it answered 503",
      err: "",
    });
    const { code, out } = await mcm(["webhook", "test", id, "--json"]);
    expect([code, webhookTestResultSchema.parse(JSON.parse(out))]).toMatchObject([1, { ok: false }]);
  });

  test("[HOOK-23] it is paused, resumed, and given another address or secret", async () => {
    const id = await add();
    expect((await mcm(["webhook", "pause", id])).out).toBe(`${id} is paused`);
    expect((await mcm(["webhook", "list"])).out).toMatch(/ paused +- +0 /);
    expect((await mcm(["webhook", "show", id])).out).toMatch(
      /\n  what changes is told when it is resumed, 0 dead letters$/,
    );
    expect((await mcm(["webhook", "resume", id])).out).toBe(`${id} is active`);
    const moved = await mcm(["webhook", "update", id, "--to", "https://b.example.org/"]);
    expect(moved.out).toMatch(/ sends to https:\/\/b\.example\.org\/, key [0-9a-f]{8}$/);
    const rotated = await mcm(["webhook", "update", id, "--new-secret"], (io) => {
      io.environment = { ...io.environment, MCM_WEBHOOK_SECRET: `${SECRET} 2` };
    });
    expect(rotated.code).toBe(0);
    expect(rotated.out).not.toBe(moved.out);
    expect(await mcm(["webhook", "redeliver", id])).toEqual({
      code: 0,
      out: "0 dead letters delivered, 0 left",
      err: "",
    });
  });

  test("[HOOK-23] dead letters and contexts behind are shown, and what did not go again is said", async () => {
    const id = await add();
    const { webhooks } = cli.service;
    const [status] = await webhooks.list(callerOf("zoë"));
    if (status === undefined) throw new Error("there is no webhook");
    const plan = parseContextId("plan");
    const at = Date.parse("2026-11-22T12:00:00.000Z");
    const lastError = { atMs: at, contextId: plan, message: "it answered 500\u001b" };
    webhooks.get = async () => ({
      ...status,
      state: "retrying",
      failures: 2,
      nextAttemptAtMs: at,
      lastDeliveryAtMs: at,
      lastError,
      behind: 2,
      deadLetters: 1,
      positions: [
        { contextId: plan, version: 3, currentVersion: 5, failures: 2, nextAttemptAtMs: at },
        { contextId: plan, version: 1, failures: 0 },
      ],
      oldestDeadLetters: [
        {
          deliveryId: "d1",
          contextId: plan,
          fromVersion: 4,
          toVersion: 5,
          attempts: 12,
          error: "it answered 400",
          atMs: at,
        },
      ],
    });
    expect((await mcm(["webhook", "show", id])).out.split("\n").slice(3)).toEqual([
      "  last delivery: 2026-11-22T12:00:00.000Z",
      "  last error: 2026-11-22T12:00:00.000Z plan: it answered 500\ufffd",
      "  2 attempts failed, next attempt 2026-11-22T12:00:00.000Z",
      "  2 contexts behind, 1 dead letter",
      "CONTEXT  TOLD  IS AT    FAILED  NEXT ATTEMPT",
      "plan     3     5        2       2026-11-22T12:00:00.000Z",
      "plan     1     deleted  0",
      "DEAD LETTER  CONTEXT  VERSIONS  AT                        WHY",
      "d1           plan     4-5       2026-11-22T12:00:00.000Z  it answered 400",
    ]);
    webhooks.redeliver = async () => ({ redelivered: 1, left: 1, error: "it answered 500" });
    expect(await mcm(["webhook", "redeliver", id])).toEqual({
      code: 1,
      out: "1 dead letter delivered, 1 left",
      err: "It ended because it answered 500.",
    });
    expect(JSON.parse((await mcm(["webhook", "redeliver", id, "d1", "--json"])).out)).toMatchObject({ left: 1 });
  });

  test.each<[string[], RegExp]>([
    [["add", "https://x.org/", "--context", "*"], /there is no secret: .*--secret-file, or set MCM_WEBHOOK_SECRET/],
    [["add", "https://x.org/"], /say which contexts/],
    [["add"], /missing required argument/],
    [["update", "x"], /say --to, --secret-file or --new-secret/],
    [["update", "x", "--new-secret"], /there is no secret: .*MCM_WEBHOOK_SECRET/],
    [["show"], /missing required argument/],
  ])("[HOOK-23] 'webhook %j' is wrong usage", async (args, says) => {
    expect(await mcm(["webhook", ...args])).toMatchObject({ code: 2, err: expect.stringMatching(says) });
  });

  test("[HOOK-23] an address that may not be is told, with what to do", async () => {
    const args = ["webhook", "add", "http://10.0.0.1/", "--context", "*", "--secret-file", "-"];
    const { code, err } = await mcm(args, (io) => io.files.set("-", SECRET));
    expect([code, err]).toEqual([3, expect.stringMatching(/not public\. .*MCM_WEBHOOK_ALLOW\. \(TARGET_REFUSED\)$/)]);
  });
});

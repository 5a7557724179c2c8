/** What reaches the log: no secrets, no flood, one line each. */
import { describe, expect, test } from "vitest";
import { EventLog } from "../../../server/monitor/event-log.ts";
import { createLogger } from "../../../server/monitor/logger.ts";
import type { LogFields } from "../../../server/monitor/logger.ts";
import { QuietLogger } from "../../../server/monitor/quiet-logger.ts";
import { parseActor, parseContextId } from "../../../shared/ids.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

const JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJlLXRoYXQtaXMtc2VjcmV0";
const SECRET = "hunter2-hunter2";

function written(fields: LogFields, message = "m", isPretty = false): string {
  let text = "";
  const destination = { write: (line: string): void => void (text += line) };
  createLogger({ level: "info", destination, isPretty }).info(message, fields);
  return text;
}

describe("secrets", () => {
  test.each<[string, LogFields]>([
    ["a field", { token: SECRET }],
    ["a header", { headers: { Authorization: `Bearer ${SECRET}`, "Sec-WebSocket-Protocol": `mcm.v1, ${SECRET}` } }],
    ["Headers", { headers: new Headers({ cookie: `sid=${SECRET}` }) }],
    ["however it is spelled", { request: { "Set-Cookie": [SECRET], api_key: SECRET, accessToken: SECRET } }],
    ["deep down", { a: { b: { c: { d: { password: SECRET } } } } }],
    ["in an array", { list: [{ client_secret: SECRET }] }],
    ["in a map", { map: new Map([["jwt", SECRET]]) }],
    ["whatever type it has", { secret: { is: SECRET } }],
    ["in a query string", { url: `/sync/plan?actor=ada&token=${SECRET}&create=true` }],
    ["in the query of an address in a sentence", { note: `GET http://127.0.0.1/x?access_token=${SECRET} failed` }],
    ["a bearer's in a text", { note: `sent Bearer ${SECRET}` }],
    ["a JWT anywhere", { note: `it was ${JWT}, he said` }],
    ["the secret of a webhook", { note: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" }],
    ["in an error's message", { error: new Error(`failed with ?token=${SECRET}`) }],
    ["in an error's cause", { error: new Error("failed", { cause: new Error(`no ${JWT}`) }) }],
  ])("[LOGGER-2] [LOGGER-6] %s is not written", (_where, fields) => {
    for (const isPretty of [false, true]) {
      const text = written(fields, "m", isPretty);
      expect(text).toContain("[secret]");
      expect(text).not.toMatch(/hunter2|c2lnbmF0dXJl|MfKQ9r8/);
    }
  });

  test("[LOGGER-6] what turns itself into JSON is looked through as that", () => {
    class Config {
      toJSON() {
        return { key: { secret: SECRET }, at: "here" };
      }
    }
    expect(JSON.parse(written({ config: new Config() }))).toMatchObject({
      config: { key: { secret: "[secret]" }, at: "here" },
    });
  });

  test("[LOGGER-2] nor in the message itself", () => {
    expect(written({}, `open ?token=${SECRET}`)).toContain("?token=[secret]");
  });

  test("[LOGGER-6] what is no secret stays: fencing tokens, words that begin alike, the rest of an address", () => {
    const text = written({
      fencingToken: 17,
      tokenizer: "words",
      url: "/x?tokens=3&path=/a",
      note: "basic operations",
    });
    expect(JSON.parse(text)).toMatchObject({
      fencingToken: 17,
      tokenizer: "words",
      url: "/x?tokens=3&path=/a",
      note: "basic operations",
    });
    expect(written({ url: `/x?a=1&token=${SECRET}&b=2` })).toContain("/x?a=1&token=[secret]&b=2");
  });

  test("[LOGGER-6] what goes in circles, or is very deep or wide, is cut", () => {
    const circle: Record<string, unknown> = { name: "c" };
    circle["self"] = circle;
    const wide = Object.fromEntries(Array.from({ length: 1000 }, (_, n) => [`k${n}`, n]));
    const text = written({ circle, wide, bytes: new Uint8Array(5000) });
    expect(text.length).toBeLessThan(3000);
    expect(JSON.parse(text)).toMatchObject({ bytes: "5000 bytes", circle: { name: "c" } });
  });
});

describe("lines", () => {
  test("[LOGGER-5] a line is JSON with level, time, message and fields; on a terminal it is text for people", () => {
    const entry: unknown = JSON.parse(written({ contextId: "plan" }, "hello"));
    expect(entry).toEqual({ level: 30, time: expect.any(Number), contextId: "plan", msg: "hello" });
    const text = written({ contextId: "plan" }, "hello", true);
    expect(text).toMatch(/^\[\d\d:\d\d:\d\d\.\d{3}\] .*INFO.*hello.*"contextId":"plan".*\n$/);
  });

  test("[LOGGER-5] what is below the level is not written", () => {
    let lines = 0;
    const logger = createLogger({ level: "warn", destination: { write: () => void lines++ }, isPretty: false });
    logger.debug("a");
    logger.info("b");
    logger.warn("c");
    logger.error("d");
    expect(lines).toBe(2);
  });
});

describe("a message that comes too often", () => {
  test("[LOGGER-3] a burst is written, what is more is counted and told when the time is over", () => {
    const [clock, inner] = [new ManualClock(), new RecordingLogger()];
    const logger = new QuietLogger(inner, clock);
    for (let n = 0; n < LIMITS.logBurstMax + 7; n++) logger.info("noise", { n });
    logger.warn("noise");
    logger.info("other");
    expect(inner.entries.filter(({ message }) => message === "noise")).toHaveLength(LIMITS.logBurstMax + 1);
    clock.advance(LIMITS.logBurstMs - 1);
    expect(inner.entries.some(({ message }) => message.includes("more"))).toBe(false);
    clock.advance(1);
    expect(inner.entries.at(-1)).toEqual({
      level: "info",
      message: "noise (7 more)",
      fields: { more: 7, withinMs: LIMITS.logBurstMs },
    });
    logger.info("noise", { n: "again" });
    expect(inner.entries.at(-1)).toMatchObject({ message: "noise", fields: { n: "again" } });
  });

  test("[LOGGER-3] exactly a burst leaves nothing to tell; a quiet log has no timer", () => {
    const [clock, inner] = [new ManualClock(), new RecordingLogger()];
    const logger = new QuietLogger(inner, clock);
    expect(clock.timerCount).toBe(0);
    for (let n = 0; n < LIMITS.logBurstMax; n++) logger.error("noise");
    clock.advance(LIMITS.logBurstMs);
    expect([inner.entries.length, clock.timerCount]).toEqual([LIMITS.logBurstMax, 0]);
  });

  test("[LOGGER-3] who asks for debug lines gets them all; what was counted is told when the server stops", () => {
    const [clock, inner] = [new ManualClock(), new RecordingLogger()];
    const logger = new QuietLogger(inner, clock);
    for (let n = 0; n < 100; n++) logger.debug("detail");
    for (let n = 0; n < 100; n++) logger.warn("noise");
    expect(inner.at("debug")).toHaveLength(100);
    logger.flush();
    expect(inner.entries.at(-1)?.message).toBe(`noise (${100 - LIMITS.logBurstMax} more)`);
    expect(clock.timerCount).toBe(0);
  });
});

describe("what is worth a line", () => {
  const about = { contextId: parseContextId("plan"), actor: parseActor("ada") };
  const session = { ...about, sessionId: "s1", protocol: "mcm.v1" } as const;
  const linesOf = (tell: (log: EventLog) => void) => {
    const logger = new RecordingLogger();
    tell(new EventLog(logger));
    return logger.entries.map(({ level, message }) => `${level} ${message}`);
  };
  const operated = { subject: "plan", actor: about.actor, requestId: "r1" };

  test("[LOGGER-4] the life of contexts is told, other operations only to who wants all", () => {
    expect(linesOf((log) => log.operated({ ...operated, operation: "create", durationMs: 1 }))).toEqual([
      "info context event",
    ]);
    expect(linesOf((log) => log.operated({ ...operated, operation: "read", durationMs: 1 }))).toEqual([
      "debug operation",
    ]);
    const refused = { ...operated, operation: "create", durationMs: 1, code: "ALREADY_EXISTS" } as const;
    expect(linesOf((log) => log.operated(refused))).toEqual(["debug operation"]);
  });

  test("[LOGGER-4] slow work is told, waiting for a lock is not slow", () => {
    expect(linesOf((log) => log.operated({ ...operated, operation: "read", durationMs: 1000 }))).toEqual([
      "warn slow operation",
      "debug operation",
    ]);
    expect(linesOf((log) => log.operated({ ...operated, operation: "read", durationMs: 999 }))).toHaveLength(1);
    expect(linesOf((log) => log.operated({ ...operated, operation: "locks.acquire", durationMs: 9000 }))).toHaveLength(
      1,
    );
  });

  test("[LOGGER-4] sessions, refusals and conflicts are told with who and where", () => {
    const logger = new RecordingLogger();
    const log = new EventLog(logger);
    const traffic = { framesIn: 1, bytesIn: 2, framesOut: 3, bytesOut: 4 };
    log.sessionOpened(session);
    log.refused({ ...session, kind: "update", code: "LOCKED" });
    log.conflicted({ contextId: about.contextId, kind: "set-set", policy: "record" });
    log.fellBehind(session);
    log.sessionEnded({ ...session, code: "SLOW_CONSUMER", durationMs: 5, traffic });
    expect(logger.at("info").map(({ message, fields }) => [message, fields["contextId"], fields["sessionId"]])).toEqual(
      [
        ["session opened", "plan", "s1"],
        ["write refused", "plan", "s1"],
        ["conflict", "plan", undefined],
        ["a receiver does not keep up", "plan", "s1"],
        ["session ended", "plan", "s1"],
      ],
    );
    expect(logger.entries.at(-1)?.fields).toMatchObject({ code: "SLOW_CONSUMER", framesOut: 3, actor: "ada" });
  });
});

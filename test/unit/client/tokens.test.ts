/** The tokens of a client: when a function is asked for one, and what is shown meanwhile. Time is the test's. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { endOf, subjectOf } from "../../../client/token-claims.ts";
import { Tokens } from "../../../client/tokens.ts";
import { LIMITS } from "../../../shared/limits.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const NOW = 1_800_000_000_000;

let asked = 0;
let random = 0;
/** What the function gives next. */
let give: () => string | Promise<string> = () => jwt(HOUR);

beforeEach(() => {
  vi.useFakeTimers({ now: NOW, toFake: ["setTimeout", "clearTimeout", "Date"] });
  vi.spyOn(Math, "random").mockImplementation(() => random);
  asked = 0;
  random = 0;
  give = () => jwt(HOUR);
});

afterEach(() => {
  expect(vi.getTimerCount(), "timers left behind").toBe(0);
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** Each is another one. */
function jwt(leftMs?: number): string {
  const claims = { sub: "ada", jti: asked, ...(leftMs === undefined ? {} : { exp: (Date.now() + leftMs) / 1000 }) };
  return `x.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.y`;
}

function tokens(): Tokens {
  return new Tokens(() => {
    asked++;
    return give();
  }, 10_000);
}

const pass = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);
const refusal = (code: string, text = ""): object =>
  expect.objectContaining({ code, message: expect.stringContaining(text) });

describe("[SDK-50] a function", () => {
  test("is asked when a token is needed, and again when that is close to its end", async () => {
    const ours = tokens();
    expect(asked).toBe(0);
    const first = await ours.get();
    await pass(HOUR - MINUTE - 1);
    expect([await ours.get(), asked]).toEqual([first, 1]);
    await pass(1);
    expect(await ours.get()).not.toBe(first);
    expect(asked).toBe(2);
  });

  test.each([
    ["a minute before the end, at the earliest", HOUR, 0, HOUR - MINUTE],
    ["half a minute before it, at the latest", HOUR, 0.999_999, HOUR - MINUTE / 2],
    ["for a short token, at four fifths of its time", MINUTE, 0, 48_000],
    ["or at nine tenths", MINUTE, 0.999_999, 54_000],
    ["for one of a year", 365 * 24 * HOUR, 0, 365 * 24 * HOUR - MINUTE],
  ])("is asked %s", async (_when, lifeMs, chance, dueMs) => {
    random = chance;
    give = () => jwt(lifeMs);
    const ours = tokens();
    await ours.get();
    vi.setSystemTime(NOW + dueMs - 2);
    await ours.get();
    expect(asked).toBe(1);
    vi.setSystemTime(NOW + dueMs + 2);
    await ours.get();
    expect(asked).toBe(2);
  });

  test("is asked once, however many need it", async () => {
    const ours = tokens();
    const all = await Promise.all([ours.get(), ours.get(), ours.get()]);
    expect([new Set(all).size, asked]).toEqual([1, 1]);
  });

  test("is asked anew when its token was refused, and not when that was replaced before", async () => {
    const ours = tokens();
    const first = await ours.get();
    ours.refused(first);
    const second = await ours.get();
    ours.refused(first);
    expect([await ours.get(), asked]).toEqual([second, 2]);
  });

  test("that fails is told, and asked again by the next who needs a token", async () => {
    const ours = tokens();
    give = () => {
      throw new Error("not signed in");
    };
    await expect(ours.get()).rejects.toThrow("not signed in");
    give = () => Promise.reject(new Error("offline"));
    await expect(ours.get()).rejects.toThrow("offline");
    give = () => jwt(HOUR);
    await expect(ours.get()).resolves.toBeDefined();
  });

  test("that fails costs nothing until the last token ends", async () => {
    const ours = tokens();
    const first = await ours.get();
    give = () => Promise.reject(new Error("offline"));
    await pass(HOUR - 1);
    expect([await ours.get(), asked]).toEqual([first, 2]);
    await pass(1);
    await expect(ours.get()).rejects.toThrow("offline");
  });

  test("that fails does not bring a refused token back", async () => {
    const ours = tokens();
    const first = await ours.get();
    await pass(HOUR - 1);
    give = async () => {
      ours.refused(first);
      throw new Error("offline");
    };
    await expect(ours.get()).rejects.toThrow("offline");
  });

  test("that does not answer keeps nobody waiting, and is not asked twice", async () => {
    let answer = (_token: string): void => undefined;
    give = () => new Promise((resolve) => (answer = resolve));
    const ours = tokens();
    const waiting = [ours.get(), ours.get()].map((it) =>
      expect(it).rejects.toEqual(refusal("UNREACHABLE", "10000 ms")),
    );
    await pass(10_000);
    await Promise.all(waiting);
    const late = ours.get();
    const token = jwt(HOUR);
    answer(token);
    expect([await late, asked]).toEqual([token, 1]);
  });

  test.each([
    ["nothing", undefined],
    ["an empty text", ""],
    ["a line break", "a.b.c\n"],
    ["a scheme", "Bearer a.b.c"],
    ["too much", "a".repeat(LIMITS.tokenCharsMax + 1)],
  ])("that gives %s gives no token", async (_what, token) => {
    give = () => token as string;
    await expect(tokens().get()).rejects.toEqual(refusal("INVALID_REQUEST", "as it was issued"));
  });
});

describe("[SDK-50] of a token's end nothing is concluded", () => {
  test.each([
    ["it does not say", () => jwt()],
    ["it says nonsense", () => `x.${btoa('{"exp":"soon"}').replaceAll("=", "")}.y`],
    ["it is no JWT", () => "secret"],
    ["it is over by this clock", () => jwt(-1)],
  ])("when %s: it is shown until it is refused", async (_what, token) => {
    give = token;
    const ours = tokens();
    const off = ours.follow(() => undefined);
    const first = await ours.get();
    await pass(100 * HOUR);
    expect([await ours.get(), asked]).toEqual([first, 1]);
    ours.refused(first);
    await ours.get();
    expect(asked).toBe(2);
    off();
  });

  test("a text stays what is shown", async () => {
    const token = jwt(MINUTE);
    const ours = new Tokens(token, 1000);
    ours.refused(token);
    await pass(HOUR);
    expect([await ours.get(), ours.areRenewable]).toEqual([token, false]);
    expect(() => new Tokens("no token", 1000)).toThrow(refusal("INVALID_REQUEST"));
    expect(() => new Tokens("a".repeat(LIMITS.tokenCharsMax), 1000)).not.toThrow();
  });
});

describe("[SDK-51] who follows", () => {
  test("hears of each newer token before the last one ends, as long as it follows", async () => {
    const ours = tokens();
    const heard: string[] = [];
    const off = ours.follow((token) => heard.push(token));
    const first = await ours.get();
    expect(heard).toEqual([first]);
    await pass(HOUR - MINUTE - 1);
    expect(heard).toHaveLength(1);
    await pass(1);
    expect([heard.length, heard[1] === (await ours.get())]).toEqual([2, true]);
    await pass(HOUR);
    expect(heard).toHaveLength(3);
    off();
    await pass(10 * HOUR);
    expect([heard.length, asked]).toEqual([3, 3]);
  });

  test("hears of one that somebody else needed, and not of the same one again", async () => {
    const ours = tokens();
    const first = await ours.get();
    const heard: string[] = [];
    const off = ours.follow((token) => heard.push(token));
    ours.refused(first);
    give = () => first;
    await ours.get();
    expect([heard, asked]).toEqual([[], 2]);
    ours.refused(first);
    give = () => jwt(HOUR);
    const third = await ours.get();
    expect(heard).toEqual([third]);
    off();
  });

  test("is not asked for more than once a second, until the end, while the function fails", async () => {
    const ours = tokens();
    const off = ours.follow(() => undefined);
    await ours.get();
    give = () => Promise.reject(new Error("offline"));
    await pass(HOUR);
    expect(asked).toBe(62);
    await pass(HOUR);
    expect(asked).toBe(62);
    off();
  });

  test("has a timer for tokens of a year too", async () => {
    give = () => jwt(365 * 24 * HOUR);
    const ours = tokens();
    const off = ours.follow(() => undefined);
    await ours.get();
    await pass(365 * 24 * HOUR - MINUTE);
    expect(asked).toBe(2);
    off();
  });
});

test("what a token says is read, whatever it is", () => {
  const claims = Buffer.from(JSON.stringify({ sub: "Zoë 🜲", exp: 7.5 })).toString("base64url");
  expect([subjectOf(`x.${claims}.y`), endOf(`x.${claims}.y`)]).toEqual(["Zoë 🜲", 7500]);
  for (const token of ["", "secret", "x.y.z", "x.!.z", `x.${btoa("[1]")}.y`, `x.${btoa('{"sub":1,"exp":"1"}')}.y`])
    expect([subjectOf(token), endOf(token)]).toEqual([undefined, undefined]);
});

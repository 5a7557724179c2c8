/**
 * The commands on locks, against a real HTTP server over a fake whose clock stands still; the command under a lock is a function.
 *
 * Not here: real programs and signals (cli-lock-process.test.ts).
 */
import { beforeEach, describe, expect, test } from "vitest";
import { signalExitCode } from "../../server/cli/io.ts";
import { LIMITS } from "../../shared/limits.ts";
import { lockListSchema, lockSchema } from "../../shared/protocol/rest-locks.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { CliHarness } from "./cli-harness.ts";
import type { TestIo } from "./cli-harness.ts";

const clock = new ManualClock();
const cli = new CliHarness(clock);
const { mcm } = cli;

beforeEach(async () => {
  await mcm(["create", "plan", "--data", '{"title":"One"}']);
});

const locks = async () => lockListSchema.parse(JSON.parse((await mcm(["locks", "plan", "--json"])).out)).locks;

describe("locks", () => {
  test("[CLI-11] a lock is taken, listed, written under, released", async () => {
    expect(await mcm(["locks", "plan"])).toEqual({ code: 0, out: "", err: "No locks." });
    const taken = await mcm(["lock", "plan", "/title", "/tasks", "--ttl", "2m", "--purpose", "re\u001bwriting"]);
    const [, lockId = "", token = ""] = /^([0-9a-f-]{36}) (\d+)$/.exec(taken.out) ?? [];
    expect(taken).toMatchObject({ code: 0, err: expect.stringMatching(/^It ends at \S+Z\..*--lock-token/) });
    expect((await mcm(["locks", "plan"])).out).toMatch(
      new RegExp(
        `^LOCK +TOKEN +MODE +HOLDER +ENDS +PATHS +PURPOSE\n${lockId} +${token} +exclusive +zoë +\\S+Z +/tasks /title +re\ufffdwriting$`,
      ),
    );
    const update = ["update", "plan", "--set", "/title=Two"];
    expect(await mcm(update)).toMatchObject({ code: 4, err: expect.stringMatching(/^error: zoë holds .*\(LOCKED\)$/) });
    expect(await mcm([...update, "--lock-token", token])).toMatchObject({ code: 0 });
    const other = await mcm(["unlock", "plan", lockId, "--actor", "bob"]);
    expect(other).toMatchObject({ code: 3, err: expect.stringMatching(/FORBIDDEN/) });
    expect((await mcm(["unlock", "plan", lockId])).out).toBe(`${lockId} is released`);
    expect(await mcm(["unlock", "plan", lockId, "--json"])).toMatchObject({
      code: 3,
      err: expect.stringMatching(/LOCK_NOT_FOUND/),
    });
    expect(await mcm([...update, "--lock-token", token])).toMatchObject({
      code: 3,
      err: expect.stringMatching(/FENCE_STALE/),
    });
  });

  test("[CLI-11] [LOCK-19] who waits is listed below the locks", async () => {
    const { out } = await mcm(["lock", "plan", "/title"]);
    const [lockId = ""] = out.split(" ");
    const next = mcm(["lock", "plan", "/title", "--wait", "10s", "--purpose", "re\u001bading", "--actor", "bob"]);
    await expect
      .poll(async () => (await mcm(["locks", "plan"])).out)
      .toMatch(
        /\n\nPLACE +MODE +WAITS +SINCE +UNTIL +PATHS +PURPOSE\n1 +exclusive +bob +\S+Z +\S+Z +\/title +re\ufffdading$/,
      );
    await mcm(["unlock", "plan", lockId]);
    expect((await next).code).toBe(0);
    expect((await mcm(["locks", "plan"])).out).not.toMatch(/WAITS/);
  });

  test("[CLI-11] --json is the server's answer; a shared lock can be held twice", async () => {
    const take = () => mcm(["lock", "plan", "", "--shared", "--wait", "1s", "--json"]);
    const first = lockSchema.parse(JSON.parse((await take()).out));
    expect(first).toMatchObject({ paths: [""], mode: "shared", ttlMs: LIMITS.lockTtlMsDefault });
    expect(lockSchema.parse(JSON.parse((await take()).out)).fencingToken).toBeGreaterThan(first.fencingToken);
    expect(await mcm(["unlock", "plan", first.lockId, "--json"])).toEqual({ code: 0, out: "", err: "" });
  });

  test("[CLI-11] restore, undo and resolve write under locks too", async () => {
    await mcm(["update", "plan", "--set", "/title=Two"]);
    const { fencingToken } = lockSchema.parse(JSON.parse((await mcm(["lock", "plan", "", "--json"])).out));
    const token = ["--lock-token", String(fencingToken)];
    for (const command of [
      ["undo", "plan", "--by", "zoë", "--from", "0"],
      ["restore", "plan", "1"],
    ]) {
      expect(await mcm(command)).toMatchObject({ code: 4, err: expect.stringMatching(/LOCKED/) });
      expect(await mcm([...command, ...token])).toMatchObject({ code: 0, err: "" });
    }
    const none = await mcm(["resolve", "plan", "1.0", "--take", "loser", ...token]);
    expect(none.err).toMatch(/CONFLICT_NOT_FOUND/);
  });

  test.each<[string[], RegExp]>([
    [["lock", "plan"], /missing required argument/],
    [["lock", "plan", "--", "true"], /say the paths/],
    [["lock", "plan", "/a", "--"], /say the command/],
    [["lock", "plan", "/a", "--json", "--", "true"], /--json goes without/],
    [["lock", "plan", "/a", "--ttl", "30"], /30s or 2m, from 1s to 600s/],
    [["lock", "plan", "/a", "--ttl", "999ms"], /from 1s to 600s/],
    [["lock", "plan", "/a", "--wait", "61s"], /from 0s to 60s/],
    [["lock", "plan", "/a", "--wait", "-1s"], /duration/],
    [["update", "plan", "--set", "/a=1", "--lock-token", "0"], /a token such as 17/],
    [["update", "plan", "--set", "/a=1", "--lock-token", "1,,2"], /a token such as 17/],
  ])("[CLI-4] 2 for %j", async (args, says) => {
    expect(await mcm(args)).toMatchObject({ code: 2, err: expect.stringMatching(says) });
    expect(await locks()).toEqual([]);
  });

  test("[CLI-11] tokens of the environment are for the context it names, and checked", async () => {
    const { out } = await mcm(["lock", "plan", "/title"]);
    const [, token = ""] = out.split(" ");
    await mcm(["create", "other"]);
    const update = (id: string, more: object, ...args: string[]) =>
      mcm(["update", id, "--set", "/title=Two", ...args], (io) => (io.environment = { ...io.environment, ...more }));
    expect(await update("plan", { MCM_LOCK_TOKEN: token })).toMatchObject({ code: 0 });
    expect(await update("plan", { MCM_LOCK_TOKEN: token, MCM_LOCK_CONTEXT: "plan" })).toMatchObject({ code: 0 });
    expect(await update("plan", { MCM_LOCK_TOKEN: token, MCM_LOCK_CONTEXT: "other" })).toMatchObject({ code: 4 });
    expect(await update("other", { MCM_LOCK_TOKEN: token, MCM_LOCK_CONTEXT: "plan" })).toMatchObject({ code: 0 });
    expect(await update("other", { MCM_LOCK_TOKEN: token })).toMatchObject({ code: 3 });
    expect(await update("plan", { MCM_LOCK_TOKEN: "99" }, "--lock-token", token)).toMatchObject({ code: 0 });
    expect(await update("plan", { MCM_LOCK_TOKEN: "x" })).toMatchObject({
      code: 2,
      err: expect.stringMatching(/MCM_LOCK_TOKEN must/),
    });
  });
});

describe("a command under a lock", () => {
  const TTL_MS = 30_000;
  const underLock = ["lock", "plan", "/title", "--ttl", "30s", "--", "work", "--fast", "--", "x"];

  /** A command that ends when the test says so. */
  const work = () => {
    let end = (_code: number): void => {};
    let started = (_io: TestIo): void => {};
    const running = new Promise<TestIo>((resolve) => (started = resolve));
    const prepare = (io: TestIo): void => {
      io.program = () => {
        started(io);
        return new Promise((resolve) => (end = resolve));
      };
    };
    return { prepare, running, end: (code: number) => end(code) };
  };

  /** Moves time on, when so many pauses have begun: then everything before has happened. */
  const advance = async (io: TestIo, pauses: number, ms: number): Promise<void> => {
    await expect.poll(() => io.pauses.length).toBe(pauses);
    clock.advance(ms);
  };

  test("[CLI-12] it runs as it stands, has the token, writes under it, and ends the lock with its own exit code", async () => {
    const seen: unknown[] = [];
    const { code, out, err } = await mcm([...underLock.slice(0, 5), "--actor", "ada", ...underLock.slice(5)], (io) => {
      io.environment = { ...io.environment, HOME: "/home/zoe" };
      io.program = async (command, environment) => {
        const [lock] = await locks();
        seen.push(command, environment, lock?.holder, lock?.lockId, String(lock?.fencingToken));
        // the same as `mcm update` that the command starts, and one that somebody else does
        const update = ["update", "plan", "--set", "/title=Two"];
        const inner = await mcm(update, (its) => (its.environment = environment));
        const others = await mcm([...update, "--actor", "ada"]);
        seen.push(inner.code, others.code);
        return 7;
      };
    });
    const [command, environment, holder, lockId, token, inner, others] = seen;
    expect([code, out, err, holder, inner, others]).toEqual([7, "", "", "ada", 0, 4]);
    expect(command).toEqual(["work", "--fast", "--", "x"]);
    expect(environment).toEqual({
      HOME: "/home/zoe",
      MCM_URL: cli.url,
      MCM_ACTOR: "ada",
      MCM_LOCK_CONTEXT: "plan",
      MCM_LOCK_ID: lockId,
      MCM_LOCK_TOKEN: token,
    });
    expect(await locks()).toEqual([]);
  });

  test("[CLI-12] under a lock another one can be held: both tokens count", async () => {
    const { code } = await mcm(underLock, (outer) => {
      outer.program = async (_command, environment) => {
        const nested = await mcm(["lock", "plan", "/notes", "--", "work"], (inner) => {
          inner.environment = environment;
          inner.program = async (_its, both) =>
            (await mcm(["update", "plan", "--set", "/title=1", "--set", "/notes=2"], (io) => (io.environment = both)))
              .code;
        });
        return nested.code;
      };
    });
    expect(code).toBe(0);
  });

  test("[CLI-12] the lock is renewed at a third of its time for as long as the command runs", async () => {
    const { prepare, running, end } = work();
    const result = mcm(underLock, prepare);
    const io = await running;
    const [first] = await locks();
    // a pause, and the patience with each renewal
    for (let pauses = 1; pauses < 20; pauses += 2) await advance(io, pauses, TTL_MS / 3);
    await expect.poll(() => io.pauses.length).toBe(21);
    const [last] = await locks();
    expect(last?.lockId).toBe(first?.lockId);
    expect(Date.parse(last?.expiresAt ?? "")).toBe(clock.nowMs() + TTL_MS);
    end(0);
    expect(await result).toEqual({ code: 0, out: "", err: "" });
  });

  test("[CLI-12] when the lock is lost the command is stopped, and killed when it goes on", async () => {
    const { prepare, running, end } = work();
    const result = mcm(underLock, prepare);
    const io = await running;
    const [lock] = await locks();
    await mcm(["unlock", "plan", lock?.lockId ?? ""]);
    await advance(io, 1, TTL_MS / 3);
    await expect.poll(() => io.sent).toEqual(["kill SIGTERM"]);
    expect(io.errors.join()).toMatch(/^error: The lock is lost, the command is stopped\. .*Take it again/);
    clock.advance(LIMITS.commandStopMs);
    await expect.poll(() => io.sent).toEqual(["kill SIGTERM", "kill SIGKILL"]);
    end(137);
    expect(await result).toMatchObject({ code: 124 });
  });

  test("[CLI-12] a command that stops when told so is not killed", async () => {
    const { prepare, running, end } = work();
    const result = mcm(underLock, prepare);
    const io = await running;
    await mcm(["unlock", "plan", (await locks())[0]?.lockId ?? ""]);
    await advance(io, 1, TTL_MS / 3);
    await expect.poll(() => io.sent).toEqual(["kill SIGTERM"]);
    end(0);
    expect(await result).toMatchObject({ code: 124 });
    expect(io.sent).toEqual(["kill SIGTERM"]);
  });

  test("[CLI-12] while the server is away the command goes on until the lock's time is over", async () => {
    const { prepare, running, end } = work();
    const result = mcm(underLock, prepare);
    const io = await running;
    for (let pauses = 1; pauses < 7; pauses += 2) await advance(io, pauses, TTL_MS / 3);
    await expect.poll(() => io.pauses.length).toBe(7);
    let tries = 0;
    io.fetch = async () => {
      tries += 1;
      throw new TypeError("fetch failed");
    };
    await advance(io, 7, TTL_MS / 3);
    for (let second = 1; second <= 20; second += 1) {
      await expect.poll(() => tries).toBe(second);
      expect(io.sent).toEqual([]);
      await advance(io, 7 + 2 * second, 1000);
    }
    await expect.poll(() => io.sent).toEqual(["kill SIGTERM"]);
    expect(io.errors.join()).toMatch(/No server answers/);
    end(143);
    expect(await result).toMatchObject({ code: 124 });
  });

  test("[CLI-12] a server that comes back in time, and one that does not answer, change nothing for the command", async () => {
    const { prepare, running, end } = work();
    const result = mcm(underLock, prepare);
    const io = await running;
    const real = io.fetch.bind(io);
    // no answer, not even a refusal, until the request is given up
    io.fetch = (_url, { signal }) =>
      new Promise((_resolve, reject) => signal?.addEventListener("abort", () => reject(new Error("aborted"))));
    await advance(io, 1, TTL_MS / 3);
    await advance(io, 2, TTL_MS / 3);
    await expect.poll(() => io.pauses.length).toBe(3);
    io.fetch = real;
    clock.advance(1000);
    await expect.poll(() => io.pauses.length).toBe(5);
    expect([io.sent, (await locks()).length]).toEqual([[], 1]);
    end(0);
    expect(await result).toEqual({ code: 0, out: "", err: "" });
  });

  test.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
    "[CLI-12] %s goes to the command; then the lock goes",
    async (signal) => {
      const { prepare, running, end } = work();
      const result = mcm(underLock, prepare);
      const io = await running;
      io.signal(signal);
      io.signal(signal);
      expect([io.sent, (await locks()).length]).toEqual([[`forward ${signal}`, `forward ${signal}`], 1]);
      end(signalExitCode(signal));
      expect(await result).toMatchObject({ code: signalExitCode(signal), err: "" });
      expect(await locks()).toEqual([]);
    },
  );

  test("[CLI-12] a signal ends the waiting: no command is run, and the lock is not taken later", async () => {
    const [lockId = ""] = (await mcm(["lock", "plan", "/title", "--actor", "bob"])).out.split(" ");
    const timers = clock.timerCount;
    let mine: TestIo | undefined;
    const result = mcm(["lock", "plan", "/title", "--wait", "20s", "--", "work"], (io) => (mine = io));
    await expect.poll(() => clock.timerCount).toBe(timers + 1);
    mine?.signal("SIGTERM");
    expect(await result).toEqual({ code: 143, out: "", err: "" });
    await expect.poll(() => clock.timerCount).toBe(timers);
    await mcm(["unlock", "plan", lockId, "--actor", "bob"]);
    expect(await locks()).toEqual([]);
  });

  test("[CLI-12] without the lock the command is not run", async () => {
    await mcm(["lock", "plan", "/title", "--actor", "bob", "--purpose", "rewriting"]);
    const result = await mcm(underLock, (io) => {
      io.program = () => Promise.reject(new Error("it was run"));
    });
    expect(result).toMatchObject({ code: 4, err: expect.stringMatching(/^error: bob .*"rewriting".*\(LOCKED\)$/) });
  });

  test.each([
    ["ENOENT", 127],
    ["EACCES", 126],
  ])("[CLI-12] a command that cannot be run (%s) ends with %i, and without a lock", async (code, exitCode) => {
    const result = await mcm(underLock, (io) => {
      io.program = () => Promise.reject(Object.assign(new Error(`spawn work ${code}`), { code }));
    });
    expect(result).toMatchObject({
      code: exitCode,
      err: expect.stringMatching(/'work --fast -- x' cannot be run .*E/),
    });
    expect(await locks()).toEqual([]);
  });

  test("[CLI-12] a lock that was gone when the command ended is told by 124", async () => {
    const result = await mcm(underLock, (io) => {
      io.program = async () => {
        await mcm(["unlock", "plan", (await locks())[0]?.lockId ?? ""]);
        return 0;
      };
    });
    expect(result).toMatchObject({ code: 124, err: expect.stringMatching(/lost before the command ended/) });
  });

  test("[CLI-12] a lock that cannot be released is told; the exit code stays the command's", async () => {
    const result = await mcm(underLock, (io) => {
      io.program = async () => {
        io.fetch = async () => Promise.reject(new TypeError("fetch failed"));
        return 5;
      };
    });
    expect(result).toMatchObject({
      code: 5,
      err: expect.stringMatching(/not released, and ends in 30 seconds at most/),
    });
  });
});

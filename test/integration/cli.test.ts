/**
 * The CLI against a real HTTP server: results, errors, exit codes; the reference page's examples as they stand there.
 *
 * Not here: the past, conflicts and types (cli-history.test.ts), the real server behind it, the process itself (e2e).
 */
import { describe, expect, test } from "vitest";
import type { RunningServer } from "../../server/cli/commands/serve.ts";
import { runCli } from "../../server/cli/program.ts";
import type { Config } from "../../server/config.ts";
import { ServiceError } from "../../shared/errors.ts";
import { changeSchema, contextSchema } from "../../shared/protocol/rest.ts";
import { read } from "../arch/source.ts";
import { LIMITS } from "../../shared/limits.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { turns } from "../support/service-rig.ts";
import { CliHarness, noServer, TestIo } from "./cli-harness.ts";

const cli = new CliHarness();
const { mcm } = cli;

describe("commands", () => {
  test("[CLI-1] create, list, read, update", async () => {
    expect(
      await mcm(["create", "plan", "--data", '{"title":"One"}', "--tag", "a", "--tag", "b", "--name", "Plan"]),
    ).toEqual({ code: 0, out: "plan", err: "" });
    const list = await mcm(["list", "--tag", "a"]);
    expect(list.out).toMatch(/^ID +VERSION +UPDATED +NAME +TAGS\nplan +0 +\S+ +Plan +a,b$/);
    expect((await mcm(["list", "--figures"])).out).toMatch(
      /^ID +VERSION +UPDATED +BYTES +SESSIONS +LOCKS +CONFLICTS +OPEN +NAME +TAGS\nplan +0 +\S+ +100 +0 +0 +0 +0 +Plan +a,b$/,
    );
    const whole = await mcm(["read", "plan"]);
    expect(JSON.parse(whole.out)).toEqual({ title: "One" });
    expect(whole.err).toMatch(/^plan \(Plan\), version 0/);
    expect((await mcm(["read", "plan", "--path", "/title"])).out).toBe('"One"');
    expect((await mcm(["update", "plan", "--set", "/title=Two", "--message", "why"])).out).toBe("plan is at version 1");
    expect(contextSchema.parse(JSON.parse((await mcm(["read", "plan", "--json"])).out))).toMatchObject({
      version: 1,
      createdBy: "zoë",
      data: { title: "Two" },
    });
  });

  test("[CLI-2] operations keep the order in which they stand", async () => {
    await mcm(["create", "plan"]);
    const args = [
      "update",
      "plan",
      "--set",
      "/a=1",
      "--merge",
      '{"a":2,"b":true}',
      "--op",
      '{"op":"test","path":"/a","value":2}',
      "--set",
      "/a=x=y",
      "--file",
      "-",
    ];
    const patch = '[{"op":"test","path":"/a","value":"x=y"},{"op":"remove","path":"/b"}]';
    expect(await mcm(args, (io) => io.files.set("-", patch))).toMatchObject({ code: 0, err: "" });
    expect(JSON.parse((await mcm(["read", "plan"])).out)).toEqual({ a: "x=y" });
  });

  test("[CLI-1] the door is remembered, and a key makes a repeat harmless", async () => {
    await mcm(["create", "plan"]);
    const args = ["update", "plan", "--set", "/a=1", "--idempotency-key", "k", "--json"];
    expect(JSON.parse((await mcm(args)).out)).toMatchObject({ version: 1, replayed: false });
    expect(JSON.parse((await mcm(args)).out)).toMatchObject({ version: 1, replayed: true });
    const answer = await fetch(`${cli.url}/v1/contexts/plan/changes`);
    expect(await answer.json()).toMatchObject({ changes: [{ origin: "cli", actor: "zoë" }] });
  });

  test("[CLI-1] the reference page's examples run as they stand", async () => {
    const blocks = [...read("docs/reference/cli.md").text.matchAll(/```sh\n(.*?)\n```/gs)];
    const lines = blocks.flatMap(([, block = ""]) => block.split("\n"));
    expect(lines).toHaveLength(25);
    for (const line of lines) {
      const [, stdin = "", command = line] = /^echo '(.*)' \| (.*)$/.exec(line) ?? [];
      const args = [...command.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? "");
      const result = await mcm(args.slice(1), (io) => {
        io.files.set("-", stdin);
        io.program = async ([, ...inner], environment) =>
          (await mcm(inner, (its) => (its.environment = environment))).code;
      });
      expect([line, result]).toMatchObject([line, { code: 0 }]);
    }
  });

  test("[CLI-3] a terminal is not at the mercy of what others wrote", async () => {
    await mcm(["create", "plan", "--name", "\u001b[2Jgone"]);
    expect((await mcm(["list"])).out).not.toContain("\u001b");
    expect((await mcm(["read", "plan"])).err).not.toContain("\u001b");
  });
});

describe("exit codes", () => {
  test.each<[number, string[], RegExp]>([
    [0, ["--help"], /^$/],
    [0, ["--version"], /^$/],
    [0, ["update", "--help"], /^$/],
    [2, [], /Usage/],
    [2, ["nope"], /unknown command/],
    [2, ["read"], /missing required argument/],
    [2, ["read", "plan", "--depth", "x"], /whole number/],
    [2, ["list", "--url", "ftp://x"], /an address such as/],
    [0, ["list", "--url", "http://localhost:1", "--help"], /^$/],
    [2, ["update", "plan"], /nothing to change/],
    [2, ["update", "plan", "--set", "novalue"], /path=value/],
    [2, ["update", "plan", "--op", '{"op":"zap"}'], /not an operation/],
    [2, ["update", "plan", "--op", "{"], /line 1, column 2/],
    [2, ["update", "plan", "--merge", "[]"], /JSON object/],
    [2, ["create", "--data", "{}", "--file", "x"], /not both/],
    [2, ["create", "--data", "[]"], /JSON object/],
    [1, ["create", "--file", "missing"], /No such file/],
    [3, ["read", "none"], /^error: There is no such context.*\(CONTEXT_NOT_FOUND\)$/],
    [3, ["create", "plan"], /ALREADY_EXISTS/],
    [3, ["update", "plan", "--set", "/a=1", "--if-version", "9"], /VERSION_CONFLICT/],
    [4, ["list", "--url", "http://127.0.0.1:1"], /No server answers .*mcm serve/],
  ])("[CLI-4] %i for %j", async (code, args, says) => {
    await mcm(["create", "plan"]);
    const result = await mcm(args);
    expect({ args, code: result.code }).toEqual({ args, code });
    expect(result.err).toMatch(says);
  });

  test("[CLI-4] 4 while the server can't do it, 4 when something else answers", async () => {
    cli.service.failure = new ServiceError("STORE_UNAVAILABLE", "The disk is full. Try again later.");
    expect(await mcm(["list"])).toMatchObject({ code: 4, err: expect.stringContaining("disk is full") });
    const stranger = await mcm(["list"], (io) => (io.fetch = async () => new Response("<html>", { status: 200 })));
    expect(stranger).toMatchObject({ code: 4, err: expect.stringMatching(/not like an mcp-context-manager.*--url/) });
  });

  test("[CLI-4] a wrong MCM_URL is named, and matters only to commands that use it", async () => {
    const io = new TestIo({ MCM_URL: "localhost" });
    expect([await runCli(["list"], { io, start: noServer }), io.errors.join()]).toEqual([
      2,
      expect.stringMatching(/MCM_URL must/),
    ]);
    expect(await runCli(["serve", "--help"], { io, start: noServer })).toBe(0);
  });

  test("[CLI-4] every help names the exit codes or shows examples", async () => {
    expect((await mcm(["--help"])).out).toMatch(/Exit codes: 0 done/);
    const commands = [...(await mcm(["--help"])).out.matchAll(/^ {2}([a-z]+) .*\S/gm)].map(([, name = ""]) => name);
    expect(commands.length).toBeGreaterThan(15);
    for (const command of commands.filter((name) => name !== "help")) {
      expect((await mcm([command, "--help"])).out).toMatch(/Examples:\n {2}\S/);
    }
  });
});

describe("watch", () => {
  test("[CLI-5] each change once, across lost connections, until it is stopped", async () => {
    await mcm(["create", "plan"]);
    for (const value of [1, 2]) await mcm(["update", "plan", "--set", `/a=${value}`, "--message", `m${value}`]);
    const connections: string[] = [];
    const watching = mcm(["watch", "plan", "--since", "0", "--json"], (io) => {
      io.fetch = async (url, init) => {
        connections.push(new Headers(init.headers).get("last-event-id") ?? "");
        if (connections.length === 2) throw new TypeError("fetch failed");
        return fetch(url, init);
      };
      io.onLine = () => {
        const { version } = changeSchema.parse(JSON.parse(io.lines.at(-1) ?? ""));
        if (version === 2) restart();
        if (version === 3) io.stop();
      };
    });
    // The feed breaks off in the middle; what happened meanwhile comes after the reconnect.
    function restart(): void {
      cli.service.failure = new ServiceError("SHUTTING_DOWN", "The server is stopping.");
      cli.service.announce();
      queueMicrotask(() => {
        cli.service.failure = undefined;
        void mcm(["update", "plan", "--set", "/a=3"]);
      });
    }
    const { code, out, err } = await watching;
    expect(code).toBe(0);
    expect(out.split("\n").map((line) => changeSchema.parse(JSON.parse(line)).version)).toEqual([1, 2, 3]);
    expect(connections.slice(0, 3)).toEqual(["", "2", "2"]);
    expect(err).toMatch(/^The connection was lost\. Trying again …/);
  });

  test("[CLI-5] what people see is one line a change; a context that isn't there ends it", async () => {
    await mcm(["create", "plan"]);
    await mcm(["update", "plan", "--set", "/a=1", "--message", "why"]);
    const { out } = await mcm(["watch", "plan", "--since", "0"], (io) => (io.onLine = () => io.stop()));
    expect(out).toMatch(/^1 {2}\S+Z {2}zoë cli {2}\/a {2}why$/);
    expect(await mcm(["watch", "none"])).toMatchObject({ code: 3 });
  });
});

describe("serve", () => {
  const serve = async (args: string[], start: (config: Config) => Promise<RunningServer>) => {
    const io = new TestIo({ MCM_PORT: "4567" });
    io.onLine = () => io.stop();
    const code = await runCli(["serve", ...args], { io, start });
    return { code, out: io.lines.join("\n"), err: io.errors.join("\n") };
  };

  test("[CLI-6] it says where it is, and closes when told to stop", async () => {
    const seen: unknown[] = [];
    const result = await serve(["--data-dir", "/tmp/mcm-test"], async ({ port, dataDir }) => {
      seen.push(port, dataDir);
      return { url: "http://127.0.0.1:4567", place: "somewhere", close: async () => void seen.push("closed") };
    });
    expect(seen).toEqual([4567, "/tmp/mcm-test", "closed"]);
    expect(result).toMatchObject({ code: 0, err: "Stopping …" });
    expect(result.out).toBe(
      "Ready at http://127.0.0.1:4567, contexts somewhere. Connect with any Yjs client: ws://127.0.0.1:4567/sync/<id>",
    );
  });

  test("[STOP-1] what could not be written when it stopped is told, and is no success", async () => {
    const result = await serve([], async () => ({
      url: "http://127.0.0.1:4567",
      place: "in memory only",
      close: () => Promise.reject(new Error("The disk is full.")),
    }));
    expect(result).toMatchObject({ code: 1, err: "Stopping …\nerror: The disk is full." });
  });

  test("[STOP-1] one that does not stop in time ends itself, at a second signal at once", async () => {
    const clock = new ManualClock();
    const serving = (onLine: (io: TestIo) => void): TestIo => {
      const io = new TestIo({}, clock);
      io.onLine = () => onLine(io);
      const never = new Promise<void>(() => undefined);
      void runCli(["serve"], {
        io,
        start: async () => ({ url: "http://127.0.0.1:4567", place: "in memory only", close: () => never }),
      });
      return io;
    };
    const patient = serving((io) => io.stop());
    await turns();
    clock.advance(LIMITS.stopMsMax - 1);
    await turns();
    expect(patient.isEnded).toBe(false);
    clock.advance(1);
    await turns();
    expect([patient.isEnded, patient.errors.at(-1)]).toEqual([
      true,
      expect.stringContaining("did not stop within 9 s"),
    ]);
    const hasty = serving((io) => void [io.stop(), io.stop()]);
    await turns();
    expect([hasty.isEnded, hasty.errors[0]]).toEqual([true, expect.stringContaining("second signal")]);
  });

  test("[CLI-6] a start that fails says why and what to do", async () => {
    const failing = (error: Error) =>
      serve([], async () => {
        throw error;
      });
    expect(await failing(Object.assign(new Error("listen"), { code: "EADDRINUSE" }))).toMatchObject({
      code: 1,
      err: expect.stringContaining("--port"),
    });
    const locked = new ServiceError(
      "DATA_DIR_LOCKED",
      "Another server has ./data open. Stop it, or choose another --data-dir.",
    );
    expect(await failing(locked)).toMatchObject({ code: 4, err: expect.stringContaining("--data-dir") });
    expect(await serve(["--host", "0.0.0.0"], noServer)).toMatchObject({
      code: 2,
      err: expect.stringContaining("loopback only"),
    });
  });
});

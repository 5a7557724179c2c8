/**
 * Tokens from the command line: made, inspected, shown to a real server, revoked.
 *
 * Not here: what makes a token good (test/unit/jwt-verifier.test.ts), what its bearer may do (access tests).
 */
import { resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runCli } from "../../server/cli/program.ts";
import { parseConfig } from "../../server/config.ts";
import { startServer } from "../support/start-server.ts";
import type { RunningServer } from "../../server/server.ts";
import { TOKEN_RULES } from "../../server/security/token-refusals.ts";
import { LIMITS } from "../../shared/limits.ts";
import { read } from "../arch/source.ts";
import { RecordingLogger } from "../support/recording-logger.ts";
import { claimsAt, keyPair, OTHER_SECRET, SECRET, sign } from "../support/tokens.ts";
import { noServer, TestIo } from "./cli-harness.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const logger = new RecordingLogger();
const pair = keyPair("ed25519");

let server: RunningServer;
let adminToken = "";

beforeAll(async () => {
  server = await startServer(parseConfig({ port: "0", storage: "memory", auth: "jwt" }, { MCM_JWT_SECRET: SECRET }), {
    logger,
  });
  adminToken = await create("--sub", "root", "--scope", "read,write,admin", "--context", "*:admin");
});
afterAll(() => server.close());

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  readonly io: TestIo;
}

async function mcm(
  args: readonly string[],
  environment: Record<string, string> = {},
  files: Record<string, string> = {},
): Promise<Ran> {
  const io = new TestIo({ MCM_URL: server.url, ...environment });
  for (const [path, text] of Object.entries(files)) io.files.set(path, text);
  const code = await runCli(args, { io, start: noServer });
  return { code, out: io.lines.join("\n"), err: io.errors.join("\n"), io };
}

async function create(...args: readonly string[]): Promise<string> {
  const { code, out, err } = await mcm(["token", "create", ...args], { MCM_JWT_SECRET: SECRET });
  expect([code, err]).toEqual([0, expect.stringMatching(/^Token \S+ ends at/)]);
  return out;
}

const inspect = async (token: string, environment: Record<string, string> = {}, ...args: string[]) => {
  const { code, out } = await mcm(["token", "inspect", "-", "--json", ...args], environment, {
    "-": `${token}\n`,
    ...FILES,
  });
  return { code, report: JSON.parse(out) as Record<string, unknown> & { claims: Record<string, unknown> } };
};
const FILES = { "private.pem": pair.privatePem, "public.pem": pair.publicPem, secret: `${SECRET}\n`, short: "short" };

describe("making tokens", () => {
  test("[AUTH-13] a token is printed alone, and says what was asked for", async () => {
    const before = Math.floor(Date.now() / 1000);
    const args = [
      "token",
      "create",
      "--sub",
      "Jürgen Müller",
      "--name",
      "Jürgen",
      "--scope",
      "read",
      "--scope",
      "contexts:admin",
    ];
    const grants = [
      "--context",
      "plan-*:writer:/tasks,/a,b,@notes",
      "--context",
      "a:reader:admin",
      "--context",
      "*:reader",
    ];
    const { code, out, err } = await mcm([...args, ...grants, "--ttl", "12h", "--audience", "other"], {
      MCM_JWT_SECRET: SECRET,
    });
    expect([code, out]).toEqual([0, expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/)]);
    expect(err).toMatch(/^Token [0-9a-f-]{36} ends at \S+Z\. Whoever has it acts as "Jürgen Müller"\.$/);
    const { report } = await inspect(out);
    const { iat, exp, jti, ...claims } = report.claims;
    expect(claims).toEqual({
      sub: "Jürgen Müller",
      name: "Jürgen",
      aud: "other",
      scope: "contexts:read contexts:admin",
      contexts: [
        { id: "plan-*", role: "writer", paths: ["/tasks", "/a,b", "@notes"] },
        { id: "a:reader", role: "admin" },
        { id: "*", role: "reader" },
      ],
    });
    expect(Number(iat)).toBeGreaterThanOrEqual(before);
    expect(Number(exp) - Number(iat)).toBe((12 * HOUR_MS) / 1000);
    expect(err).toContain(String(jti));
  });

  test("[AUTH-13] unless told otherwise it reads and writes for 90 days, for the server of the settings", async () => {
    const { out } = await mcm(["token", "create", "--sub", "ada", "--json"], {
      MCM_JWT_SECRET: SECRET,
      MCM_AUDIENCE: "a,b",
    });
    const made = JSON.parse(out) as Record<string, string>;
    expect(Object.keys(made)).toEqual(["token", "tokenId", "expiresAt"]);
    const { claims } = (await inspect(made["token"] ?? "")).report;
    expect(claims).toMatchObject({ aud: "a", scope: "contexts:read contexts:write", jti: made["tokenId"] });
    expect(claims).not.toHaveProperty("contexts");
    expect(Number(claims["exp"]) - Number(claims["iat"])).toBe((90 * DAY_MS) / 1000);
    expect(Date.parse(made["expiresAt"] ?? "")).toBe(Number(claims["exp"]) * 1000);
  });

  test("[AUTH-13] the key comes from the environment or a file; a private key signs for a public one", async () => {
    const args = ["token", "create", "--sub", "ada"];
    const ways: [string[], Record<string, string>][] = [
      [[], { MCM_JWT_SECRET: SECRET }],
      [[], { MCM_JWT_SECRET_FILE: "secret" }],
      [["--jwt-secret-file", "secret"], {}],
      [["--jwt-secret-file", "secret"], { MCM_JWT_SECRET_FILE: "none" }],
    ];
    for (const [more, environment] of ways) {
      const { out } = await mcm([...args, ...more], environment, FILES);
      expect((await inspect(out, { MCM_JWT_SECRET: SECRET })).report["verdict"]).toBe("valid");
    }
    const { out } = await mcm([...args, "--private-key", "private.pem"], { MCM_JWT_SECRET: SECRET }, FILES);
    expect((await inspect(out, {}, "--jwt-public-key", "public.pem")).report["verdict"]).toBe("valid");
    expect((await inspect(out, { MCM_JWT_PUBLIC_KEY: "public.pem" })).report["verdict"]).toBe("valid");
    expect((await inspect(out, { MCM_JWT_SECRET: SECRET })).report).toMatchObject({
      verdict: "refused",
      refusal: { rule: "algorithm" },
    });
  });

  test.each<[number, string[], Record<string, string>, RegExp]>([
    [2, [], { MCM_JWT_SECRET: SECRET }, /required option '--sub <name>'/],
    [2, ["--sub", "ada"], {}, /say the key: MCM_JWT_SECRET, --jwt-secret-file or --private-key/],
    [2, ["--sub", "ada"], { MCM_JWT_PUBLIC_KEY: "public.pem" }, /say the key/],
    [2, ["--sub", "ada"], { MCM_JWT_SECRET: "short" }, /MCM_JWT_SECRET holds a secret of 5 bytes/],
    [2, ["--sub", "ada", "--jwt-secret-file", "short"], {}, /--jwt-secret-file holds a secret of 5 bytes/],
    [2, ["--sub", "ada", "--jwt-secret-file", "none"], {}, /--jwt-secret-file names a file that cannot be read/],
    [2, ["--sub", "ada", "--private-key", "public.pem"], {}, /--private-key holds no private key/],
    [1, ["--sub", "ada", "--private-key", "none"], {}, /No such file/],
    [2, ["--sub", "ada", "--private-key", "private.pem", "--jwt-secret-file", "secret"], {}, /signed with one key/],
    [
      2,
      ["--sub", "ada", "--scope", "root"],
      { MCM_JWT_SECRET: SECRET },
      /contexts:read, contexts:write, contexts:admin/,
    ],
    [2, ["--sub", "ada", "--scope", ""], { MCM_JWT_SECRET: SECRET }, /It must be of/],
    [2, ["--sub", "ada", "--context", "plan"], { MCM_JWT_SECRET: SECRET }, /id:role or id:writer:\/path/],
    [2, ["--sub", "ada", "--context", "plan:owner"], { MCM_JWT_SECRET: SECRET }, /roles are reader, writer and admin/],
    [2, ["--sub", "ada", "--context", "plan:writer:tasks"], { MCM_JWT_SECRET: SECRET }, /id:role/],
    [
      3,
      ["--sub", "ada", "--context", "plan:reader:/tasks"],
      { MCM_JWT_SECRET: SECRET },
      /goes with role writer only.*INVALID_REQUEST/,
    ],
    [3, ["--sub", "*"], { MCM_JWT_SECRET: SECRET }, /No server would take this token/],
    [2, ["--sub", "ada", "--ttl", "367d"], { MCM_JWT_SECRET: SECRET }, /30m, 12h or 90d, from 1s to 366d/],
    [2, ["--sub", "ada", "--ttl", "0s"], { MCM_JWT_SECRET: SECRET }, /from 1s/],
    [2, ["--sub", "ada", "--ttl", "1w"], { MCM_JWT_SECRET: SECRET }, /duration/],
    [2, ["--sub", "ada", "--jwt-secret", SECRET], {}, /unknown option '--jwt-secret'/],
  ])("[AUTH-13] %i for %j", async (code, args, environment, says) => {
    const result = await mcm(["token", "create", ...args], environment, FILES);
    expect([result.code, result.out]).toEqual([code, ""]);
    expect(result.err).toMatch(says);
  });
});

describe("inspecting tokens", () => {
  test("[AUTH-13] what it says, how long it lasts, what it may, and that its signature is good", async () => {
    const token = await create("--sub", "ada", "--name", "Ada", "--context", "plan:writer:/tasks", "--ttl", "30d");
    const { code, out, err } = await mcm(["token", "inspect", token], { MCM_JWT_SECRET: SECRET });
    expect([code, err]).toEqual([0, ""]);
    expect(out.split("\n").map((line) => line.replace(/ {2,}/, ": "))).toEqual([
      "subject: ada (Ada)",
      expect.stringMatching(/^id: [0-9a-f-]{36}$/),
      "audience: mcp-context-manager",
      expect.stringMatching(/^issued: \S+Z \(\d+ seconds ago\)$/),
      expect.stringMatching(/^ends: \S+Z \(in 30 days\)$/),
      "scopes: contexts:read contexts:write",
      "may: read, change and lock",
      "contexts: plan:writer:/tasks, and those that grant it by their access list",
      "signature: valid",
    ]);
    expect(out).not.toContain(token);
  });

  test("[AUTH-13] without a key the signature is not called good", async () => {
    const token = await create("--sub", "ada", "--scope", "write");
    const { code, out } = await mcm(["token", "inspect"], { MCM_TOKEN: token });
    expect(code).toBe(0);
    expect(out).toMatch(/^signature +not checked: there is no key at hand$/m);
    expect(out).toMatch(/^may +do nothing: it lacks the scope contexts:read$/m);
    expect(out).not.toMatch(/valid/);
    expect((await mcm(["token", "inspect", "--token-file", "t"], {}, { t: token })).out).toBe(out);
  });

  test.each<[string, () => Promise<string>, Record<string, string>, string]>([
    ["forged", () => create("--sub", "ada"), { MCM_JWT_SECRET: OTHER_SECRET }, "signature"],
    ["for another server", () => create("--sub", "ada"), { MCM_JWT_SECRET: SECRET, MCM_AUDIENCE: "x" }, "audience"],
    ["over", () => sign(claimsAt(Date.now() - DAY_MS)), { MCM_JWT_SECRET: SECRET }, "expired"],
    ["over, unchecked", () => sign(claimsAt(Date.now() - DAY_MS)), {}, "expired"],
    ["malformed, unchecked", () => sign(claimsAt(Date.now(), { contexts: 7 })), {}, "claims"],
  ])("[AUTH-13] what a server would refuse: %s", async (_, make, environment, rule) => {
    const { code, report } = await inspect(await make(), environment);
    expect([code, report["verdict"]]).toEqual([3, "refused"]);
    expect(report["refusal"]).toMatchObject({ rule, message: expect.stringMatching(/\.$/) });
    const { out } = await mcm(["token", "inspect", "-"], environment, { "-": await make() });
    expect(out).toMatch(/^refused +The token/m);
    expect(out).not.toMatch(/^signature/m);
  });

  test("[AUTH-13] a terminal is not at the mercy of a token", async () => {
    const evil = "\u001b[2J\u009b";
    const claims = { sub: evil, name: evil, aud: [evil, 7], jti: { evil }, iss: evil, exp: evil, iat: 1e300 };
    const token = await sign(claimsAt(Date.now(), claims));
    for (const args of [[], ["--json"]]) {
      const { code, out } = await mcm(["token", "inspect", token, ...args]);
      expect(code).toBe(3);
      expect(out).not.toMatch(/[^\n\P{Cc}]/u);
    }
  });

  test.each<[number, string[], Record<string, string>, RegExp]>([
    [2, [], {}, /say the token/],
    [3, ["nonsense"], {}, /not a signed JWT.*UNAUTHENTICATED/],
    [3, ["a".repeat(LIMITS.tokenCharsMax + 1)], {}, /longer than 8192/],
    [2, ["x"], { MCM_JWT_SECRET: "short" }, /MCM_JWT_SECRET holds/],
    [2, ["--token-file", "none"], {}, /--token-file names a file that cannot be read/],
    [2, ["--token-file", "private.pem"], {}, /--token-file holds no token/],
  ])("[AUTH-13] %i for %j", async (code, args, environment, says) => {
    const result = await mcm(["token", "inspect", ...args], environment, FILES);
    expect([result.code, result.out]).toEqual([code, ""]);
    expect(result.err).toMatch(says);
  });
});

describe("showing tokens", () => {
  test("[AUTH-14] every command shows the token of MCM_TOKEN or of a file, and acts as its subject", async () => {
    const ada = await create("--sub", "ada");
    expect(await mcm(["create", "notes", "--data", '{"a":1}'], { MCM_TOKEN: ada, MCM_ACTOR: "bob" })).toMatchObject({
      code: 0,
    });
    const ways: [string[], Record<string, string>, Record<string, string>][] = [
      [["read", "notes", "--json"], { MCM_TOKEN: ada }, {}],
      [["read", "notes", "--json"], { MCM_TOKEN_FILE: "t" }, { t: `${ada}\n` }],
      [["read", "notes", "--json", "--token-file", "t"], {}, { t: ada }],
      [["read", "notes", "--json", "--token-file", "t"], { MCM_TOKEN: "wrong", MCM_TOKEN_FILE: "none" }, { t: ada }],
      [["read", "notes", "--json"], { MCM_TOKEN: ada, MCM_TOKEN_FILE: "none" }, {}],
    ];
    for (const [args, environment, files] of ways) {
      const { code, out, err } = await mcm(args, environment, files);
      expect([code, err]).toEqual([0, ""]);
      expect(JSON.parse(out)).toMatchObject({ createdBy: "ada", data: { a: 1 } });
    }
  });

  test("[AUTH-14] none, a bad one, and one that is refused", async () => {
    expect(await mcm(["list"])).toMatchObject({
      code: 3,
      err: expect.stringMatching(/wants a token.*UNAUTHENTICATED/),
    });
    const forged = await sign(claimsAt(Date.now()), Buffer.from(OTHER_SECRET));
    expect(await mcm(["list"], { MCM_TOKEN: forged })).toMatchObject({
      code: 3,
      err: expect.stringMatching(/signature does not fit/),
    });
    for (const [environment, files, says] of [
      [{ MCM_TOKEN: "a b" }, {}, /^error: MCM_TOKEN holds no token: it must be/],
      [{ MCM_TOKEN: "x".repeat(LIMITS.tokenCharsMax + 1) }, {}, /MCM_TOKEN holds no token/],
      [{ MCM_TOKEN_FILE: "t" }, { t: "" }, /MCM_TOKEN_FILE holds no token/],
      [{ MCM_TOKEN_FILE: "t" }, { t: "a\r\nb: c" }, /MCM_TOKEN_FILE holds no token/],
      [{ MCM_TOKEN_FILE: "none" }, {}, /MCM_TOKEN_FILE names a file that cannot be read/],
    ] as [Record<string, string>, Record<string, string>, RegExp][]) {
      const result = await mcm(["list"], environment, files);
      expect([result.code, result.out]).toEqual([2, ""]);
      expect(result.err).toMatch(says);
    }
    // a watch does not try for ever
    expect(await mcm(["watch", "notes"], { MCM_TOKEN: "a b" })).toMatchObject({ code: 2 });
  });

  test("[AUTH-14] what can be read only once counts for the whole command, what is renewed counts anew", async () => {
    const shown: unknown[] = [];
    const io = new TestIo({ MCM_URL: server.url, MCM_TOKEN_FILE: "t" });
    const contents = ["first", "", "second"];
    io.read = async () => contents.shift() ?? "";
    io.fetch = async (_, { headers }) => {
      shown.push(new Headers(headers).get("authorization"));
      if (shown.length === 4) io.stop();
      throw new TypeError("fetch failed");
    };
    expect(await runCli(["watch", "notes"], { io, start: noServer })).toBe(0);
    expect(shown).toEqual(["Bearer first", "Bearer first", "Bearer second", "Bearer second"]);
  });

  test("[AUTH-14] a command under a lock comes to the same token", async () => {
    const ada = await create("--sub", "ada");
    await mcm(["create", "locked"], { MCM_TOKEN: ada });
    const lock = async (args: string[], environment: Record<string, string>) => {
      const io = new TestIo({ MCM_URL: server.url, ...environment });
      io.files.set("t", ada);
      let seen: unknown;
      io.program = async (_, given) => {
        seen = { MCM_TOKEN: given["MCM_TOKEN"], MCM_TOKEN_FILE: given["MCM_TOKEN_FILE"] };
        return 0;
      };
      const code = await runCli(["lock", "locked", "/a", ...args, "--", "work"], { io, start: noServer });
      expect([code, io.errors]).toEqual([0, []]);
      return seen;
    };
    expect(await lock([], { MCM_TOKEN: ada })).toEqual({ MCM_TOKEN: ada, MCM_TOKEN_FILE: undefined });
    expect(await lock([], { MCM_TOKEN_FILE: "t" })).toEqual({ MCM_TOKEN: undefined, MCM_TOKEN_FILE: "t" });
    expect(await lock(["--token-file", "t"], { MCM_TOKEN: "wrong" })).toEqual({
      MCM_TOKEN: undefined,
      MCM_TOKEN_FILE: resolve("t"),
    });
  });

  test("[AUTH-14] no command line takes a token to show, and no help asks for one", async () => {
    for (const command of ["list", "read", "watch", "lock", "compact"]) {
      const { out } = await mcm([command, "--help"]);
      expect(out).toMatch(/--token-file <file>/);
      expect(out).not.toMatch(/--token </);
    }
  });
});

describe("revoking tokens", () => {
  const asRoot = () => ({ MCM_TOKEN: adminToken });

  test("[AUTH-15] a token, by itself or its id, and all of an actor", async () => {
    const tokens = await Promise.all(["bob", "bob", "eve"].map((sub) => create("--sub", sub)));
    const [first = "", second = "", third = ""] = tokens;
    const { claims } = (await inspect(second)).report;
    const list = async (token: string) => (await mcm(["list"], { MCM_TOKEN: token })).code;
    // at several nodes within a second, at each of them three times
    const untilCodes = async (codes: readonly number[]): Promise<void> => {
      for (let node = 0; node < 3; node++) await expect.poll(() => Promise.all(tokens.map(list))).toEqual(codes);
    };
    await untilCodes([0, 0, 0]);

    const args = ["token", "revoke", "-", "--reason", "laptop\u001b stolen"];
    const revoked = await mcm(args, asRoot(), { "-": first });
    expect(revoked).toMatchObject({ code: 0, out: expect.stringMatching(/^Token [0-9a-f-]{36} is revoked$/), err: "" });
    await untilCodes([3, 0, 0]);
    expect((await mcm(["list"], { MCM_TOKEN: first })).err).toMatch(/was revoked/);

    const byId = await mcm(["token", "revoke", "--id", String(claims["jti"]), "--json"], asRoot());
    expect(JSON.parse(byId.out)).toMatchObject({ revocation: { tokenId: claims["jti"], revokedBy: "root" } });
    const bySubject = await mcm(["token", "revoke", "--subject", "eve"], asRoot());
    expect(bySubject.out).toMatch(/^All tokens of eve issued until \S+Z are revoked$/);
    await untilCodes([3, 3, 3]);
    expect(third).not.toBe("");

    const shown = await mcm(["token", "revocations"], asRoot());
    expect(shown.out).toMatch(/^WHAT +WHICH +REVOKED +BY +ENDS +REASON\n/);
    expect(shown.out).toMatch(/^token +[0-9a-f-]{36} +\S+Z +root +\S+Z +laptop\ufffd stolen$/m);
    expect(shown.out).toMatch(/^actor +eve +\S+Z +root/m);
    const { revocations } = JSON.parse((await mcm(["token", "revocations", "--json"], asRoot())).out) as {
      revocations: unknown[];
    };
    expect(revocations).toHaveLength(3);
  });

  test("[AUTH-15] who may not, is refused", async () => {
    const ada = await create("--sub", "ada");
    for (const args of [["revoke", "--subject", "root"], ["revocations"]]) {
      expect(await mcm(["token", ...args], { MCM_TOKEN: ada })).toMatchObject({
        code: 3,
        err: expect.stringMatching(/FORBIDDEN/),
      });
    }
  });

  test.each<[number, string[], RegExp]>([
    [2, [], /say what to revoke: a token/],
    [2, ["--id", "x", "--subject", "y"], /say what to revoke/],
    [2, ["x", "--id", "x"], /say what to revoke/],
    [3, ["nonsense"], /not a signed JWT/],
  ])("[AUTH-15] %i for %j", async (code, args, says) => {
    expect(await mcm(["token", "revoke", ...args], asRoot())).toMatchObject({
      code,
      out: "",
      err: expect.stringMatching(says),
    });
  });

  test("[AUTH-15] a token without an id is revoked with its subject only", async () => {
    const nameless = await sign(claimsAt(Date.now(), { jti: undefined }));
    const result = await mcm(["token", "revoke", nameless], asRoot());
    expect(result).toMatchObject({ code: 2, err: expect.stringMatching(/no id \(jti\).*--subject/) });
  });
});

test("[AUTH-4] the page's examples run as they stand, and it names every rule", async () => {
  const page = read("docs/security.md").text;
  const [, block = ""] = /```sh\n(.*?)\n```/s.exec(page) ?? [];
  const [first = "", ...lines] = block.split("\n");
  expect([first, lines.length]).toEqual(["export MCM_JWT_SECRET=$(openssl rand -base64 48)", 7]);
  const files: Record<string, string> = {};
  for (const line of lines) {
    const [, command = line, direction, path = ""] = /^(.*?)(?: ([<>]) (\S+))?$/.exec(line) ?? [];
    const args = [...command.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? "");
    const stdin = direction === "<" ? { "-": files[path] ?? "" } : {};
    const { code, out } = await mcm(args.slice(1), { MCM_JWT_SECRET: SECRET }, { ...files, ...stdin });
    expect([line, code]).toEqual([line, 0]);
    if (direction === ">") files[path] = `${out}\n`;
  }
  const rules = [...page.matchAll(/^\| `([a-z-]+)` +\| [^|]*\|$/gm)].flatMap(([, rule = ""]) => rule);
  expect(rules).toEqual(["missing", ...Object.keys(TOKEN_RULES), "revoked"]);
});

test("[AUTH-11] a server that was given a secret says it nowhere, whatever it is asked", async () => {
  const said: string[] = [];
  const io = new TestIo({ MCM_AUTH: "jwt", MCM_JWT_SECRET_FILE: "secret" });
  io.files.set("secret", `${SECRET}\n`);
  io.onLine = () => io.stop();
  const code = await runCli(["serve", "--port", "0", "--storage", "memory"], {
    io,
    start: async (config) => {
      said.push(JSON.stringify(config));
      const running = await startServer(config, { logger });
      for (const path of ["/v1/contexts", "/openapi.json", "/readyz", "/nope"]) {
        said.push(await (await fetch(running.url + path, { headers: { authorization: `Bearer ${SECRET}` } })).text());
      }
      return running;
    },
  });
  expect([code, said.length]).toEqual([0, 5]);
  expect([...said, ...io.lines, ...io.errors, JSON.stringify(logger.entries)].join("\n")).not.toContain(SECRET);
});

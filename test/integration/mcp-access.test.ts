/**
 * Who may what at /mcp, with real tokens and access lists, in both generations of the protocol: what one may not read looks
 * absent everywhere, and open streams follow the access of the moment.
 *
 * Not here: how tokens are verified (token-attacks.test.ts, oidc.test.ts), limits and streams (mcp-streams.test.ts).
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { parseConfig } from "../../server/config.ts";
import { nodeCount, startServer } from "../support/start-server.ts";
import { stopwatch } from "../support/event-loop.ts";
import { IssuerProcess } from "../support/issuer-process.ts";
import { LIST, overHttp } from "../support/mcp-clients.ts";
import type { McpTalk } from "../support/mcp-clients.ts";
import { messageOf, messagesOf, RawMcp } from "../support/raw-mcp.ts";
import { RecordingLogger } from "../support/recording-logger.ts";
import { startSecureServer } from "../support/secure-server.ts";
import type { SecureServer } from "../support/secure-server.ts";
import { claimsAt } from "../support/tokens.ts";

const BOTH = ["2026-07-28", "2025-11-25"] as const;
const SILENT_MS_MAX = 1000;
const HIDDEN = "context://contexts/hidden";
const SHARED = "context://contexts/shared";

let server: SecureServer;
let ada: string;

beforeAll(async () => {
  server = await startSecureServer();
  ada = await server.token("ada");
});
afterAll(() => server.close());

beforeEach(async () => {
  for (const id of ["hidden", "shared"]) {
    await server.call(ada, "DELETE", `/v1/contexts/${id}`);
    await expectOk(server.call(ada, "POST", "/v1/contexts", { id, data: { secret: "otter" } }));
  }
  await share("hidden", "bob", "none");
  await share("shared", "bob", "reader");
});

async function expectOk(answering: ReturnType<SecureServer["call"]>): Promise<void> {
  const { status, body } = await answering;
  if (status >= 300) throw new Error(`${status}: ${JSON.stringify(body)}`);
}

/** Others than ada have what they are granted, and nothing else. */
const share = (id: string, principal: string, role: string) =>
  expectOk(
    server.call(ada, "PATCH", `/v1/contexts/${id}/acl`, {
      grants: [
        { principal: "nobody", role: "reader" },
        { principal, role },
      ],
    }),
  );

const change = (id: string, value: unknown) =>
  expectOk(server.call(ada, "PATCH", `/v1/contexts/${id}`, { changes: [{ op: "add", path: "/n", value }] }));

const talk = async (generation: (typeof BOTH)[number], sub = "bob", claims = {}): Promise<McpTalk> =>
  overHttp(generation, { url: server.url, token: await server.token(sub, claims) });

/** That contexts were made and shared before may be told at another node only now. */
const isOld = (uri: string | undefined): boolean => nodeCount() > 1 && uri === LIST;

async function toldOf(who: McpTalk): Promise<string | undefined> {
  for (;;) {
    const [uri] = await who.told(1);
    if (!isOld(uri)) return uri;
  }
}

const untoldOf = (who: McpTalk): readonly string[] => who.untold.filter((uri) => !isOld(uri));

describe("[MCP-14] without a valid token", () => {
  const challengeOf = (response: Response) => response.headers.get("www-authenticate");

  test("nothing is said but that one is needed, whatever is asked", async () => {
    const nobody = new RawMcp(server.url);
    for (const answer of [
      nobody.initialize(),
      nobody.modern("tools/list"),
      nobody.post("no JSON"),
      nobody.stream(AbortSignal.timeout(5000)),
      nobody.end(),
    ]) {
      const response = await answer;
      expect([response.status, challengeOf(response), (await messageOf(response)).id]).toEqual([
        401,
        'Bearer scope="contexts:read contexts:write"',
        null,
      ]);
    }
    const forged = new RawMcp(server.url, { token: `${ada.slice(0, -3)}AAA` });
    expect(challengeOf(await forged.initialize())).toBe(
      'Bearer error="invalid_token", scope="contexts:read contexts:write"',
    );
  });

  test("one in the address is not read", async () => {
    for (const name of ["access_token", "token", "authorization"]) {
      const { status } = await new RawMcp(server.url, { path: `/mcp?${name}=${ada}` }).initialize();
      expect([name, status]).toEqual([name, 401]);
    }
  });

  test("a call for which it lacks the scope says which to ask for", async () => {
    const reader = new RawMcp(server.url, { token: await server.token("bob", { scope: "contexts:read" }) });
    await reader.begin();
    const call = { name: "context_update", arguments: { id: "shared", ops: [{ op: "add", path: "/a", value: 1 }] } };
    for (const answer of [reader.modern("tools/call", call), reader.legacy("tools/call", call)]) {
      const response = await answer;
      expect([response.status, challengeOf(response), (await messageOf(response)).error?.message]).toEqual([
        403,
        'Bearer error="insufficient_scope", scope="contexts:read contexts:write"',
        expect.stringContaining("contexts:write"),
      ]);
    }
  });

  test("who issues tokens is published only when that is an identity provider, whose tokens for /mcp are taken", async () => {
    const paths = ["/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"];
    for (const path of paths) expect((await fetch(server.url + path)).status).toBe(404);
    const provider = await IssuerProcess.start();
    const publicUrl = "https://contexts.example.org";
    const config = parseConfig(
      { port: "0", storage: "memory", auth: "oidc", oidcIssuer: provider.issuer, publicUrl },
      {},
    );
    const theirs = await startServer(config, { logger: new RecordingLogger() });
    try {
      for (const path of paths) {
        expect(await (await fetch(theirs.url + path)).json()).toMatchObject({
          resource: `${publicUrl}/mcp`,
          authorization_servers: [provider.issuer],
        });
      }
      expect(challengeOf(await new RawMcp(theirs.url).initialize())).toBe(
        `Bearer scope="contexts:read contexts:write", resource_metadata="${publicUrl}${paths[1]}"`,
      );
      const status = async (aud: string) => {
        const token = await provider.token(claimsAt(Date.now(), { aud }));
        return (await new RawMcp(theirs.url, { token }).initialize()).status;
      };
      expect([await status(`${publicUrl}/mcp`), await status("https://elsewhere.example/mcp")]).toEqual([200, 401]);
    } finally {
      await theirs.close();
      await provider.stop();
    }
  });
});

test("[MCP-13] somebody else's session is unknown, also for a stream and its end", async () => {
  const [mine, theirs] = [new RawMcp(server.url, { token: ada }), await server.token("eve")];
  await mine.begin();
  const session = { "mcp-session-id": mine.session, "mcp-protocol-version": "2025-11-25" };
  const ask = (method: string, token: string, body?: string) =>
    fetch(`${server.url}/mcp`, {
      method,
      headers: {
        accept: "application/json, text/event-stream",
        "content-type": "application/json",
        authorization: `Bearer ${token}`,
        ...session,
      },
      ...(body === undefined ? {} : { body }),
    });
  const ping = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" });
  for (const [method, body] of [["POST", ping], ["GET"], ["DELETE"]] as const)
    expect([method, (await ask(method, theirs, body)).status]).toEqual([method, 404]);
  expect((await ask("POST", ada, ping)).status).toBe(200);
});

test("[MCP-17] pages of other origins and unknown hosts are refused before anything else", async () => {
  const mcp = new RawMcp(server.url);
  expect((await mcp.post("{}", { origin: "https://evil.example" })).status).toBe(403);
  const own = new RawMcp(server.url, { token: ada });
  expect((await own.post("{}", { origin: "https://evil.example" })).status).toBe(403);
});

test.each(BOTH)("[MCP-16] %s: tools are listed for whoever may call them", async (generation) => {
  const reader = await talk(generation, "bob", { scope: "contexts:read" });
  const all = await talk(generation, "ada");
  const [few, many] = [await reader.tools(), await all.tools()];
  expect(few).toContain("context_read");
  expect(few.filter((name) => /create|update|restore|share|delete|lock/.test(name))).toEqual([]);
  expect(many.filter((name) => !few.includes(name))).toEqual(
    expect.arrayContaining(["context_update", "context_lock", "context_share"]),
  );
  await Promise.all([reader.close(), all.close()]);
});

describe.each(BOTH)("[MCP-15] %s", (generation) => {
  let bob: McpTalk;
  beforeEach(async () => {
    bob = await talk(generation);
  });

  test("what one may not read looks like what there is not, wherever one looks", async () => {
    await server.call(ada, "DELETE", "/v1/contexts/none");
    const without = async (look: (id: string) => Promise<unknown>) => {
      const [hidden, none] = await Promise.all(
        ["hidden", "none"].map((id) =>
          look(id).then(
            (value) => JSON.stringify(value),
            (error: unknown) => String(error),
          ),
        ),
      );
      expect(hidden?.replaceAll("hidden", "none")).toBe(none);
    };
    await without((id) => bob.read(`context://contexts/${id}`));
    await without((id) => bob.read(`context://contexts/${id}/locks`));
    await without((id) => bob.read(`context://contexts/${id}/versions/0`));
    await without((id) => bob.read(`context://contexts/${id}/changes/0`));
    await without((id) => bob.prompt("join_context", { id }));
    await without((id) => bob.call("context_read", { id }));
    await without((id) => bob.call("context_history", { id }));
    await without((id) => bob.call("context_changes", { id, since_version: 0 }));
    await without((id) => bob.call("context_wait", { targets: [{ id, since_version: 0 }], timeout_seconds: 1 }));
    await without((id) => bob.call("context_update", { id, ops: [{ op: "add", path: "/a", value: 1 }] }));
    await without((id) => bob.call("context_lock", { id, path: "" }));
    await without((id) => bob.follow(`context://contexts/${id}`));
    expect((await bob.resources()).filter((uri) => uri === HIDDEN)).toEqual([]);
    expect(await bob.completions("context://contexts/{id}", "hid")).toEqual([]);
    const { data } = await bob.call("context_find", { query: "otter" });
    expect(data["contexts"]).toMatchObject([{ id: "shared" }]);
  });

  test("nothing is told of what one may not read", async () => {
    expect(await bob.follow(HIDDEN, SHARED)).toEqual([SHARED]);
    for (let n = 0; n < 20; n++) await change("hidden", n);
    await change("shared", "after them");
    expect(await toldOf(bob)).toBe(SHARED);
    expect(untoldOf(bob)).toEqual([]);
  });

  test("access that is taken away silences the stream, and access that is given is told", async () => {
    expect(await bob.follow(SHARED)).toEqual([SHARED]);
    await change("shared", 1);
    expect(await toldOf(bob)).toBe(SHARED);
    await share("shared", "bob", "none");
    for (let n = 2; n < 20; n++) await change("shared", n);
    await share("hidden", "bob", "reader");
    expect(await bob.told(1)).toEqual([LIST]);
    expect(untoldOf(bob)).toEqual([]);
    await share("shared", "bob", "reader");
    expect(await bob.told(1)).toEqual([LIST]);
    await change("shared", 20);
    expect(await toldOf(bob)).toBe(SHARED);
  });

  test("a token that is revoked ends it within a second, and is good for nothing more", async () => {
    const granted = { contexts: [{ id: "shared", role: "reader" }] };
    const rob = await talk(generation, `rob-${generation}`, granted);
    const carol = await talk(generation, "carol", granted);
    await Promise.all([rob.follow(SHARED), carol.follow(SHARED)]);
    const sinceRevoked = stopwatch();
    await expectOk(server.call(await server.admin(), "POST", "/v1/revocations", { subject: `rob-${generation}` }));
    if (generation === "2026-07-28") await rob.cut;
    expect(sinceRevoked.ms()).toBeLessThan(SILENT_MS_MAX);
    await change("shared", "rob must not hear of it");
    // at the same moment rob would be told
    expect(await toldOf(carol)).toBe(SHARED);
    expect(untoldOf(rob)).toEqual([]);
    await expect(rob.call("context_read", { id: "shared" })).rejects.toThrow("was revoked");
    await carol.close();
  });
});

test.each(["stream of a session", "subscriptions/listen"])(
  "[MCP-15] a token that is over ends its %s",
  async (kind) => {
    const lifeS = 2;
    const sinceBegun = stopwatch();
    const exp = Math.floor(Date.now() / 1000) + lifeS;
    const bob = new RawMcp(server.url, { token: await server.token("bob", { exp }) });
    const stop = new AbortController();
    const opening =
      kind === "subscriptions/listen"
        ? bob.modern("subscriptions/listen", { notifications: { resourceSubscriptions: [SHARED] } }, stop.signal)
        : bob.begin().then(() => bob.stream(stop.signal));
    const stream = await opening;
    expect(stream.status).toBe(200);
    const told: unknown[] = [];
    for await (const message of messagesOf(stream)) told.push(message.method ?? "answer");
    // not a second after its time; a token's times are whole seconds
    expect(sinceBegun.ms()).toBeLessThan((lifeS + 1) * 1000 + SILENT_MS_MAX);
    expect(told.filter((method) => method === "notifications/resources/updated")).toEqual([]);
  },
);

/** Tokens through the SDK: against the real server in mode `jwt`, whose clock is the test's, and one that misbehaves on demand. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { connect } from "../../client/index.ts";
import type { Client, ConnectOptions, Context, ContextEvents } from "../../client/index.ts";
import { fileStore } from "../../client/node/file-store.ts";
import { FakeSyncServer } from "../support/fake-sync-server.ts";
import { TOKEN_MS, startJwtServer } from "../support/jwt-server.ts";
import type { JwtServer } from "../support/jwt-server.ts";
import { PATIENT } from "../support/patience.ts";
import { Relay } from "../support/relay.ts";
import { nodeCount } from "../support/start-server.ts";
import { assemble } from "../support/tokens.ts";

const clients: Client[] = [];
const closing: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  vi.useRealTimers();
  for (const client of clients.splice(0)) await client.close().catch(() => {});
  for (const close of closing.splice(0).reverse()) await close();
});

async function connected(url: string, options: ConnectOptions): Promise<Client> {
  const client = await connect(url, { ...PATIENT, ...options });
  clients.push(client);
  return client;
}

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "mcm-identity-"));
  closing.push(() => rm(path, { recursive: true }));
  return path;
}

function next<Name extends keyof ContextEvents>(
  context: Context,
  name: Name,
  isIt: (...args: ContextEvents[Name]) => boolean = () => true,
): Promise<ContextEvents[Name]> {
  return new Promise((resolve) => {
    const off = context.on(name, (...args) => {
      if (!isIt(...args)) return;
      off();
      resolve(args);
    });
  });
}

const online = (context: Context): Promise<unknown> => next(context, "status", (status) => status === "online");
const code = (expected: string): object => expect.objectContaining({ code: expected });
const set = (context: Context, key: string, value: unknown): void => void context.data.root.set(key, value);

describe("on the real server", () => {
  let server: JwtServer;
  let asked: number;

  beforeEach(async () => {
    server = await startJwtServer();
    closing.push(() => server.close());
    asked = 0;
  });

  /** A function that gives a fresh token each time. */
  const tokensOf = (subject: string, claims?: Parameters<JwtServer["token"]>[1]) => () => {
    asked++;
    return server.token(subject, claims);
  };
  const open = async (token: ConnectOptions["token"], options: ConnectOptions = {}): Promise<Context> => {
    const client = await connected(server.url, { ...options, ...(token === undefined ? {} : { token }) });
    return client.open("plan", { create: { data: { tasks: {} } } });
  };
  const read = async (): Promise<unknown> => {
    const headers = { authorization: `Bearer ${await server.token("ada")}` };
    const { data, version } = await (await fetch(`${server.url}/v1/contexts/plan`, { headers })).json();
    return { data, version };
  };

  test("[SDK-3] a token opens, reads and writes, and gets into no address", async () => {
    const context = await open(await server.token("ada"));
    expect(await context.update([{ op: "add", path: "/a", value: 1 }])).toEqual({ version: 1 });
    expect((await context.history()).changes).toMatchObject([{ actor: "ada" }]);
    await expect(open(undefined)).rejects.toEqual(code("UNAUTHENTICATED"));
    await expect(open("no.token.ofours")).rejects.toEqual(code("UNAUTHENTICATED"));
  });

  test("[SDK-50] a function is asked once for all that needs a token, and again when the server refuses it", async () => {
    const client = await connected(server.url, { token: tokensOf("ada") });
    const [plan] = await Promise.all([client.open("plan", { create: {} }), client.find()]);
    expect(asked).toBe(1);
    await plan.close();
    server.clock.advance(TOKEN_MS + 10_000);
    // to this machine's clock it was over from the start, so only the server's word counts
    expect((await client.find()).contexts).toHaveLength(1);
    expect(asked).toBe(2);
  });

  // to nodes a clock that jumps is an engine that was silent for so long: they end all sessions (NODE-18)
  test.skipIf(nodeCount() > 1)("[SDK-51] sessions are told a newer token before theirs ends, unbroken", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"], now: server.clock.nowMs() });
    const scopes = ["contexts:read", "contexts:write"] as const;
    // that the second one counts is heard by its rights
    const claims = { lifetimeMs: 20_000 };
    const token = () => server.token("ada", asked++ === 0 ? claims : { ...claims, scopes });
    const context = await open(token);
    const breaks: string[] = [];
    context.on("status", (status) => breaks.push(status));
    const pass = async (ms: number): Promise<void> => {
      server.clock.advance(ms);
      await vi.advanceTimersByTimeAsync(ms);
    };
    await pass(15_900);
    expect([asked, context.access?.isAdmin]).toEqual([1, true]);
    const changed = next(context, "access");
    await pass(2200);
    expect(await changed).toEqual([{ mayWrite: true, isAdmin: false }]);
    await pass(5000);
    set(context, "late", 1);
    await context.saved();
    expect([asked, breaks, await read()]).toEqual([2, [], { data: { tasks: {}, late: 1 }, version: 1 }]);
  });

  test("[SDK-52] when a token has ended, another is shown; edits, updates and locks made meanwhile get there, once", async () => {
    const relay = await Relay.start(server.url);
    closing.push(() => relay.close());
    const client = await connected(relay.url, { token: tokensOf("ada") });
    const context = await client.open("plan", { create: { data: { n: 0 } } });
    const lease = await context.lock("/n");
    relay.isDeaf = true;
    set(context, "before", 1);
    const update = context.update([{ op: "increment", path: "/n", by: 1 }]);
    await vi.waitFor(async () => expect(await read()).toMatchObject({ version: 2 }), 20_000);
    relay.isDeaf = false;
    const isBack = online(context);
    await server.revoke("ada");
    server.clock.advance(2000); // tokens count seconds
    set(context, "after", 1);
    await isBack;
    await context.saved();
    await update;
    expect(await read()).toEqual({ data: { n: 1, before: 1, after: 1 }, version: 3 });
    expect([asked, lease.isHeld, context.unsaved.length]).toEqual([2, true, 0]);
    await lease.release();
  });

  test("[SDK-52] a second refusal in a row ends the session; what was not saved stays readable", async () => {
    const first = await server.token("ada");
    const context = await open(() => {
      asked++;
      return first;
    });
    const lost = next(context, "connectionLost").then(() => set(context, "late", 1));
    const closed = next(context, "closed");
    server.clock.advance(TOKEN_MS);
    await lost;
    expect(await closed).toEqual([code("UNAUTHENTICATED")]);
    expect([context.status, context.unsaved.length, context.get("/late"), asked]).toEqual(["closed", 1, 1, 2]);
    await expect(context.saved()).rejects.toEqual(code("UNAUTHENTICATED"));
    await expect(context.update([])).rejects.toEqual(code("UNAUTHENTICATED"));
  });

  test("[SDK-52] a token that is a text ends the session at its end", async () => {
    const context = await open(await server.token("ada"));
    const closed = next(context, "closed");
    server.clock.advance(TOKEN_MS);
    expect(await closed).toEqual([code("UNAUTHENTICATED")]);
  });

  test("[SDK-53] a session is one actor's: nothing is sent under another's token", async () => {
    await open(await server.token("ada"));
    await server.grant("plan", "ada", { principal: "bob", role: "writer" });
    const context = await open(() => server.token(asked++ === 0 ? "ada" : "bob"));
    const lost = next(context, "connectionLost").then(() => set(context, "late", 1));
    const closed = next(context, "closed");
    server.clock.advance(TOKEN_MS);
    await lost;
    const [error] = await closed;
    expect(error).toMatchObject({ code: "UNAUTHENTICATED", details: { rule: "subject" } });
    expect([context.unsaved.length, await read()]).toEqual([1, { data: { tasks: {} }, version: 0 }]);
  });

  test("[SDK-53] [SDK-19] a local copy is its owner's, also when the owner's name was all that was known", async () => {
    const persistence = fileStore(await folder());
    await (await open(await server.token("ada"), { persistence })).close();
    await server.grant("plan", "ada", { principal: "bob", role: "writer" });
    let token = (): Promise<string> => Promise.reject(new Error("not signed in"));
    const options = { token: () => token(), actor: "ada", persistence, offline: true };
    const context = await (await connected(server.url, options)).open("plan");
    set(context, "late", 1);
    const closed = next(context, "closed");
    token = () => server.token("bob");
    expect(await closed).toEqual([code("UNAUTHENTICATED")]);
    await context.close();
    token = () => server.token("ada");
    const again = await (await connected(server.url, options)).open("plan");
    await again.saved();
    expect(await read()).toEqual({ data: { tasks: {}, late: 1 }, version: 1 });
  });

  test("[SDK-50] without a token from its function nothing begins, and what runs goes on when there is one again", async () => {
    const notSignedIn = new Error("not signed in");
    const failing = () => Promise.reject(notSignedIn);
    await expect(connect(server.url, { token: failing })).rejects.toBe(notSignedIn);
    const offline = await connected(server.url, { token: failing, offline: true });
    await expect(offline.open("plan")).rejects.toBe(notSignedIn);
    await expect(offline.find()).rejects.toBe(notSignedIn);

    let token = tokensOf("ada");
    const context = await open(() => token());
    token = failing;
    const triedAgain = async () => {
      for (const _try of [1, 2]) await next(context, "connectionLost");
    };
    const tried = triedAgain();
    server.clock.advance(TOKEN_MS);
    await tried;
    set(context, "late", 1);
    const isBack = online(context);
    token = tokensOf("ada");
    await isBack;
    await context.saved();
    expect(await read()).toMatchObject({ data: { late: 1 } });
  });
});

describe("on one that misbehaves", () => {
  let server: FakeSyncServer;
  let asked: number;
  const tokenOf = (n: number): string => assemble({}, { sub: "ada", n });
  const token = (): string => tokenOf(++asked);

  beforeEach(async () => {
    server = await FakeSyncServer.start();
    closing.push(() => server.stop());
    asked = 0;
  });

  test("[SDK-52] refusals in a row are counted anew after a session that began", async () => {
    const context = await (await connected(server.url, { token })).open("plan");
    for (let round = 2; round < 5; round++) {
      const isBack = online(context);
      server.end(4401, "UNAUTHENTICATED: The token has expired.");
      await isBack;
      expect(asked).toBe(round);
    }
    const closed = next(context, "closed");
    server.turnsAway = { code: 4401, reason: "UNAUTHENTICATED: The token has expired." };
    server.end(4503, "SHUTTING_DOWN: The server is stopping.");
    expect(await closed).toEqual([code("UNAUTHENTICATED")]);
    // one that it had, and another
    expect([asked, server.offered.slice(-2)]).toEqual([5, [4, 5].map((n) => `mcm.v1,mcm.token.${tokenOf(n)}`)]);
  });

  test("[SDK-52] opening rejects after two refusals", async () => {
    server.turnsAway = { code: 4401, reason: "UNAUTHENTICATED: The token was revoked." };
    const client = await connected(server.url, { token });
    await expect(client.open("plan")).rejects.toEqual(code("UNAUTHENTICATED"));
    expect([asked, server.offered.length]).toEqual([2, 2]);
  });

  test("[SDK-51] a newer token is told on open connections only, and shown on the next", async () => {
    const client = await connected(server.url, { token });
    const [one, two] = [await client.open("plan"), await client.open("plan")];
    const isBack = online(one);
    server.turnsAway = { code: 4503, reason: "SHUTTING_DOWN: The server is stopping." };
    server.end(4401, "UNAUTHENTICATED: The token has expired.");
    await Promise.all([next(one, "connectionLost"), next(two, "connectionLost")]);
    server.turnsAway = undefined;
    await isBack;
    expect([asked, server.tokens]).toEqual([2, []]);
    expect(new Set(server.offered.slice(2))).toEqual(new Set([`mcm.v1,mcm.token.${tokenOf(2)}`]));
  });

  test("[SDK-50] a text that cannot be a token is told before anything is asked", async () => {
    await expect(connect(server.url, { token: "a.b.c\n" })).rejects.toEqual(code("INVALID_REQUEST"));
    await expect(connect(server.url, { token: "" })).rejects.toEqual(code("INVALID_REQUEST"));
  });
});

/** Who may do what, over real sockets and on every surface, with real tokens: rules ACL-2, ACL-3, ACL-5, ACL-8, ACL-9, AUTH-30. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as Y from "yjs";
import { openRawSocket } from "../support/raw-socket.ts";
import { startSecureServer } from "../support/secure-server.ts";
import type { SecureServer } from "../support/secure-server.ts";
import { openStockClient } from "../support/stock-client.ts";
import type { StockClient } from "../support/stock-client.ts";
import { until } from "../support/running-server.ts";
import { SUBPROTOCOL, TOKEN_PROTOCOL } from "../../shared/protocol/version.ts";

let server: SecureServer;
let [ann, bob, eve] = ["", "", ""];
let made = 0;

beforeAll(async () => {
  server = await startSecureServer();
  [ann, bob, eve] = [await server.token("ann"), await server.token("bob"), await server.token("eve")];
});
afterAll(() => server.close());

/** A context of ann's, with this list. */
async function contextOf(...grants: readonly object[]): Promise<string> {
  const id = `c${++made}`;
  const created = await server.call(ann, "POST", "/v1/contexts", { id, data: { a: 1, b: { c: 1 } } });
  expect(created.status).toBe(201);
  expect((await setAcl(id, ...grants)).status).toBe(200);
  return id;
}
const setAcl = (id: string, ...grants: readonly object[]) =>
  server.call(ann, "PUT", `/v1/contexts/${id}/acl`, { grants });
const open = (contextId: string, token: string): StockClient => openStockClient({ url: server.url, contextId, token });
const closing = ({ provider }: StockClient): Promise<string> =>
  new Promise((resolve) => provider.once("closed", ({ code, reason }) => resolve(`${code} ${reason.split(":")[0]}`)));

describe("[ACL-2] a context that one may not read", () => {
  test("is not there, for any address, feed, socket or list", async () => {
    const id = await contextOf({ principal: "bob", role: "writer" });
    const base = `/v1/contexts/${id}`;
    const asked: [string, string, unknown?][] = [
      ["GET", base],
      ["PATCH", base, { changes: [{ op: "add", path: "/x", value: 1 }] }],
      ["DELETE", base],
      ["GET", `${base}/changes`],
      ["GET", `${base}/diff?from=0`],
      ["GET", `${base}/blame`],
      ["POST", `${base}/restore`, { version: 0 }],
      ["POST", `${base}/undo`, { actor: "ann", from: 0, to: 1 }],
      ["GET", `${base}/checkpoints`],
      ["POST", `${base}/checkpoints`, { name: "x" }],
      ["DELETE", `${base}/checkpoints/x`],
      ["POST", `${base}/compact`, {}],
      ["GET", `${base}/conflicts`],
      ["POST", `${base}/conflicts/1.0/resolve`, { take: "loser" }],
      ["GET", `${base}/locks`],
      ["POST", `${base}/locks`, { paths: ["/a"] }],
      ["PUT", `${base}/locks/0f3c9a52-6f0c-4f7e-9a55-7a4d3c1b2e10`, {}],
      ["DELETE", `${base}/locks/0f3c9a52-6f0c-4f7e-9a55-7a4d3c1b2e10`],
      ["GET", `${base}/acl`],
      ["PUT", `${base}/acl`, { grants: [] }],
    ];
    for (const [method, path, body] of asked) {
      const known = await server.call(eve, method, path, body);
      const unknown = await server.call(eve, method, path.replace(id, "nowhere"), body);
      expect([method, path, known.status, known.body.code]).toEqual([method, path, 404, "CONTEXT_NOT_FOUND"]);
      // word for word what is said of one that was never made
      expect({ ...known.body, requestId: "" }).toEqual({ ...unknown.body, requestId: "" });
    }
    const feed = await fetch(`${server.url}${base}/changes`, {
      headers: { authorization: `Bearer ${eve}`, accept: "text/event-stream" },
    });
    expect([feed.status, await feed.json()]).toMatchObject([404, { code: "CONTEXT_NOT_FOUND" }]);
    const stranger = open(id, eve);
    expect(await closing(stranger)).toBe("4404 CONTEXT_NOT_FOUND");
    stranger.close();
    const list = await server.call(eve, "GET", "/v1/contexts");
    expect(list.body["contexts"]).toEqual([]);
    expect((await server.call(bob, "GET", "/v1/contexts")).body["contexts"]).toMatchObject([{ id }]);
  });

  test("tells that its id is taken when one tries to create it: that cannot be hidden", async () => {
    const id = await contextOf();
    expect((await server.call(eve, "POST", "/v1/contexts", { id })).body.code).toBe("ALREADY_EXISTS");
  });
});

describe("[ACL-3] what one may read and not do", () => {
  test("is FORBIDDEN with rule and remedy", async () => {
    const id = await contextOf(
      { principal: "bob", role: "writer", paths: ["/b"] },
      { principal: "eve", role: "reader" },
    );
    const write = (token: string, path: string) =>
      server.call(token, "PATCH", `/v1/contexts/${id}`, { changes: [{ op: "add", path, value: 2 }] });
    expect((await write(bob, "/b/c")).status).toBe(200);
    expect((await write(bob, "/a")).body).toMatchObject({
      code: "FORBIDDEN",
      details: { rule: "grant", path: "/a", writablePaths: ["/b"] },
    });
    expect((await write(eve, "/b/c")).body).toMatchObject({ code: "FORBIDDEN", details: { rule: "role" } });
    const readOnly = await server.token("ann", { scope: "contexts:read" });
    expect((await write(readOnly, "/a")).body).toMatchObject({ code: "FORBIDDEN", details: { rule: "scope" } });
    const none = await server.token("ann", { scope: "openid" });
    expect((await server.call(none, "GET", `/v1/contexts/${id}`)).body).toMatchObject({
      code: "FORBIDDEN",
      details: { rule: "scope", scope: "contexts:read" },
    });
  });

  test("a list is checked before it is taken", async () => {
    const id = await contextOf();
    for (const grants of [
      [{ principal: "bob", role: "owner" }],
      [{ principal: "", role: "reader" }],
      [{ principal: "bob", role: "reader", paths: ["/a"] }],
      [{ principal: "bob", role: "writer", paths: ["a"] }],
      [{ principal: "bob", role: "writer", paths: [] }],
      [{ principal: "bob", role: "reader", until: "tomorrow" }],
      "everybody",
    ]) {
      const answer = await server.call(ann, "PUT", `/v1/contexts/${id}/acl`, { grants });
      expect([grants, answer.status, answer.body.code]).toEqual([grants, 400, "INVALID_REQUEST"]);
    }
    expect((await server.call(ann, "GET", `/v1/contexts/${id}/acl`)).body).toEqual({ grants: [] });
  });
});

describe("[ACL-5] stock editors", () => {
  test("a reader reads, and is closed with the reason when it writes; nobody sees what it wrote", async () => {
    const id = await contextOf({ principal: "bob", role: "reader" });
    const [reader, writer] = [open(id, bob), open(id, ann)];
    await Promise.all([reader.synced(), writer.synced()]);
    writer.doc.getMap("data").set("a", 2);
    await until(reader.doc, () => reader.doc.getMap("data").get("a") === 2);
    const closed = closing(reader);
    reader.doc.getMap("data").set("secret", "of bob");
    expect(await closed).toBe("4403 FORBIDDEN");
    writer.doc.getMap("data").set("a", 3);
    const again = openStockClient({ url: server.url, contextId: id, token: bob, doc: new Y.Doc() });
    await again.synced();
    await until(again.doc, () => again.doc.getMap("data").get("a") === 3);
    expect(again.doc.getMap("data").has("secret")).toBe(false);
    expect(writer.doc.getMap("data").has("secret")).toBe(false);
    for (const client of [reader, writer, again]) client.close();
  });
});

describe("[ACL-8] [ACL-9] [AUTH-30] what is open ends with the right to it", () => {
  async function opened(id: string, token: string) {
    const client = open(id, token);
    await client.synced();
    const response = await fetch(`${server.url}/v1/contexts/${id}/changes`, {
      headers: { authorization: `Bearer ${token}`, accept: "text/event-stream" },
    });
    return { client, closed: closing(client), feed: response.text() };
  }

  test("by a new list: 4404, and the feed says CONTEXT_NOT_FOUND", async () => {
    const id = await contextOf({ principal: "bob", role: "reader" });
    const { client, closed, feed } = await opened(id, bob);
    await setAcl(id);
    expect(await closed).toBe("4404 CONTEXT_NOT_FOUND");
    expect(await feed).toMatch(/event: problem\ndata: .*CONTEXT_NOT_FOUND/);
    client.close();
  });

  /** At several nodes within a second; three requests in a row meet all of them. */
  async function untilRevoked(token: string): Promise<void> {
    for (let node = 0; node < 3; node++)
      await expect.poll(async () => (await server.call(token, "GET", "/v1/contexts")).status).toBe(401);
  }

  test("by a revocation: 4401, and the feed says UNAUTHENTICATED, without anything else happening", async () => {
    const id = await contextOf({ principal: "bob", role: "reader" });
    const lost = await server.token("bob", { jti: "lost" });
    const { client, closed, feed } = await opened(id, lost);
    const kept = await opened(id, bob);
    const answer = await server.call(await server.admin(), "POST", "/v1/revocations", { tokenId: "lost", reason: "x" });
    expect(answer.body).toMatchObject({ revocation: { tokenId: "lost", revokedBy: "ops" } });
    expect(await closed).toBe("4401 UNAUTHENTICATED");
    expect(await feed).toMatch(/event: problem\ndata: .*UNAUTHENTICATED/);
    await untilRevoked(lost);
    const after = await server.call(lost, "GET", `/v1/contexts/${id}`);
    expect([after.status, after.body]).toMatchObject([401, { details: { rule: "revoked" } }]);
    expect(kept.client.provider.wsconnected).toBe(true);
    // all that the subject has
    await server.call(await server.admin(), "POST", "/v1/revocations", { subject: "bob" });
    expect(await kept.closed).toBe("4401 UNAUTHENTICATED");
    for (const it of [client, kept.client]) it.close();
    await untilRevoked(bob);
  });

  test("only by an admin of the server", async () => {
    expect((await server.call(ann, "POST", "/v1/revocations", { subject: "ann" })).body.code).toBe("FORBIDDEN");
    expect((await server.call(ann, "GET", "/v1/revocations")).body.code).toBe("FORBIDDEN");
  });
});

test("[AUTH-33] a token comes by header, by subprotocol, or as a parameter of a socket; the chosen subprotocol is never it", async () => {
  const id = await contextOf();
  const path = `/sync/${id}`;
  const offered = `${SUBPROTOCOL}, ${TOKEN_PROTOCOL}${ann}`;
  const isHello = (message: Uint8Array): boolean => message[0] === 100;
  for (const [target, headers] of [
    [path, { "Sec-WebSocket-Protocol": offered }],
    [path, { Authorization: `Bearer ${ann}`, "Sec-WebSocket-Protocol": SUBPROTOCOL }],
    [`${path}?token=${ann}`, { "Sec-WebSocket-Protocol": SUBPROTOCOL }],
  ] satisfies [string, Record<string, string>][]) {
    const socket = await openRawSocket(server.url, target, headers);
    await socket.until(isHello);
    socket.destroy();
  }
  const stock = await openRawSocket(server.url, path, { "Sec-WebSocket-Protocol": `${TOKEN_PROTOCOL}${ann}` });
  await stock.until((message) => message[0] === 0);
  stock.destroy();
  // not in the address of a request: addresses are logged
  const inQuery = await fetch(`${server.url}/v1/contexts?token=${ann}`);
  expect([inQuery.status, inQuery.headers.get("www-authenticate")]).toEqual([401, "Bearer"]);
});

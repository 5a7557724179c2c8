/** Requests that the server sends by itself, over real sockets: rules HOOK-15 and HOOK-16. */
import { createServer } from "node:http";
import type { IncomingMessage, RequestListener, Server, ServerResponse } from "node:http";
import { once } from "node:events";
import type { Socket } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { HttpPost } from "../../server/outbound/http-post.ts";
import { TargetPolicy } from "../../server/outbound/target-policy.ts";
import { turns } from "../support/event-loop.ts";

let server: Server;
let port: number;
let sender: HttpPost;
let handle: RequestListener;
let requests: { readonly request: IncomingMessage; readonly body: string }[];
let sockets: Set<Socket>;

beforeEach(async () => {
  requests = [];
  sockets = new Set();
  handle = (_request, response) => void response.writeHead(204).end();
  server = createServer((request, response) => void receive(request, response));
  server.on("connection", (socket) => sockets.add(socket));
  server.listen({ port: 0, host: "127.0.0.1" });
  await once(server, "listening");
  const address = server.address();
  port = typeof address === "object" && address !== null ? address.port : 0;
  sender = new HttpPost(new TargetPolicy([]));
});

afterEach(async () => {
  sender.close();
  server.close();
  server.closeAllConnections();
  await once(server, "close");
});

async function receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let body = "";
  for await (const chunk of request.setEncoding("utf8")) body += chunk;
  requests.push({ request, body });
  handle(request, response);
}

const post = (path = "/hook", more: { host?: string; signal?: AbortSignal; using?: HttpPost } = {}) =>
  (more.using ?? sender).post({
    url: `http://${more.host ?? "127.0.0.1"}:${port}${path}`,
    headers: { "content-type": "application/json", "webhook-id": "d1" },
    body: '{"é":1}',
    signal: more.signal ?? new AbortController().signal,
  });

/** Sends headers, and of a body without end as much as is taken. */
const endless = (response: ServerResponse): void => {
  response.writeHead(200);
  const more = (): void => {
    while (response.write(Buffer.alloc(16_384)));
    response.once("drain", more);
  };
  more();
};

test("a request arrives as it was asked for, and its status comes back", async () => {
  handle = (_, response) => void response.writeHead(429, { "retry-after": "17" }).end("wait");
  expect(await post("/a?b=c")).toEqual({ status: 429, retryAfterMs: 17_000 });
  const [{ request, body } = { request: undefined, body: "" }] = requests;
  expect(request).toMatchObject({ method: "POST", url: "/a?b=c" });
  expect(request?.headers).toMatchObject({
    "content-type": "application/json",
    "webhook-id": "d1",
    "content-length": "8",
  });
  expect(body).toBe('{"é":1}');
});

test("a date in Retry-After, or nonsense, is no answer to when", async () => {
  handle = (_, response) => void response.writeHead(503, { "retry-after": "Wed, 21 Oct 2026 07:28:00 GMT" }).end();
  expect(await post()).toEqual({ status: 503 });
});

test("[HOOK-16] a redirect is not followed", async () => {
  handle = (_, response) => void response.writeHead(307, { location: `http://127.0.0.1:${port}/elsewhere` }).end();
  expect(await post()).toEqual({ status: 307 });
  expect(requests).toHaveLength(1);
});

test("[HOOK-16] of a body without end a bounded part is read; the status counts", async () => {
  handle = (_, response) => endless(response);
  expect(await post()).toEqual({ status: 200 });
  await expect.poll(() => [...sockets].every((socket) => socket.destroyed)).toBe(true);
});

test("[HOOK-16] a body that never ends counts when the caller gives up: the status has come", async () => {
  const given = new AbortController();
  handle = (_, response) => {
    response.writeHead(202);
    response.write("a");
    response.flushHeaders();
    // whoever waits for it in this process has it by then
    void turns(50).then(() => given.abort());
  };
  expect(await post("/", { signal: given.signal })).toEqual({ status: 202 });
});

test("a target that says nothing is left when the caller gives up", async () => {
  const given = new AbortController();
  handle = () => given.abort();
  await expect(post("/", { signal: given.signal })).rejects.toThrow(/abort/i);
  await expect.poll(() => [...sockets].every((socket) => socket.destroyed)).toBe(true);
});

test("a connection is used again; one that the target closed in that moment is no failure", async () => {
  await post();
  await post();
  expect(sockets.size).toBe(1);
  // answers nothing on the used connection, as one that closes it while the request is on its way
  handle = (request, response) => {
    handle = (_, next) => void next.writeHead(204).end();
    request.socket.destroy();
    response.destroy();
  };
  expect(await post()).toEqual({ status: 204 });
  expect(sockets.size).toBe(2);
});

test("a new connection that is closed without an answer is a failure", async () => {
  handle = (request) => void request.socket.destroy();
  await expect(post()).rejects.toThrow(/socket hang up|ECONNRESET/);
  expect(requests).toHaveLength(1);
});

test("[HOOK-15] what a name resolves to is checked before anything is connected", async () => {
  expect(await post("/", { host: "localhost" })).toEqual({ status: 204 });
  // localhost is the one name that resolves everywhere: here it counts as a name that says nothing of loopback
  class Strict extends TargetPolicy {
    override checkAddress(_host: string, address: string): void {
      super.checkAddress("public.example", address);
    }
  }
  const strict = new HttpPost(new Strict([]));
  await expect(post("/", { host: "localhost", using: strict })).rejects.toMatchObject({ code: "TARGET_REFUSED" });
  strict.close();
  expect(sockets.size).toBe(1);
});

test("[HOOK-14] a URL is checked at each request, also one that was registered before", async () => {
  await expect(post("/", { host: "10.0.0.1" })).rejects.toMatchObject({ code: "TARGET_REFUSED" });
});

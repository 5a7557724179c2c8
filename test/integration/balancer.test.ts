/** The balancer of the layer `nodes`: what it leads where, and that it passes on ends and breaks and keeps no socket. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer as createTcpServer } from "node:net";
import type { AddressInfo, Server as TcpServer, Socket } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Balancer } from "../support/balancer.ts";
import { openHttpText } from "../support/http-text.ts";

let balancer: Balancer;
const servers: (Server | TcpServer)[] = [];

beforeEach(async () => {
  balancer = await Balancer.start();
});
afterEach(async () => {
  await balancer.close();
  for (const server of servers.splice(0)) server.close();
});

async function listening(server: Server | TcpServer): Promise<string> {
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Servers that answer with their number, and what they are asked. */
async function numbered(count: number): Promise<string[]> {
  const urls: string[] = [];
  const answering = (n: number) => async (request: IncomingMessage, response: ServerResponse) => {
    let bytes = 0;
    for await (const chunk of request) bytes += (chunk as Buffer).byteLength;
    if (request.headers["mcp-session-id"] === undefined && request.url === "/begin")
      response.setHeader("Mcp-Session-Id", `session-${n}`);
    response.end(`${n} ${bytes}`);
  };
  for (let n = 0; n < count; n++) urls.push(await listening(createServer((...args) => void answering(n)(...args))));
  return urls;
}

/** A server that does something to each of its connections once it heard of it. */
async function doing(task: (socket: Socket) => void): Promise<string> {
  const server = createTcpServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => undefined);
    socket.once("data", () => task(socket));
  });
  return listening(server);
}

const ask = async (path = "", init: RequestInit = {}) => (await fetch(`${balancer.url}/${path}`, init)).text();

test("requests go to one after the other, whole; one that is not there is passed over", async () => {
  const [first = "", second = "", third = ""] = await numbered(3);
  balancer.spread([first, second, third]);
  const body = "x".repeat(500_000);
  const told = [];
  for (let n = 0; n < 6; n++) told.push(await ask("", { method: "POST", body }));
  expect(told).toEqual([0, 1, 2, 0, 1, 2].map((n) => `${n} ${body.length}`));
  expect(balancer.taken).toEqual([2, 2, 2]);
  const gone = servers.splice(1, 1)[0];
  gone?.close();
  const without = [];
  for (let n = 0; n < 3; n++) without.push(await ask());
  expect(without).toEqual(["0 0", "2 0", "2 0"]);
});

test("a session of MCP stays where it is, and goes on elsewhere when its server is led to no more", async () => {
  const [first = "", second = ""] = await numbered(2);
  balancer.spread([first, second]);
  const begun = await fetch(`${balancer.url}/begin`);
  const headers = { "Mcp-Session-Id": begun.headers.get("mcp-session-id") ?? "" };
  expect(headers).toEqual({ "Mcp-Session-Id": "session-0" });
  for (let n = 0; n < 3; n++) expect(await ask("", { headers })).toBe("0 0");
  balancer.spread([second]);
  expect(await ask("", { headers })).toBe("1 0");
});

test("an end of either side is passed on, and the other may go on", async () => {
  const url = await doing((socket) => {
    socket.end("bye");
    socket.on("end", () => socket.destroy());
  });
  balancer.spread([url]);
  const client = await openHttpText(balancer.url, "hello");
  expect(await client.ended()).toBe("bye");
  const late = await doing((socket) => socket.on("end", () => socket.end("all heard")).resume());
  balancer.spread([late]);
  const asking = await openHttpText(balancer.url, "hello");
  asking.socket.end(" and that is all");
  expect(await asking.ended()).toBe("all heard");
  await expect.poll(() => balancer.socketCount).toBe(0);
});

test("a break of either side is passed on", async () => {
  balancer.spread([await doing((socket) => socket.resetAndDestroy())]);
  const client = await openHttpText(balancer.url, "hello");
  expect(await client.ended()).toBe("");
  let isBroken: (is: boolean) => void = () => undefined;
  const broken = new Promise<boolean>((resolve) => (isBroken = resolve));
  balancer.spread([
    await doing((socket) => {
      socket.on("end", () => isBroken(true)).on("error", () => isBroken(true));
      socket.resume().write("yes?");
    }),
  ]);
  const leaving = await openHttpText(balancer.url, "hello");
  await leaving.until(/yes/);
  leaving.socket.resetAndDestroy();
  expect(await broken).toBe(true);
  await expect.poll(() => balancer.socketCount).toBe(0);
});

test("who finds no server, or says nothing, is let go", async () => {
  balancer.spread([]);
  expect(await (await openHttpText(balancer.url, "hello")).ended()).toBe("");
  const silent = await openHttpText(balancer.url);
  silent.socket.end();
  expect(await silent.ended()).toBe("");
  await expect.poll(() => balancer.socketCount).toBe(0);
});

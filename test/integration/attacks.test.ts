/**
 * Attacks on connections, HTTP and frames over real sockets (P8): each named, each with what the attacker sees, while an honest
 * client on the same server works on.
 *
 * Not here: attacks on identity (token-attacks.test.ts), on what JSON means and who asks (content-attacks.test.ts), on documents
 * (hostile.test.ts).
 */
import { connect } from "node:net";
import { deflateRawSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import * as Y from "yjs";
import { FRAME, encodeAwareness, encodeStep1, encodeStep2, encodeUpdate } from "../../shared/protocol/frames.ts";
import { LIMITS } from "../../shared/limits.ts";
import { openBystander } from "../support/bystander.ts";
import type { Bystander } from "../support/bystander.ts";
import { openHttpText, requestText } from "../support/http-text.ts";
import { frame, openRawSocket } from "../support/raw-socket.ts";
import type { RawSocket } from "../support/raw-socket.ts";
import { startSecureServer } from "../support/secure-server.ts";
import type { SecureServer } from "../support/secure-server.ts";

interface Site {
  readonly server: SecureServer;
  readonly bystander: Bystander;
  /** Of the attacker, who may do anything in the context `den`. */
  readonly token: string;
}

let site: Site;
const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
const attacker = () => openRawSocket(site.server.url, `/sync/den?token=${site.token}`);
const text = (line: string, headers: readonly string[] = [], body = "") =>
  requestText(site.server.url, line, headers, body);
const auth = (token = site.token) => `Authorization: Bearer ${token}`;
const dataAt = async (path: string) =>
  (await site.server.call(site.token, "GET", `/v1/contexts/den?path=${path}`)).body["data"];

/** A server for the tests of the describe in which it is called; after each of them the bystander must work on. */
function useServer(edges?: Parameters<typeof startSecureServer>[1]): void {
  beforeAll(async () => {
    const server = await startSecureServer(undefined, edges);
    const token = await server.token("mallory");
    site = { server, token, bystander: await openBystander(server, "garden") };
    expect((await server.call(token, "POST", "/v1/contexts", { id: "den", data: {} })).status).toBe(201);
    // its connections are there before any attacker's
    await site.bystander.worksOn();
  });
  afterAll(async () => {
    site.bystander.close();
    await site.server.close();
  });
  afterEach(() => site.bystander.worksOn());
}

/** Sends bytes and resolves with the close code. */
async function closeCodeAfter(...messages: Uint8Array[]): Promise<number> {
  const raw = await attacker();
  for (const message of messages) raw.write(message);
  const code = await raw.closeCode();
  raw.destroy();
  return code;
}

describe("[EDGE-14] slowness", () => {
  // seconds become tenths
  useServer({ limits: { upgradeMsMax: 500, requestMsMax: 1000, answerMsMax: 1000 } });

  test.each<[string, () => string, string]>([
    ["headers that never end", () => "GET /v1/contexts HTTP/1.1\r\n", "X-Slow: y\r\n"],
    ["an upgrade that never ends", () => "GET /sync/den HTTP/1.1\r\nUpgrade: websocket\r\n", "X-Slow: y\r\n"],
    [
      "bodies that never end",
      () => text("POST /v1/contexts", [auth(), "Content-Type: application/json", "Content-Length: 1000000"]),
      " ",
    ],
    [
      "chunked bodies that never end",
      () => text("POST /v1/contexts", [auth(), "Content-Type: application/json", "Transfer-Encoding: chunked"]),
      "1\r\n \r\n",
    ],
    ["silence", () => "", ""],
  ])("30 connections with %s", async (_what, first, rest) => {
    const lines = await Promise.all(Array.from({ length: 30 }, () => openHttpText(site.server.url, first())));
    const timer = setInterval(() => {
      for (const line of lines) line.write(rest);
    }, 30);
    await site.bystander.worksOn();
    const answers = await Promise.all(lines.map((line) => line.ended()));
    clearInterval(timer);
    for (const answer of answers) expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /);
  });

  test("a frame that never ends, and a client that sends it again and again", async () => {
    const lines = await Promise.all(Array.from({ length: 20 }, attacker));
    for (const line of lines) line.write(bytes(0x82, 0xfe, 0xff));
    await site.bystander.worksOn();
    for (const line of lines) line.destroy();
  });

  test("answers of megabytes, asked for and never read: no more is made of them than the rate allows", async () => {
    const { server, bystander } = site;
    const greedy = await server.token("greedy");
    const value = "x".repeat(1_000_000);
    const data = { a: value, b: value, c: value };
    expect((await server.call(greedy, "POST", "/v1/contexts", { id: "heap", data })).status).toBe(201);
    const lines = await Promise.all(Array.from({ length: 20 }, () => openHttpText(server.url)));
    for (const line of lines) {
      line.socket.pause();
      line.write(text("GET /v1/contexts/heap", [auth(greedy)]).repeat(5));
    }
    await bystander.worksOn();
    let bytesRead = 0;
    for (const line of lines) {
      line.socket.resume();
      await line.ended();
      bytesRead += line.socket.bytesRead;
    }
    const { actorBytesPerS, rateBurstS } = LIMITS;
    // 180 MB were asked for
    expect(bytesRead).toBeLessThan(actorBytesPerS * (rateBurstS + 5));
  });
});

describe("[EDGE-14] floods of connections", () => {
  const CONNECTIONS_MAX = 60;
  useServer({ environment: { MCM_ADDRESS_CONNECTIONS_MAX: String(CONNECTIONS_MAX) } });

  test("from one address: those beyond twice the limit are cut unread", async () => {
    const { server, bystander } = site;
    const { hostname, port } = new URL(server.url);
    let cut = 0;
    const sockets = Array.from({ length: 3 * CONNECTIONS_MAX }, () => {
      const socket = connect({ host: hostname, port: Number(port) });
      socket.on("error", () => undefined).once("close", () => void cut++);
      return socket.resume();
    });
    await expect.poll(() => cut, { interval: 10, timeout: 30_000 }).toBeGreaterThanOrEqual(CONNECTIONS_MAX - 1);
    // now: those that say nothing are not there for ever
    expect(cut).toBeLessThan(2 * CONNECTIONS_MAX);
    await bystander.worksOn();
    for (const socket of sockets) socket.destroy();
    await expect.poll(() => closeCodeAfter(frame(bytes())).catch(() => -1), { timeout: 30_000 }).toBe(4400);
  });

  test("that all stay: those beyond the limit are told so", async () => {
    const open: RawSocket[] = [];
    const codes: number[] = [];
    const another = async (): Promise<number> => {
      const raw = await attacker().catch(() => undefined);
      if (raw !== undefined) open.push(raw);
      void raw?.closeCode().then((code) => codes.push(code));
      return codes.length;
    };
    await expect.poll(another, { interval: 5, timeout: 20_000 }).toBeGreaterThan(3);
    expect(new Set(codes)).toEqual(new Set([4429]));
    expect(open.length).toBeGreaterThanOrEqual(CONNECTIONS_MAX);
    await site.bystander.worksOn();
    for (const line of open) line.destroy();
    await expect.poll(() => closeCodeAfter(frame(bytes())).catch(() => -1), { timeout: 30_000 }).toBe(4400);
  });

  test("without a token: each is told and gone", async () => {
    let refused = 0;
    const another = async (): Promise<number> => {
      const raw = await openRawSocket(site.server.url, "/sync/den").catch(() => undefined);
      if ((await raw?.closeCode()) === 4401) refused++;
      raw?.destroy();
      return refused;
    };
    await expect.poll(another, { interval: 1, timeout: 20_000 }).toBeGreaterThan(3 * CONNECTIONS_MAX);
  });
});

describe("[EDGE-14] floods of messages", () => {
  useServer();

  test("of questions who is here: one answer a turn, not one a question", async () => {
    const crowd = await Promise.all(Array.from({ length: 20 }, attacker));
    const state = JSON.stringify({ x: "x".repeat(10_000) });
    for (const [i, one] of crowd.entries()) {
      one.write(frame(encodeAwareness([{ yjsClientId: i + 1, clock: 1, state }])));
    }
    const raw = await attacker();
    await raw.until((message) => message[0] === FRAME.awareness && message.byteLength > 1000);
    const before = raw.socket.bytesRead;
    const questions = Buffer.concat(Array.from({ length: 5000 }, () => frame(bytes(FRAME.queryAwareness))));
    raw.write(questions);
    const doc = new Y.Doc();
    doc.getMap("data").set("last", "of all");
    const done = raw.until((message) => Buffer.from(message).includes("of all"));
    raw.write(frame(encodeStep1(bytes(0))));
    crowd[0]?.write(frame(encodeUpdate(Y.encodeStateAsUpdate(doc))));
    await done;
    // 5,000 answers would be a gigabyte
    expect(raw.socket.bytesRead - before).toBeLessThan(50_000_000);
    for (const one of [raw, ...crowd]) one.destroy();
  });

  test("of frames beyond any rate: they are read as fast as is allowed, and none is lost", async () => {
    const raw = await attacker();
    const doc = new Y.Doc();
    const updates: Uint8Array[] = [];
    doc.on("update", (update: Uint8Array) => void updates.push(frame(encodeUpdate(update))));
    const count = LIMITS.actorFramesPerS * (LIMITS.rateBurstS + 1);
    for (let i = 1; i <= count; i++) doc.getMap("data").set("n", i);
    raw.write(Buffer.concat(updates));
    await site.bystander.worksOn();
    await expect.poll(() => dataAt("/n"), { timeout: 30_000, interval: 200 }).toBe(count);
    raw.destroy();
  }, 60_000);

  test("of pings", async () => {
    const raw = await attacker();
    const ping = frame(new Uint8Array(125), { opcode: 9 });
    raw.write(Buffer.concat(Array.from({ length: 20_000 }, () => ping)));
    await site.bystander.worksOn();
    raw.destroy();
  });
});

describe("[EDGE-14] frames that are wrong", () => {
  useServer();

  const huge = (length: bigint, firstByte = 0x82): Uint8Array => {
    const head = Buffer.alloc(14);
    head[0] = firstByte;
    head[1] = 0xff;
    head.writeBigUInt64BE(length, 2);
    return head;
  };
  const first = frame(bytes(0), { firstByte: 0x02 });
  const next = frame(bytes(0), { firstByte: 0x00 });
  const half = new Uint8Array(LIMITS.frameBytesMax + 1);
  const bomb = deflateRawSync(new Uint8Array(50_000_000));

  test.each<[string, number, () => Uint8Array[]]>([
    ["one of 2^53 bytes", 1009, () => [huge(2n ** 53n - 1n)]],
    ["one of 2^63 bytes", 1009, () => [huge(2n ** 63n)]],
    ["one of a little more than the limit", 4413, () => [frame(half)]],
    [
      "fragments that are too large together",
      1009,
      () => [frame(half, { firstByte: 0x02 }), frame(half, { firstByte: 0x80 })],
    ],
    ["20,000 fragments", 1008, () => [Buffer.concat([first, ...Array.from({ length: 20_000 }, () => next)])]],
    ["a continuation of nothing", 1002, () => [frame(bytes(0), { firstByte: 0x80 })]],
    ["a message in the middle of another", 1002, () => [first, frame(bytes(0))]],
    ["a bomb for who decompresses (RSV1)", 1002, () => [frame(bomb, { firstByte: 0xc2 })]],
    ["RSV2 and RSV3", 1002, () => [frame(bytes(0), { firstByte: 0xb2 })]],
    ...[3, 7, 11, 15].map((opcode): [string, number, () => Uint8Array[]] => [
      `the unknown opcode ${opcode}`,
      1002,
      () => [frame(bytes(0), { opcode })],
    ]),
    ["a ping in fragments", 1002, () => [frame(bytes(0), { firstByte: 0x09 })]],
    ["a ping of 126 bytes", 1002, () => [frame(new Uint8Array(126), { opcode: 9 })]],
    ["one without a mask", 1002, () => [bytes(0x82, 1, 0)]],
    ["a close with a code that there is not", 1002, () => [frame(bytes(0, 1), { opcode: 8 })]],
    ["a close of one byte", 1002, () => [frame(bytes(3), { opcode: 8 })]],
    ["text", 4400, () => [frame(Buffer.from("hello"), { opcode: 1 })]],
    ["text that is not UTF-8", 1007, () => [frame(bytes(0xff, 0xfe), { opcode: 1 })]],
    ["HTTP", 1002, () => [Buffer.from("GET / HTTP/1.1\r\n\r\n")]],
  ])("%s closes with %i", async (_what, code, messages) => {
    expect(await closeCodeAfter(...messages())).toBe(code);
  });

  test("honest fragments, with pings between them, are one message", async () => {
    const raw: RawSocket = await attacker();
    const doc = new Y.Doc();
    doc.getMap("data").set("whole", "again");
    const message = encodeStep2(Y.encodeStateAsUpdate(doc));
    const [head, tail] = [message.subarray(0, 5), message.subarray(5)];
    raw.write(frame(head, { firstByte: 0x02 }));
    raw.write(frame(bytes(1), { opcode: 9 }));
    raw.write(frame(tail, { firstByte: 0x80 }));
    await expect.poll(() => dataAt("/whole")).toBe("again");
    raw.destroy();
  });
});

describe("[EDGE-14] HTTP that two readers would read differently", () => {
  useServer();

  const smuggled = () => text("POST /v1/contexts", [auth(), "Content-Type: application/json"], '{"id":"smuggled"}');
  const post = (headers: readonly string[], body: string) =>
    text("POST /v1/contexts", [auth(), "Content-Type: application/json", ...headers], body);

  test.each<[string, () => string]>([
    ["two lengths", () => post(["Content-Length: 2", "Content-Length: 40"], `{}${smuggled()}`)],
    ["two lengths in one", () => post(["Content-Length: 2, 40"], `{}${smuggled()}`)],
    ["a length and chunks", () => post(["Content-Length: 40", "Transfer-Encoding: chunked"], `0\r\n\r\n${smuggled()}`)],
    ["chunks and a length", () => post(["Transfer-Encoding: chunked", "Content-Length: 40"], `0\r\n\r\n${smuggled()}`)],
    ["chunks of another coding", () => post(["Transfer-Encoding: xchunked"], `0\r\n\r\n${smuggled()}`)],
    ["chunks twice", () => post(["Transfer-Encoding: chunked, identity"], `0\r\n\r\n${smuggled()}`)],
    [
      "a hidden Transfer-Encoding",
      () => post(["Transfer-Encoding : chunked", "Content-Length: 40"], `0\r\n\r\n${smuggled()}`),
    ],
    [
      "a folded Transfer-Encoding",
      () => post(["X: y\r\n Transfer-Encoding: chunked", "Content-Length: 4"], `0\r\n\r\n${smuggled()}`),
    ],
    ["a negative length", () => post(["Content-Length: -2"], `{}${smuggled()}`)],
    ["a length with a sign", () => post(["Content-Length: +2"], `{}${smuggled()}`)],
    ["a length beyond numbers", () => post(["Content-Length: 99999999999999999999999"], `{}${smuggled()}`)],
    ["a chunk of a negative size", () => post(["Transfer-Encoding: chunked"], `-1\r\n{}\r\n0\r\n\r\n${smuggled()}`)],
    ["a chunk of 2^64", () => post(["Transfer-Encoding: chunked"], `10000000000000000\r\n{}\r\n`)],
    [
      "endless chunk extensions",
      () => post(["Transfer-Encoding: chunked"], `2;${"x".repeat(20_000)}\r\n{}\r\n0\r\n\r\n`),
    ],
    ["a line break in the address", () => `GET /v1/contexts\r\nX: y HTTP/1.1\r\nHost: localhost\r\n\r\n`],
    ["a null byte in a header", () => text("GET /v1/contexts", ["X: a\0b"])],
    ["bare line feeds", () => `GET /v1/contexts HTTP/1.1\nHost: localhost\nX: y\n\n`],
  ])("%s", async (_what, request) => {
    const line = await openHttpText(site.server.url, request());
    const answer = await line.ended();
    expect(answer).toMatch(/^HTTP\/1\.1 4(?:00|13|01) /);
    expect(answer.match(/HTTP\/1\.1 /g)).toHaveLength(1);
    const found = await site.server.call(site.token, "GET", "/v1/contexts/smuggled");
    expect(found.status).toBe(404);
  });

  test("requests that follow each other without waiting are answered in order", async () => {
    const asked = ["/healthz", "/nowhere", "/v1/contexts/den"].map((path) => text(`GET ${path}`, [auth()]));
    const last = text("GET /readyz", ["Connection: close"]);
    const answer = await (await openHttpText(site.server.url, [...asked, last].join(""))).ended();
    expect(answer.match(/HTTP\/1\.1 \d+/g)?.map((status) => status.slice(-3))).toEqual(["200", "404", "200", "200"]);
  });
});

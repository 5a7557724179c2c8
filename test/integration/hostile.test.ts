/**
 * Hostile clients over real sockets (P8): after each attack the process lives, the document lives, and others still sync.
 * The attacks are those that killed or deafened other Yjs servers.
 */
import * as encoding from "lib0/encoding";
import * as Y from "yjs";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { LIMITS } from "../../shared/limits.ts";
import { FRAME, encodeAwareness, encodeStep1, encodeStep2, encodeUpdate } from "../../shared/protocol/frames.ts";
import { HOSTILE_UPDATES, victimDoc } from "../support/hostile-updates.ts";
import { frame, openRawSocket } from "../support/raw-socket.ts";
import type { RawSocket } from "../support/raw-socket.ts";
import { createContext, readContext, startTestServer, until } from "../support/running-server.ts";
import type { TestServer } from "../support/running-server.ts";
import { openStockClient } from "../support/stock-client.ts";
import type { StockClient } from "../support/stock-client.ts";

let server: TestServer;
let writer: StockClient;
let reader: StockClient;
let round = 0;

beforeAll(async () => {
  server = await startTestServer();
});
afterAll(async () => {
  await server.close();
});

/** Two honest editors on a context that holds the victim document. */
beforeEach(async () => {
  const id = `room-${++round}`;
  await createContext(server, id);
  writer = openStockClient({ url: server.url, contextId: id, actor: "writer", doc: victimDoc() });
  reader = openStockClient({ url: server.url, contextId: id, actor: "reader" });
  await Promise.all([writer.synced(), reader.synced()]);
  await until(reader.doc, () => dataOf(reader).get("secret") === "s");
});

/** What must hold after every attack. */
afterEach(async () => {
  try {
    dataOf(writer).set("still", round);
    await until(reader.doc, () => dataOf(reader).get("still") === round);
    const late = openStockClient({ url: server.url, contextId: `room-${round}`, actor: "late" });
    await late.synced();
    expect(dataOf(late).toJSON()).toEqual(dataOf(writer).toJSON());
    dataOf(late).set("late", round);
    await until(reader.doc, () => dataOf(reader).get("late") === round);
    late.close();
    expect(await readContext(server, `room-${round}`)).toMatchObject({ data: { secret: "s", still: round } });
    expect(server.logger.failures).toEqual([]);
  } finally {
    writer.close();
    reader.close();
  }
});

const attacker = () => openRawSocket(server.url, `/sync/room-${round}?actor=mallory`);

/** Sends bytes and resolves with the close code. */
async function attack(...messages: Uint8Array[]): Promise<number> {
  const raw = await attacker();
  for (const message of messages) raw.write(message);
  return raw.closeCode();
}

const dataOf = ({ doc }: StockClient): Y.Map<unknown> => doc.getMap("data");
const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
const binary = (...values: number[]): Uint8Array => frame(bytes(...values));
const text = (content: string): Uint8Array => frame(new TextEncoder().encode(content), { opcode: 1 });

describe("[WIRE-18] one frame that is wrong", () => {
  test.each<[string, Uint8Array, number]>([
    ["RSV1 set", frame(bytes(1), { firstByte: 0xc2 }), 1002],
    ["an invalid opcode", frame(bytes(1), { firstByte: 0x83 }), 1002],
    ["a length of 100 MiB and more", bytes(0x82, 0xff, 0, 0, 0, 0, 0x06, 0x40, 0, 1, 1, 2, 3, 4), 1009],
    ["a text message that stock servers take for a length", text("99999999999999"), 4400],
    ["a message above our limit", frame(new Uint8Array(LIMITS.frameBytesMax + 1)), 4413],
    ["nothing at all", binary(), 4400],
    ["a truncated varint", binary(0x80), 4400],
    ["a length of 2^40", binary(0, 2, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20), 4400],
    ["an unknown type", binary(77), 4400],
    ["an unknown sync step", binary(0, 9), 4400],
    ["awareness that is not JSON", binary(1, 4, 1, 1, 1, 1, 0x7b), 4400],
    ["a state vector that lies about its length", frame(encodeStep1(bytes(0xff, 0x7f))), 4400],
  ])("%s", async (_what, message, code) => {
    expect(await attack(message)).toBe(code);
  });

  test("a request deeper than parsers stand is answered, and the session goes on", async () => {
    const deep = "[".repeat(100_000) + "]".repeat(100_000);
    const request = encoding.encode((encoder) => {
      encoding.writeVarUint(encoder, FRAME.request);
      encoding.writeVarUint(encoder, 1);
      for (const part of ["change", `{"changes":${deep}}`]) encoding.writeVarString(encoder, part);
    });
    const raw = await openRawSocket(server.url, `/sync/room-${round}`, { "Sec-WebSocket-Protocol": "mcm.v1" });
    const refused = raw.until(
      (message) => message[0] === FRAME.response && Buffer.from(message).includes("INVALID_REQUEST"),
    );
    raw.write(frame(request));
    await refused;
    raw.destroy();
  });

  test("random bytes as frames", async () => {
    for (let i = 1; i < 40; i++) {
      const noise = Uint8Array.from({ length: i * 3 }, (_, at) => (i * 131 + at * 197 + ((at * i) ^ 85)) & 255);
      expect([4400, 4403, 4413]).toContain(await attack(frame(noise), binary(77)));
    }
  });

  test("bytes that are no WebSocket", async () => {
    const raw = await attacker();
    raw.write(new Uint8Array(1000).fill(0xff));
    expect([0, 1002]).toContain(await raw.closeCode());
  });
});

describe("updates that harm a document", () => {
  test.each(HOSTILE_UPDATES.map((one) => [one.name, one.update] as const))("[SCAN-1] %s", async (_name, update) => {
    // as the answer to the server's question: an edit with gaps may be right, only too early (WIRE-19)
    expect([4400, 4403, 4413]).toContain(await attack(frame(encodeStep2(update))));
  });

  test("[STATE-2] an edit under the id of somebody else is refused, and nobody sees it", async () => {
    const forged = new Y.Doc();
    Y.applyUpdate(forged, Y.encodeStateAsUpdate(writer.doc));
    forged.clientID = 1;
    const before = Y.encodeStateVector(forged);
    forged.getMap("data").set("secret", "forged");
    expect(await attack(frame(encodeUpdate(Y.encodeStateAsUpdate(forged, before))))).toBe(4403);
    expect(dataOf(reader).get("secret")).toBe("s");
  });
});

describe("floods", () => {
  /** Lets a client that did not read catch up; resolves with the bytes it was sent in all. */
  async function bytesSentTo(raw: RawSocket): Promise<number> {
    const caughtUp = raw.until((message) => Buffer.from(message).includes("the end"));
    raw.socket.resume();
    dataOf(writer).set("mark", "the end");
    await caughtUp;
    const count = raw.socket.bytesRead;
    raw.destroy();
    return count;
  }

  test("[SYNC-4] 2,000 questions for a megabyte by one who does not read", async () => {
    dataOf(writer).set("big", "x".repeat(1024 * 1024 - 100));
    await until(reader.doc, () => dataOf(reader).has("big"));
    const raw = await attacker();
    raw.socket.pause();
    const question = frame(encodeStep1(bytes(0)));
    raw.write(Buffer.concat(Array.from({ length: 2000 }, () => question)));
    dataOf(writer).set("after", 1);
    await until(reader.doc, () => dataOf(reader).get("after") === 1);
    expect(await bytesSentTo(raw)).toBeLessThan(40 * 1024 * 1024);
  });

  test("[SYNC-3] 60 MB of edits past a client that does not read", async () => {
    const raw = await attacker();
    raw.write(frame(encodeStep1(bytes(0)))); // who never asks is never told
    raw.socket.pause();
    const chunk = "x".repeat(1024 * 1024 - 100);
    for (let i = 0; i < 60; i++) dataOf(writer).set("big", `${i}${chunk}`);
    await until(reader.doc, () => String(dataOf(reader).get("big")).startsWith("59"));
    expect(await bytesSentTo(raw)).toBeLessThan(30 * 1024 * 1024);
  });

  test("[PRES-2] [WIRE-6] presence under other names, of thousands, and of enormous size", async () => {
    writer.provider.awareness.setLocalStateField("user", "writer");
    const hears = new Promise<void>((resolve) => {
      const check = (): void => {
        if (reader.provider.awareness.getStates().get(writer.doc.clientID)?.["user"] === "writer") resolve();
      };
      reader.provider.awareness.on("change", check);
      check();
    });
    await hears;
    const spoof = (clock: number, state: string) =>
      frame(encodeAwareness([{ yjsClientId: writer.doc.clientID, clock, state }]));
    expect(await attack(spoof(2 ** 31, '{"user":"mallory"}'), spoof(2 ** 40, "null"), binary(77))).toBe(4400);
    const crowd = Array.from({ length: 1000 }, (_, i) => ({ yjsClientId: 5000 + i, clock: 1, state: "{}" }));
    expect(await attack(frame(encodeAwareness(crowd)))).toBe(4400);
    expect(
      await attack(
        frame(encodeAwareness([{ yjsClientId: 1, clock: 1, state: JSON.stringify({ x: "x".repeat(1e6) }) }])),
      ),
    ).toBe(4413);
    expect(reader.provider.awareness.getStates().get(writer.doc.clientID)).toEqual({
      user: "writer",
      actor: "writer",
    });
    expect(reader.provider.awareness.getStates().size).toBeLessThanOrEqual(3);
  });

  test("3,000 contexts that do not exist leave nothing behind", async () => {
    for (let i = 0; i < 100; i++) {
      const codes = await Promise.all(
        Array.from({ length: 30 }, async (_, k) =>
          (await openRawSocket(server.url, `/sync/nowhere-${i}-${k}`)).closeCode(),
        ),
      );
      expect(new Set(codes)).toEqual(new Set([4404]));
    }
    const found = await fetch(`${server.url}/v1/contexts?query=nowhere`);
    expect(await found.json()).toEqual({ contexts: [] });
  }, 30_000);

  test("a message in 20,000 fragments", async () => {
    const first = frame(bytes(0), { firstByte: 0x02 });
    const next = frame(bytes(0), { firstByte: 0x00 });
    expect(await attack(Buffer.concat([first, ...Array.from({ length: 20_000 }, () => next)]))).toBe(1008);
  });
});

describe("the way in", () => {
  test.each(["__proto__", "constructor", "%00", "..%2f..", "%E0%A4%A", `x${"y".repeat(200)}`])(
    "the context id %s",
    async (id) => {
      const raw = await openRawSocket(server.url, `/sync/${id}`);
      expect([4400, 4404]).toContain(await raw.closeCode());
    },
  );

  test.each<[string, string, Record<string, string>, string]>([
    ["a path that is not ours", "/other", {}, "404"],
    ["no id", "/sync/", {}, "404"],
    ["a page of another site", "/sync/x", { Origin: "https://evil.example" }, "403"],
    ["a name that was rebound to this machine", "/sync/x", { Host: "evil.example" }, "403"],
    ["a broken handshake", "/sync/x", { "Sec-WebSocket-Key": "short" }, "400"],
  ])("%s is refused before the upgrade", async (_what, path, headers, status) => {
    await expect(openRawSocket(server.url, path, headers)).rejects.toThrow(status);
  });

  test("a lone connection that says nothing, and one that stops in the middle of a frame", async () => {
    const raw = await attacker();
    raw.write(bytes(0x82, 0xfe));
    raw.destroy();
    await raw.closeCode();
  });
});

/** The load's WebSocket: the bytes of RFC 6455, read whole however the stream is cut. */
import { describe, expect, test } from "vitest";
import { FrameReader, OPCODE, clientFrame } from "../bench/frames.ts";

const SIZES = [0, 1, 125, 126, 127, 65_535, 65_536, 70_000];

/** As a server frames a message: not masked, in one piece. */
function serverFrame(payload: Buffer): Buffer {
  const size = payload.length;
  const [short, long] = [Buffer.alloc(2), Buffer.alloc(8)];
  short.writeUInt16BE(size & 0xffff);
  long.writeBigUInt64BE(BigInt(size));
  const head = size < 126 ? [size] : size < 65_536 ? [126, ...short] : [127, ...long];
  return Buffer.concat([Buffer.from([0x82, ...head]), payload]);
}

function read(stream: Buffer, chunkBytes: number): { opcode: number; payload: Buffer }[] {
  const frames: { opcode: number; payload: Buffer }[] = [];
  const reader = new FrameReader((opcode, payload) => frames.push({ opcode, payload: Buffer.from(payload) }));
  for (let i = 0; i < stream.length; i += chunkBytes) reader.push(stream.subarray(i, i + chunkBytes));
  return frames;
}

describe("FrameReader", () => {
  const payloads = SIZES.map((size) => Buffer.alloc(size, size % 251));
  const stream = Buffer.concat(payloads.map(serverFrame));

  test.each([1, 2, 3, 7, 1000, 65_536, stream.length])("reads what ws frames, in chunks of %d bytes", (chunkBytes) => {
    const frames = read(stream, chunkBytes);
    expect(frames.map(({ payload }) => payload.length)).toEqual(SIZES);
    expect(frames.every(({ payload }, i) => payload.equals(payloads[i] ?? payload.subarray(1)))).toBe(true);
    expect(new Set(frames.map(({ opcode }) => opcode))).toEqual(new Set([OPCODE.binary]));
  });

  test("keeps an unfinished frame for later", () => {
    expect(read(stream.subarray(0, stream.length - 1), 1000)).toHaveLength(SIZES.length - 1);
  });

  test.each([
    ["a fragment", [0x02, 0x00]],
    ["compressed", [0xc2, 0x00]],
    ["masked", [0x82, 0x80]],
  ])("refuses a frame that is %s", (_, bytes) => {
    expect(() => read(Buffer.from(bytes), 2)).toThrow("fragmented, compressed or masked");
  });
});

describe("clientFrame", () => {
  test("is the masked Hello of RFC 6455 §5.7", () => {
    expect(clientFrame(OPCODE.text, Buffer.from("Hello")).toString("hex")).toBe("818537fa213d7f9f4d5158");
  });

  test.each([
    [125, "82fd"],
    [126, "82fe007e"],
    [65_535, "82feffff"],
    [65_536, "82ff0000000000010000"],
  ])("says that it has %d bytes", (size, head) => {
    const frame = clientFrame(OPCODE.binary, Buffer.alloc(size));
    expect(frame.toString("hex", 0, head.length / 2)).toBe(head);
    expect(frame.length).toBe(head.length / 2 + 4 + size);
  });
});

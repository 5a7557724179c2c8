/**
 * The client's side of RFC 6455 in as little CPU as possible, so that the server under test is the bottleneck.
 *
 * 1. Frames to send are built before the clock starts; the mask is constant (a server must unmask whatever it is).
 * 2. FrameReader hands out views into what the socket gave, a copy only where a frame spans chunks.
 * 3. Fragments, compression and masked server frames are not expected of any server here: they throw.
 *
 * Not here: sockets and the handshake (load-client.ts).
 */

export const OPCODE = { text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

const MASK = [0x37, 0xfa, 0x21, 0x3d] as const;
const FIN = 0x80;
const MASKED = 0x80;

/** One masked frame, ready for the socket. */
export function clientFrame(opcode: number, payload: Uint8Array): Buffer {
  const size = payload.length;
  const head = size < 126 ? 2 : size < 65_536 ? 4 : 10;
  const frame = Buffer.allocUnsafe(head + MASK.length + size);
  frame[0] = FIN | opcode;
  frame[1] = MASKED | (head === 2 ? size : head === 4 ? 126 : 127);
  if (head === 4) frame.writeUInt16BE(size, 2);
  if (head === 10) frame.writeBigUInt64BE(BigInt(size), 2);
  frame.set(MASK, head);
  const start = head + MASK.length;
  for (let i = 0; i < size; i++) frame[start + i] = (payload[i] ?? 0) ^ (MASK[i & 3] ?? 0);
  return frame;
}

export class FrameReader {
  readonly #onFrame: (opcode: number, payload: Buffer) => void;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  /** Bytes without which nothing more can be read. */
  #neededBytes = 2;

  constructor(onFrame: (opcode: number, payload: Buffer) => void) {
    this.#onFrame = onFrame;
  }

  push(chunk: Buffer): void {
    if (this.#waitingBytes === 0) return this.#read(chunk);
    this.#waiting.push(chunk);
    this.#waitingBytes += chunk.length;
    if (this.#waitingBytes < this.#neededBytes) return;
    const joined = Buffer.concat(this.#waiting);
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#read(joined);
  }

  #read(bytes: Buffer): void {
    let at = 0;
    for (;;) {
      const frame = frameAt(bytes, at);
      if (typeof frame === "number") {
        this.#neededBytes = frame;
        break;
      }
      this.#onFrame((bytes[at] ?? 0) & 0x0f, bytes.subarray(frame.start, frame.end));
      at = frame.end;
    }
    if (at < bytes.length) {
      this.#waiting = [bytes.subarray(at)];
      this.#waitingBytes = bytes.length - at;
    }
  }
}

/** Where the payload of the frame at `at` lies, or how many bytes from `at` on are needed to know or to have it. */
function frameAt(bytes: Buffer, at: number): { readonly start: number; readonly end: number } | number {
  const left = bytes.length - at;
  if (left < 2) return 2;
  const flags = bytes.readUInt8(at);
  const short = bytes.readUInt8(at + 1);
  if ((flags & 0xf0) !== FIN || (short & MASKED) !== 0) {
    throw new Error("The server sent a fragmented, compressed or masked frame.");
  }
  const head = short < 126 ? 2 : short === 126 ? 4 : 10;
  if (left < head) return head;
  const size = head === 2 ? short : head === 4 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2));
  if (left < head + size) return head + size;
  return { start: at + head, end: at + head + size };
}

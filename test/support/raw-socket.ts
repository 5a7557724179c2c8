/** A WebSocket client made by hand on a TCP socket: it can send what no client library would. */
import { once } from "node:events";
import { connect } from "node:net";
import type { Socket } from "node:net";

export interface RawSocket {
  readonly socket: Socket;
  /** Sends bytes as they are. */
  write(bytes: Uint8Array): void;
  /** Resolves when the server has sent a message of which `isTrue` holds. */
  until(isTrue: (message: Uint8Array) => boolean): Promise<void>;
  /** The close code the server ends with; 0 when it just cuts the line. Keeps nothing of what else it sends. */
  closeCode(): Promise<number>;
  destroy(): void;
}

/** One masked frame. `opcode` 2 is binary, 1 text; `firstByte` overrides FIN, RSV and opcode altogether. */
export function frame(
  payload: Uint8Array,
  { opcode = 2, firstByte = 0x80 | opcode }: { opcode?: number; firstByte?: number } = {},
): Uint8Array {
  const mask = Uint8Array.from([1, 2, 3, 4]);
  const masked = payload.map((byte, index) => byte ^ (mask[index % 4] ?? 0));
  return Buffer.concat([Uint8Array.from([firstByte]), lengthOf(payload.byteLength), mask, masked]);
}

function lengthOf(length: number): Uint8Array {
  if (length < 126) return Uint8Array.from([0x80 | length]);
  if (length < 65_536) return Uint8Array.from([0x80 | 126, length >> 8, length & 255]);
  const bytes = Buffer.alloc(9);
  bytes[0] = 0x80 | 127;
  bytes.writeBigUInt64BE(BigInt(length), 1);
  return bytes;
}

/** Upgrades at `path`; rejects when the server answers anything but 101. */
export async function openRawSocket(
  url: string,
  path: string,
  headers: Record<string, string> = {},
): Promise<RawSocket> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port) });
  socket.on("error", () => undefined);
  await once(socket, "connect");
  const all = {
    Host: `${hostname}:${port}`,
    Upgrade: "websocket",
    Connection: "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    ...headers,
  };
  socket.write(
    `GET ${path} HTTP/1.1\r\n${Object.entries(all)
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join("")}\r\n`,
  );
  const cut = once(socket, "close").then(() => Promise.reject(new Error("cut before an answer")));
  const [first]: Buffer[] = await Promise.race([once(socket, "data"), cut]);
  cut.catch(() => undefined);
  const head = first?.toString("latin1") ?? "";
  if (!head.startsWith("HTTP/1.1 101")) throw new Error(head.split("\r\n")[0]);
  let received = first?.subarray(head.indexOf("\r\n\r\n") + 4) ?? Buffer.alloc(0);
  let ended: (code: number) => void = () => undefined;
  const code = new Promise<number>((resolve) => {
    ended = resolve;
  });
  const listeners = new Set<(message: Uint8Array) => void>();
  const take = (chunk: Uint8Array): void => {
    received = Buffer.concat([received, chunk]);
    for (let size = sizeOf(received); size !== undefined; size = sizeOf(received)) {
      if (received[0] === 0x88) ended(received.readUInt16BE(2));
      const message = received.subarray(size.header, size.total);
      for (const listener of listeners) listener(message);
      received = received.subarray(size.total);
    }
  };
  // frames may have come with the answer to the upgrade
  take(new Uint8Array(0));
  socket.on("data", take);
  socket.on("close", () => ended(0));
  return {
    socket,
    until: (isTrue) =>
      new Promise((resolve) => {
        listeners.add((message) => {
          if (isTrue(message)) resolve();
        });
      }),
    write: (bytes) => void socket.write(bytes),
    closeCode: () => code,
    destroy: () => void socket.destroy(),
  };
}

/** Bytes of the first frame of what the server sent, once it is whole. */
function sizeOf(bytes: Buffer): { readonly header: number; readonly total: number } | undefined {
  const [, length = 0] = bytes;
  const header = length < 126 ? 2 : (LONG_HEADER[length - 126] ?? 2);
  if (bytes.byteLength < header) return undefined;
  let payload = length;
  if (length === 126) payload = bytes.readUInt16BE(2);
  if (length === 127) payload = Number(bytes.readBigUInt64BE(2));
  return bytes.byteLength < header + payload ? undefined : { header, total: header + payload };
}

const LONG_HEADER = [4, 10];

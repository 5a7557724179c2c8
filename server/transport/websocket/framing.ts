/**
 * RFC 6455 framing of what the server sends: unmasked, unfragmented binary frames, so one buffer serves every receiver.
 *
 * Nearly all CPU of a sync server is one write per message and receiver; joining a batch into one buffer makes it one
 * write per batch and receiver, 25 times less under load (docs/yjs.md Y20).
 */
import type { Batch } from "../../sync/connection.ts";

const BINARY_FINAL = 0x82;

const framed = new WeakMap<Batch, Buffer>();

/** The batch as WebSocket frames, one a message; made once however many receive it. */
export function frameBatch(batch: Batch): Buffer {
  const known = framed.get(batch);
  if (known !== undefined) return known;
  const { messages } = batch;
  const buffer = Buffer.allocUnsafe(
    messages.reduce((sum, message) => sum + headerBytes(message.byteLength) + message.byteLength, 0),
  );
  let at = 0;
  for (const message of messages) {
    at = writeHeader(buffer, at, message.byteLength);
    buffer.set(message, at);
    at += message.byteLength;
  }
  framed.set(batch, buffer);
  return buffer;
}

function headerBytes(length: number): number {
  if (length < 126) return 2;
  return length < 65_536 ? 4 : 10;
}

function writeHeader(buffer: Buffer, at: number, length: number): number {
  buffer[at] = BINARY_FINAL;
  if (length < 126) {
    buffer[at + 1] = length;
    return at + 2;
  }
  if (length < 65_536) {
    buffer[at + 1] = 126;
    return buffer.writeUInt16BE(length, at + 2);
  }
  buffer[at + 1] = 127;
  return buffer.writeBigUInt64BE(BigInt(length), at + 2);
}

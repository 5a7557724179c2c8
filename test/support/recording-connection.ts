/** A Connection that keeps what it is sent, decoded for comparing; the test plays the network. */
import * as decoding from "lib0/decoding";
import { FRAME, readAwareness } from "../../shared/protocol/frames.ts";
import { decodeServerExtension } from "../../shared/protocol/server-frames.ts";
import type { AwarenessEntry } from "../../shared/protocol/frames.ts";
import type { ServerExtension } from "../../shared/protocol/server-frames.ts";
import type { Batch, Connection } from "../../server/sync/connection.ts";

export type ServerMessage =
  | { readonly type: "sync"; readonly step: number; readonly bytes: Uint8Array }
  | { readonly type: "awareness"; readonly entries: readonly AwarenessEntry[] }
  | ServerExtension;

export class RecordingConnection implements Connection {
  readonly batches: Batch[] = [];
  /** Set by the test to play a receiver that does not read. */
  bufferedBytes = 0;
  closedWith: { code: number; reason: string } | undefined;
  isPaused = false;
  readonly #waiting: (() => void)[] = [];

  send(batch: Batch): void {
    if (this.closedWith !== undefined) throw new Error("sent after close");
    this.batches.push(batch);
  }

  onDrained(task: () => void): void {
    this.#waiting.push(task);
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  close(code: number, reason: string): void {
    this.closedWith = { code, reason };
  }

  /** The receiver has read everything. */
  drain(): void {
    this.bufferedBytes = 0;
    for (const task of this.#waiting.splice(0)) task();
  }

  /** What was sent since the last call. */
  take(): ServerMessage[] {
    return this.batches.splice(0).flatMap((batch) => batch.messages.map(decodeServerMessage));
  }
}

function decodeServerMessage(message: Uint8Array): ServerMessage {
  const decoder = decoding.createDecoder(message);
  const type = decoding.readVarUint(decoder);
  if (type === FRAME.sync) {
    return { type: "sync", step: decoding.readVarUint(decoder), bytes: decoding.readVarUint8Array(decoder) };
  }
  if (type === FRAME.awareness) {
    return { type: "awareness", entries: readAwareness(decoding.createDecoder(decoding.readVarUint8Array(decoder))) };
  }
  return decodeServerExtension(type, decoder);
}

/**
 * Port: one client's transport connection as the sync layer sees it. WebSocketConnection and the simulation's link implement it.
 *
 * Invariants (CONN):
 *  1. Messages arrive whole and in order, or the connection is closed.
 *  2. The connection may keep what it derives from a Batch (its framed bytes): a Batch is never changed.
 *  3. After close() nothing is sent; `receive` and `closed` of the session may still be called once each.
 */

/** Messages that go to many receivers: encoded once by the sync layer, framed once by the transport. */
export interface Batch {
  readonly messages: readonly Uint8Array[];
  readonly bytes: number;
}

export function batchOf(messages: readonly Uint8Array[]): Batch {
  let bytes = 0;
  for (const message of messages) bytes += message.byteLength;
  return { messages, bytes };
}

export interface Connection {
  send(batch: Batch): void;
  /** Bytes handed over and not yet taken by the receiver. */
  readonly bufferedBytes: number;
  /** Calls `task` once when the receiver has taken everything. */
  onDrained(task: () => void): void;
  /** Stops and resumes reading, so that the sender feels the pressure. */
  pause(): void;
  resume(): void;
  close(code: number, reason: string): void;
}

/**
 * Entries of the log on their way to a worker thread: what is small as one JSON text, the updates as one buffer.
 *
 * A thread gets a copy of what it is sent, made on the event loop. Two flat values for some hundred entries are copied ten
 * times faster than the entries themselves (measured: test/bench has no part in it; see the commit).
 *
 * Not here: reading the log (log-view.ts).
 */
import type { LogEntry } from "../storage/change-log.ts";

export interface LogPage {
  /** Entries without their updates, each with its update's length, as JSON. */
  readonly rows: string;
  readonly updates: Uint8Array;
}

type Row = [entry: Omit<LogEntry, "update">, updateBytes: number];

export function packEntries(entries: readonly LogEntry[]): LogPage {
  const updates = new Uint8Array(entries.reduce((bytes, { update }) => bytes + update.byteLength, 0));
  let at = 0;
  const rows = entries.map(({ update, ...entry }): Row => {
    updates.set(update, at);
    at += update.byteLength;
    return [entry, update.byteLength];
  });
  return { rows: JSON.stringify(rows), updates };
}

export function unpackEntries({ rows, updates }: LogPage): LogEntry[] {
  let at = 0;
  return (JSON.parse(rows) as Row[]).map(([entry, bytes]) => {
    const update = updates.subarray(at, at + bytes);
    at += bytes;
    return { ...entry, update };
  });
}

/**
 * Entries of the log on their way to a worker thread: what is small as JSON text, the updates one after another.
 *
 * What a thread is sent is copied on the event loop, object by object; buffers are given away instead. 100,000 entries are
 * posted in 15 ms as texts, and in no time as buffers.
 *
 * Not here: reading the log (log-view.ts).
 */
import type { LogEntry } from "../storage/change-log.ts";

export interface LogPage {
  /** Entries without their updates, each with its update's length, as JSON in UTF-8. Each array has a buffer of its own. */
  readonly rows: Uint8Array<ArrayBuffer>;
  readonly updates: Uint8Array<ArrayBuffer>;
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
  return { rows: new TextEncoder().encode(JSON.stringify(rows)), updates };
}

export function unpackEntries({ rows, updates }: LogPage): LogEntry[] {
  let at = 0;
  return (JSON.parse(new TextDecoder().decode(rows)) as Row[]).map(([entry, bytes]) => {
    const update = updates.subarray(at, at + bytes);
    at += bytes;
    return { ...entry, update };
  });
}

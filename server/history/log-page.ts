/**
 * Entries of the log on their way to a worker thread: as buffers, which are given away, for what is sent otherwise is copied
 * on the event loop, object by object.
 *
 * Packing is on the event loop too, 0.3 µs for an entry: neighbours mostly have all in common but numbers and bytes, so
 * the rest is written once for each row of them.
 *
 * Not here: reading the log (log-view.ts).
 */
import type { LogEntry } from "../storage/change-log.ts";

export interface LogPage {
  /** What rows of entries have in common, as JSON in UTF-8. Each array here has a buffer of its own. */
  readonly rows: Uint8Array<ArrayBuffer>;
  /** For each entry its row, seq, version, time, and the length of its update. */
  readonly numbers: Float64Array<ArrayBuffer>;
  readonly updates: Uint8Array<ArrayBuffer>;
}

const NUMBERS = 5;

/** The first entry of a row; numbers and update are each entry's own. */
type Row = Omit<LogEntry, "update"> & { readonly update: undefined };

type Said = Exclude<keyof LogEntry, "seq" | "version" | "atMs" | "update" | "paths">;

/** All that is said in a row but its paths. */
const SAID = Object.keys({
  kind: true,
  actor: true,
  origin: true,
  message: true,
  resolves: true,
  authorSalt: true,
  lock: true,
  meta: true,
} satisfies Record<Said, true>) as readonly Said[];

export function packEntries(entries: readonly LogEntry[]): LogPage {
  const rows: Row[] = [];
  const numbers = new Float64Array(entries.length * NUMBERS);
  const updates = new Uint8Array(entries.reduce((bytes, { update }) => bytes + update.byteLength, 0));
  let at = 0;
  let last: LogEntry | undefined;
  for (const [index, entry] of entries.entries()) {
    if (last === undefined || !isOfRow(entry, last)) rows.push({ ...entry, update: undefined });
    last = entry;
    const { seq, version, atMs, update } = entry;
    const first = index * NUMBERS;
    numbers[first] = rows.length - 1;
    numbers[first + 1] = seq;
    numbers[first + 2] = version;
    numbers[first + 3] = atMs;
    numbers[first + 4] = update.byteLength;
    updates.set(update, at);
    at += update.byteLength;
  }
  return { rows: new TextEncoder().encode(JSON.stringify(rows)), numbers, updates };
}

export function unpackEntries({ rows, numbers, updates }: LogPage): LogEntry[] {
  const said = JSON.parse(new TextDecoder().decode(rows)) as Row[];
  const entries: LogEntry[] = [];
  let at = 0;
  for (let index = 0; index < numbers.length; index += NUMBERS) {
    const [row = 0, seq = 0, version = 0, atMs = 0, bytes = 0] = numbers.subarray(index, index + NUMBERS);
    const common = said[row];
    if (common === undefined) throw new Error("a page of the log lacks a row");
    entries.push({ ...common, seq, version, atMs, update: updates.subarray(at, at + bytes) });
    at += bytes;
  }
  return entries;
}

function isOfRow(a: LogEntry, b: LogEntry): boolean {
  for (const key of SAID) if (a[key] !== b[key]) return false;
  return a.paths.length === b.paths.length && a.paths.every((path, i) => path === b.paths[i]);
}

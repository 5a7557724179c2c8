/**
 * Reading the log out of one view of the store.
 *
 * Invariants:
 *  1. What is returned is whole: a missing record, a gap or a wrong count is DATA_DAMAGED with the context's name.
 *
 * Not here: waiting for what is being written (key-value-change-log.ts).
 */
import type { ContextMeta } from "../../../shared/context.ts";
import { parseContextId, type ContextId } from "../../../shared/ids.ts";
import type { JsonObject } from "../../../shared/json.ts";
import type {
  Checkpoint,
  Collection,
  IdempotencyRecord,
  ListedContext,
  LogDump,
  LogEntry,
  RecordQuery,
  SideRecord,
  StoredContext,
} from "../change-log.ts";
import type { SlotContent } from "./context-slots.ts";
import { decodeRun } from "./entry-codec.ts";
import { bytesOf, newestOf, sizeOf, type HeadRecord } from "./head-record.ts";
import * as keys from "./log-keys.ts";
import { damaged } from "./record.ts";
import {
  decodeCheckpoint,
  decodeContext,
  decodeHead,
  decodeIdempotency,
  decodeNumber,
  decodeSideRecord,
} from "./record-codec.ts";
import type { StoreItem, StoreRange, StoreView } from "../store/store.ts";

/** Runs that come with the beginning of a read of what is new. */
const NEWS_RUNS = 16;

export interface FoundContext {
  readonly number: number;
  readonly meta: ContextMeta;
  readonly stored: HeadRecord;
}

/** From which seq on, exclusive, and how many entries. */
export interface EntryWindow {
  readonly seq: number;
  readonly limit: number;
}

async function findContext(view: Pick<StoreView, "get">, id: ContextId): Promise<FoundContext | undefined> {
  const key = keys.contextKey(id);
  const value = await view.get(key);
  return value === undefined ? undefined : withHead(view, id, [key, value]);
}

/** What `use` makes of the context; `none` when there is none. */
export async function ofContext<T>(
  view: StoreView,
  id: ContextId,
  none: T,
  use: (view: StoreView, found: FoundContext) => T | Promise<T>,
): Promise<T> {
  const found = await findContext(view, id);
  return found === undefined ? none : use(view, found);
}

async function withHead(view: Pick<StoreView, "get">, id: string, [key, value]: StoreItem): Promise<FoundContext> {
  const { number, meta } = decodeContext({ key, value, name: `name of context "${id}"` });
  const headKey = keys.headKey(number);
  const head = await view.get(headKey);
  if (head === undefined) throw missing(id, "head");
  return { number, meta, stored: decodeHead({ key: headKey, value: head, name: `head of context "${id}"` }) };
}

export async function readSlot(view: Pick<StoreView, "get">, id: ContextId): Promise<SlotContent> {
  const found = await findContext(view, id);
  if (found !== undefined) {
    const { number, meta, stored } = found;
    return { live: { number, meta, head: stored.head, stored, isErased: false }, epoch: meta.epoch };
  }
  const key = keys.epochKey(id);
  const value = await view.get(key);
  return {
    live: undefined,
    epoch: value === undefined ? 0 : decodeNumber({ key, value, name: `epoch of context "${id}"` }),
  };
}

export async function loadContext(view: StoreView, found: FoundContext): Promise<StoredContext> {
  const { meta, stored } = found;
  const checkpoint = await checkpointAt(view, found, newestOf(stored).seq);
  const tail = await entriesAfter(view, found, { seq: checkpoint.seq, limit: Infinity });
  const { head } = stored;
  const last = tail.at(-1) ?? checkpoint;
  if (last.seq !== head.seq || last.version !== head.version) throw missing(meta.id, `entry ${last.seq + 1}`);
  return { meta, head, checkpoint, tail, size: sizeOf(stored) };
}

/** One of those that the head knows. */
export async function checkpointAt(view: StoreView, { number, meta }: FoundContext, seq: number): Promise<Checkpoint> {
  const key = keys.checkpointKey(number, seq);
  const value = await view.get(key);
  if (value === undefined) throw missing(meta.id, `checkpoint ${seq}`);
  const { firstEpoch } = meta;
  return { ...decodeCheckpoint({ key, value, name: `checkpoint of context "${meta.id}"` }), firstEpoch };
}

/** As far as the base: runs below it may be there for a while. */
export async function entriesAfter(
  view: StoreView,
  context: FoundContext,
  window: EntryWindow,
): Promise<readonly LogEntry[]> {
  const { number, meta, stored } = context;
  const entries: LogEntry[] = [];
  let next = Math.max(window.seq, stored.baseSeq) + 1;
  const from = await startOfRun(view, number, next);
  // each run has one entry at least that is asked for
  const range = { ...keys.runsBetween(number, from, Infinity), limit: window.limit + 1 };
  for await (const run of runsOf(view, meta.id, range)) {
    for (const entry of run) {
      if (entry.seq < next) continue;
      if (entry.seq > next) throw missing(meta.id, `entry ${next}`);
      if (entries.length >= window.limit) return entries;
      entries.push(entry);
      next++;
    }
  }
  return entries;
}

/** Where entries after a position are, if a run ends there. Few, as a rule. */
export function runsAfter(number: number, seq: number): StoreRange {
  return { ...keys.runsBetween(number, seq + 1, Infinity), limit: NEWS_RUNS };
}

/** The first seq of the run that holds `seq`. */
async function startOfRun(view: StoreView, number: number, seq: number): Promise<number> {
  if ((await view.get(keys.runKey(number, seq))) !== undefined) return seq;
  const range = { ...keys.runsBetween(number, 0, seq + 1), reverse: true, limit: 1 };
  for await (const page of view.pages(range)) for (const [key] of page) return keys.firstSeqOf(key);
  return seq;
}

export async function entriesBefore(
  view: StoreView,
  context: FoundContext,
  window: EntryWindow,
): Promise<readonly LogEntry[]> {
  const { number, meta, stored } = context;
  const entries: LogEntry[] = [];
  const range = { ...keys.runsBetween(number, 0, window.seq), reverse: true, limit: window.limit + 1 };
  for await (const run of runsOf(view, meta.id, range)) {
    for (const entry of run.toReversed()) {
      if (entry.seq >= window.seq) continue;
      if (entries.length >= window.limit || entry.seq <= stored.baseSeq) return entries;
      entries.push(entry);
    }
  }
  return entries;
}

export interface RunsToDrop {
  readonly runs: readonly Uint8Array[];
  readonly bytes: number;
}

/** The oldest runs that lie wholly below the base: so many of them, or a little more than so many bytes. */
export async function runsBelowBase(
  view: StoreView,
  { number, stored }: FoundContext,
  max: { readonly runs: number; readonly bytes: number },
): Promise<RunsToDrop> {
  const first = stored.baseSeq + 1;
  const border = stored.head.seq < first ? first : await startOfRun(view, number, first);
  const runs: Uint8Array[] = [];
  let bytes = 0;
  for await (const page of view.pages({ ...keys.runsBetween(number, 0, border), limit: max.runs })) {
    for (const [key, value] of page) {
      runs.push(key);
      bytes += value.length;
    }
    if (bytes >= max.bytes) break;
  }
  return { runs, bytes };
}

/** Where the newest record under an idempotency key is. */
export function newestIdempotentIn(number: number, name: string): StoreRange {
  return { ...keys.idempotencyRange(number, name), reverse: true, limit: 1 };
}

export async function newestIdempotent(
  view: StoreView,
  { number, meta }: FoundContext,
  name: string,
): Promise<IdempotencyRecord | undefined> {
  for await (const page of view.pages(newestIdempotentIn(number, name))) {
    for (const [key, value] of page)
      return decodeIdempotency({ key, value, name: `idempotency record of context "${meta.id}"` });
  }
  return undefined;
}

/** Of the context with this number, or of the server. */
export async function sideRecord(
  view: StoreView,
  number: number,
  { collection, key: name }: { readonly collection: Collection; readonly key: string },
): Promise<JsonObject | undefined> {
  const key = keys.recordKey(number, collection, name);
  const value = await view.get(key);
  return value === undefined ? undefined : decodeSideRecord({ key, value, name: recordName(collection, name) });
}

export interface SideRange extends RecordQuery {
  readonly collection: Collection;
}

export function sideRecordsIn(number: number, { collection, after, limit, reverse = false }: SideRange): StoreRange {
  return { ...keys.recordsBeyond({ context: number, collection, after, reverse }), reverse, limit };
}

export async function sideRecords(view: StoreView, number: number, range: SideRange): Promise<readonly SideRecord[]> {
  const { collection } = range;
  const records: SideRecord[] = [];
  for await (const page of view.pages(sideRecordsIn(number, range))) {
    for (const [key, value] of page) {
      const name = keys.recordNameOf(key);
      records.push({ key: name, value: decodeSideRecord({ key, value, name: recordName(collection, name) }) });
    }
  }
  return records;
}

function recordName(collection: Collection, name: string): string {
  return `record "${name}" of ${collection}`;
}

export async function listContexts(
  view: StoreView,
  after: ContextId | undefined,
  limit: number,
): Promise<readonly ListedContext[]> {
  const listed: ListedContext[] = [];
  for await (const page of view.pages({ ...keys.contextsAfter(after), limit })) {
    const found = await Promise.all(
      page.map((item) => withHead(view, parseContextId(keys.contextIdOf(item[0])), item)),
    );
    for (const { meta, stored } of found) listed.push({ meta, head: stored.head, bytes: bytesOf(stored) });
  }
  return listed;
}

export async function headsOf(
  view: StoreView,
  contextIds: readonly ContextId[],
): Promise<ReadonlyMap<ContextId, number>> {
  const found = await Promise.all(contextIds.map((id) => findContext(view, id)));
  return new Map(found.flatMap((one) => (one === undefined ? [] : [[one.meta.id, one.stored.head.seq] as const])));
}

export async function dumpAll(view: StoreView, dump: LogDump): Promise<void> {
  await dump.begin(await sizeOfAll(view));
  for await (const page of view.pages(keys.EVERYTHING)) await dump.page(page);
}

/** How many contexts there are, and about how many bytes their logs and checkpoints have. */
export async function sizeOfAll(
  view: Pick<StoreView, "pages">,
): Promise<{ readonly contexts: number; readonly bytes: number }> {
  let contexts = 0;
  let bytes = 0;
  for await (const page of view.pages(keys.allOf("h"))) {
    for (const [key, value] of page) bytes += bytesOfHead(key, value);
    contexts += page.length;
  }
  return { contexts, bytes };
}

/** A head that cannot be read must not keep the rest from being copied. */
function bytesOfHead(key: Uint8Array, value: Uint8Array): number {
  try {
    return bytesOf(decodeHead({ key, value, name: `head ${keys.contextNumberOf(key)}` }));
  } catch {
    return 0;
  }
}

export async function keysOf(view: StoreView, range: StoreRange): Promise<readonly Uint8Array[]> {
  const found: Uint8Array[] = [];
  for await (const page of view.pages(range)) for (const [key] of page) found.push(key);
  return found;
}

async function* runsOf(view: StoreView, id: ContextId, range: StoreRange): AsyncIterable<readonly LogEntry[]> {
  for await (const page of view.pages(range)) {
    for (const [key, value] of page)
      yield decodeRun({ key, value, name: `log of context "${id}" from entry ${keys.firstSeqOf(key)}` });
  }
}

function missing(id: string, what: string): Error {
  return damaged(`The ${what} of context "${id}" is missing`, { contextId: id });
}

/**
 * Contexts as they would be loaded: checkpoint and tail in memory, so that one that is opened again needs no disk.
 *
 * Invariants (CACHE):
 *  1. An entry in the cache equals what the log would answer; whatever cannot be fitted on is dropped instead. Only
 *     `size.bytes` is approximate, from a checkpoint on until the next append.
 *  2. No more than cacheBytesMax, and nothing that was not used for cacheTtlMs.
 *
 * Not here: reading and writing the log (storage-manager.ts).
 */
import { LRUCache } from "lru-cache";
import type { ContextHead } from "../../shared/context.ts";
import type { ContextId } from "../../shared/ids.ts";
import type { Limits } from "../../shared/limits.ts";
import type { Clock } from "../clock.ts";
import type { Checkpoint, LogEntry, LogSize, StoredContext } from "./change-log.ts";

/** Beside its update, roughly: the object, its paths, the actor's share. */
const ENTRY_BYTES = 200;
const CONTEXT_BYTES = 500;
const OWNER_BYTES = 50;
const RETIRED_BYTES = 8;

interface Cached {
  readonly context: StoredContext;
  /** The tail of `context`, which only this file extends: a reader gets a copy. */
  readonly tail: LogEntry[];
  readonly bytes: number;
}

/** What an append gave. */
interface Growth {
  readonly entries: readonly LogEntry[];
  readonly size: LogSize;
}

/** A context on its way into the cache. */
interface Fill {
  /** What was appended meanwhile; undefined when the context was dropped meanwhile. */
  missed: Growth[] | undefined;
}

export class ContextCache {
  readonly #entries: LRUCache<ContextId, Cached>;
  readonly #fills = new Map<ContextId, Set<Fill>>();

  constructor(clock: Clock, limits: Pick<Limits, "cacheTtlMs" | "cacheBytesMax">) {
    this.#entries = new LRUCache<ContextId, Cached>({
      maxSize: limits.cacheBytesMax,
      sizeCalculation: ({ bytes }) => bytes,
      ttl: limits.cacheTtlMs,
      // 0: ask the clock each time instead of keeping the answer by a timer of its own.
      ttlResolution: 0,
      perf: { now: () => clock.monotonicMs() },
      updateAgeOnGet: true,
    });
  }

  get(id: ContextId): StoredContext | undefined {
    const cached = this.#entries.get(id);
    return cached && { ...cached.context, tail: [...cached.tail] };
  }

  /** Caches what `read` answers, together with what is appended while it runs. */
  async fill(id: ContextId, read: () => Promise<StoredContext | undefined>): Promise<StoredContext | undefined> {
    const fill: Fill = { missed: [] };
    const fills = this.#fills.get(id) ?? new Set();
    this.#fills.set(id, fills.add(fill));
    try {
      const context = await read();
      if (context !== undefined && fill.missed !== undefined) {
        this.#set(context, [...context.tail]);
        const later = fill.missed.filter(({ entries }) => (entries.at(-1)?.seq ?? 0) > context.head.seq);
        for (const growth of later) this.#append(id, growth);
      }
      return context;
    } finally {
      fills.delete(fill);
      if (fills.size === 0) this.#fills.delete(id);
    }
  }

  delete(id: ContextId): void {
    for (const fill of this.#fills.get(id) ?? []) fill.missed = undefined;
    this.#entries.delete(id);
  }

  clear(): void {
    for (const id of this.#fills.keys()) this.delete(id);
    this.#entries.clear();
  }

  /** Gives back the memory of what is too old. */
  purge(): void {
    this.#entries.purgeStale();
  }

  /** The log grew by these entries. */
  append(id: ContextId, growth: Growth): void {
    for (const fill of this.#fills.get(id) ?? []) fill.missed?.push(growth);
    this.#append(id, growth);
  }

  /** The log has this checkpoint now. */
  advance(id: ContextId, checkpoint: Checkpoint): void {
    const cached = this.#entries.peek(id);
    if (cached === undefined || checkpoint.seq <= cached.context.checkpoint.seq) return;
    // made of a deleted context of the same id: the log did not take it
    if (checkpoint.firstEpoch !== cached.context.meta.firstEpoch) return;
    if (checkpoint.seq > cached.context.head.seq) return this.delete(id);
    const { checkpoint: older, size } = cached.context;
    const bytes = size.bytes + checkpoint.state.length - (older.seq === size.baseSeq ? 0 : older.state.length);
    this.#set(
      { ...cached.context, checkpoint, size: { ...size, bytes } },
      cached.tail.filter(({ seq }) => seq > checkpoint.seq),
    );
  }

  #append(id: ContextId, { entries, size }: Growth): void {
    const cached = this.#entries.get(id);
    const [first] = entries;
    if (cached === undefined || first === undefined) return;
    const { context, tail, bytes } = cached;
    if (first.seq !== context.head.seq + 1 || entries.some(altersMeta)) return this.delete(id);
    tail.push(...entries);
    const head = headAfter(context.head, entries);
    this.#entries.set(id, { context: { ...context, head, size }, tail, bytes: bytes + bytesOfEntries(entries) });
  }

  #set(context: StoredContext, tail: LogEntry[]): void {
    this.#entries.set(context.meta.id, { context, tail, bytes: bytesOf(context.checkpoint, tail) });
  }
}

/** Such entries are rare: the log is asked what the context is now. */
function altersMeta({ kind }: LogEntry): boolean {
  return kind === "epoch" || kind === "meta";
}

/** Of entries that alter no metadata, as the log counts it. */
function headAfter(head: ContextHead, entries: readonly LogEntry[]): ContextHead {
  let { seq, version, lockSeq, updatedAtMs } = head;
  for (const entry of entries) {
    ({ seq, version } = entry);
    if (entry.kind === "lock") lockSeq = seq;
    if (entry.kind === "change") updatedAtMs = Math.max(updatedAtMs, entry.atMs);
  }
  return { seq, version, lockSeq, updatedAtMs };
}

function bytesOf(checkpoint: Checkpoint, tail: readonly LogEntry[]): number {
  const { state, owners, retired } = checkpoint;
  const tables = owners.length * OWNER_BYTES + retired.length * RETIRED_BYTES;
  return CONTEXT_BYTES + state.length + tables + bytesOfEntries(tail);
}

function bytesOfEntries(entries: readonly LogEntry[]): number {
  let bytes = 0;
  for (const { update } of entries) bytes += update.length + ENTRY_BYTES;
  return bytes;
}

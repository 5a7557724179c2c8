/**
 * Who is behind: compares how far targets were told with how far the contexts are. After a start, and whenever more contexts
 * were behind than a line holds.
 *
 * Invariants (HOOK):
 *  1. One pass over the contexts serves all lines. It holds one page of them, and lets other work go between two pages.
 *  2. A context that matches and was never told of is behind, and so is one that is gone and whose end was not told.
 *
 * Not here: what is told (outbox.ts).
 */
import type { ContextId } from "../../shared/ids.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { Clock } from "../clock.ts";
import type { StoredSummary } from "../storage/change-log.ts";
import type { OutboxStore } from "./outbox.ts";
import { contextOfKey, cursorKey, cursorOf, recordsOf } from "./webhook-records.ts";
import type { Cursor } from "./webhook-records.ts";

export interface Scanned {
  readonly id: string;
  readonly matches: (id: ContextId) => boolean;
  readonly wake: (id: ContextId) => void;
}

interface ScanOptions {
  readonly store: OutboxStore;
  readonly clock: Pick<Clock, "defer">;
  readonly signal: AbortSignal;
}

const PAGE = LIMITS.listLimitMax;

/** @throws {ServiceError} STORE_UNAVAILABLE, DATA_DAMAGED */
export async function scanBacklogs(lines: readonly Scanned[], { store, clock, signal }: ScanOptions): Promise<void> {
  for (const { id, wake } of lines) for await (const ended of endedContexts(store, id)) wake(ended);
  let after: ContextId | undefined;
  for (let isLast = false; !isLast && !signal.aborted;) {
    const contexts = await store.list(after, PAGE);
    isLast = contexts.length < PAGE;
    const upTo = isLast ? undefined : contexts.at(-1)?.meta.id;
    for (const line of lines) {
      if (signal.aborted) return;
      const cursors = await cursorsBetween(store, line.id, { after, upTo });
      for (const id of behindOf(contexts, cursors, line)) line.wake(id);
    }
    after = upTo;
    await new Promise<void>((resolve) => clock.defer(resolve));
  }
}

function* behindOf(
  contexts: readonly StoredSummary[],
  cursors: ReadonlyMap<ContextId, Cursor>,
  { matches }: Scanned,
): Iterable<ContextId> {
  const gone = new Set(cursors.keys());
  for (const { meta, head } of contexts) {
    gone.delete(meta.id);
    const cursor = cursors.get(meta.id);
    const isBehind =
      cursor === undefined ||
      cursor.firstEpoch !== meta.firstEpoch ||
      cursor.seq < head.seq ||
      cursor.pending !== undefined;
    if (isBehind && matches(meta.id)) yield meta.id;
  }
  yield* gone;
}

interface Between {
  readonly after: ContextId | undefined;
  readonly upTo: ContextId | undefined;
}

/** Of the contexts with after < id <= upTo. */
async function cursorsBetween(store: OutboxStore, webhookId: string, { after, upTo }: Between) {
  const found = new Map<ContextId, Cursor>();
  const from = after === undefined ? undefined : cursorKey(webhookId, after);
  const last = upTo === undefined ? undefined : cursorKey(webhookId, upTo);
  for await (const { key, value } of recordsOf(store, { collection: "webhook-cursors", webhookId, from })) {
    if (last !== undefined && key > last) break;
    found.set(contextOfKey(key), cursorOf(value));
  }
  return found;
}

/** Whose deletion is not told yet. */
async function* endedContexts(store: OutboxStore, webhookId: string): AsyncIterable<ContextId> {
  for await (const { key } of recordsOf(store, { collection: "webhook-endings", webhookId })) yield contextOfKey(key);
}

/**
 * The list of changes: what the log remembers of each, forwards or backwards, filtered, page by page.
 *
 * Invariants (HIST):
 *  1. A page begins at its version by search, not by reading what comes before it.
 *  2. One page looks at a bounded number of entries; it may be empty and still say where to go on.
 *
 * Not here: who may read it, live feeds (server/context/change-feed.ts).
 */
import type { ChangeRecord } from "../../shared/change.ts";
import { ServiceError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import { overlaps, parsePath } from "../../shared/path.ts";
import type { ChangesRequest, Page } from "../context-service.ts";
import type { LogEntry } from "../storage/change-log.ts";
import type { HistoryLog, LogView } from "./log-view.ts";

/** Entries that one page looks at before it hands back a cursor. */
const SCAN_MAX = 20_000;
const PAGE = LIMITS.listLimitMax;

/** @throws {ServiceError} INVALID_REQUEST */
export async function listChanges(
  log: HistoryLog,
  view: LogView,
  request: ChangesRequest,
): Promise<Page<ChangeRecord>> {
  checkDirection(request);
  const isWanted = filterOf(request);
  const items: ChangeRecord[] = [];
  const start = startOf(request);
  let at = await startSeq(view, start);
  for (let scanned = 0; ;) {
    const entries = await (start.newestFirst ? log.readBackwards(view.id, at, PAGE) : log.read(view.id, at, PAGE));
    for (const entry of entries) {
      if (isWanted(entry)) items.push(recordOf(entry));
      if (items.length === request.limit) return { items, next: String(entry.version) };
    }
    const last = entries.at(-1);
    if (last === undefined || entries.length < PAGE) return { items };
    at = last.seq;
    scanned += entries.length;
    const cursor = cursorAfter(last, start);
    if (scanned >= SCAN_MAX && cursor !== start.version) return { items, next: String(cursor) };
  }
}

interface Start {
  readonly newestFirst: boolean;
  /** The last version before the page, in its direction. */
  readonly version: number;
}

function startOf({ newestFirst = false, since = 0, before = Infinity }: ChangesRequest): Start {
  return { newestFirst, version: newestFirst ? before : since };
}

function checkDirection({ newestFirst = false, since, before }: ChangesRequest): void {
  if ((newestFirst ? since : before) === undefined) return;
  throw new ServiceError(
    "INVALID_REQUEST",
    "Changes are listed after a version with `since`, or newest first before a version with `before`. Use one of the two.",
  );
}

/** Where to read from so that the first change found is the first one meant; a version beyond either end counts as the end. */
async function startSeq(view: LogView, { newestFirst, version }: Start): Promise<number> {
  if (version > view.head.version) return newestFirst ? view.head.seq + 1 : view.head.seq;
  const base = await view.base();
  return version <= base.version ? base.seq : (await view.placeOf(version)).seq;
}

/** A page that goes on from here passes the entries without a version once more. */
function cursorAfter({ kind, version }: LogEntry, { newestFirst }: Start): number {
  return newestFirst && kind !== "change" ? version + 1 : version;
}

function filterOf({ since = 0, actor, path }: ChangesRequest): (entry: LogEntry) => boolean {
  const wanted = path === undefined ? undefined : parsePath(path);
  return (entry) => {
    if (entry.kind !== "change" || entry.version <= since) return false;
    if (actor !== undefined && entry.actor !== actor) return false;
    return wanted === undefined || entry.paths.some((touched) => overlaps(parsePath(touched), wanted));
  };
}

export function recordOf({ version, seq, actor, origin, atMs, message, paths, resolves }: LogEntry): ChangeRecord {
  return {
    version,
    seq,
    actor,
    origin,
    atMs,
    paths,
    ...(message === undefined ? {} : { message }),
    ...(resolves === undefined ? {} : { resolves }),
  };
}

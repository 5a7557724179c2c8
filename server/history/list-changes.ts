/**
 * The list of changes: what the log remembers of each, forwards or backwards, filtered, page by page.
 *
 * Invariants (HIST):
 *  1. A page begins at its version by search, not by reading what comes before it.
 *  2. What is listed after a version has no gap: where the log does not keep all of it, that is refused.
 *  3. One page looks at a bounded number of entries; it may be empty and still say where to go on.
 *
 * Not here: who may read it, live feeds (server/context/change-feed.ts).
 */
import type { ChangeRecord } from "../../shared/change.ts";
import { ServiceError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import { overlaps, parsePath } from "../../shared/path.ts";
import type { ChangesPage, ChangesRequest } from "../context-service.ts";
import type { LogEntry } from "../storage/change-log.ts";
import { trimmed } from "./log-view.ts";
import type { HistoryLog, LogView } from "./log-view.ts";

/** Entries that one page looks at before it hands back a cursor. */
const SCAN_MAX = 20_000;
const PAGE = LIMITS.listLimitMax;

/** @throws {ServiceError} INVALID_REQUEST, VERSION_NOT_FOUND, STORE_UNAVAILABLE */
export async function listChanges(log: HistoryLog, view: LogView, request: ChangesRequest): Promise<ChangesPage> {
  checkDirection(request);
  const isWanted = filterOf(request);
  const items: ChangeRecord[] = [];
  const start = await startOf(view, request);
  let at = start.seq;
  let through = Math.max(start.version, view.head.version);
  for (let scanned = 0; ;) {
    const entries = await (start.newestFirst ? log.readBackwards(view.id, at, PAGE) : readOn(log, view, at));
    for (const entry of entries) {
      if (isWanted(entry)) items.push(recordOf(entry));
      if (items.length === request.limit) return { items, next: String(entry.version), through: entry.version };
    }
    const last = entries.at(-1);
    through = Math.max(through, last?.version ?? 0);
    if (last === undefined || entries.length < PAGE) return { items, through };
    at = last.seq;
    scanned += entries.length;
    const cursor = cursorAfter(last, start);
    if (scanned >= SCAN_MAX && cursor !== start.version) return { items, next: String(cursor), through: cursor };
  }
}

interface Start {
  readonly newestFirst: boolean;
  /** The last version before the page, in its direction. */
  readonly version: number;
  /** Where to read from so that the first change found is the first one meant. */
  readonly seq: number;
}

/** A version beyond the newest counts as the end; one of which not every later change is kept is no place to begin at. */
async function startOf(
  view: LogView,
  { newestFirst = false, since, before = Infinity }: ChangesRequest,
): Promise<Start> {
  const { head } = view;
  const base = await view.base();
  if (newestFirst) {
    if (before > head.version) return { newestFirst, version: before, seq: head.seq + 1 };
    return { newestFirst, version: before, seq: before <= base.version ? base.seq : (await view.placeOf(before)).seq };
  }
  const version = since ?? base.version;
  return { newestFirst, version, seq: version > head.version ? head.seq : (await view.wholePlaceOf(version)).seq };
}

/** The entries after `at`, none missing. @throws {ServiceError} STORE_UNAVAILABLE when the log was trimmed meanwhile */
async function readOn(log: HistoryLog, { id, head }: LogView, at: number): Promise<readonly LogEntry[]> {
  const entries = await log.read(id, at, PAGE);
  const [first] = entries;
  if (first === undefined ? at < head.seq : first.seq !== at + 1) throw trimmed();
  return entries;
}

function checkDirection({ newestFirst = false, since, before }: ChangesRequest): void {
  if ((newestFirst ? since : before) === undefined) return;
  throw new ServiceError(
    "INVALID_REQUEST",
    "Changes are listed after a version with `since`, or newest first before a version with `before`. Use one of the two.",
  );
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

function recordOf({ version, seq, actor, origin, atMs, message, paths, resolves, update }: LogEntry): ChangeRecord {
  return {
    version,
    seq,
    actor,
    origin,
    atMs,
    paths,
    ...(message === undefined ? {} : { message }),
    ...(resolves === undefined ? {} : { resolves }),
    bytes: update.byteLength,
  };
}

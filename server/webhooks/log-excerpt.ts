/**
 * What a delivery tells, out of the log: the changes after a place, as many as fit, and whether any are missing.
 *
 * Invariants (HOOK):
 *  1. Entries are taken in order, none left out but those at other paths; where the log lacks some, that is said.
 *  2. The same place and the same log give the same excerpt.
 *
 * Not here: which place that is (outbox.ts).
 */
import type { ContextId } from "../../shared/ids.ts";
import { LIMITS } from "../../shared/limits.ts";
import { overlaps, parsePath } from "../../shared/path.ts";
import { changeView } from "../../shared/protocol/change-view.ts";
import type { ChangeView } from "../../shared/protocol/rest.ts";
import type { ChangeLog, LogEntry } from "../storage/change-log.ts";

/** A place in a context's log. */
export interface Place {
  readonly seq: number;
  readonly version: number;
}

export interface Excerpt {
  readonly changes: readonly ChangeView[];
  /** Of the last entry that was looked at. */
  readonly end: Place;
  /** What the log does not keep any more: changes with from <= version <= to. */
  readonly missing?: { readonly from: number; readonly to: number };
  /** There may be entries after the end. */
  readonly hasMore: boolean;
}

interface Wanted {
  readonly after: Place;
  /** Where the log ended when this was asked: it ends no earlier. */
  readonly head: Place;
  /** Look no further. */
  readonly toSeq?: number | undefined;
  readonly isWanted: (entry: LogEntry) => boolean;
}

/** Entries that one excerpt looks at: whoever wants few of many does not hold the others up. */
const SCAN_MAX = 2000;
/** Entries and bytes that are read at once. How large entries are shows as they come. */
const FIRST_PAGE = 16;
const PAGE_MAX = 500;
const PAGE_BYTES = 1024 * 1024;

/** @throws {ServiceError} STORE_UNAVAILABLE, DATA_DAMAGED */
export async function excerptOf(
  log: Pick<ChangeLog, "read">,
  id: ContextId,
  { after, head, toSeq = Infinity, isWanted }: Wanted,
): Promise<Excerpt> {
  const taken = new Taken(after, isWanted);
  let limit = FIRST_PAGE;
  for (let scanned = 0; scanned < SCAN_MAX && taken.end.seq < toSeq;) {
    const asked = Math.min(limit, toSeq - taken.end.seq);
    const entries = (await log.read(id, taken.end.seq, asked)).filter(({ seq }) => seq <= toSeq);
    const before = placeBefore(entries[0]) ?? later(taken.end, head);
    // thinned under the first page: what was found is told, the rest is for the next excerpt
    if (scanned > 0 && before.seq !== taken.end.seq) return taken.excerpt(true);
    taken.skipTo(before);
    if (!taken.takeAll(entries)) return taken.excerpt(true);
    if (entries.length < asked) break;
    scanned += entries.length;
    limit = pageAfter(entries);
  }
  return taken.excerpt(taken.end.seq < head.seq);
}

/** The changes that a webhook with these paths tells. */
export function wantedAt(paths: readonly string[] | undefined): Wanted["isWanted"] {
  const places = paths?.map(parsePath);
  return ({ kind, paths: touched }) => {
    if (kind !== "change") return false;
    if (places === undefined) return true;
    return touched.some((path) => {
      const steps = parsePath(path);
      return places.some((place) => overlaps(place, steps));
    });
  };
}

/** What was found so far, within the bounds of one delivery. */
class Taken {
  readonly #isWanted: Wanted["isWanted"];
  readonly #changes: ChangeView[] = [];
  #bytes = 0;
  #missing: Excerpt["missing"];
  #end: Place;

  constructor(after: Place, isWanted: Wanted["isWanted"]) {
    this.#end = after;
    this.#isWanted = isWanted;
  }

  get end(): Place {
    return this.#end;
  }

  skipTo(place: Place): void {
    const { version } = this.#end;
    if (place.version > version) this.#missing = { from: version + 1, to: place.version };
    this.#end = place;
  }

  /** False when one did not fit any more. */
  takeAll(entries: readonly LogEntry[]): boolean {
    for (const entry of entries) {
      if (this.#isWanted(entry) && !this.#take(entry)) return false;
      this.#end = entry;
    }
    return true;
  }

  excerpt(hasMore: boolean): Excerpt {
    const { seq, version } = this.#end;
    const missing = this.#missing === undefined ? {} : { missing: this.#missing };
    return { changes: this.#changes, end: { seq, version }, hasMore, ...missing };
  }

  #take(entry: LogEntry): boolean {
    const view = changeView(entry);
    const bytes = this.#bytes + Buffer.byteLength(JSON.stringify(view));
    const isFull = this.#changes.length >= LIMITS.webhookBatchChangesMax || bytes > LIMITS.webhookBatchBytesMax;
    if (isFull && this.#changes.length > 0) return false;
    this.#changes.push(view);
    this.#bytes = bytes;
    return true;
  }
}

function later(one: Place, other: Place): Place {
  return one.seq < other.seq ? other : one;
}

function placeBefore(entry: LogEntry | undefined): Place | undefined {
  if (entry === undefined) return undefined;
  return { seq: entry.seq - 1, version: entry.kind === "change" ? entry.version - 1 : entry.version };
}

function pageAfter(entries: readonly LogEntry[]): number {
  const bytes = entries.reduce((sum, { update }) => sum + update.byteLength, 0);
  const each = Math.max(1, bytes / entries.length);
  return Math.max(1, Math.min(PAGE_MAX, Math.floor(PAGE_BYTES / each)));
}

/**
 * A context's log as the history needs it: where its versions are, and what must be read to have one.
 *
 * Invariants (HIST):
 *  1. The log is read in pages, with the event loop free between them.
 *  2. A version can be read when it is not before the base of the log, or when a checkpoint was kept of it.
 *
 * Not here: making documents of it (history-worker.ts).
 */
import type { ContextHead, ContextMeta } from "../../shared/context.ts";
import { ServiceError } from "../../shared/errors.ts";
import type { ContextId } from "../../shared/ids.ts";
import { contextNotFound } from "../state/context-not-found.ts";
import { seekVersion } from "../state/history/version-seek.ts";
import type { LogPlace } from "../state/history/version-seek.ts";
import type { ChangeLog, Checkpoint } from "../storage/change-log.ts";
import type { Excerpt } from "./history-tasks.ts";
import { packEntries } from "./log-page.ts";
import type { LogPage } from "./log-page.ts";

/** What the history reads; StorageManager fits. */
export type HistoryLog = Pick<
  ChangeLog,
  "nodeClientId" | "summary" | "read" | "readBackwards" | "checkpoints" | "checkpointBefore"
>;

/** Entries and bytes that are read at once: some milliseconds of decoding. How large entries are shows as they come. */
const PAGE_ENTRIES = 500;
const FIRST_PAGE_ENTRIES = 50;
const PAGE_BYTES = 1024 * 1024;

export class LogView {
  readonly id: ContextId;
  readonly meta: ContextMeta;
  readonly head: ContextHead;
  readonly #log: HistoryLog;
  #base: Promise<LogPlace> | undefined;

  private constructor(log: HistoryLog, id: ContextId, { meta, head }: Pick<LogView, "meta" | "head">) {
    this.#log = log;
    this.id = id;
    this.meta = meta;
    this.head = head;
  }

  /** @throws {ServiceError} CONTEXT_NOT_FOUND */
  static async of(log: HistoryLog, id: ContextId): Promise<LogView> {
    const summary = await log.summary(id);
    if (summary === undefined) throw contextNotFound();
    return new LogView(log, id, summary);
  }

  /** The log holds every entry after it. */
  base(): Promise<LogPlace> {
    this.#base ??= this.#findBase();
    return this.#base;
  }

  /**
   * Where a version was made, or where a checkpoint holds it.
   * @throws {ServiceError} VERSION_NOT_FOUND
   */
  async placeOf(version: number): Promise<LogPlace> {
    const base = await this.base();
    if (version > this.head.version) throw notYet(version, this.head.version);
    if (version >= base.version) {
      const seq = await seekVersion(version, { base, head: this.head }, (at) => this.#entryAt(at));
      return { seq, version };
    }
    const checkpoints = await this.#log.checkpoints(this.id);
    const kept = checkpoints.find((checkpoint) => checkpoint.version === version);
    if (kept !== undefined) return kept;
    const readable = checkpoints.filter(({ seq }) => seq < base.seq).map((checkpoint) => checkpoint.version);
    throw notKept(version, base.version, [...new Set(readable)]);
  }

  /** As placeOf, of a version after which the log is whole: a kept checkpoint before the base is none. */
  async wholePlaceOf(version: number): Promise<LogPlace> {
    const base = await this.base();
    if (version < base.version) throw notKept(version, base.version, []);
    return this.placeOf(version);
  }

  /** When the change at a place was made; undefined when its entry is gone. */
  async timeOf({ seq }: LogPlace): Promise<number | undefined> {
    if (seq === 0) return this.meta.createdAtMs;
    const [entry] = await this.#log.read(this.id, seq - 1, 1);
    return entry?.seq === seq ? entry.atMs : undefined;
  }

  /** What the documents at two places are made of: the newest checkpoint at or before `first`, and the log to `last`. */
  async between(first: LogPlace, last: LogPlace): Promise<Excerpt> {
    const base = await this.base();
    if (first.seq >= base.seq || first.seq === last.seq) return this.#excerpt(first.seq, last.seq);
    // the log between them is gone; what is before the base is a checkpoint that was kept
    return { ...(await this.#excerpt(last.seq, last.seq)), older: await this.#checkpoint(first.seq) };
  }

  async #excerpt(from: number, to: number): Promise<Excerpt> {
    const base = await this.#checkpoint(from);
    const pages: LogPage[] = [];
    let limit = FIRST_PAGE_ENTRIES;
    for (let at = base.seq; at < to;) {
      const entries = await this.#log.read(this.id, at, Math.min(limit, to - at));
      if (entries[0]?.seq !== at + 1) throw trimmed();
      const page = packEntries(entries);
      pages.push(page);
      at += entries.length;
      const entryBytes = Math.max(1, page.updates.byteLength / entries.length);
      limit = Math.max(1, Math.min(PAGE_ENTRIES, Math.round(PAGE_BYTES / entryBytes)));
    }
    return { base, pages, nodeClientId: this.#log.nodeClientId };
  }

  async #checkpoint(seq: number): Promise<Checkpoint> {
    const checkpoint = await this.#log.checkpointBefore(this.id, seq);
    if (checkpoint === undefined) throw trimmed();
    return checkpoint;
  }

  /** In this order: when the log is trimmed in between, the base is among the checkpoints, and not taken for a later one. */
  async #findBase(): Promise<LogPlace> {
    const [first] = await this.#log.read(this.id, 0, 1);
    const checkpoints = await this.#log.checkpoints(this.id);
    const wholeFrom = first === undefined ? this.head.seq : first.seq - 1;
    const base = checkpoints.find(({ seq }) => seq >= wholeFrom);
    if (base === undefined) throw trimmed();
    return base;
  }

  async #entryAt(seq: number): Promise<LogPlace> {
    const [entry] = await this.#log.read(this.id, seq - 1, 1);
    if (entry?.seq !== seq) throw trimmed();
    return entry;
  }
}

function notYet(version: number, current: number): ServiceError {
  return new ServiceError(
    "VERSION_NOT_FOUND",
    `The context is at version ${current}; there is no version ${version} yet. Ask for one up to ${current}.`,
    { details: { version, currentVersion: current } },
  );
}

function notKept(version: number, oldest: number, named: readonly number[]): ServiceError {
  const earlier =
    named.length === 0 ? "" : ` Earlier ones that were given a name can be read too: ${named.join(", ")}.`;
  return new ServiceError(
    "VERSION_NOT_FOUND",
    `The history of the context is kept from version ${oldest} on; version ${version} is gone.${earlier}`,
    { details: { version, oldestVersion: oldest, namedVersions: named } },
  );
}

/** The log was trimmed, or the context deleted, while it was read. */
export function trimmed(): ServiceError {
  return new ServiceError("STORE_UNAVAILABLE", "The history was shortened while it was read. Ask again in a moment.");
}

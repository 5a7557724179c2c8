/**
 * What a context's log said, entry by entry from the first one, kept also when the log has dropped it: the truth that
 * everything else is held against.
 *
 *  S3  positions and versions have no gap, across epochs and thinning; what was in the log does not change, and goes only
 *      from its oldest end; each epoch begins with what the one before it said, under a Yjs client id of its own
 *  S10 counters grow by what was asked for, whoever asked at once; who puts an old version back puts them back
 *
 * Nothing of the server's folding is used here: plain Yjs, one entry after the other.
 */
import { isDeepStrictEqual } from "node:util";
import * as Y from "yjs";
import type { LogEntry } from "../../server/storage/change-log.ts";
import { COUNTERS } from "./habits.ts";
import type { Ledger } from "./ledger.ts";
import { contentOf, dataOf, vectorOf, viewOf } from "./replica-view.ts";

export type Violate = (rule: string, what: string) => void;

/** What an epoch of the document came to. */
export interface EpochReplay {
  readonly doc: Y.Doc;
  /** Yjs client ids of the epochs before it. */
  readonly retired: ReadonlySet<number>;
  readonly authorSalt: number | undefined;
  /** State vectors by version. */
  readonly vectorAt: Map<number, ReadonlyMap<number, number>>;
}

/** The context after an entry. */
export interface Moment {
  readonly version: number;
  readonly epoch: EpochReplay;
  readonly view: string;
}

export class LogReplay {
  readonly #ledger: Ledger;
  readonly #violate: Violate;
  /** The one with seq 1 first. */
  readonly entries: LogEntry[] = [];
  readonly epochs: [EpochReplay, ...EpochReplay[]];
  /** The context before its first entry, and after each. */
  readonly moments: Moment[];
  /** The JSON of `data` by version. */
  readonly #dataAt: string[];
  /** All roots, by version. */
  readonly #contentAt: string[];
  readonly #changes: (LogEntry | undefined)[] = [undefined];
  readonly #versionOfKey = new Map<string, number>();

  constructor(ledger: Ledger, violate: Violate) {
    this.#ledger = ledger;
    this.#violate = violate;
    const doc = newDoc();
    this.epochs = [{ doc, retired: new Set(), authorSalt: undefined, vectorAt: new Map([[0, new Map()]]) }];
    this.moments = [{ version: 0, epoch: this.epochs[0], view: viewOf(doc) }];
    this.#dataAt = [dataOf(doc)];
    this.#contentAt = [contentOf(doc)];
  }

  get version(): number {
    return this.#dataAt.length - 1;
  }

  get epoch(): EpochReplay {
    return this.epochs.at(-1) ?? this.epochs[0];
  }

  get doc(): Y.Doc {
    return this.epoch.doc;
  }

  dataAt(version: number): string | undefined {
    return this.#dataAt[version];
  }

  contentAt(version: number): string | undefined {
    return this.#contentAt[version];
  }

  changeAt(version: number): LogEntry | undefined {
    return this.#changes[version];
  }

  versionOf(key: string): number | undefined {
    return this.#versionOfKey.get(key);
  }

  /** Changes with after < version < before. */
  changesBetween(after: number, before: number): readonly LogEntry[] {
    return this.#changes.slice(after + 1, before).flatMap((entry) => entry ?? []);
  }

  /** Reads on where it ended; `entries` are those after the base. */
  readOn(baseSeq: number, entries: readonly LogEntry[]): void {
    if (baseSeq > this.entries.length) this.#violate("S3 LOG-19", `entries up to ${baseSeq} are gone, unseen`);
    entries.forEach((entry, index) => {
      if (entry.seq !== baseSeq + index + 1)
        this.#violate("S3 LOG-19", `after entry ${baseSeq + index} the log has entry ${entry.seq}`);
    });
    for (const known of this.entries.slice(baseSeq)) {
      const now = entries[known.seq - baseSeq - 1];
      if (now === undefined || !isSame(known, now))
        return this.#violate("S2 LOG-1", `entry ${known.seq} of the log changed or is gone`);
    }
    for (const entry of entries.slice(Math.max(0, this.entries.length - baseSeq))) this.#apply(entry);
  }

  #apply(entry: LogEntry): void {
    const version = this.version + (entry.kind === "change" ? 1 : 0);
    if (entry.seq !== this.entries.length + 1 || entry.version !== version) {
      this.#violate(
        "S3 LOG-2",
        `after entry ${this.entries.length}, version ${this.version}, the log has seq ${entry.seq}, version ${entry.version}`,
      );
    }
    this.entries.push(entry);
    if (entry.kind === "epoch") this.#begin(entry);
    else this.#merge(entry);
    const { doc, vectorAt } = this.epoch;
    if (doc.store.pendingStructs !== null || doc.store.pendingDs !== null)
      this.#violate("S3 LOG-3", `entry ${entry.seq} refers to content that comes later`);
    vectorAt.set(version, vectorOf(doc));
    this.moments.push({ version, epoch: this.epoch, view: viewOf(doc) });
    if (entry.kind === "change") this.#changed(entry);
  }

  #begin(entry: LogEntry): void {
    const before = this.epoch;
    const retired = new Set([...before.retired, ...vectorOf(before.doc).keys()]);
    const doc = newDoc();
    Y.applyUpdate(doc, entry.update);
    if (contentOf(doc) !== contentOf(before.doc))
      this.#violate(
        "S3 EPOCH-1",
        `the epoch of entry ${entry.seq} says ${contentOf(doc)}, not ${contentOf(before.doc)}`,
      );
    const ids = [...vectorOf(doc).keys()];
    if (ids.length > 1 || ids.some((id) => retired.has(id)))
      this.#violate("S3 EPOCH-2", `the epoch of entry ${entry.seq} is written under ${ids.join()}`);
    this.epochs.push({ doc, retired, authorSalt: entry.authorSalt, vectorAt: new Map() });
  }

  #merge({ seq, update }: LogEntry): void {
    for (const id of Y.parseUpdateMeta(update).to.keys()) {
      if (this.epoch.retired.has(id))
        this.#violate("S3 EPOCH-4", `entry ${seq} is written under client id ${id} of an earlier epoch`);
    }
    Y.applyUpdate(this.doc, update);
  }

  #changed(entry: LogEntry): void {
    const { version, message } = entry;
    const before = countersOf(this.#dataAt[version - 1]);
    this.#dataAt[version] = dataOf(this.doc);
    this.#contentAt[version] = contentOf(this.doc);
    this.#changes[version] = entry;
    if (message !== undefined) {
      const first = this.#versionOfKey.get(message);
      if (first !== undefined)
        this.#violate("S8 IDEM-1", `request ${message} is in the log twice, as versions ${first} and ${version}`);
      this.#versionOfKey.set(message, version);
    }
    this.#checkCounters(entry, before);
  }

  #checkCounters({ version, message = "" }: LogEntry, before: readonly number[]): void {
    const restored = this.#ledger.restores.get(message);
    if (restored?.path === "") return;
    const asked = this.#ledger.asked.get(message);
    const now = countersOf(this.#dataAt[version]);
    COUNTERS.forEach((name, index) => {
      const wanted = (before[index] ?? 0) + (asked?.counts[name] ?? 0);
      if (version > 1 && now[index] !== wanted)
        this.#violate("S10", `${name} is ${now[index]} at version ${version} (${message}), and should be ${wanted}`);
    });
  }
}

function newDoc(): Y.Doc {
  const doc = new Y.Doc();
  doc.clientID = 1;
  return doc;
}

function countersOf(data = "{}"): readonly number[] {
  const members = JSON.parse(data) as Record<string, number>;
  return COUNTERS.map((name) => members[name] ?? 0);
}

function isSame(a: LogEntry, b: LogEntry): boolean {
  const rest = ({ update: _update, ...told }: LogEntry): object => told;
  return isDeepStrictEqual(rest(a), rest(b)) && Buffer.compare(a.update, b.update) === 0;
}

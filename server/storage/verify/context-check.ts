/**
 * One context, record by record: its head, its checkpoints, its log, and what lies beside them.
 *
 * Invariants:
 *  1. Every record is read once, in order; of checkpoints and log a piece at a time is in memory.
 *  2. Nothing throws because of what is stored: it is told.
 *
 * Not here: the store as a whole (verify-folder.ts), replaying (replay.ts).
 */
import type { ContextMeta, MetaChange } from "../../../shared/context.ts";
import { ServiceError } from "../../../shared/errors.ts";
import { conflictOf } from "../../state/conflict/conflict-record.ts";
import { COLLECTIONS, type Checkpoint, type DumpedRecord, type LogEntry } from "../change-log.ts";
import { decodeRun } from "../log/entry-codec.ts";
import { checkpointAt, newestOf, sizeOf, type HeadRecord } from "../log/head-record.ts";
import { collectionOf, firstSeqOf, headKey, recordNameOf } from "../log/log-keys.ts";
import { altersAdmission } from "../log/placement.ts";
import { decodeCheckpoint, decodeHead, decodeIdempotency, decodeSideRecord } from "../log/record-codec.ts";
import { firstSentence } from "./first-sentence.ts";
import type { RecordCursor } from "./record-cursor.ts";
import { Replay } from "./replay.ts";

/** Where the records of contexts are read from, each in order of context number. */
export interface ContextCursors {
  readonly heads: RecordCursor;
  readonly checkpoints: RecordCursor;
  readonly runs: RecordCursor;
  readonly records: RecordCursor;
  readonly idempotency: RecordCursor;
}

export interface ContextFinding {
  readonly id: string;
  /** As its head says; undefined when that cannot be read. */
  readonly version?: number;
  readonly problems: readonly string[];
  /** What of it can be read in spite of them. */
  readonly saved?: string;
}

export interface ContextCheckResult {
  readonly finding: ContextFinding;
  readonly entries: number;
  readonly checkpoints: number;
}

interface ContextCheckOptions {
  readonly number: number;
  readonly meta: ContextMeta;
  readonly nodeClientId: number;
  /** Called with each idempotency record's key. */
  readonly onIdempotency: (key: Uint8Array) => void;
}

/** Problems told of one context; a damaged table may have thousands. */
const PROBLEMS_MAX = 10;

export class ContextCheck {
  readonly #cursors: ContextCursors;
  readonly #options: ContextCheckOptions;
  readonly #problems: string[] = [];
  #untold = 0;
  #head: HeadRecord | undefined;
  #entries = 0;
  #checkpoints = 0;
  /** Of the log in the store. */
  #logBytes = 0;
  #lastRule = 0;
  #lastMeta: MetaChange | undefined;

  constructor(cursors: ContextCursors, options: ContextCheckOptions) {
    this.#cursors = cursors;
    this.#options = options;
  }

  async run(): Promise<ContextCheckResult> {
    const { id } = this.#options.meta;
    await this.#readHead();
    const replay = new Replay(this.#options.nodeClientId, (what) => this.#tell(what));
    await this.#replayAll(replay);
    if (this.#head !== undefined) this.#checkEnd(this.#head, replay);
    await this.#readRecords();
    await this.#readIdempotency();
    if (this.#untold > 0) this.#problems.push(`… and ${this.#untold} more`);
    const version = this.#head?.head.version;
    const finding = {
      id,
      problems: this.#problems,
      ...(version === undefined ? {} : { version }),
      ...(this.#problems.length === 0 ? {} : { saved: this.#saved(replay) }),
    };
    return { finding, entries: this.#entries, checkpoints: this.#checkpoints };
  }

  #tell(what: string): void {
    if (this.#problems.length < PROBLEMS_MAX) this.#problems.push(what);
    else this.#untold++;
  }

  /** What `read` makes of a record; undefined when it is damaged, which is told. */
  #try<T>(
    record: DumpedRecord,
    name: string,
    read: (stored: { key: Uint8Array; value: Uint8Array; name: string }) => T,
  ) {
    const [key, value] = record;
    try {
      return read({ key, value, name });
    } catch (error) {
      this.#tell(error instanceof ServiceError ? firstSentence(error.message) : `The ${name} cannot be read`);
      return undefined;
    }
  }

  async #readHead(): Promise<void> {
    const { number } = this.#options;
    for await (const record of this.#cursors.heads.rest(number)) {
      if (Buffer.compare(record[0], headKey(number)) !== 0) this.#tell("There is a second head");
      else this.#head = this.#try(record, "head", decodeHead);
    }
    if (this.#head === undefined && this.#problems.length === 0) this.#tell("The head is missing");
  }

  /** Checkpoints and log in one order; a checkpoint comes after the entry that it covers last. */
  async #replayAll(replay: Replay): Promise<void> {
    const log = this.#logEntries();
    let entry = await log.next();
    const takeUpTo = async (seq: number): Promise<void> => {
      for (; entry.done !== true && entry.value.seq <= seq; entry = await log.next())
        // runs below the base may be there for a while
        if (entry.value.seq > replay.baseSeq) this.#take(replay, entry.value);
    };
    if (this.#head !== undefined) replay.begin(this.#head.baseSeq, sizeOf(this.#head).baseVersion);
    const seen = new Set<number>();
    for await (const record of this.#cursors.checkpoints.rest(this.#options.number)) {
      const checkpoint = this.#readCheckpoint(record);
      if (checkpoint === undefined) continue;
      const { seq, version } = checkpoint;
      if (this.#head === undefined && seen.size === 0) replay.begin(seq, version);
      seen.add(seq);
      if (seq < replay.baseSeq) {
        replay.keptBelowBase(checkpoint);
        continue;
      }
      await takeUpTo(seq);
      if (replay.nextSeq <= seq) this.#gap(replay, seq + 1, version);
      replay.checkpoint(checkpoint, this.#head !== undefined && newestOf(this.#head).seq === seq);
    }
    await takeUpTo(Infinity);
    this.#checkSeen(seen);
  }

  /** @param seen seqs of the checkpoints that could be read */
  #checkSeen(seen: ReadonlySet<number>): void {
    for (const { seq, version } of this.#head?.checkpoints ?? [])
      if (!seen.has(seq)) this.#tell(`The checkpoint at version ${version} is missing or cannot be read`);
  }

  #take(replay: Replay, entry: LogEntry): void {
    const { seq, version, kind } = entry;
    if (seq < replay.nextSeq) return this.#tell(`Entry ${seq} is there twice`);
    if (seq > replay.nextSeq) this.#gap(replay, seq, version - (kind === "change" ? 1 : 0));
    else if (version !== replay.version + (kind === "change" ? 1 : 0))
      this.#tell(`Entry ${seq} says that it is version ${version}, after version ${replay.version}`);
    if (altersAdmission(entry)) this.#lastRule = seq;
    if (entry.meta !== undefined) this.#lastMeta = entry.meta;
    this.#entries++;
    replay.entry(entry);
  }

  /** The next thing that is there has this seq; `version` is the one before it. */
  #gap(replay: Replay, seq: number, version: number): void {
    const [first, last] = [replay.nextSeq, seq - 1];
    this.#tell(first === last ? `Entry ${first} is missing` : `Entries ${first} to ${last} are missing`);
    replay.gap(last, version);
  }

  async *#logEntries(): AsyncGenerator<LogEntry, void> {
    for await (const record of this.#cursors.runs.rest(this.#options.number)) {
      this.#logBytes += record[1].length;
      const name = `log from entry ${firstSeqOf(record[0])} on`;
      for (const entry of this.#try(record, name, decodeRun) ?? []) yield entry;
    }
  }

  #readCheckpoint(record: DumpedRecord): Checkpoint | undefined {
    this.#checkpoints++;
    const seq = firstSeqOf(record[0]);
    const decoded = this.#try(record, `checkpoint at entry ${seq}`, decodeCheckpoint);
    if (decoded === undefined) return undefined;
    const known = this.#head === undefined ? undefined : checkpointAt(this.#head, seq);
    if (this.#head !== undefined && known === undefined)
      this.#tell(`The checkpoint at entry ${seq} is not in the head`);
    if (decoded.seq !== seq) this.#tell(`The checkpoint at entry ${seq} says that it is one at entry ${decoded.seq}`);
    // layout 1 did not keep the size of the first
    if (
      known !== undefined &&
      (known.version !== decoded.version || (known.bytes > 0 && known.bytes !== record[1].length))
    )
      this.#tell(`The checkpoint at entry ${seq} is not the one that the head knows`);
    return { ...decoded, seq, firstEpoch: this.#options.meta.firstEpoch };
  }

  #checkEnd({ head, logBytes, baseSeq }: HeadRecord, replay: Replay): void {
    const end = replay.end();
    if (replay.nextSeq <= head.seq) this.#gap(replay, head.seq + 1, head.version);
    else if (replay.nextSeq - 1 !== head.seq || replay.version !== head.version) {
      const [seq, version] = [replay.nextSeq - 1, replay.version];
      this.#tell(
        `The head says entry ${head.seq}, version ${head.version}; the log ends at ${seq}, version ${version}`,
      );
    }
    if (this.#problems.length > 0) return;
    // what only the whole log can tell
    if (logBytes !== this.#logBytes)
      this.#tell(`The head says ${logBytes} bytes of log, and there are ${this.#logBytes}`);
    const lastRule = this.#lastRule === 0 ? Math.min(head.lockSeq, baseSeq) : this.#lastRule;
    if (head.lockSeq !== lastRule) this.#tell(`The head says lock entry ${head.lockSeq}, and it is ${lastRule}`);
    if (end !== undefined && end.authorSalt !== this.#options.meta.authorSalt)
      this.#tell("The metadata and the log are of different epochs");
    if (this.#lastMeta !== undefined && JSON.stringify(this.#lastMeta.acl) !== JSON.stringify(this.#options.meta.acl))
      this.#tell("The access list is not the one that the log tells of");
  }

  async #readRecords(): Promise<void> {
    for await (const record of this.#cursors.records.rest(this.#options.number)) {
      const collection = collectionOf(record[0]) ?? "";
      const name = recordNameOf(record[0]);
      const value = this.#try(record, `record "${name}" of ${collection}`, decodeSideRecord);
      if (value === undefined) continue;
      if (!COLLECTIONS.some((known) => known === collection)) this.#tell(`The collection "${collection}" is none`);
      if (collection === "conflicts") this.#try(record, `conflict "${name}"`, () => conflictOf(value));
      if (collection !== "checkpoints" || this.#head === undefined) continue;
      const kept = checkpointAt(this.#head, Number(value["seq"]));
      if (kept?.isKept !== true || kept.version !== value["version"])
        this.#tell(`The named checkpoint "${name}" has no checkpoint`);
    }
  }

  async #readIdempotency(): Promise<void> {
    for await (const record of this.#cursors.idempotency.rest(this.#options.number)) {
      this.#options.onIdempotency(record[0]);
      const decoded = this.#try(record, "record of an idempotency key", decodeIdempotency);
      if (decoded !== undefined && this.#head !== undefined && decoded.seq > this.#head.head.seq)
        this.#tell(`The idempotency key "${decoded.key}" stands for entry ${decoded.seq}, which there is not`);
    }
  }

  #saved(replay: Replay): string {
    const best = replay.best;
    const { gapAfter } = replay;
    if (best === undefined) return "nothing of it can be read";
    const newest = this.#head?.head.version;
    const of = newest === undefined || newest === best.version ? "" : ` of ${newest}`;
    const content = `its content as of version ${best.version}${of}`;
    return gapAfter === undefined ? content : `${content}; of its history the entries up to ${gapAfter}`;
  }
}

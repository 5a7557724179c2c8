/**
 * The log of a context played again: from its base, and from each checkpoint, to the same state.
 *
 * What cannot be read leaves a gap, after which the replay goes on from the next checkpoint. Where it then stands at the end is
 * what can be saved.
 *
 * Invariants:
 *  1. Entries and checkpoints are taken in order of seq, one checkpoint and one run of entries at a time.
 *
 * Not here: reading records (context-check.ts).
 */
import type { Checkpoint, LogEntry } from "../change-log.ts";
import { DocumentFold } from "../../state/document-fold.ts";
import { sameDocument } from "../../state/same-document.ts";

/** Entries that are applied in one step, and bytes of their updates. */
const STEP_ENTRIES = 2000;
const STEP_BYTES = 4 * 1024 * 1024;

interface Position {
  readonly seq: number;
  readonly version: number;
}

export class Replay {
  readonly #nodeClientId: number;
  readonly #problem: (what: string) => void;
  /** From the base, or from the first checkpoint after a gap; undefined in a gap. */
  #fold: DocumentFold | undefined;
  /** From the newest checkpoint, as a load does it. */
  #load: DocumentFold | undefined;
  #waiting: LogEntry[] = [];
  #waitingBytes = 0;
  #baseSeq = 0;
  #lastSeq = 0;
  #lastVersion = 0;
  #best: Position | undefined;
  #gapAfter: number | undefined;

  constructor(nodeClientId: number, problem: (what: string) => void) {
    this.#nodeClientId = nodeClientId;
    this.#problem = problem;
  }

  get baseSeq(): number {
    return this.#baseSeq;
  }

  /** The seq of the entry that must come next. */
  get nextSeq(): number {
    return this.#lastSeq + 1;
  }

  get version(): number {
    return this.#lastVersion;
  }

  /** The newest state that could be made; undefined when there is none. */
  get best(): Position | undefined {
    this.#flush();
    return this.#fold ?? this.#best;
  }

  /** The seq after which the first entry is missing, if one is. */
  get gapAfter(): number | undefined {
    return this.#gapAfter;
  }

  /** All that there is at the end; undefined when it could not be made. */
  end(): Checkpoint | undefined {
    this.#flush();
    if (this.#load !== undefined && this.#fold !== undefined && this.#load !== this.#fold)
      this.#compare(this.#fold, this.#load, "The newest checkpoint and the log after it");
    return this.#fold?.checkpoint();
  }

  /** Where the log begins. */
  begin(baseSeq: number, baseVersion: number): void {
    this.#baseSeq = baseSeq;
    this.#lastSeq = baseSeq;
    this.#lastVersion = baseVersion;
  }

  /** @param isNewest from which a load goes on */
  checkpoint(checkpoint: Checkpoint, isNewest: boolean): void {
    this.#flush();
    const made = this.#open(checkpoint);
    if (made === undefined) return;
    if (this.#fold !== undefined && this.#fold.seq === checkpoint.seq)
      this.#compare(this.#fold, made, `The checkpoint at version ${checkpoint.version}`);
    else {
      this.#best = this.#fold ?? this.#best;
      this.#fold = made;
    }
    if (isNewest) this.#load = made;
    this.#lastSeq = checkpoint.seq;
    this.#lastVersion = checkpoint.version;
  }

  /** Old ones that the log does not reach any more can only be opened. */
  keptBelowBase(checkpoint: Checkpoint): void {
    this.#open(checkpoint)?.doc.destroy();
  }

  entry(entry: LogEntry): void {
    this.#waiting.push(entry);
    this.#waitingBytes += entry.update.length;
    this.#lastSeq = entry.seq;
    this.#lastVersion = entry.version;
    if (this.#waiting.length >= STEP_ENTRIES || this.#waitingBytes >= STEP_BYTES) this.#flush();
  }

  /** What comes after `nextSeq - 1` is missing up to `seq`. */
  gap(seq: number, version: number): void {
    this.#flush();
    this.#gapAfter ??= this.#lastSeq;
    this.#best = this.#fold ?? this.#best;
    this.#fold = undefined;
    this.#load = undefined;
    this.#lastSeq = seq;
    this.#lastVersion = version;
  }

  #flush(): void {
    const entries = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    if (entries.length === 0) return;
    const isShared = this.#load === this.#fold;
    this.#fold = this.#applied(this.#fold, entries);
    this.#load = isShared ? this.#fold : this.#applied(this.#load, entries);
  }

  #applied(fold: DocumentFold | undefined, entries: readonly LogEntry[]): DocumentFold | undefined {
    if (fold === undefined) return undefined;
    const { seq, version } = fold;
    try {
      fold.apply(entries);
      return fold;
    } catch (error) {
      this.#problem(`The log after entry ${seq} cannot be replayed: ${messageOf(error)}`);
      this.#gapAfter ??= seq;
      this.#best = { seq, version };
      return undefined;
    }
  }

  #open(checkpoint: Checkpoint): DocumentFold | undefined {
    try {
      return new DocumentFold(checkpoint, { nodeClientId: this.#nodeClientId });
    } catch (error) {
      this.#problem(`The checkpoint at version ${checkpoint.version} holds no document: ${messageOf(error)}`);
      return undefined;
    }
  }

  #compare(replayed: DocumentFold, stored: DocumentFold, what: string): void {
    const differs = differenceOf(replayed, stored);
    if (differs !== undefined) this.#problem(`${what} and the log before it give different ${differs}`);
  }
}

/** What is not the same, in a word. */
function differenceOf(a: DocumentFold, b: DocumentFold): string | undefined {
  const [left, right] = [a.checkpoint(), b.checkpoint()];
  if (left.version !== right.version) return "versions";
  if (left.authorSalt !== right.authorSalt) return "epochs";
  if (!sameDocument(a.doc, b.doc)) return "content";
  if (!sameEntries(a.owners, b.owners)) return "owners of Yjs client ids";
  if (!sameEntries(setOf(a.retired), setOf(b.retired))) return "client ids of earlier epochs";
  if (!sameEntries(a.voids, b.voids)) return "voids";
  return JSON.stringify(left.locks) === JSON.stringify(right.locks) ? undefined : "locks";
}

function sameEntries(a: ReadonlyMap<number, unknown>, b: ReadonlyMap<number, unknown>): boolean {
  return a.size === b.size && [...a].every(([key, value]) => b.get(key) === value);
}

function setOf(ids: ReadonlySet<number>): ReadonlyMap<number, true> {
  return new Map([...ids].map((id) => [id, true]));
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

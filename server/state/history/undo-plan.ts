/**
 * Undo of one actor's changes in a range of versions, everybody else's work kept: worked out on a copy of the document,
 * said as JSON operations against its present version.
 *
 * Invariants (UNDO):
 *  1. Where nobody else wrote since, the operations give what stood there before the range.
 *  2. Where others wrote since, what they wrote stays: a later value of a key, a later deletion, their characters.
 *  3. A place of the actor's that does not read as before the range and that the undo leaves alone is told, with who
 *     wrote there last.
 *  4. An epoch begins a new document: the edits of the old one are undone there, and carried over as a JSON change made at
 *     the beginning of the new one, which everything after it merges with and wins against.
 *
 * Not here: undoing inside Yjs (undone-edits.ts), applying the operations (server/use-cases/history.ts).
 */
import * as Y from "yjs";
import type { JsonOp } from "../../../shared/change.ts";
import type { KeptPath } from "../../../shared/history.ts";
import type { Actor } from "../../../shared/ids.ts";
import { covers, overlaps, parsePath } from "../../../shared/path.ts";
import type { Steps } from "../../../shared/path.ts";
import { diffRoots } from "../../../shared/json-diff.ts";
import { TEXT_MARK, markOf } from "../../../shared/json-marks.ts";
import { readRoots } from "../../../shared/read-data.ts";
import type { RootsJson } from "../../../shared/read-data.ts";
import type { Checkpoint, LogEntry } from "../../storage/change-log.ts";
import { DocumentFold } from "../document-fold.ts";
import { applyJsonOps } from "../json/json-changes.ts";
import { authorshipOf } from "./blame.ts";
import { isSame, narrow, revertOps, valueAt } from "./revert-ops.ts";
import type { RevertOps } from "./revert-ops.ts";
import { UndoneEdits } from "./undone-edits.ts";

export interface UndoInput {
  /** At or before version `from`. */
  readonly base: Checkpoint;
  /** All after the base. */
  readonly entries: readonly LogEntry[];
  readonly nodeClientId: number;
  readonly actor: Actor;
  /** The actor's changes with from < version <= to. */
  readonly from: number;
  readonly to: number;
  /** Only what lies at or below it; "" for everything. */
  readonly path: string;
}

export interface UndoPlan extends RevertOps {
  /** The operations are for this version. */
  readonly version: number;
}

export function planUndo(input: UndoInput): UndoPlan {
  const { base, entries, nodeClientId, from, path } = input;
  const fold = new DocumentFold(base, { nodeClientId, gc: false });
  const rangeAt = entries.findIndex(({ version }) => version > from);
  const since = rangeAt < 0 ? [] : entries.slice(rangeAt);
  fold.apply(entries.slice(0, entries.length - since.length));
  const before = readRoots(fold.doc);
  const run = new UndoRun(fold, since, (entry) => isTheirs(entry, input));
  const documents = { before, ...run.outcome() };
  const { present, undone } = documents;
  const { changes, kept } = revertOps(narrow({ roots: present }, path), narrow({ roots: undone }, path), path);
  return { version: fold.version, changes, kept: [...kept, ...keptPlaces(since, input, documents)] };
}

function isTheirs({ kind, actor, version }: LogEntry, { actor: theirs, from, to }: UndoInput): boolean {
  return kind === "change" && actor === theirs && version > from && version <= to;
}

interface Outcome {
  readonly present: RootsJson;
  readonly undone: RootsJson;
}

/** Goes through the entries with a document that keeps what is deleted, and undoes at the end of each epoch. */
class UndoRun {
  readonly #fold: DocumentFold;
  readonly #entries: readonly LogEntry[];
  readonly #isTheirs: (entry: LogEntry) => boolean;
  #edits: UndoneEdits;
  /** The document as it is, beside the one that an undo of an earlier epoch was carried into. */
  #untouched: DocumentFold | undefined;

  constructor(fold: DocumentFold, entries: readonly LogEntry[], theirs: (entry: LogEntry) => boolean) {
    this.#fold = fold;
    this.#entries = entries;
    this.#isTheirs = theirs;
    this.#edits = new UndoneEdits(fold.doc);
  }

  outcome(): Outcome {
    for (let at = 0; at < this.#entries.length;) {
      const from = at++;
      const first = this.#entries[from];
      if (first?.kind === "epoch") {
        this.#enter(first, this.#entries.slice(at));
      } else {
        while (at < this.#entries.length && this.#areAlike(first, this.#entries[at])) at++;
        this.#take(this.#entries.slice(from, at));
      }
    }
    return this.#undo();
  }

  #areAlike(one: LogEntry | undefined, other: LogEntry | undefined): boolean {
    if (one === undefined || other === undefined || other.kind === "epoch") return false;
    return this.#isTheirs(one) === this.#isTheirs(other);
  }

  /** Neighbours that are all theirs, or all not. */
  #take(entries: readonly LogEntry[]): void {
    const [first] = entries;
    for (const { update } of entries) this.#edits.note(update);
    this.#untouched?.apply(entries);
    if (first !== undefined && this.#isTheirs(first)) this.#edits.collect(() => this.#fold.apply(entries));
    else this.#fold.apply(entries);
  }

  #enter(epoch: LogEntry, later: readonly LogEntry[]): void {
    const { present, undone } = this.#undo();
    const ops = diffRoots(present, undone).filter((op) => !this.#isSettled(op, present, later));
    this.#fold.apply([epoch]);
    this.#untouched = new DocumentFold(this.#fold.checkpoint(), { nodeClientId: NO_NODE });
    if (ops.length > 0) change(this.#fold.doc, ops, freeClientId(this.#entries));
    this.#edits = new UndoneEdits(this.#fold.doc);
  }

  /** Somebody else set or deleted it in the new epoch: the merge lets a deletion lose against the carried value. */
  #isSettled({ path }: JsonOp, present: RootsJson, later: readonly LogEntry[]): boolean {
    const steps = parsePath(path);
    if (isMerged(steps, present)) return false;
    const last = later.findLast(({ paths }) => paths.some((touched) => covers(parsePath(touched), steps)));
    return last !== undefined && !this.#isTheirs(last);
  }

  #undo(): Outcome {
    const present = readRoots((this.#untouched ?? this.#fold).doc);
    if (!this.#edits.isEmpty) this.#edits.revert();
    return { present, undone: readRoots(this.#fold.doc) };
  }
}

/** The document that is only read needs no server's id. */
const NO_NODE = 0;

/** A change of a text, or of an array's elements, is merged with others' there. */
function isMerged(steps: Steps, present: RootsJson): boolean {
  if (markOf(valueAt(present, steps)) === TEXT_MARK) return true;
  return steps.some((_, depth) => Array.isArray(valueAt(present, steps.slice(0, depth))));
}

function change(doc: Y.Doc, ops: readonly JsonOp[], clientID: number): void {
  const document = doc;
  document.clientID = clientID;
  applyJsonOps(doc, ops, undefined, { isPlanned: true });
}

/** The lowest there is: of two values that were set at once Yjs keeps that of the higher id, so everybody else's. */
function freeClientId(entries: readonly LogEntry[]): number {
  const taken = new Set(entries.flatMap(({ update }) => [...Y.parseUpdateMeta(update).to.keys()]));
  let id = 1;
  while (taken.has(id)) id++;
  return id;
}

interface Documents extends Outcome {
  readonly before: RootsJson;
}

function keptPlaces(entries: readonly LogEntry[], input: UndoInput, documents: Documents): KeptPath[] {
  const within = parsePath(input.path);
  const others = entries.filter((entry) => entry.kind === "change" && !isTheirs(entry, input)).reverse();
  const kept: KeptPath[] = [];
  for (const [path, since] of touchedBy(entries, input)) {
    const steps = parsePath(path);
    if (!overlaps(steps, within) || !isLeft(steps, documents)) continue;
    const later = others.find(({ version, paths }) => version > since && touches(paths, steps));
    if (later !== undefined) kept.push({ path, reason: "changed-since", by: authorshipOf(later) });
  }
  return kept;
}

/** Where the actor wrote, and the version at which first. */
function touchedBy(entries: readonly LogEntry[], input: UndoInput): Map<string, number> {
  const touched = new Map<string, number>();
  for (const entry of entries) {
    if (!isTheirs(entry, input)) continue;
    for (const path of entry.paths) if (!touched.has(path)) touched.set(path, entry.version);
  }
  return touched;
}

function isLeft(steps: Steps, { before, present, undone }: Documents): boolean {
  return isSameAt(steps, present, undone) && !isSameAt(steps, before, present);
}

function isSameAt(steps: Steps, one: RootsJson, other: RootsJson): boolean {
  if (steps.length === 0) return diffRoots(one, other).length === 0;
  return isSame(valueAt(one, steps), valueAt(other, steps));
}

function touches(paths: readonly string[], steps: Steps): boolean {
  return paths.some((path) => overlaps(parsePath(path), steps));
}

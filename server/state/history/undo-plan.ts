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
 *     the beginning of the new one, which everything after merges with and wins against.
 *
 * Not here: undoing inside Yjs (undone-edits.ts), applying the operations (server/use-cases/history.ts).
 */
import * as Y from "yjs";
import type { JsonOp } from "../../../shared/change.ts";
import type { KeptPath } from "../../../shared/history.ts";
import type { Actor } from "../../../shared/ids.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { overlaps, parsePath } from "../../../shared/path.ts";
import type { Steps } from "../../../shared/path.ts";
import { diffRoots } from "../../../shared/json-diff.ts";
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
  const { base, entries, from, path } = input;
  const fold = new DocumentFold(base, { nodeClientId: input.nodeClientId, gc: false });
  const rangeAt = entries.findIndex(({ version }) => version > from);
  const since = rangeAt < 0 ? [] : entries.slice(rangeAt);
  fold.apply(entries.slice(0, entries.length - since.length));
  const before = readRoots(fold.doc);
  const { present, undone } = new UndoRun(fold, (entry) => isTheirs(entry, input)).through(since);
  const { changes, kept } = revertOps(narrow({ roots: present }, path), narrow({ roots: undone }, path), path);
  const left = keptPlaces(since, input, { before, present, undone });
  return { version: fold.version, changes, kept: [...kept, ...left] };
}

function isTheirs({ kind, actor, version }: LogEntry, { actor: theirs, from, to }: UndoInput): boolean {
  return kind === "change" && actor === theirs && version > from && version <= to;
}

class UndoRun {
  readonly #fold: DocumentFold;
  readonly #isTheirs: (entry: LogEntry) => boolean;
  #edits: UndoneEdits;
  /** What the undo of earlier epochs comes to: operations for the document that this epoch began with. */
  #carried: { readonly start: Uint8Array; readonly ops: readonly JsonOp[] } | undefined;

  constructor(fold: DocumentFold, theirs: (entry: LogEntry) => boolean) {
    this.#fold = fold;
    this.#isTheirs = theirs;
    this.#edits = new UndoneEdits(fold.doc);
  }

  through(entries: readonly LogEntry[]): { readonly present: RootsJson; readonly undone: RootsJson } {
    for (let at = 0; at < entries.length;) {
      const first = entries[at];
      if (first === undefined) break;
      const from = at++;
      if (first.kind === "epoch") {
        this.#carryOver(first);
        continue;
      }
      const theirs = this.#isTheirs(first);
      while (at < entries.length && this.#continues(entries[at], theirs)) at++;
      this.#take(entries.slice(from, at), theirs);
    }
    return this.#revert();
  }

  #continues(entry: LogEntry | undefined, theirs: boolean): boolean {
    return entry !== undefined && entry.kind !== "epoch" && this.#isTheirs(entry) === theirs;
  }

  #take(entries: readonly LogEntry[], theirs: boolean): void {
    for (const { update } of entries) this.#edits.note(update);
    if (theirs) this.#edits.collect(() => this.#fold.apply(entries));
    else this.#fold.apply(entries);
  }

  #carryOver(epoch: LogEntry): void {
    const { present, undone } = this.#revert();
    const ops = diffRoots(present, undone);
    this.#fold.apply([epoch]);
    this.#carried = { start: Y.encodeStateAsUpdate(this.#fold.doc), ops };
    this.#edits = new UndoneEdits(this.#fold.doc);
  }

  /** The document is of no use after it. */
  #revert(): { readonly present: RootsJson; readonly undone: RootsJson } {
    const { doc } = this.#fold;
    const present = readRoots(doc);
    if (this.#carried !== undefined && this.#carried.ops.length > 0) {
      Y.applyUpdate(doc, changeOf(this.#carried.start, this.#carried.ops, freeClientId(doc)));
    }
    if (!this.#edits.isEmpty) this.#edits.revert();
    return { present, undone: readRoots(doc) };
  }
}

/** The update of a JSON change to a document, made under a client id. */
function changeOf(start: Uint8Array, ops: readonly JsonOp[], clientId: number): Uint8Array {
  const doc = new Y.Doc({ gc: false });
  Y.applyUpdate(doc, start);
  const vector = Y.encodeStateVector(doc);
  doc.clientID = clientId;
  for (let at = 0; at < ops.length; at += LIMITS.opsMax) {
    applyJsonOps(doc, ops.slice(at, at + LIMITS.opsMax), undefined);
  }
  return Y.encodeStateAsUpdate(doc, vector);
}

/** The lowest there is: of two values that were set at once Yjs keeps that of the higher id, so everybody else's. */
function freeClientId(doc: Y.Doc): number {
  let id = 1;
  while (doc.store.clients.has(id)) id++;
  return id;
}

interface Documents {
  readonly before: RootsJson;
  readonly present: RootsJson;
  readonly undone: RootsJson;
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

/**
 * Blame: who last wrote each value at a path and below it, exact by Yjs ids.
 *
 * Invariants (BLAME):
 *  1. A value belongs to the change that wrote its item; a run of text is one change's, and neighbours of one are one line.
 *  2. What is older than the log has no version; its actor is known when a live client wrote it.
 *  3. A new epoch writes everything anew with the same JSON: what stands at the same place of the old document was
 *     written by the same change, so attributions are carried over place by place.
 *
 * Not here: reading the log (server/history).
 */
import type * as Y from "yjs";
import { ServiceError } from "../../../shared/errors.ts";
import type { Authorship, BlameLine } from "../../../shared/history.ts";
import type { Actor } from "../../../shared/ids.ts";
import { formatPath, parsePath } from "../../../shared/path.ts";
import type { Steps } from "../../../shared/path.ts";
import { readData } from "../../../shared/read-data.ts";
import type { Checkpoint, LogEntry } from "../../storage/change-log.ts";
import { DocumentFold } from "../document-fold.ts";
import type { FoldOptions } from "../document-fold.ts";
import { Attribution } from "./attribution.ts";
import type { IdRange } from "./attribution.ts";
import { PlaceAuthors, isNewer } from "./carry-over.ts";
import { visitPieces } from "./document-pieces.ts";
import type { Piece } from "./document-pieces.ts";

/** What of an entry blame reads. */
export type BlameEntry = Omit<LogEntry, "origin" | "paths" | "resolves">;

const UNKNOWN: Authorship = {};

export interface BlameOptions extends Pick<FoldOptions, "nodeClientId"> {
  /** Who wrote what the base holds and no live client wrote; known when the base is the context as it was created. */
  readonly creation?: Authorship;
}

export class Blame {
  readonly #fold: DocumentFold;
  #attribution = new Attribution();

  constructor(base: Checkpoint, { creation = UNKNOWN, ...options }: BlameOptions) {
    this.#fold = new DocumentFold(base, options);
    this.#attribution.addRanges(rangesOfBase(this.#fold, creation));
  }

  /** Entries in order, the first right after what came before. */
  apply(entries: readonly BlameEntry[]): void {
    let from = 0;
    for (const [index, entry] of entries.entries()) {
      if (entry.kind !== "epoch") {
        this.#attribution.addUpdate(entry.update, authorshipOf(entry));
        continue;
      }
      this.#fold.apply(entries.slice(from, index));
      const authors = new PlaceAuthors(this.#fold.doc, this.#attribution);
      this.#fold.apply([entry]);
      this.#attribution = new Attribution();
      this.#attribution.addRanges(authors.rangesIn(this.#fold.doc));
      from = index + 1;
    }
    this.#fold.apply(entries.slice(from));
  }

  /**
   * Lines in the order of the document.
   * @param linesMax more than these are refused
   * @throws {ServiceError} PATH_NOT_FOUND, INVALID_REQUEST when `path` is none, TOO_LARGE
   */
  lines(path: string, linesMax: number): BlameLine[] {
    const within = parsePath(path);
    if (within.length > 0) readData(this.#fold.doc, path, 0);
    const lines = new Lines(this.#attribution, linesMax);
    visitPieces(this.#fold.doc, within, (piece) => lines.add(piece));
    return lines.list;
  }
}

class Lines {
  readonly list: BlameLine[] = [];
  readonly #attribution: Attribution;
  readonly #max: number;
  /** The line that the next piece of the same place and change is a part of. */
  #open: { readonly steps: Steps; readonly by: Authorship; readonly kind: Piece["kind"] } | undefined;

  constructor(attribution: Attribution, max: number) {
    this.#attribution = attribution;
    this.#max = max;
  }

  add(piece: Piece): void {
    if (piece.kind === "type" && !piece.isEmpty) return;
    let { start } = piece;
    for (const [{ length }, by = UNKNOWN] of this.#attribution.partsOf(piece)) {
      const text = piece.text.slice(start - piece.start, start - piece.start + length);
      if (!this.#extends(piece, by, text)) this.#begin(piece, by, { start, text });
      start += length;
    }
  }

  /** XML is one line, of whoever changed something in it last. */
  #extends(piece: Piece, by: Authorship, text: string): boolean {
    const last = this.list.at(-1);
    const open = this.#open;
    if (last === undefined || open === undefined || open.kind !== piece.kind || open.steps !== piece.steps)
      return false;
    if (piece.kind === "xml") {
      if (isNewer(by, open.by)) this.#replace(last, piece, by);
      return true;
    }
    if (piece.kind !== "text" || open.by !== by) return false;
    this.list[this.list.length - 1] = { ...last, text: (last.text ?? "") + text };
    return true;
  }

  #begin(piece: Piece, by: Authorship, { start, text }: { readonly start: number; readonly text: string }): void {
    if (this.list.length >= this.#max) throw tooMany(this.#max);
    const depth = piece.arrayDepth;
    this.#open = { steps: piece.steps, by, kind: piece.kind };
    this.list.push({
      path: formatPath(depth === undefined ? piece.steps : piece.steps.slice(0, depth)),
      ...(depth === undefined ? {} : { index: Number(piece.steps[depth]) }),
      ...(piece.kind === "text" ? { start, text } : {}),
      ...by,
    });
  }

  #replace({ path, index }: BlameLine, piece: Piece, by: Authorship): void {
    this.#open = { steps: piece.steps, by, kind: piece.kind };
    this.list[this.list.length - 1] = { path, ...(index === undefined ? {} : { index }), ...by };
  }
}

export function authorshipOf({ version, actor, atMs, message }: BlameEntry): Authorship {
  return { version, actor, atMs, ...(message === undefined ? {} : { message }) };
}

/** One object for each author, so that neighbours in a text are one line. */
function* rangesOfBase({ doc, owners }: DocumentFold, creation: Authorship): Generator<readonly [IdRange, Authorship]> {
  const by = new Map<Actor, Authorship>();
  for (const [client, structs] of doc.store.clients) {
    const actor = owners.get(client);
    const owned = actor === undefined ? creation : (by.get(actor) ?? { actor });
    if (actor !== undefined) by.set(actor, owned);
    yield [{ client, clock: 0, length: endOf(structs) }, owned];
  }
}

function endOf(structs: readonly (Y.Item | Y.GC)[]): number {
  const last = structs.at(-1);
  return last === undefined ? 0 : last.id.clock + last.length;
}

function tooMany(max: number): ServiceError {
  return new ServiceError(
    "TOO_LARGE",
    `The blame has more than ${max} lines. Ask for a path further down, a single text or member.`,
    { details: { limit: max } },
  );
}

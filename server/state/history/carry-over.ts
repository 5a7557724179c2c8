/**
 * Carries attributions over an epoch: the new document says the same as the old one under other Yjs ids, so what stands
 * at a place was written by whoever wrote what stood there.
 *
 * Not here: what an epoch does to a document (document-fold.ts).
 */
import type * as Y from "yjs";
import type { Authorship } from "../../../shared/history.ts";
import { formatPath } from "../../../shared/path.ts";
import type { Steps } from "../../../shared/path.ts";
import type { Attribution, IdRange } from "./attribution.ts";
import { visitPieces } from "./document-pieces.ts";
import type { Piece } from "./document-pieces.ts";

export function isNewer(one: Authorship, other: Authorship): boolean {
  return (one.version ?? -1) > (other.version ?? -1);
}

/** Characters of a text from `start` to before `end`. */
interface Run {
  readonly start: number;
  readonly end: number;
  readonly by: Authorship;
}

/** Who wrote what at each place of a document, whatever the ids there. */
export class PlaceAuthors {
  readonly #values = new Map<string, Authorship>();
  readonly #texts = new Map<string, Run[]>();

  constructor(doc: Y.Doc, attribution: Attribution) {
    visitPieces(doc, [], (piece) => {
      let { start } = piece;
      for (const [{ length }, by] of attribution.partsOf(piece)) {
        if (by !== undefined) this.#note(piece, { start, end: start + length, by });
        start += length;
      }
    });
  }

  /** Attributes the ids of a document that says the same. */
  *rangesIn(doc: Y.Doc): Generator<readonly [IdRange, Authorship]> {
    const pieces: Piece[] = [];
    visitPieces(doc, [], (piece) => void pieces.push(piece));
    for (const piece of pieces) {
      const runs = piece.kind === "text" ? this.#texts.get(formatPath(piece.steps)) : undefined;
      const by = runs === undefined ? this.#valueAt(piece.steps) : undefined;
      if (by !== undefined) yield [piece, by];
      for (const run of runs ?? []) {
        const start = Math.max(run.start, piece.start);
        const length = Math.min(run.end, piece.start + piece.length) - start;
        if (length > 0) yield [{ client: piece.client, clock: piece.clock + start - piece.start, length }, run.by];
      }
    }
  }

  #note(piece: Piece, run: Run): void {
    const key = formatPath(piece.steps);
    if (piece.kind === "text") {
      const runs = this.#texts.get(key);
      if (runs === undefined) this.#texts.set(key, [run]);
      else runs.push(run);
      return;
    }
    const known = this.#values.get(key);
    if (known === undefined || isNewer(run.by, known)) this.#values.set(key, run.by);
  }

  /** What was stored whole may be written anew in parts: these are by the author of the whole. */
  #valueAt(steps: Steps): Authorship | undefined {
    for (let depth = steps.length; depth > 0; depth--) {
      const by = this.#values.get(formatPath(steps.slice(0, depth)));
      if (by !== undefined) return by;
    }
    return undefined;
  }
}

/**
 * Edits inside something that was deleted or replaced by an author who had not seen them.
 *
 * Two ways to meet: the edits come when the subtree is gone already (`LateEdits`), or the deletion comes and its sender is
 * known not to have seen all that is inside (`UnseenContent`). Told once for each subtree, under the path of its
 * outermost deleted type, with what was written there.
 *
 * Not here: the place of what Yjs has collected (collected-places.ts).
 */
import * as Y from "yjs";
import type { Json } from "../../../shared/json.ts";
import type { ScannedId } from "../update/update-scanner.ts";
import type { DetectedSide } from "./detected.ts";
import { lastIdOf, parentOf } from "./incoming-update.ts";
import { isDeleted, outlineOf, pieceOf, writtenOf } from "./value-outline.ts";
import type { IsGone, Piece } from "./value-outline.ts";

/** What was lost in one subtree; `top` is the item of its outermost deleted type. */
export interface Loss {
  readonly top: Y.Item;
  readonly winner: DetectedSide;
  readonly loser: DetectedSide;
}

/** Pieces looked at for one subtree: more do not fit into what is kept of a side. */
const PIECES_MAX = 5000;

/** The edits of an update in one subtree that was gone before. */
export class LateEdits {
  readonly top: Y.Item;
  /** What stands in its place. */
  readonly #winner: DetectedSide;
  readonly #pieces: Piece[] = [];
  #last: ScannedId | undefined;

  /** Before the update is applied. */
  constructor(top: Y.Item) {
    this.top = top;
    this.#winner = replacementOf(top, false);
  }

  add(id: ScannedId, piece: Piece | undefined): void {
    this.#last = id;
    if (piece !== undefined && this.#pieces.length < PIECES_MAX) this.#pieces.push(piece);
  }

  /** @param isGone what the author has deleted again */
  loss(isGone: IsGone): Loss | undefined {
    if (this.#last === undefined) return undefined;
    const value = this.#pieces.length === 0 ? {} : { value: writtenOf(this.#pieces, isGone) };
    return { top: this.top, winner: this.#winner, loser: { id: this.#last, ...value, isIncoming: true } };
  }
}

/** What others wrote inside a type that an update deletes, unseen by its sender. Made before the update is applied. */
export class UnseenContent {
  readonly #top: Y.Item;
  readonly #written: Json;
  readonly #last: ScannedId;

  private constructor(top: Y.Item, pieces: readonly Piece[], last: ScannedId) {
    this.#top = top;
    this.#written = writtenOf(pieces, isDeleted);
    this.#last = last;
  }

  static in(top: Y.Item, knows: (client: number, clock: number) => boolean): UnseenContent | undefined {
    const pieces: Piece[] = [];
    let last: ScannedId | undefined;
    for (const item of unknownItemsIn(top, knows)) {
      const { client, clock } = item.id;
      const piece = pieceOf(item.content, item.parentSub, (offset) => !knows(client, clock + offset));
      if (piece === undefined) continue;
      last = lastIdOf(item);
      if (pieces.length < PIECES_MAX) pieces.push(piece);
    }
    return last === undefined ? undefined : new UnseenContent(top, pieces, last);
  }

  /** Once the update is applied. */
  loss(): Loss {
    const winner = replacementOf(this.#top, true);
    return { top: this.#top, winner, loser: { id: this.#last, value: this.#written, isIncoming: false } };
  }
}

/** The outermost deleted item above (or at) one that is deleted. */
export function topmostDeleted(item: Y.Item): Y.Item {
  let top = item;
  for (let above = parentOf(top)._item; above?.deleted === true; above = parentOf(top)._item) top = above;
  return top;
}

/** The value of the key that the item had, if another one shows; else the deletion. */
function replacementOf(top: Y.Item, isIncoming: boolean): DetectedSide {
  const now = top.parentSub === null ? undefined : parentOf(top)._map.get(top.parentSub);
  if (now === undefined || now === top || now.deleted) return { id: null, isIncoming };
  return { id: lastIdOf(now), value: outlineOf(now, isDeleted).json, isIncoming };
}

/** The outermost live items below one of which not all is known. What one client wrote later is not known before the rest. */
function* unknownItemsIn(top: Y.Item, knows: (client: number, clock: number) => boolean): Generator<Y.Item> {
  const open: Y.Item[] = [top];
  for (let holder = open.pop(); holder !== undefined; holder = open.pop()) {
    if (!(holder.content instanceof Y.ContentType)) continue;
    for (const item of itemsIn(holder.content.type)) {
      if (item.deleted) continue;
      const { client, clock } = lastIdOf(item);
      if (knows(client, clock)) open.push(item);
      else yield item;
    }
  }
}

function* itemsIn(type: Y.ContentType["type"]): Generator<Y.Item> {
  for (let item = type._start; item !== null; item = item.right) yield item;
  yield* type._map.values();
}

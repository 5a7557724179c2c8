/**
 * What it would cost Yjs to integrate an update: YATA played through on light copies, so that an update that would stop
 * the server for seconds is refused before it is applied.
 *
 * The unit is one step of the search for an item's position among concurrent ones, 0.1 to 0.3 µs in Yjs. That search is
 * quadratic for items that claim to be concurrent; 4,000 of them in 24 KB took Yjs 3 s (docs/yjs.md Y5). Honest items
 * take 0 or 1 step, whatever the size of the document, and those of writers who were offline as many as they met
 * items in their place. Also counted, in steps: arrays copied when an item is cut or merged, and long lists of structs.
 *
 * Invariants (WORK):
 *  1. The document is only read. Positions are those that Yjs finds (Item.integrate), the order is that of `place` calls.
 *  2. An update that passes costs LIMITS.updateWorkMax steps at most; the estimate itself stops there too, at less than the time that Yjs would take.
 */
import * as Y from "yjs";
import { LIMITS } from "../../../shared/limits.ts";
import type { Spot, TypePlace } from "./type-places.ts";
import { limitExceeded, malformed } from "./update-refusals.ts";
import type { ScannedId, ScannedStruct } from "./update-scanner.ts";

/** Elements of a list's content that Yjs copies in the time of one step: 1 ns each, 6 ns where V8 keeps large arrays. */
const ELEMENTS_PER_STEP = 200;
const LARGE_ELEMENTS_PER_STEP = 25;
/** 128 KB: above it V8 allocates an array in its large object space. */
const SMALL_ELEMENTS_MAX = 16_000;
/** Elements that it copies when it joins list items that follow each other, one by one from the last. */
const JOINED_ELEMENTS_PER_STEP = 25;
/** Structs that it moves in that time, to make room for one. */
const STRUCTS_PER_STEP = 2000;
/** Neighbouring deletions in a rich text that Yjs goes past in that time. */
const DELETES_PER_STEP = 50;
/** Links between items that it follows in that time. */
const HOPS_PER_STEP = 16;
/** A cut makes an item, and another merge. */
const STEPS_PER_CUT = 4;

/** An item, or the part of one that a cut left. `left` and `right` are read from the document at first use. */
interface Piece {
  readonly client: number;
  readonly clock: number;
  length: number;
  readonly origin: ScannedId | null;
  readonly rightOrigin: ScannedId | null;
  left: Piece | null | undefined;
  right: Piece | null | undefined;
  /** Where `left` and `right` come from; null for a piece of the update. */
  readonly item: Y.Item | null;
  /** Stamp of the last search for a position that went past it; within a search the stamp grows with each new left. */
  passed: number;
  /** Elements that a cut or merge copies: those of the run of list items that end here, 0 for other content. */
  elements: number;
}

/** The first piece of a list or key, and how many pieces a key's chain has. */
interface Chain {
  head: Piece | null;
  length: number;
}

export class IntegrationWork {
  readonly #store: Y.Doc["store"];
  readonly #chains = new Map<TypePlace, Map<string | null, Chain>>();
  /** Pieces by ascending clock: of document items that were looked at, and of each client's part of the update. */
  readonly #known = new Map<Y.Item, Piece[]>();
  readonly #fresh = new Map<number, Piece[]>();
  readonly #deletesByText = new Map<unknown, number>();
  #steps = 0;
  #stamp = 0;

  constructor(doc: Y.Doc) {
    this.#store = doc.store;
  }

  get steps(): number {
    return this.#steps;
  }

  /**
   * Counts the ids of `struct` from clock `from` on, which the document lacks; what it refers to is in the document or
   * was placed before.
   * @throws {ServiceError} LIMIT_EXCEEDED; MALFORMED_UPDATE when its neighbours are in the wrong order
   */
  place(struct: ScannedStruct, from: number, spot: Spot): void {
    const piece = this.#pieceOf(struct, from);
    const left = piece.left ?? null;
    const right = piece.right ?? null;
    this.#spend(piece.elements / JOINED_ELEMENTS_PER_STEP);
    const isContested = left === null ? right === null || this.#leftOf(right) !== null : this.#rightOf(left) !== right;
    if (isContested) this.#assertInOrder(piece);
    this.#insert(piece, isContested ? this.#positionOf(piece, spot) : left, spot);
    this.#rememberFresh(piece);
  }

  #pieceOf(struct: ScannedStruct, from: number): Piece {
    const { client, rightOrigin, kind } = struct;
    // Yjs puts the rest of a struct that it knows the beginning of right after that beginning
    const origin = from > struct.clock ? { client, clock: from - 1 } : struct.origin;
    const left = origin === null ? null : this.#endingAt(origin);
    const right = rightOrigin === null ? null : this.#startingAt(rightOrigin);
    // the cut for the right neighbour may have gone through the left one
    if (left !== null && left.clock + left.length !== (origin?.clock ?? 0) + 1) throw outOfOrder();
    const length = struct.clock + struct.length - from;
    const elements = kind === "any" || kind === "json" ? length + elementsBefore(left, client, from) : 0;
    return { client, clock: from, length, origin, rightOrigin, left, right, item: null, passed: 0, elements };
  }

  /** Counts what Yjs does to find the neighbours of a struct that it will not place. @throws {ServiceError} LIMIT_EXCEEDED */
  refer({ origin, rightOrigin }: ScannedStruct): void {
    if (origin !== null) this.#endingAt(origin);
    if (rightOrigin !== null) this.#startingAt(rightOrigin);
  }

  /** Counts the deletion of a live item of the document, whole or in part. @throws {ServiceError} LIMIT_EXCEEDED */
  delete(item: Y.Item, isPartial: boolean): void {
    if (isPartial) this.#spendOnCut(item.id.client, arrayLength(item));
    const parent = item.parent;
    // Yjs looks for needless formats around each deletion in a rich text: quadratic if they are neighbours
    if (parent instanceof Y.Text && parent._hasFormatting) {
      const before = this.#deletesByText.get(parent) ?? 0;
      this.#deletesByText.set(parent, before + 1);
      this.#spend(before / DELETES_PER_STEP);
    }
  }

  /**
   * Replicas that integrate in different orders agree about an item only if its neighbours are in order. Yjs's own undo
   * breaks that when it restores a list piece by piece, so a client may mix up what it wrote itself.
   */
  #assertInOrder({ client, left, right, origin, rightOrigin }: Piece): void {
    if (!left || !right || (left.client === client && right.client === client)) return;
    if (isSameId(left.rightOrigin, rightOrigin) || isSameId(right.origin, origin)) return;
    for (let between = this.#rightOf(left); between !== right; between = this.#rightOf(between)) {
      if (between === null) throw outOfOrder();
      this.#spend(1 / HOPS_PER_STEP);
    }
  }

  /** YATA: the piece after which a contested one goes. */
  #positionOf(piece: Piece, spot: Spot): Piece | null {
    const search = ++this.#stamp;
    let round = search;
    const stop = piece.right ?? null;
    let left = piece.left ?? null;
    let other = left === null ? this.#headOf(spot) : this.#rightOf(left);
    for (; other !== null && other !== stop; other = this.#rightOf(other)) {
      this.#spend(1);
      other.passed = round;
      const step = this.#compare(piece, other, { search, round });
      if (step === "stop") break;
      if (step === "behind") {
        left = other;
        round = ++this.#stamp;
      }
    }
    return left;
  }

  /** The two cases of Item.integrate: the other has the same origin, or one that was passed. */
  #compare(piece: Piece, other: Piece, since: { search: number; round: number }): "behind" | "undecided" | "stop" {
    if (isSameId(piece.origin, other.origin)) {
      if (other.client < piece.client) return "behind";
      return isSameId(piece.rightOrigin, other.rightOrigin) ? "stop" : "undecided";
    }
    const origin = other.origin === null ? null : this.#holding(other.origin);
    if (origin === null || origin.passed < since.search) return "stop";
    return origin.passed >= since.round ? "undecided" : "behind";
  }

  #insert(piece: Piece, left: Piece | null, spot: Spot): void {
    const right = left === null ? this.#headOf(spot) : this.#rightOf(left);
    piece.left = left;
    piece.right = right;
    if (right !== null) right.left = piece;
    if (left !== null) left.right = piece;
    if (left !== null && spot.key === null) return;
    const chain = this.#chainOf(spot);
    chain.length++;
    if (left === null) chain.head = piece;
  }

  #headOf(spot: Spot): Piece | null {
    const chain = this.#chainOf(spot);
    // a key's chain is only reachable from its end: Yjs walks all of it
    if (spot.key !== null) this.#spend(chain.length / HOPS_PER_STEP);
    return chain.head;
  }

  #chainOf({ place, key }: Spot): Chain {
    let chains = this.#chains.get(place);
    if (chains === undefined) {
      chains = new Map();
      this.#chains.set(place, chains);
    }
    let chain = chains.get(key);
    if (chain === undefined) {
      chain = this.#readChain(place, key);
      chains.set(key, chain);
    }
    return chain;
  }

  #readChain({ type }: TypePlace, key: string | null): Chain {
    let item = key === null ? type?._start : type?._map.get(key);
    let length = 0;
    if (key !== null) for (; item?.left; item = item.left) length++;
    return { head: item ? this.#firstOf(item) : null, length };
  }

  #rightOf(piece: Piece): Piece | null {
    if (piece.right === undefined) {
      const item = piece.item?.right ?? null;
      piece.right = item === null ? null : this.#firstOf(item);
    }
    return piece.right;
  }

  #leftOf(piece: Piece): Piece | null {
    if (piece.left === undefined) {
      const item = piece.item?.left ?? null;
      piece.left = item === null ? null : (this.#piecesOf(item).at(-1) ?? null);
    }
    return piece.left;
  }

  #firstOf(item: Y.Item): Piece | null {
    return this.#piecesOf(item)[0] ?? null;
  }

  #piecesOf(item: Y.Item): Piece[] {
    let pieces = this.#known.get(item);
    if (pieces === undefined) {
      const { id, length, origin, rightOrigin } = item;
      const links = { left: undefined, right: undefined, item, passed: 0, elements: arrayLength(item) };
      pieces = [{ client: id.client, clock: id.clock, length, origin, rightOrigin, ...links }];
      this.#known.set(item, pieces);
    }
    return pieces;
  }

  #rememberFresh(piece: Piece): void {
    const pieces = this.#fresh.get(piece.client);
    if (pieces === undefined) this.#fresh.set(piece.client, [piece]);
    else pieces.push(piece);
  }

  /** All pieces of what holds the id: an item of the document, or a client's part of the update. */
  #around({ client, clock }: ScannedId): Piece[] {
    const structs = this.#store.clients.get(client);
    if (structs === undefined || clock >= Y.getState(this.#store, client)) return this.#fresh.get(client) ?? [];
    const item = structs[Y.findIndexSS(structs, clock)];
    return item instanceof Y.Item ? this.#piecesOf(item) : [];
  }

  #holding(id: ScannedId): Piece | null {
    const pieces = this.#around(id);
    return pieces[indexOf(pieces, id.clock)] ?? null;
  }

  #endingAt(id: ScannedId): Piece | null {
    const pieces = this.#around(id);
    const index = indexOf(pieces, id.clock);
    this.#cut(pieces, index, id.clock + 1);
    return pieces[index] ?? null;
  }

  #startingAt(id: ScannedId): Piece | null {
    const pieces = this.#around(id);
    const index = indexOf(pieces, id.clock);
    return pieces[this.#cut(pieces, index, id.clock) ? index + 1 : index] ?? null;
  }

  /** Cuts a piece in two before `clock`, unless it begins or ends there. */
  #cut(pieces: Piece[], index: number, clock: number): boolean {
    const piece = pieces[index];
    if (piece === undefined || clock <= piece.clock || clock >= piece.clock + piece.length) return false;
    const { client, rightOrigin, item } = piece;
    const right = this.#rightOf(piece);
    const length = piece.clock + piece.length - clock;
    const origin = { client, clock: clock - 1 };
    const elements = piece.elements === 0 ? 0 : length;
    const rest: Piece = {
      client,
      clock,
      length,
      origin,
      rightOrigin,
      left: piece,
      right,
      item,
      passed: piece.passed,
      elements,
    };
    this.#spendOnCut(client, piece.elements === 0 ? 0 : piece.length);
    if (right !== null) right.left = rest;
    piece.right = rest;
    piece.length -= length;
    pieces.splice(index + 1, 0, rest);
    return true;
  }

  /** Yjs copies the array behind the cut and moves the structs behind it. */
  #spendOnCut(client: number, elements: number): void {
    const structs = this.#store.clients.get(client)?.length ?? 0;
    this.#spend(STEPS_PER_CUT + stepsToCopy(elements) + structs / STRUCTS_PER_STEP);
  }

  #spend(steps: number): void {
    this.#steps += steps;
    if (this.#steps > LIMITS.updateWorkMax) {
      throw limitExceeded("work", "would take too long to merge", LIMITS.updateWorkMax);
    }
  }
}

function outOfOrder(): Error {
  return malformed("neighbour-order", "puts an item to the right of its right neighbour");
}

function stepsToCopy(elements: number): number {
  return elements / (elements > SMALL_ELEMENTS_MAX ? LARGE_ELEMENTS_PER_STEP : ELEMENTS_PER_STEP);
}

function indexOf(pieces: readonly Piece[], clock: number): number {
  let low = 0;
  let high = pieces.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((pieces[middle]?.clock ?? 0) <= clock) low = middle;
    else high = middle - 1;
  }
  return low;
}

function elementsBefore(left: Piece | null, client: number, clock: number): number {
  return left !== null && left.client === client && left.clock + left.length === clock ? left.elements : 0;
}

function arrayLength(item: Y.Item): number {
  return item.content instanceof Y.ContentAny || item.content instanceof Y.ContentJSON ? item.length : 0;
}

function isSameId(a: ScannedId | null, b: ScannedId | null): boolean {
  return a === b || (a !== null && b !== null && a.client === b.client && a.clock === b.clock);
}

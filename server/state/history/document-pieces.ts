/**
 * A document taken apart into pieces that were each written in one go: what stands where, and under which Yjs ids.
 *
 * Invariants (BLAME):
 *  1. Every visible value, element and character is in one piece; a shared type is also a piece of its own, for its
 *     existence. Roots were written by nobody.
 *  2. Texts come as runs of characters in order. What is inside XML comes as pieces of the place where the XML stands.
 *
 * Not here: who wrote the ids (attribution.ts).
 */
import * as Y from "yjs";
import { overlaps } from "../../../shared/path.ts";
import type { Steps } from "../../../shared/path.ts";
import { EMBED, isXml, kindOfRoot } from "../../../shared/yjs-values.ts";
import type { RootKind, SharedType } from "../../../shared/yjs-values.ts";
import type { IdRange } from "./attribution.ts";

export interface Piece extends IdRange {
  /** Root first, with the indices of elements among them. */
  readonly steps: Steps;
  /** How many steps name the outermost array around it; the next step is an index there. Undefined outside of arrays. */
  readonly arrayDepth: number | undefined;
  /** `type`: a shared type, without what is in it; `isEmpty` when nothing is. */
  readonly kind: "value" | "type" | "text" | "xml";
  readonly isEmpty: boolean;
  /** Of a run of text: where it begins, in UTF-16 units, and what it says. */
  readonly start: number;
  readonly text: string;
}

type Visit = (piece: Piece) => void;

/** Calls `visit` for the pieces at, above and below `within`, in the order of the document. */
export function visitPieces(doc: Y.Doc, within: Steps, visit: Visit): void {
  const walk = new Walk(within, visit);
  for (const [name, type] of doc.share) walk.root(name, type);
}

interface Place {
  readonly steps: Steps;
  readonly arrayDepth: number | undefined;
}

class Walk {
  readonly #within: Steps;
  readonly #visit: Visit;

  constructor(within: Steps, visit: Visit) {
    this.#within = within;
    this.#visit = visit;
  }

  root(name: string, type: SharedType): void {
    const place = { steps: [name], arrayDepth: undefined };
    if (overlaps(place.steps, this.#within)) this.#inside(type, place);
  }

  #inside(type: SharedType, place: Place): void {
    switch (kindOf(type)) {
      case "map":
        return this.#members(type, place);
      case "list":
        return this.#elements(type, place);
      case "text":
        return this.#runs(type, place);
      case "xml":
        return this.#xml(type, place);
      case "empty":
    }
  }

  #members(type: SharedType, { steps, arrayDepth }: Place): void {
    for (const [key, item] of visibleMembers(type)) {
      const place = { steps: [...steps, key], arrayDepth };
      if (overlaps(place.steps, this.#within)) this.#value(item, item.length - 1, place);
    }
  }

  #elements(type: SharedType, { steps, arrayDepth = steps.length }: Place): void {
    let index = 0;
    for (const item of visibleItems(type)) {
      for (let offset = 0; offset < item.length; offset++, index++) {
        const place = { steps: [...steps, String(index)], arrayDepth };
        if (overlaps(place.steps, this.#within)) this.#value(item, offset, place);
      }
    }
  }

  #runs(type: SharedType, place: Place): void {
    let start = 0;
    for (const item of visibleItems(type)) {
      const text = item.content instanceof Y.ContentString ? item.content.str : EMBED.repeat(item.length);
      this.#visit({ ...place, ...idsOf(item), kind: "text", isEmpty: false, start, text });
      start += item.length;
    }
  }

  /** Attributes and children, however deep, are all told as the XML's place. */
  #xml(type: SharedType, place: Place): void {
    const attributes = [...visibleMembers(type)].map(([, item]) => item);
    for (const item of [...visibleItems(type), ...attributes]) {
      this.#visit({ ...place, ...idsOf(item), kind: "xml", isEmpty: false, start: 0, text: "" });
      if (item.content instanceof Y.ContentType) this.#xml(item.content.type, place);
    }
  }

  #value(item: Y.Item, offset: number, place: Place): void {
    const id = { client: item.id.client, clock: item.id.clock + offset, length: 1 };
    const emit = (kind: "value" | "type", isEmpty: boolean): void =>
      this.#visit({ ...place, ...id, kind, isEmpty, start: 0, text: "" });
    if (item.content instanceof Y.ContentType) {
      const { type } = item.content;
      emit("type", isTypeEmpty(type));
      this.#inside(type, place);
    } else {
      emit("value", false);
    }
  }
}

function idsOf({ id, length }: Y.Item): IdRange {
  return { client: id.client, clock: id.clock, length };
}

function isTypeEmpty(type: SharedType): boolean {
  return visibleItems(type).next().done === true && visibleMembers(type).next().done === true;
}

function* visibleMembers(type: SharedType): Generator<[key: string, item: Y.Item]> {
  for (const member of type._map) if (!member[1].deleted) yield member;
}

function* visibleItems(type: SharedType): Generator<Y.Item> {
  for (let item = type._start; item !== null; item = item.right) if (!item.deleted && item.countable) yield item;
}

function kindOf(type: SharedType): RootKind {
  if (type instanceof Y.Map) return "map";
  if (type instanceof Y.Array) return "list";
  if (isXml(type)) return "xml";
  // a root that nobody has named is of no class yet
  return type instanceof Y.Text ? "text" : kindOfRoot(type);
}

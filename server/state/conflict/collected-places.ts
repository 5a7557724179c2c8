/**
 * Where content was that the document does not hold any more. Yjs collects what was inside a deleted object, array or
 * text: of an edit that comes later, next to such content, the document alone cannot say where it belonged.
 *
 * Invariants:
 *  1. It knows what was deleted since it was made, the newest `collectedRangesMax` runs of ids at least.
 *  2. It only listens, and never throws (an exception in a listener would break the document).
 *
 * Not here: what was deleted before a restart; edits next to it are not told.
 */
import * as Y from "yjs";
import { LIMITS } from "../../../shared/limits.ts";
import { itemsIn } from "./incoming-update.ts";
import type { ScannedDelete, ScannedId } from "../update/update-scanner.ts";

/** Ids that were inside the type that `holder` held. */
interface Range {
  readonly clock: number;
  end: number;
  readonly holder: ScannedId;
}

export class CollectedPlaces {
  readonly #doc: Y.Doc;
  /** Two generations: when the newer one is full, the older one is forgotten. */
  #newer = new Map<number, Range[]>();
  #older: ReadonlyMap<number, Range[]> = new Map();
  #count = 0;
  readonly #rangesMax: number;

  constructor(doc: Y.Doc, rangesMax: number = LIMITS.collectedRangesMax) {
    this.#doc = doc;
    this.#rangesMax = rangesMax;
    // before Yjs collects what the transaction deleted
    doc.on("afterTransaction", ({ deleteSet }: Y.Transaction) => {
      if (deleteSet.clients.size > 0) this.#remember(deleteSet);
    });
  }

  /** The item that held the collected content around this id, or held what held it, and is still there itself. */
  holderOf(id: ScannedId): Y.Item | undefined {
    let at = id;
    // a holder was deleted before what it lay in; each step leads to a larger subtree
    for (let steps = 0; steps <= LIMITS.depthMax; steps++) {
      const range = rangeWith(this.#newer, at) ?? rangeWith(this.#older, at);
      if (range === undefined) return undefined;
      const structs = this.#doc.store.clients.get(range.holder.client);
      if (structs === undefined) return undefined;
      const holder = structs[Y.findIndexSS(structs, range.holder.clock)];
      if (holder instanceof Y.Item) return holder;
      at = range.holder;
    }
    return undefined;
  }

  /** Ids of which nothing was kept from the beginning, for they were written next to collected ones. */
  add({ client, clock, length }: ScannedDelete, holder: ScannedId): void {
    const ranges = this.#newer.get(client) ?? [];
    const last = ranges.at(-1);
    const end = clock + length;
    if (last !== undefined && last.end === clock && last.holder === holder) {
      last.end = end;
      return;
    }
    if (ranges.length === 0) this.#newer.set(client, ranges);
    ranges.push({ clock, end, holder });
    if (++this.#count < this.#rangesMax) return;
    this.#older = this.#newer;
    this.#newer = new Map();
    this.#count = 0;
  }

  #remember(deleted: Y.Transaction["deleteSet"]): void {
    for (const [client, ranges] of deleted.clients) {
      for (const { clock, len: length } of ranges) {
        for (const item of itemsIn(this.#doc, { client, clock, length })) this.#rememberInside(item);
      }
    }
  }

  #rememberInside(holder: Y.Item | Y.GC): void {
    if (!(holder instanceof Y.Item) || !(holder.content instanceof Y.ContentType)) return;
    const { type } = holder.content;
    for (let item = type._start; item !== null; item = item.right) this.#addItem(item, holder.id);
    for (const newest of type._map.values()) {
      for (let item: Y.Item | null = newest; item !== null; item = item.left) this.#addItem(item, holder.id);
    }
  }

  #addItem({ id, length }: Y.Item, holder: ScannedId): void {
    this.add({ client: id.client, clock: id.clock, length }, holder);
  }
}

/** Asked only when edits are lost, and the lists are short: no order is kept. */
function rangeWith(ranges: ReadonlyMap<number, readonly Range[]>, { client, clock }: ScannedId): Range | undefined {
  return ranges.get(client)?.findLast((range) => range.clock <= clock && clock < range.end);
}

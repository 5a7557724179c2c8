/**
 * Judges a scanned update against a document without applying it: may it be applied, and where does it write?
 *
 * Invariants (TOUCH):
 *  1. The document is only read. What is accepted, `Y.applyUpdate` integrates to the last struct and delete: no
 *     exception, nothing pending, and a replica that loads the result later gets the same. One exception is Yjs's own:
 *     the order of a client's items among themselves (integration-work.ts).
 *  2. `paths` covers every JSON path whose value applying could change. It may cover more: a map item that loses against
 *     a concurrent one, an item in a place that shows nothing (a list inside `data`, say) are reported where they lie.
 *  3. An item whose neighbour or parent was collected becomes a GC struct and touches nothing, as does a GC struct.
 *
 * Items in a parent of another shape (a key in a Y.Array, an element in a Y.Map) are accepted: Yjs keeps and shows none
 * of them, and toJSON passes over them. Only an XML type trips over children that are no types (rule "xml-child").
 *
 * Not here: the bytes (update-scanner.ts), what integration costs (integration-work.ts), who may do it (the caller).
 */
import * as Y from "yjs";
import { LIMITS } from "../../../shared/limits.ts";
import { DeletedRanges } from "./deleted-ranges.ts";
import { IntegrationWork } from "./integration-work.ts";
import { coverOf } from "../path-cover.ts";
import { TypePlaces, childPlace, isSameSpot, pathOf } from "./type-places.ts";
import type { Spot, TypePlace } from "./type-places.ts";
import { limitExceeded, malformed, refusedBefore } from "./update-refusals.ts";
import type { ScannedDelete, ScannedId, ScannedStruct, ScannedUpdate } from "./update-scanner.ts";

export interface Touch {
  /** JSON Pointers, minimal (none below another), sorted, at most LIMITS.touchedPathsMax: beyond it folded into parents. */
  readonly paths: readonly string[];
  /** For each Yjs client id with structs that the document lacks: its first new clock and the one after its last. */
  readonly advances: readonly { readonly client: number; readonly from: number; readonly to: number }[];
  /** True when applying would change nothing: no new struct and no live item deleted. */
  readonly isNoop: boolean;
  /** New items of it have no place any more: applying would collect them. */
  readonly hasVanishing: boolean;
  /** Items of it are known and were collected, though their place is there: they were voided. */
  readonly hasVoided: boolean;
}

/**
 * @throws {ServiceError} MALFORMED_UPDATE when applying would leave something pending or damage the document,
 *   LIMIT_EXCEEDED for the number of roots, the depth of types, or the work, FORBIDDEN when it goes on in the middle of
 *   what was voided; `details.rule` names the rule
 */
export function touchOf(doc: Y.Doc, scanned: ScannedUpdate): Touch {
  return new Judgement(doc, scanned).touch();
}

/** The structs of one client, and how far they are admitted. */
interface Section {
  readonly client: number;
  /** Its structs are those from index `first` to before `end`; `next` is the next to admit. */
  readonly first: number;
  readonly end: number;
  next: number;
  /** End clock in the document, before the update and with what is admitted so far. */
  readonly known: number;
  state: number;
  isAdvancing: boolean;
}

class Judgement {
  readonly #doc: Y.Doc;
  readonly #update: ScannedUpdate;
  readonly #places: TypePlaces;
  readonly #work: IntegrationWork;
  readonly #sections = new Map<number, Section>();
  /** Where each new struct lies, by its index; null: collected, or a GC struct. */
  readonly #spots: (Spot | null)[] = [];
  /** The places of types that the update creates, by their item's index. */
  readonly #newTypes = new Map<number, TypePlace>();
  readonly #paths = new Set<string>();
  #deletedRanges: DeletedRanges | undefined;
  #deletesLive = false;
  #hasVanishing = false;
  #hasVoided = false;

  constructor(doc: Y.Doc, update: ScannedUpdate) {
    this.#doc = doc;
    this.#update = update;
    this.#places = new TypePlaces(doc);
    this.#work = new IntegrationWork(doc);
  }

  touch(): Touch {
    this.#assertRoots();
    this.#openSections();
    for (const section of this.#sections.values()) this.#advance(section, Infinity);
    for (const range of this.#update.deletes) this.#admitDelete(range);
    const advances = [];
    for (const { client, known, state } of this.#sections.values()) {
      if (state > known) advances.push({ client, from: known, to: state });
    }
    const paths = coverOf(this.#paths, LIMITS.touchedPathsMax);
    const isNoop = advances.length === 0 && !this.#deletesLive;
    return { paths, advances, isNoop, hasVanishing: this.#hasVanishing, hasVoided: this.#hasVoided };
  }

  /** Yjs creates every root that an update names while it parses it. */
  #assertRoots(): void {
    const existing = this.#doc.share;
    let added = 0;
    for (const name of this.#update.roots) if (!existing.has(name)) added++;
    if (added > 0 && existing.size + added > LIMITS.rootTypesMax) {
      throw limitExceeded("roots", "would create too many root types", LIMITS.rootTypesMax);
    }
  }

  /** In the order of Yjs: the highest client first. */
  #openSections(): void {
    const sections = sectionsOf(this.#doc, this.#update.structs);
    sections.sort((a, b) => b.client - a.client);
    for (const section of sections) this.#sections.set(section.client, section);
  }

  /** Admits a section's structs below clock `until`, and before each what it refers to, as Yjs does. */
  #advance(section: Section, until: number): void {
    if (section.isAdvancing) throw malformed("circular-reference", "has structs that wait for each other");
    section.isAdvancing = true;
    for (; section.state < until && section.next < section.end; section.next++) {
      const struct = this.#structAt(section.next);
      this.#supply(struct, struct.origin);
      this.#supply(struct, struct.rightOrigin);
      this.#supply(struct, struct.parentId);
      this.#admit(struct, section);
    }
    section.isAdvancing = false;
  }

  /** Sees to it that an id is known. Ids of the struct's own client are: it refers to earlier ones only (SCAN). */
  #supply(struct: ScannedStruct, id: ScannedId | null): void {
    if (id === null || id.client === struct.client) return;
    const section = this.#sections.get(id.client);
    if (section !== undefined && id.clock >= section.state) this.#advance(section, id.clock + 1);
    if (id.clock >= this.#stateOf(id.client)) {
      throw malformed("unknown-reference", "refers to content that is neither in the context nor in the update");
    }
  }

  #admit(struct: ScannedStruct, section: Section): void {
    const end = struct.clock + struct.length;
    // of a struct that is known as a whole Yjs looks the neighbours up and no more
    if (end <= section.state) {
      this.#hasVoided ||= this.#isVoided(struct, end);
      return this.#work.refer(struct);
    }
    const from = section.state;
    section.state = end;
    const spot = struct.kind === "gc" ? null : this.#spotOf(struct);
    this.#spots[section.next] = spot;
    if (spot === null) {
      this.#hasVanishing ||= isContent(struct);
      return this.#work.refer(struct);
    }
    if (from > struct.clock) {
      if (this.#isVoided(struct, from)) throw refusedBefore();
      this.#assertContinues(struct.client, from, spot);
    }
    this.#assertFits(struct, from, spot);
    if (struct.shape !== null) {
      this.#newTypes.set(section.next, childPlace(spot, { shape: struct.shape, type: null }));
    }
    this.#work.place(struct, from, spot);
    // what lies inside a new type lies below the path of the outermost new item
    if (spot.place.type !== null || spot.place.depth === 0) this.#paths.add(pathOf(spot));
  }

  /**
   * An item of which something before clock `until` was collected, though its place is there. Also one that its author has
   * deleted since: where it stood would decide what is seen there.
   */
  #isVoided(struct: ScannedStruct, until: number): boolean {
    const structs = this.#doc.store.clients.get(struct.client);
    if (struct.kind === "gc" || structs === undefined) return false;
    for (let i = Y.findIndexSS(structs, struct.clock); i < structs.length; i++) {
      const known = structs[i];
      if (known === undefined || known.id.clock >= until) return false;
      if (known instanceof Y.GC) return this.#spotOf(struct) !== null;
    }
    return false;
  }

  /** Where an item goes; null if a neighbour or its parent was collected: then Yjs makes it a GC struct. */
  #spotOf(struct: ScannedStruct): Spot | null {
    const { origin, rightOrigin, parentId, parentRoot, key } = struct;
    if (origin !== null && rightOrigin !== null) {
      const left = this.#spotAt(origin);
      const right = this.#spotAt(rightOrigin);
      if (left === null || right === null) return null;
      // Yjs takes the left one's parent. Were the right one's collected later, replicas would disagree about the item.
      if (!isSameSpot(left, right)) throw malformed("mixed-origins", "puts an item between neighbours of two lists");
      return left;
    }
    const neighbour = origin ?? rightOrigin;
    if (neighbour !== null) return this.#spotAt(neighbour);
    const place = parentId === null ? this.#places.root(parentRoot ?? "") : this.#typeAt(parentId);
    return place === null ? null : { place, key };
  }

  #spotAt(id: ScannedId): Spot | null {
    const known = this.#knownAt(id);
    if (known === null) return this.#spots[this.#indexOf(id)] ?? null;
    return known instanceof Y.Item ? this.#places.spotOf(known) : null;
  }

  /** The type that the item with this id holds; null if it was collected or deleted. */
  #typeAt(id: ScannedId): TypePlace | null {
    const known = this.#knownAt(id);
    if (known instanceof Y.Item) {
      if (known.content instanceof Y.ContentType) return this.#places.of(known.content.type);
      if (known.content instanceof Y.ContentDeleted) return null;
    } else if (known !== null) {
      return null;
    } else {
      const index = this.#indexOf(id);
      const { kind } = this.#structAt(index);
      if (kind === "gc" || kind === "deleted" || this.#spots[index] === null) return null;
      const place = this.#newTypes.get(index);
      if (place !== undefined) return place;
    }
    throw malformed("parent-type", "puts an item into one that holds no shared type");
  }

  /** What Yjs takes without a check, and trips over later. */
  #assertFits(struct: ScannedStruct, from: number, { place, key }: Spot): void {
    const { client, clock, length, kind } = struct;
    // a value set to the left of another one hides it from replicas that learn of it first
    if (key !== null && struct.rightOrigin !== null)
      throw malformed("keyed-neighbour", "sets a key's value behind another");
    if (kind === "deleted") return;
    if (key !== null && length > 1) {
      // Cut in two, a live one's first half outlives its parent, which bricks the document when that is collected.
      // Honest clients send such runs, of old values that they keep for undo, as deleted in the same update.
      this.#deletedRanges ??= new DeletedRanges(this.#update.deletes);
      if (!this.#deletedRanges.covers({ client, clock: from }, clock + length)) {
        throw malformed("keyed-run", "sets a key to several values");
      }
    }
    // toString of an XML type calls that of its children, which null has not
    if (place.shape === "xml" && key === null && kind !== "type") {
      throw malformed("xml-child", "puts into an XML type what has no XML form");
    }
  }

  /** The rest of a struct goes right after the part that is known, whatever it says itself: both must agree. */
  #assertContinues(client: number, from: number, spot: Spot): void {
    const before = this.#spotAt({ client, clock: from - 1 });
    if (before === null || !isSameSpot(before, spot)) {
      throw malformed("overlap", "continues a known struct in another place");
    }
  }

  #admitDelete({ client, clock, length }: ScannedDelete): void {
    const end = clock + length;
    if (end > this.#stateOf(client)) {
      throw malformed("unknown-reference", "deletes content that is neither in the context nor in the update");
    }
    const structs = this.#doc.store.clients.get(client);
    if (structs === undefined || clock >= Y.getState(this.#doc.store, client)) return;
    for (let i = Y.findIndexSS(structs, clock); i < structs.length; i++) {
      const item = structs[i];
      if (item === undefined || item.id.clock >= end) return;
      if (!(item instanceof Y.Item) || item.deleted) continue;
      this.#deletesLive = true;
      this.#work.delete(item, item.id.clock < clock || item.id.clock + item.length > end);
      this.#paths.add(pathOf(this.#places.spotOf(item)));
    }
  }

  #stateOf(client: number): number {
    return this.#sections.get(client)?.state ?? Y.getState(this.#doc.store, client);
  }

  /** The document's struct with this id; null if the id is new. */
  #knownAt({ client, clock }: ScannedId): Y.Item | Y.GC | null {
    const structs = this.#doc.store.clients.get(client);
    if (structs === undefined || clock >= Y.getState(this.#doc.store, client)) return null;
    return structs[Y.findIndexSS(structs, clock)] ?? null;
  }

  /** Index of the update's struct with this id, which must have been admitted. */
  #indexOf({ client, clock }: ScannedId): number {
    const section = this.#sections.get(client);
    if (section === undefined) throw new Error("Only supplied ids are looked up.");
    let low = section.first;
    let high = section.end - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#structAt(middle).clock <= clock) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #structAt(index: number): ScannedStruct {
    const struct = this.#update.structs[index];
    if (struct === undefined) throw new Error("A section ends within the update.");
    return struct;
  }
}

function isContent({ kind }: ScannedStruct): boolean {
  return kind !== "gc" && kind !== "deleted";
}

function sectionsOf(doc: Y.Doc, structs: readonly ScannedStruct[]): Section[] {
  const sections: Section[] = [];
  for (let first = 0; first < structs.length;) {
    const { client = 0, clock = 0 } = structs[first] ?? {};
    let end = first + 1;
    while (structs[end]?.client === client) end++;
    const known = Y.getState(doc.store, client);
    if (clock > known) throw malformed("clock-gap", "leaves out earlier structs of one of its clients");
    sections.push({ client, first, end, next: first, known, state: known, isAdvancing: false });
    first = end;
  }
  return sections;
}

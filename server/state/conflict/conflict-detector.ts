/**
 * Finds what a live update and the document, each written without having seen the other, take from each other.
 *
 * A probe is made right before its update is applied, when what will be lost is still live, and asked right after it, when
 * Yjs has decided who wins and has not yet collected what lost. Updates that share one Yjs transaction have a probe each.
 *
 * Invariants (CONFLICT):
 *  1. Exact for keys: no conflict that is none, and none missed, as far as the bytes tell (key-rivals.ts says how far).
 *  2. Nothing here writes to the document; whatever update was admitted, nothing here throws.
 *  3. An update that sets no key and deletes nothing costs a look-up for each of its runs: what else a probe holds is made
 *     when it is needed, for there is a probe for every keystroke.
 *
 * A deletion that came too late, for the key was set anew meanwhile, changes nothing in the document; to be told, the probe
 * must be asked about such updates too. It cannot be told from one that is sent again: those are `isWhole`.
 *
 * Not here: names, versions and policies (conflict-desk.ts).
 */
import * as Y from "yjs";
import { LIMITS } from "../../../shared/limits.ts";
import type { SharedType } from "../../../shared/yjs-values.ts";
import { TypePlaces, pathOf } from "../update/type-places.ts";
import type { Spot } from "../update/type-places.ts";
import type { ScannedStruct, ScannedUpdate } from "../update/update-scanner.ts";
import { collectEdits } from "./collected-edits.ts";
import type { CollectedPlaces } from "./collected-places.ts";
import type { Detected, DetectedSide } from "./detected.ts";
import { IncomingUpdate, itemsIn, lastIdOf, parentOf } from "./incoming-update.ts";
import type { Beginning } from "./incoming-update.ts";
import { KeyRivals } from "./key-rivals.ts";
import { LateEdits, UnseenContent, topmostDeleted } from "./lost-edits.ts";
import { isDeleted, outlineOf, pieceOf } from "./value-outline.ts";

export type { Detected, DetectedSide } from "./detected.ts";

export interface ProbeOptions {
  /** The scanned bytes: edits of which Yjs keeps nothing are told with what they say only if the bytes are given. */
  readonly update?: Uint8Array;
  /** Its delete set may speak of more than what one transaction deleted: a step 2, merged updates, one sent again. */
  readonly isWhole?: boolean;
  /** Whether the sender had this Yjs id when it began to write the update. Undefined: not known, and nothing rests on it. */
  readonly knows?: (client: number, clock: number) => boolean;
  /** Without it edits next to content that the document does not hold any more are not told. */
  readonly collected?: CollectedPlaces;
}

/** Places looked at for one update, of which each may turn out to be no conflict. */
const CANDIDATES_MAX = 10 * LIMITS.conflictsPerChangeMax;

export class ConflictProbe {
  readonly #doc: Y.Doc;
  readonly #options: ProbeOptions;
  readonly #incoming: IncomingUpdate;
  /** The keys that it sets. */
  #keys: Map<SharedType, Map<string, KeyRivals>> | undefined;
  /** Those of which it takes a look at the outcome to tell whether anything was lost. */
  #open: KeyRivals[] | undefined;
  #late: LateWrites | undefined;
  #unseen: UnseenContent[] | undefined;
  /** Values of keys that were deleted when others had replaced them already. */
  #missed: Y.Item[] | undefined;
  #candidates = 0;

  constructor(doc: Y.Doc, scanned: ScannedUpdate, options: ProbeOptions = {}) {
    this.#doc = doc;
    this.#options = options;
    this.#incoming = new IncomingUpdate(doc, scanned);
    let isRepeated = false;
    let hasRuns = false;
    for (const struct of scanned.structs) {
      if (!this.#incoming.isNewStruct(struct)) {
        isRepeated = true;
        continue;
      }
      const beginning = this.#incoming.beginningOf(struct);
      if (beginning === undefined) hasRuns ||= (struct.origin ?? struct.rightOrigin) !== null;
      else this.#begin(struct, beginning);
    }
    if (this.#keys !== undefined) this.#readContested(this.#keys, hasRuns);
    if (scanned.deletes.length > 0) this.#lookAtDeletes(options.isWhole === true || isRepeated);
  }

  /** At most `conflictsPerChangeMax`. */
  conflicts(): readonly Detected[] {
    if ((this.#open ?? this.#late ?? this.#unseen ?? this.#missed) === undefined) return NOTHING;
    const found: Detected[] = [];
    for (const detected of this.#all()) {
      if (found.push(detected) === LIMITS.conflictsPerChangeMax) break;
    }
    return found;
  }

  *#all(): Generator<Detected> {
    if (this.#open !== undefined || this.#late !== undefined) this.#assign();
    if (this.#late !== undefined && this.#late.collected.size > 0)
      collectEdits(this.#incoming, this.#late.collected, this.#options);
    const places = new TypePlaces(this.#doc);
    for (const rivals of this.#open ?? []) {
      const { type, key } = rivals;
      for (const rivalry of rivals.judge(this.#options.isWhole === true)) {
        yield { ...placeAt({ place: places.of(type), key }), ...rivalry };
      }
    }
    for (const item of this.#missed ?? []) {
      const winner = this.#shownInsteadOf(item);
      if (winner === undefined) continue;
      const loser = { id: null, isIncoming: true };
      yield { ...placeAt(places.spotOf(item)), kind: "set-delete", winner, loser };
    }
    for (const { top, winner, loser } of this.#losses()) {
      yield { ...placeAt(places.spotOf(top)), kind: "lost-edits", winner, loser };
    }
  }

  #begin(struct: ScannedStruct, beginning: Beginning): void {
    switch (beginning.kind) {
      case "place":
        if (beginning.type._item?.deleted === true) this.#beginLate(beginning.type, beginning.type._item);
        else if (beginning.key !== null) this.#rivalsAt(beginning.type, beginning.key).begin(beginning.origin);
        return;
      case "emptied":
        this.#beginCollected(struct, beginning.holder);
        return;
      case "collected":
        if (this.#candidates < CANDIDATES_MAX)
          this.#beginCollected(struct, this.#options.collected?.holderOf(beginning.id));
        return;
    }
  }

  #beginLate(type: SharedType, holder: Y.Item): void {
    const late = (this.#late ??= new LateWrites());
    if (!late.inside.has(type)) late.inside.set(type, late.editsIn(holder));
  }

  #beginCollected(struct: ScannedStruct, holder: Y.Item | undefined): void {
    this.#candidates++;
    if (holder?.deleted !== true) return;
    const late = (this.#late ??= new LateWrites());
    late.collected.set(struct, late.editsIn(holder));
  }

  #rivalsAt(type: SharedType, key: string): KeyRivals {
    const all = (this.#keys ??= new Map());
    let keys = all.get(type);
    if (keys === undefined) all.set(type, (keys = new Map()));
    let rivals = keys.get(key);
    if (rivals === undefined) keys.set(key, (rivals = new KeyRivals(this.#incoming, type, key)));
    return rivals;
  }

  /** @param hasRuns some new struct stands upon a new one: it may set a key again */
  #readContested(all: ReadonlyMap<SharedType, ReadonlyMap<string, KeyRivals>>, hasRuns: boolean): void {
    const isWhole = this.#options.isWhole === true;
    for (const keys of all.values()) {
      for (const rivals of keys.values()) {
        if (!hasRuns && rivals.isSettled(isWhole)) continue;
        (this.#open ??= []).push(rivals);
        if (this.#candidates < CANDIDATES_MAX && rivals.readContested()) this.#candidates++;
      }
    }
  }

  /** @param isWhole what was deleted before the sender made the update may be in its delete set */
  #lookAtDeletes(isWhole: boolean): void {
    const { knows } = this.#options;
    if (isWhole && knows === undefined) return;
    for (const range of this.#incoming.scanned.deletes) {
      for (const item of itemsIn(this.#doc, range)) {
        if (!(item instanceof Y.Item)) continue;
        if (!item.deleted) this.#lookInside(item, knows);
        else if (!isWhole && this.#isMissed(item)) (this.#missed ??= []).push(item);
      }
    }
  }

  #lookInside(item: Y.Item, knows: ProbeOptions["knows"]): void {
    if (knows === undefined || !(item.content instanceof Y.ContentType)) return;
    const above = parentOf(item)._item;
    // told with what it lies in
    if (above !== null && this.#incoming.isDeleting(above.id)) return;
    const unseen = UnseenContent.in(item, knows);
    if (unseen !== undefined) (this.#unseen ??= []).push(unseen);
  }

  /** Deleted as the value that shows, which it was not any more; its author did not set the key as well. */
  #isMissed(item: Y.Item): boolean {
    if (item.parentSub === null || this.#keys?.get(parentOf(item))?.has(item.parentSub) === true) return false;
    if (this.#missed !== undefined && this.#missed.length >= CANDIDATES_MAX) return false;
    const shown = parentOf(item)._map.get(item.parentSub);
    if (shown === undefined || shown === item) return false;
    return this.#options.knows?.(shown.id.client, shown.id.clock) !== true;
  }

  #shownInsteadOf(item: Y.Item): DetectedSide | undefined {
    const shown = item.parentSub === null ? undefined : parentOf(item)._map.get(item.parentSub);
    if (shown === undefined || shown.deleted) return undefined;
    return { id: lastIdOf(shown), value: outlineOf(shown, isDeleted).json, isIncoming: false };
  }

  /** Once applied, the new items say where they are. */
  #assign(): void {
    for (const struct of this.#incoming.scanned.structs) {
      if (!this.#incoming.isNewStruct(struct)) continue;
      for (const item of this.#incoming.itemsOf(struct)) this.#assignItem(item);
    }
  }

  #assignItem(item: Y.Item): void {
    const type = parentOf(item);
    if (item.parentSub !== null) this.#keys?.get(type)?.get(item.parentSub)?.add(item);
    const isKept = (offset: number): boolean => !this.#incoming.isGone(item, offset);
    const edits = this.#late?.inside.get(type);
    const piece = edits === undefined ? undefined : pieceOf(item.content, item.parentSub, isKept);
    if (piece !== undefined) edits?.add(lastIdOf(item), piece);
  }

  *#losses(): Generator<ReturnType<UnseenContent["loss"]>> {
    for (const edits of this.#late?.byTop.values() ?? []) {
      const loss = edits.loss((item, offset) => this.#incoming.isGone(item, offset));
      if (loss !== undefined) yield loss;
    }
    for (const unseen of this.#unseen ?? []) yield unseen.loss();
  }
}

/** Edits into what was deleted before. */
class LateWrites {
  readonly byTop = new Map<Y.Item, LateEdits>();
  /** By the deleted type that they are written into. */
  readonly inside = new Map<SharedType, LateEdits>();
  /** By the struct that their run begins with, where the document keeps nothing of them. */
  readonly collected = new Map<ScannedStruct, LateEdits>();

  /** Those in the subtree of which `holder` is a part. */
  editsIn(holder: Y.Item): LateEdits {
    const top = topmostDeleted(holder);
    let edits = this.byTop.get(top);
    if (edits === undefined) this.byTop.set(top, (edits = new LateEdits(top)));
    return edits;
  }
}

const NOTHING: readonly Detected[] = [];

function placeAt(spot: Spot): Pick<Detected, "path" | "isNested"> {
  const path = pathOf(spot);
  return path === spot.place.path ? { path, isNested: true } : { path };
}

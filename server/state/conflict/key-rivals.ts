/**
 * One key of one map that an update writes: what stands there before, and which writes did not know of each other.
 *
 * All values of a key form a chain in Yjs; the last one shows. A value that is set knows the one that it names as its
 * origin, and what that knew. So the writes of a key form a tree: branches grow where writers did not know of each other,
 * and their tips are rivals of which the chain's last one wins. Exact for every update. What a deletion had seen is told
 * by an update's delete set alone, and only if that is of one transaction: an author who sets a key without having seen
 * that its value was deleted deletes the value too; who has seen it does not. (docs/yjs.md Y12, Y13)
 *
 * Invariants (CONFLICT):
 *  1. Of each writer the newest value in the update stands for all that it wrote there, as begun when its run began.
 *  2. Two sides that say the same are no conflict. A value too large to be kept counts as different from every other.
 *
 * Not here: what is inside the values (lost-edits.ts).
 */
import type * as Y from "yjs";
import type { ConflictKind } from "../../../shared/conflict.ts";
import { sameJson } from "../../../shared/json-equality.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { SharedType } from "../../../shared/yjs-values.ts";
import type { ScannedId } from "../update/update-scanner.ts";
import type { DetectedSide } from "./detected.ts";
import { lastIdOf } from "./incoming-update.ts";
import type { IncomingUpdate } from "./incoming-update.ts";
import { isDeleted, outlineOf } from "./value-outline.ts";
import type { IsGone, Outline } from "./value-outline.ts";

export interface Rivalry {
  readonly kind: ConflictKind;
  readonly winner: DetectedSide;
  readonly loser: DetectedSide;
}

/** A side, and whether its value is whole. */
interface Write {
  readonly side: DetectedSide;
  readonly isCut: boolean;
}

/** How a key stood before the update. */
interface Before {
  readonly last: ScannedId;
  readonly wasDeleted: boolean;
  /** Read while it was live, for it may die; undefined while nobody could need it. */
  value: Outline | undefined;
}

export class KeyRivals {
  readonly type: SharedType;
  readonly key: string;
  readonly #incoming: IncomingUpdate;
  readonly #before: Before | undefined;
  readonly #item: Y.Item | undefined;
  /** Runs that begin here. */
  #begun = 0;
  /** Some new value was written upon the one before. */
  #isFollowed = false;
  readonly #items: Y.Item[] = [];

  constructor(incoming: IncomingUpdate, type: SharedType, key: string) {
    this.#incoming = incoming;
    this.type = type;
    this.key = key;
    const item = type._map.get(key);
    this.#item = item;
    if (item !== undefined) this.#before = { last: lastIdOf(item), wasDeleted: item.deleted, value: undefined };
  }

  /** A run of new values begins here, upon `origin`. Before the update is applied. */
  begin(origin: ScannedId | null): void {
    this.#begun++;
    if (origin !== null && this.#before !== undefined && isSameId(origin, this.#before.last)) this.#isFollowed = true;
  }

  /** One value upon what stood here, or upon nothing: no rival. Holds if nothing that the update brings stands upon it. */
  isSettled(isWhole: boolean): boolean {
    if (this.#begun !== 1) return false;
    return this.#before === undefined || (this.#isFollowed && !this.#hasMissedDeletion(this.#before, isWhole));
  }

  /** True when the value that stands here is written over unseen, or wins unseen: then it is read. Before the update is applied. */
  readContested(): boolean {
    if (this.#item === undefined || this.#before === undefined) return false;
    if (this.#isFollowed || this.#before.wasDeleted) return false;
    this.#before.value = outlineOf(this.#item, isDeleted);
    return true;
  }

  /** A new value of the key. From here on the update is applied. */
  add(item: Y.Item): void {
    this.#items.push(item);
  }

  /** @param isWhole the delete set does not tell what its author had seen */
  judge(isWhole: boolean): readonly Rivalry[] {
    const last = this.type._map.get(this.key);
    if (last === undefined || this.type._item?.deleted === true) return [];
    const tips = isWhole ? this.#unsettled(last) : this.#tips();
    if (!this.#incoming.isNew(last.id)) {
      return versus(this.#standing(this.#before), this.#writesOf(tips, isWhole));
    }
    const others = this.#writesOf(
      tips.filter((item) => item !== last),
      isWhole,
    );
    const standing = this.#unseen(isWhole);
    return versus(this.#writeOf(last), standing === undefined ? others : [standing, ...others]);
  }

  /** What stood here, if the winning new value was written without having seen it. */
  #unseen(isWhole: boolean): Write | undefined {
    const before = this.#before;
    if (!this.#isFollowed || before === undefined) return this.#standing(before);
    return this.#hasMissedDeletion(before, isWhole) ? DELETED_BEFORE : undefined;
  }

  #hasMissedDeletion({ wasDeleted, last }: Before, isWhole: boolean): boolean {
    return wasDeleted && !isWhole && this.#incoming.isDeleting(last);
  }

  #standing(before: Before | undefined): Write | undefined {
    if (before?.wasDeleted === true) return DELETED_BEFORE;
    if (before?.value === undefined) return undefined;
    const { last, value } = before;
    return { side: { id: last, value: value.json, isIncoming: false }, isCut: value.isCut };
  }

  /** The newest of each writer. One that another was written upon is deleted by the update, and does not count either. */
  #tips(): readonly Y.Item[] {
    if (this.#items.length === 1) return this.#items;
    const newest = new Map<number, Y.Item>();
    for (const item of this.#items) {
      const other = newest.get(item.id.client);
      if (other === undefined || other.id.clock < item.id.clock) newest.set(item.id.client, item);
    }
    return [...newest.values()];
  }

  /** Without those that their author has seen lose: what is deleted to the right of them it had. */
  #unsettled(last: Y.Item): readonly Y.Item[] {
    const tips = new Set(this.#tips());
    const unsettled: Y.Item[] = [];
    for (let item: Y.Item | null = last; item !== null && unsettled.length < tips.size; item = item.left) {
      if (tips.has(item)) unsettled.push(item);
      else if (!this.#incoming.isNew(item.id) && this.#incoming.isDeletingAnyOf(item)) break;
    }
    return unsettled;
  }

  /** Losing values. Whether the author deleted one, or somebody's value came over it, a whole update does not tell. */
  #writesOf(items: readonly Y.Item[], isWhole: boolean): readonly Write[] {
    return items.filter((item) => !isWhole || !this.#isGone(item, item.length - 1)).map((item) => this.#writeOf(item));
  }

  #writeOf(item: Y.Item): Write {
    if (this.#isGone(item, item.length - 1)) return { side: { id: null, isIncoming: true }, isCut: false };
    const value = outlineOf(item, this.#isGone);
    return { side: { id: lastIdOf(item), value: value.json, isIncoming: true }, isCut: value.isCut };
  }

  /** In the author's document. In ours all of a value that lost is deleted. */
  readonly #isGone: IsGone = (item, offset) => this.#incoming.isGone(item, offset);
}

const DELETED_BEFORE: Write = { side: { id: null, isIncoming: false }, isCut: false };

function versus(winner: Write | undefined, losers: readonly Write[]): readonly Rivalry[] {
  if (winner === undefined) return [];
  return losers
    .filter((loser) => !isSame(winner, loser))
    .map((loser) => {
      const isDeletion = winner.side.id === null || loser.side.id === null;
      return { kind: isDeletion ? "set-delete" : "set-set", winner: winner.side, loser: loser.side };
    });
}

function isSame(a: Write, b: Write): boolean {
  if (a.isCut || b.isCut) return false;
  return sameJson(a.side.value, b.side.value, { left: LIMITS.conflictValueBytesMax });
}

function isSameId(a: ScannedId, b: ScannedId): boolean {
  return a.client === b.client && a.clock === b.clock;
}

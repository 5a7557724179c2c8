/**
 * Where shared types and items lie: the path each would be reported under.
 *
 * Invariants (TOUCH):
 *  1. A key is a step of a path in a root type, and in a Y.Map that is itself reached by keys only. Everything inside a
 *     list, a text or an XML type is reported under that type's path, because its elements have no stable names.
 *  2. Two items lie in the same list, or the same key of the same type, exactly when their spots have the same `place`
 *     object and the same key: there is one TypePlace per type and instance of TypePlaces.
 *  3. A path never outgrows LIMITS.pathCharsMax and pathStepsMax, so that it can be parsed again: beyond it stays the
 *     parent's.
 *
 * An item never moves in Yjs, so a place cannot change while its type lives. It is still computed per update: the walk
 * up is short, and a cache across updates would have to be kept from growing.
 */
import * as Y from "yjs";
import type { SharedType } from "../../../shared/yjs-values.ts";
import { DATA_ROOT, escapeStep } from "../../../shared/path.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { limitExceeded } from "./update-refusals.ts";
import type { TypeShape } from "./update-scanner.ts";

/** A shared type, in the document or about to be. */
export interface TypePlace {
  readonly path: string;
  /** Whether a key of the type is a step of a path. */
  readonly isNamed: boolean;
  /** Steps of `path` below its root. */
  readonly steps: number;
  /** 0 for a root. */
  readonly depth: number;
  /** Unknown for a root: it has a shape only where somebody asked for it by name and class. */
  readonly shape: TypeShape | "root";
  /** The type in the document; null for one that the update creates. */
  readonly type: SharedType | null;
}

/** A list (key null) or a key of a type. */
export interface Spot {
  readonly place: TypePlace;
  readonly key: string | null;
}

export class TypePlaces {
  readonly #doc: Y.Doc;
  readonly #known = new Map<SharedType, TypePlace>();
  readonly #newRoots = new Map<string, TypePlace>();

  constructor(doc: Y.Doc) {
    this.#doc = doc;
  }

  root(name: string): TypePlace {
    const type = this.#doc.share.get(name);
    if (type !== undefined) return this.of(type);
    let place = this.#newRoots.get(name);
    if (place === undefined) {
      place = rootPlace(name, null);
      this.#newRoots.set(name, place);
    }
    return place;
  }

  of(type: SharedType): TypePlace {
    let place = this.#known.get(type);
    if (place === undefined) {
      const item = type._item;
      place =
        item === null
          ? rootPlace(this.#nameOf(type), type)
          : childPlace(this.spotOf(item), { shape: shapeOf(type), type });
      this.#known.set(type, place);
    }
    return place;
  }

  spotOf(item: Y.Item): Spot {
    const parent = item.parent;
    if (!(parent instanceof Y.AbstractType)) throw new Error("An integrated item has a type for its parent.");
    return { place: this.of(parent), key: item.parentSub };
  }

  #nameOf(root: SharedType): string {
    for (const [name, type] of this.#doc.share) if (type === root) return name;
    throw new Error("A type without an item is a root of its document.");
  }
}

/** The place of a type that an item at `spot` holds. @throws {ServiceError} LIMIT_EXCEEDED when nested too deeply */
export function childPlace(spot: Spot, child: { shape: TypeShape; type: SharedType | null }): TypePlace {
  const { place, key } = spot;
  const depth = place.depth + 1;
  if (depth > LIMITS.depthMax) throw limitExceeded("type-depth", "nests shared types too deeply", LIMITS.depthMax);
  const path = pathOf(spot);
  const isReachedByKey = key !== null && path !== place.path;
  const steps = isReachedByKey ? place.steps + 1 : place.steps;
  return { path, isNamed: isReachedByKey && child.shape === "map", steps, depth, shape: child.shape, type: child.type };
}

export function isSameSpot(a: Spot, b: Spot): boolean {
  return a.place === b.place && a.key === b.key;
}

export function pathOf({ place, key }: Spot): string {
  if (key === null || !place.isNamed || place.steps >= LIMITS.pathStepsMax) return place.path;
  const path = `${place.path}/${escapeStep(key)}`;
  return path.length > LIMITS.pathCharsMax ? place.path : path;
}

function rootPlace(name: string, type: SharedType | null): TypePlace {
  // Yjs allows the root "", which no path can name: it counts as the whole context
  const isNamed = name !== "";
  const path = name === DATA_ROOT || !isNamed ? "" : `@${escapeStep(name)}`;
  return { path, isNamed, steps: 0, depth: 0, shape: "root", type };
}

function shapeOf(type: SharedType): TypeShape {
  if (type instanceof Y.Map) return "map";
  if (type instanceof Y.XmlFragment) return "xml";
  return type instanceof Y.Text ? "text" : "list";
}

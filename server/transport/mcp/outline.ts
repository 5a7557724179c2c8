/**
 * Data cut to a budget: what an agent reads first of a large context, with marks that say what more there is and where.
 *
 * Invariants (MCP-6):
 *  1. The text of the result is at most the budget and a few marks, whatever the value is.
 *  2. Nothing is left out silently: a mark stands wherever something is missing, and `isWhole` is true when nothing is.
 *  3. What lies less deep comes first, and one large part does not take the place of all others.
 *
 * Not here: reading (shared/read-data.ts).
 */
import { isJsonObject } from "../../../shared/json.ts";
import type { Json } from "../../../shared/json.ts";
import { escapeStep } from "../../../shared/path.ts";

interface Outline {
  readonly value: Json;
  readonly isWhole: boolean;
}

interface Budget {
  /** Levels that are unfolded. */
  readonly depth: number;
  readonly chars: number;
}

/** A member that says that others are missing. */
const MORE = "…";
/** A string is not cut shorter than this. */
const STRING_CHARS_MIN = 200;
/** One part may take this share of what is left, or an equal one if that is more. */
const SHARE_MIN = 0.25;

export function outlineOf(value: Json, path: string, { depth, chars }: Budget): Outline {
  if (depthOf(value) <= depth && textLength(value) <= chars) return { value, isWhole: true };
  const unfolding = new Unfolding(chars);
  const root = unfolding.begin({ value, path, level: depth });
  unfolding.run();
  return { value: root(), isWhole: false };
}

/** A value in the result, made when everything that fits is known. */
type Shown = () => Json;

interface Place {
  readonly value: Json;
  readonly path: string;
  /** Levels that may still be unfolded here. */
  readonly level: number;
}

interface Folded {
  readonly place: Place;
  readonly unfold: (to: Shown) => void;
}

class Unfolding {
  #left: number;
  /** What the part that is unfolded now leaves to the others. */
  #reserved = 0;
  /** Shown as marks yet, outermost first. */
  readonly #folded: Folded[] = [];

  constructor(chars: number) {
    this.#left = chars;
  }

  run(): void {
    for (const [index, { place, unfold }] of this.#folded.entries()) {
      if (this.#left <= 0) return;
      const share = Math.max(1 / (this.#folded.length - index), SHARE_MIN);
      this.#reserved = this.#left * (1 - share);
      unfold(this.#unfolded(place));
    }
  }

  /** As a mark, which is replaced when its turn comes. */
  begin(place: Place): Shown {
    const { value, path, level } = place;
    if (typeof value === "string") return this.#text(value, path);
    if (value === null || typeof value !== "object" || sizeOf(value) === 0) return this.#plain(value);
    const mark = markOf(value, path);
    this.#left -= mark.length + 2;
    let shown: Shown = () => mark;
    if (level > 0) this.#folded.push({ place, unfold: (to) => (shown = to) });
    return () => shown();
  }

  get #isFull(): boolean {
    return this.#left <= this.#reserved;
  }

  #unfolded({ value, path, level }: Place): Shown {
    this.#left += markOf(value, path).length;
    const inner = (key: string, child: Json): Shown =>
      this.begin({ value: child, path: `${path}/${escapeStep(key)}`, level: level - 1 });
    return isJsonObject(value) ? this.#object(Object.entries(value), path, inner) : this.#array(value, path, inner);
  }

  #object(members: readonly [string, Json][], path: string, inner: (key: string, child: Json) => Shown): Shown {
    const shown: [string, Shown][] = [];
    for (const [key, child] of members) {
      if (this.#isFull) break;
      this.#left -= textLength(key) + 2;
      shown.push([key, inner(key, child)]);
    }
    const [first] = members[shown.length] ?? [];
    const count = members.length - shown.length;
    const more = `[${count} more keys, the first "${first}"; read one of them, or ${nameOf(path)} with more max_chars]`;
    return () => {
      const object = Object.fromEntries(shown.map(([key, child]) => [key, child()]));
      return first === undefined ? object : { ...object, [MORE]: more };
    };
  }

  #array(value: Json, path: string, inner: (key: string, child: Json) => Shown): Shown {
    const elements: readonly Json[] = Array.isArray(value) ? value : [];
    const shown: Shown[] = [];
    for (const [index, child] of elements.entries()) {
      if (this.#isFull) break;
      this.#left -= 1;
      shown.push(inner(String(index), child));
    }
    const count = elements.length - shown.length;
    const more = `[${count} more elements, the first ${path}/${shown.length}; read one of them, or ${nameOf(path)} with more max_chars]`;
    return () => [...shown.map((child) => child()), ...(count === 0 ? [] : [more])];
  }

  #plain(value: Json): Shown {
    this.#left -= textLength(value);
    return () => value;
  }

  #text(value: string, path: string): Shown {
    const charsMax = Math.max(this.#left - this.#reserved, STRING_CHARS_MIN);
    const kept = cut(value, charsMax);
    this.#left -= textLength(kept);
    const more = `${MORE} [${value.length - kept.length} more characters; read ${nameOf(path)} with more max_chars]`;
    return () => (kept === value ? value : kept + more);
  }
}

/** The longest beginning of which the JSON text is not longer, about. */
function cut(text: string, charsMax: number): string {
  let kept = text;
  for (let length = textLength(kept); length > charsMax + 2; length = textLength(kept))
    // by what escapes make of it; a pair of surrogates stays together
    kept = kept.slice(0, Math.floor((kept.length * charsMax) / length)).replace(/[\uD800-\uDBFF]$/, "");
  return kept;
}

function textLength(value: Json): number {
  return JSON.stringify(value).length;
}

function markOf(value: Json, path: string): string {
  const what = Array.isArray(value) ? `array of ${value.length}` : `object, ${sizeOf(value)} keys`;
  return `[${what}; read ${nameOf(path)}]`;
}

function nameOf(path: string): string {
  return path === "" ? "it" : path;
}

function sizeOf(value: Json): number {
  return Array.isArray(value) ? value.length : isJsonObject(value) ? Object.keys(value).length : 0;
}

/** Levels of objects and arrays that hold something. */
function depthOf(value: Json): number {
  if (value === null || typeof value !== "object" || sizeOf(value) === 0) return 0;
  const children: readonly Json[] = Array.isArray(value) ? value : Object.values(value);
  return 1 + children.reduce<number>((deepest, child) => Math.max(deepest, depthOf(child)), 0);
}

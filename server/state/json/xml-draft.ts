/**
 * XML in a draft: what is there, or the tree (`xmlTreeOf` in shared/value-json.ts) that is to stand in its place.
 *
 * Invariants (JSON):
 *  1. The source is never written to; the tree beside it says what it is to become.
 */
import type { Json } from "../../../shared/json.ts";
import { sameJson } from "../../../shared/json-equality.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { xmlTreeOf } from "../../../shared/value-json.ts";
import { canBecome } from "./xml-write.ts";
import type { XmlType } from "./xml-write.ts";

export class XmlDraft {
  readonly source: XmlType | undefined;
  #tree: Json | undefined;

  constructor(source: XmlType | undefined, tree?: Json) {
    this.source = source;
    this.#tree = tree;
  }

  get tree(): Json {
    this.#tree ??= this.source === undefined ? [] : xmlTreeOf(this.source);
    return this.#tree;
  }

  /** True when the source is to change. */
  get isChanged(): boolean {
    return this.source !== undefined && this.#tree !== undefined && !sameTree(xmlTreeOf(this.source), this.#tree);
  }

  /** Takes the tree over when it fits in this place; false when it is of another kind and must take the place of this. */
  become(tree: Json): boolean {
    if (this.source === undefined || !canBecome(this.source, tree)) return false;
    this.#tree = tree;
    return true;
  }
}

export function sameTree(a: Json, b: Json): boolean {
  return sameJson(a, b, { left: LIMITS.diffStepsMax });
}

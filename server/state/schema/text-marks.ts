/**
 * Strings that are to become texts: written as `{"$text": …}` where the schema says `x-crdt: text`.
 *
 * Not here: what is wrong with a write. It stays as it is, and is refused when it is applied.
 */
import type { JsonOp } from "../../../shared/change.ts";
import { isJsonObject } from "../../../shared/json.ts";
import type { Json, JsonObject } from "../../../shared/json.ts";
import { TEXT_MARK, markOf } from "../../../shared/json-marks.ts";
import { LIMITS } from "../../../shared/limits.ts";

import { crdtOfParts } from "./schema-outline.ts";
import type { Parts, SchemaOutline } from "./schema-outline.ts";

export function markTextsInOps(ops: readonly JsonOp[], outline: SchemaOutline): readonly JsonOp[] {
  if (!outline.crdtKinds.has("text")) return ops;
  const marker = new TextMarker(outline);
  return ops.map((op) => {
    if (op.op === "merge") return { ...op, value: marker.object(op.value, outline.partsAtPath(op.path)) };
    if (op.op === "add" || op.op === "replace") {
      return { ...op, value: marker.value(op.value, outline.partsAtPath(op.path)) };
    }
    return op;
  });
}

export function markTextsInData(data: JsonObject, outline: SchemaOutline): JsonObject {
  return outline.crdtKinds.has("text") ? new TextMarker(outline).object(data, outline.root) : data;
}

class TextMarker {
  readonly #outline: SchemaOutline;
  #depth = 0;

  constructor(outline: SchemaOutline) {
    this.#outline = outline;
  }

  value(value: Json, parts: Parts): Json {
    // what is nested deeper is refused when it is applied
    if (parts.length === 0 || this.#depth > LIMITS.depthMax) return value;
    if (typeof value === "string") return crdtOfParts(parts) === "text" ? { [TEXT_MARK]: value } : value;
    if (Array.isArray(value)) return this.#elements(value, parts);
    return isJsonObject(value) ? this.object(value, parts) : value;
  }

  /** Of a merge or of a whole context's data, too. A mark stays as it is. */
  object(value: JsonObject, parts: Parts): JsonObject {
    if (!isJsonObject(value) || markOf(value) !== undefined) return value;
    const members = Object.entries(value);
    return Object.fromEntries(members.map(([key, member]) => [key, this.#inner(member, parts, key)]));
  }

  #elements(elements: readonly Json[], parts: Parts): Json {
    return elements.map((element, index) => this.#inner(element, parts, String(index)));
  }

  #inner(value: Json, parts: Parts, step: string): Json {
    if (typeof value !== "string" && (typeof value !== "object" || value === null)) return value;
    this.#depth++;
    const marked = this.value(value, this.#outline.below(parts, step));
    this.#depth--;
    return marked;
  }
}

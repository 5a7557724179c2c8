/**
 * A value of a document as JSON that is not larger than asked for: whole if it fits, else unfolded as deep as fits.
 *
 * It begins at the top and goes down while the next level can fit, so a large value costs little.
 *
 * Not here: values with marks, deleted ones too (conflict/value-outline.ts).
 */
import { utf8ByteLength } from "lib0/string";
import type * as Y from "yjs";
import { ServiceError } from "../../shared/errors.ts";
import { isJsonObject } from "../../shared/json.ts";
import type { Json } from "../../shared/json.ts";
import { LIMITS } from "../../shared/limits.ts";
import { readData } from "../../shared/read-data.ts";

/** A member or element takes at least this much as JSON. */
const VALUE_BYTES_MIN = 2;

/** Undefined when there is nothing at the path, or not even its outline fits. @throws {ServiceError} INVALID_REQUEST when `path` is none */
export function outlineAt(doc: Y.Doc, path: string, bytesMax: number): Json | undefined {
  let fitting: Json | undefined;
  for (let depth = 0; depth <= LIMITS.depthMax; depth++) {
    const outline = unfolded(doc, path, depth);
    if (outline === undefined || utf8ByteLength(JSON.stringify(outline)) > bytesMax) return fitting;
    fitting = outline;
    const folded = countFolded(outline);
    if (folded === 0 || folded * VALUE_BYTES_MIN > bytesMax) return fitting;
  }
  return fitting;
}

function unfolded(doc: Y.Doc, path: string, depth: number): Json | undefined {
  try {
    return readData(doc, path, depth);
  } catch (error) {
    if (error instanceof ServiceError && error.code === "PATH_NOT_FOUND") return undefined;
    throw error;
  }
}

/** How many members and elements are only counted in the outline; 0 when it is the whole value. */
function countFolded(outline: Json): number {
  if (Array.isArray(outline)) return outline.reduce((sum: number, element) => sum + countFolded(element), 0);
  if (!isJsonObject(outline)) return 0;
  const [[key, count] = [], ...others] = Object.entries(outline);
  if (others.length === 0 && (key === "$object" || key === "$array") && typeof count === "number") return count;
  return Object.values(outline).reduce((sum: number, member) => sum + countFolded(member), 0);
}

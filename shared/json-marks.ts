/**
 * Marks: objects with one member that stand for a value JSON has no word for.
 *
 * | mark | stands for | read by | taken in what is written |
 * |---|---|---|---|
 * | `{"$text": string}` | a text (Y.Text) | readMarked, readRoots | yes |
 * | `{"$bytes": base64}` | bytes (Uint8Array) | every reading | yes |
 * | `{"$xml": node or [nodes]}` | XML (`xmlTreeOf` in value-json.ts) | readMarked, readRoots | yes |
 * | `{"$bigint": decimal}` | a big integer | every reading | no |
 *
 * Not here: reading (read-data.ts), writing (server/state/json/value-intake.ts).
 */
import { isJsonObject } from "./json.ts";
import type { Json } from "./json.ts";

export const TEXT_MARK = "$text";
export const BYTES_MARK = "$bytes";
export const XML_MARK = "$xml";
export const BIGINT_MARK = "$bigint";

export type Mark = typeof TEXT_MARK | typeof BYTES_MARK | typeof XML_MARK | typeof BIGINT_MARK;

/** Which mark a value is, if one: an object whose only member is a mark's. */
export function markOf(value: Json | undefined): Mark | undefined {
  if (value === undefined || !isJsonObject(value)) return undefined;
  let only: Mark | undefined;
  for (const key in value) {
    if (only !== undefined || !isMark(key)) return undefined;
    only = key;
  }
  return only;
}

export function isMark(key: string): key is Mark {
  return key === TEXT_MARK || key === BYTES_MARK || key === XML_MARK || key === BIGINT_MARK;
}

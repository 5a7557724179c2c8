/**
 * A formatted text brought to a delta (`[{"insert": string or object, "attributes"?: {…}}]`) by the least change.
 *
 * Invariants (XML):
 *  1. Only characters, embedded objects and formats that differ are edited, so that others' concurrent edits survive.
 *  2. Whatever the text held, it holds the delta afterwards.
 *
 * Not here: XML around the text (xml-write.ts).
 */
import type * as Y from "yjs";
import { isJsonObject } from "../../../shared/json.ts";
import type { Json, JsonObject } from "../../../shared/json.ts";
import { sameJson } from "../../../shared/json-equality.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { deltaOf } from "../../../shared/value-json.ts";
import { EMBED } from "../../../shared/yjs-values.ts";
import { leastEdits } from "./text-edit.ts";

/** What `Y.Text.applyDelta` takes. It changes what it is given, so each gets its own. */
interface DeltaStep {
  readonly insert?: Json;
  readonly retain?: number;
  readonly delete?: number;
  readonly attributes?: Record<string, Json>;
}

/** Call it inside a transaction. A text that is in no document yet must be empty; it remembers what to become. */
export function restoreDelta(text: Y.Text, wanted: readonly Json[]): void {
  if (text.doc === null) return text.applyDelta(wanted.map(insertionOf));
  text.applyDelta(editsBetween(deltaOf(text), wanted));
  text.applyDelta(formatsBetween(deltaOf(text), wanted));
  if (sameJson(deltaOf(text), wanted, { left: LIMITS.diffStepsMax })) return;
  // embedded objects all look alike in a string: where one is another, the text is written anew
  text.delete(0, text.length);
  text.applyDelta(wanted.map(insertionOf));
}

function editsBetween(present: readonly Json[], wanted: readonly Json[]): DeltaStep[] {
  const steps: DeltaStep[] = [];
  let [at, shift] = [0, 0];
  for (const { index, deleteCount, insert } of [...leastEdits(stringOf(present), stringOf(wanted))].reverse()) {
    if (index > at) steps.push({ retain: index - at });
    if (deleteCount > 0) steps.push({ delete: deleteCount });
    steps.push(...sliceOf(wanted, index + shift, insert.length));
    at = index + deleteCount;
    shift += insert.length - deleteCount;
  }
  return steps;
}

/** Retains that give each run of characters the formats of the wanted one, which is as long. */
function formatsBetween(present: readonly Json[], wanted: readonly Json[]): DeltaStep[] {
  const steps: DeltaStep[] = [];
  let [kept, at] = [0, 0];
  for (const part of present) {
    for (const run of sliceOf(wanted, at, lengthOf(part))) {
      const attributes = changedFormats(formatsOf(part), run.attributes ?? {});
      const length = lengthOf(run.insert === undefined ? null : { insert: run.insert });
      at += length;
      if (Object.keys(attributes).length === 0) {
        kept += length;
        continue;
      }
      if (kept > 0) steps.push({ retain: kept });
      steps.push({ retain: length, attributes });
      kept = 0;
    }
  }
  return steps;
}

function changedFormats(present: JsonObject, wanted: JsonObject): Record<string, Json> {
  const changed: Record<string, Json> = {};
  for (const key of Object.keys(present)) if (!Object.hasOwn(wanted, key)) changed[key] = null;
  for (const [key, value] of Object.entries(wanted)) {
    const isThere = Object.hasOwn(present, key) && sameJson(present[key], value, { left: LIMITS.diffStepsMax });
    if (!isThere) changed[key] = value;
  }
  return changed;
}

/** What inserts a part of a delta. */
function sliceOf(delta: readonly Json[], start: number, length: number): DeltaStep[] {
  const steps: DeltaStep[] = [];
  let from = 0;
  for (const part of delta) {
    const to = from + lengthOf(part);
    const [first, last] = [Math.max(start, from), Math.min(start + length, to)];
    const { insert, ...formats } = insertionOf(part);
    if (first < last && insert !== undefined)
      steps.push({ insert: typeof insert === "string" ? insert.slice(first - from, last - from) : insert, ...formats });
    from = to;
  }
  return steps;
}

function insertionOf(part: Json): DeltaStep {
  const insert = isJsonObject(part) ? part["insert"] : undefined;
  const attributes = formatsOf(part);
  const hasFormats = Object.keys(attributes).length > 0;
  return { ...(insert === undefined ? {} : { insert }), ...(hasFormats ? { attributes: { ...attributes } } : {}) };
}

function formatsOf(part: Json): JsonObject {
  const attributes = isJsonObject(part) ? part["attributes"] : undefined;
  return attributes !== undefined && isJsonObject(attributes) ? attributes : {};
}

function stringOf(delta: readonly Json[]): string {
  return delta.map(textIn).join("");
}

function lengthOf(part: Json): number {
  return textIn(part).length;
}

function textIn(part: Json): string {
  const insert = isJsonObject(part) ? part["insert"] : "";
  return typeof insert === "string" ? insert : EMBED;
}

/**
 * When two JSON values are the same: numbers by value, members in any order.
 *
 * Invariants (JDIFF):
 *  1. Every value looked at is counted in the budget; when it is used up, and below `depthMax`, values count as different.
 *
 * Not here: what differs (json-diff.ts).
 */
import { isJsonObject } from "./json.ts";
import type { Json, JsonObject } from "./json.ts";
import { LIMITS } from "./limits.ts";

/** Values that may still be looked at; counts down. */
export interface StepBudget {
  left: number;
}

export function sameJson(a: Json | undefined, b: Json | undefined, budget: StepBudget, depth = 0): boolean {
  budget.left--;
  if (a === b) return true;
  if (budget.left < 0 || depth > LIMITS.depthMax || a === undefined || b === undefined) return false;
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((it: Json, i) => sameJson(it, b[i], budget, depth + 1));
  }
  return isJsonObject(a) && isJsonObject(b) && sameMembers(a, b, budget, depth);
}

function sameMembers(a: JsonObject, b: JsonObject, budget: StepBudget, depth: number): boolean {
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  return keys.every((key) => Object.hasOwn(b, key) && sameJson(a[key], b[key], budget, depth + 1));
}

/** A text that only equal values share, as far as the budget and `depthMax` go; beyond, undefined. */
export function canonicalJson(value: Json, budget: StepBudget, depth = 0): string | undefined {
  budget.left--;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (budget.left < 0 || depth > LIMITS.depthMax) return undefined;
  const parts: string[] = [];
  const entries: [string, Json][] = isJsonObject(value)
    ? Object.keys(value)
        .sort()
        .map((key) => [key, value[key] ?? null])
    : value.map((it: Json) => ["", it]);
  for (const [key, it] of entries) {
    const part = canonicalJson(it, budget, depth + 1);
    if (part === undefined) return undefined;
    parts.push(isJsonObject(value) ? `${JSON.stringify(key)}:${part}` : part);
  }
  return isJsonObject(value) ? `{${parts.join()}}` : `[${parts.join()}]`;
}

/**
 * Types of contexts: a name and a JSON Schema (draft 2020-12) that the data of such contexts keeps to.
 *
 * Two annotations are ours. `x-crdt`: "text" makes strings there collaborative texts, "counter" a number that only
 * `increment` changes. `x-conflict`: a conflict policy for that place and all below it.
 *
 * Not here: checking (server/state/schema).
 */
import type { Actor } from "./ids.ts";
import type { JsonObject } from "./json.ts";

export interface ContextType {
  readonly name: string;
  readonly schema: JsonObject;
  /** 1, 2, 3, …: how often the type was registered. */
  readonly revision: number;
  readonly updatedAtMs: number;
  readonly updatedBy: Actor;
}

/** One way in which data breaks a schema. */
export interface SchemaViolation {
  /** Where in the data. */
  readonly path: string;
  /** What the schema asks for there, in a few words. */
  readonly message: string;
}

/** What registering a type found in the contexts that have it. */
export interface TypeReport {
  readonly checked: number;
  /** Contexts that break the schema; they stay writable, but no write may break more of it. */
  readonly invalid: readonly { readonly id: string; readonly violations: readonly SchemaViolation[] }[];
}

/**
 * A type's JSON Schema, compiled: what data breaks of it, and what its annotations say of a place.
 */
import type { JsonOp } from "../../../shared/change.ts";
import type { ConflictPolicy } from "../../../shared/conflict.ts";
import type { SchemaViolation } from "../../../shared/context-type.ts";
import type { Json, JsonObject } from "../../../shared/json.ts";
import type { Steps } from "../../../shared/path.ts";

export type CrdtKind = "text" | "counter";

export interface ContextSchema {
  /** All that the data of a context breaks. */
  violations(data: Json): readonly SchemaViolation[];
  /** For the data of a new context, as it reads. @throws {ServiceError} SCHEMA_VIOLATION */
  check(data: Json): void;
  /** What the schema says is at a place; steps as in shared/path.ts, the root first. */
  crdtAt(steps: Steps): CrdtKind | undefined;
  /** The nearest policy from the path up to the root of the schema, "record" when there is none. */
  conflictPolicyAt(path: string): ConflictPolicy;
  /** Strings that the operations write where the schema says `x-crdt: text` become `{"$text": …}`. Rehearsal.tryOps does this itself. */
  textsMarked(ops: readonly JsonOp[]): readonly JsonOp[];
  /** The same for the data of a new context. */
  markedData(data: JsonObject): JsonObject;
}

/** @throws {ServiceError} INVALID_SCHEMA */
export function compileSchema(_schema: JsonObject): ContextSchema {
  throw new Error("not yet");
}

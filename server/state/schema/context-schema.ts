/**
 * A type's JSON Schema, ready for use: what data breaks of it, and what its annotations say of a place.
 *
 * Invariants (TYPE):
 *  1. A schema that compiles is bounded in size, depth and references, refers to nothing outside itself, and has no
 *     keyword that would be ignored.
 *  2. Checking never throws, whatever the data is.
 *  3. An annotation is that of the first part of the schema that speaks of the place and has one (schema-outline.ts);
 *     a conflict policy holds for all below its place.
 *
 * Not here: the regular expressions of `pattern` are those of the schema's author and may take very long on strings made
 * for that, and so may schemas that apply to themselves in several alternatives. Registering is for admins (docs/types.md).
 */
import { utf8ByteLength } from "lib0/string";
import type { JsonOp } from "../../../shared/change.ts";
import { CONFLICT_POLICIES } from "../../../shared/conflict.ts";
import type { ConflictPolicy } from "../../../shared/conflict.ts";
import type { Json, JsonObject } from "../../../shared/json.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { DATA_ROOT, escapeStep, parsePath } from "../../../shared/path.ts";
import type { Steps } from "../../../shared/path.ts";
import { assertIsSchema, compileValidator } from "./compile-validator.ts";
import type { Validator } from "./compile-validator.ts";
import { invalidSchema } from "./invalid-schema.ts";
import { NOTHING, SchemaOutline, crdtOfParts, own } from "./schema-outline.ts";
import type { CrdtKind, Parts } from "./schema-outline.ts";
import { markTextsInData, markTextsInOps } from "./text-marks.ts";
import { schemaViolation, violationsOf } from "./violations.ts";
import type { FoundViolation } from "./violations.ts";

export type { CrdtKind } from "./schema-outline.ts";

const DIALECT = /^https:\/\/json-schema\.org\/draft\/2020-12\/schema#?$/;

/**
 * @throws {ServiceError} INVALID_SCHEMA with what is wrong and, in `details.path`, where in the schema
 */
export function compileSchema(schema: JsonObject): ContextSchema {
  checkNesting(schema, "", 0);
  const text = JSON.stringify(schema);
  const bytes = utf8ByteLength(text);
  if (bytes > LIMITS.schemaBytesMax) {
    throw invalidSchema("", `it has ${bytes} bytes, and ${LIMITS.schemaBytesMax} are allowed`);
  }
  const dialect = own(schema, "$schema");
  if (dialect !== undefined && (typeof dialect !== "string" || !DIALECT.test(dialect))) {
    throw invalidSchema("/$schema", "the dialect is not 2020-12, https://json-schema.org/draft/2020-12/schema");
  }
  assertIsSchema(schema);
  // a copy of our own, without the identity: nothing may refer to it by that
  const { $id: _, ...copy }: JsonObject = JSON.parse(text);
  const outline = new SchemaOutline(copy);
  return new ContextSchema(outline, compileValidator(copy));
}

export class ContextSchema {
  readonly outline: SchemaOutline;
  readonly #validator: Validator;

  /** Use compileSchema. */
  constructor(outline: SchemaOutline, validator: Validator) {
    this.outline = outline;
    this.#validator = validator;
  }

  /** All that the data of a context breaks. */
  violations(data: Json): readonly FoundViolation[] {
    try {
      return violationsOf(this.#validator(data), data);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      const message = "is nested too deep for the schema to be checked";
      return [{ path: "", message, sameness: message }];
    }
  }

  /** For the data of a new context, as it reads. @throws {ServiceError} SCHEMA_VIOLATION */
  check(data: Json): void {
    const violations = this.violations(data);
    if (violations.length > 0) throw schemaViolation(violations);
  }

  /** What the schema says is at a place; steps as in shared/path.ts, the root first. */
  crdtAt(steps: Steps): CrdtKind | undefined {
    return crdtOfParts(this.outline.partsAt(steps));
  }

  /** The nearest policy from the path up to the root of the schema, "record" when there is none. */
  conflictPolicyAt(path: string): ConflictPolicy {
    const [root = DATA_ROOT, ...steps] = parsePath(path);
    let policy: ConflictPolicy = "record";
    let parts = root === DATA_ROOT ? this.outline.root : NOTHING;
    for (const step of [...steps, ""]) {
      policy = policyOf(parts) ?? policy;
      parts = this.outline.below(parts, step);
    }
    return policy;
  }

  /**
   * Strings that the operations write where the schema says `x-crdt: text` become `{"$text": …}`. `Rehearsal` does this
   * by itself.
   */
  textsMarked(ops: readonly JsonOp[]): readonly JsonOp[] {
    return markTextsInOps(ops, this.outline);
  }

  /** The same for the data of a new context. */
  markedData(data: JsonObject): JsonObject {
    return markTextsInData(data, this.outline);
  }
}

function policyOf(parts: Parts): ConflictPolicy | undefined {
  for (const part of parts) {
    const policy = CONFLICT_POLICIES.find((known) => known === own(part, "x-conflict"));
    if (policy !== undefined) return policy;
  }
  return undefined;
}

/** Everything after this may recurse. */
function checkNesting(value: Json, place: string, depth: number): void {
  if (typeof value !== "object" || value === null) return;
  if (depth >= LIMITS.depthMax) throw invalidSchema(place, `it is nested more than ${LIMITS.depthMax} deep`);
  for (const [key, inner] of Object.entries<Json>(value)) {
    const at = `${place}/${escapeStep(key)}`;
    if (key === "__proto__") throw invalidSchema(at, 'nothing can be called "__proto__"');
    checkNesting(inner, at, depth + 1);
  }
}

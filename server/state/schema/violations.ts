/**
 * Violations of a schema: their words, and which of them a write adds.
 *
 * Invariants (TYPE):
 *  1. A violation says where and what the schema asks for, never what the data holds there.
 *  2. Elements of arrays have no names: a violation that moves with its element is the same one.
 *
 * Not here: finding them (compile-validator.ts).
 */
import type { SchemaViolation } from "../../../shared/context-type.ts";
import { ServiceError } from "../../../shared/errors.ts";
import { isJsonObject } from "../../../shared/json.ts";
import type { Json } from "../../../shared/json.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { escapeStep } from "../../../shared/path.ts";
import type { Breach } from "./compile-validator.ts";

export interface FoundViolation extends SchemaViolation {
  /** The same for violations of one rule at one place, whichever element of an array it lies in. */
  readonly sameness: string;
}

const CHARS_MAX = 200;

/** Keywords whose violation is at a member that they name. */
const AT_MEMBER: Readonly<Record<string, string>> = {
  additionalProperties: "additionalProperty",
  unevaluatedProperties: "unevaluatedProperty",
  propertyNames: "propertyName",
};

export function violationsOf(breaches: readonly Breach[], data: Json): readonly FoundViolation[] {
  return breaches.flatMap((breach) => {
    // `if` only repeats that its branch failed; what a name breaks is told by `propertyNames`
    if (breach.keyword === "if" || breach.propertyName !== undefined) return [];
    const member = breach.params[AT_MEMBER[breach.keyword] ?? ""];
    const path = typeof member === "string" ? `${breach.instancePath}/${escapeStep(member)}` : breach.instancePath;
    const message = cut(wordsFor(breach));
    return [{ path, message, sameness: `${withoutIndices(path, data)} ${breach.schemaPath} ${message}` }];
  });
}

/** Those that are in `after` more often than in `before`. */
export function addedViolations(
  before: readonly FoundViolation[],
  after: readonly FoundViolation[],
): readonly SchemaViolation[] {
  const known = new Map<string, number>();
  for (const { sameness } of before) known.set(sameness, (known.get(sameness) ?? 0) + 1);
  return after.filter(({ sameness }) => {
    const left = known.get(sameness) ?? 0;
    known.set(sameness, left - 1);
    return left <= 0;
  });
}

/** As many as may be told. */
export function toldOf(violations: readonly SchemaViolation[]): readonly SchemaViolation[] {
  return violations.slice(0, LIMITS.violationsToldMax).map(({ path, message }) => ({ path, message }));
}

/** The refusal of a write that adds these, one at least. */
export function schemaViolation(added: readonly SchemaViolation[]): ServiceError {
  const [first] = added;
  const where = first === undefined || first.path === "" ? "the data as a whole" : first.path;
  const more = added.length > 1 ? ` (and ${added.length - 1} more)` : "";
  return new ServiceError(
    "SCHEMA_VIOLATION",
    `The result would break the schema of the context's type: ${where} ${first?.message ?? "is wrong"}${more}. Change the write so that it does not.`,
    { details: { violations: toldOf(added), count: added.length } },
  );
}

function wordsFor({ keyword, params, message = "is not as the schema asks" }: Breach): string {
  switch (keyword) {
    case "required":
      return `must have the member ${JSON.stringify(params["missingProperty"])}`;
    case "additionalProperties":
    case "unevaluatedProperties":
      return "is a member that the schema does not know";
    case "propertyNames":
      return "has a name that the schema does not allow";
    case "enum":
      return `must be one of ${listOf(params["allowedValues"])}`;
    case "const":
      return `must be ${JSON.stringify(params["allowedValue"])}`;
    case "anyOf":
      return "must match one of the alternatives (anyOf)";
    case "uniqueItems":
      return "must not hold equal elements";
    case "oneOf":
      return "must match exactly one of the alternatives (oneOf)";
    case "false schema":
      return "must not be there";
    default:
      return message;
  }
}

function listOf(values: unknown): string {
  return Array.isArray(values) ? values.map((value) => JSON.stringify(value)).join(", ") : "the allowed values";
}

function cut(text: string): string {
  return text.length <= CHARS_MAX ? text : `${text.slice(0, CHARS_MAX)}…`;
}

function withoutIndices(path: string, data: Json): string {
  let value: Json | undefined = data;
  const [top = "", ...steps] = path.split("/");
  const named = steps.map((step) => {
    const inArray = Array.isArray(value);
    value = inner(value, step);
    return inArray ? "*" : step;
  });
  return [top, ...named].join("/");
}

function inner(value: Json | undefined, escaped: string): Json | undefined {
  const step = escaped.replaceAll("~1", "/").replaceAll("~0", "~");
  if (Array.isArray(value)) return value[Number(step)];
  return isJsonObject(value) && Object.hasOwn(value, step) ? value[step] : undefined;
}

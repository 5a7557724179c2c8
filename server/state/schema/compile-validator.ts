/**
 * From a schema to a function that tells what data breaks of it: the one place that knows ajv.
 *
 * Invariants (TYPE):
 *  1. Nothing is fetched, and nothing is left behind: each schema is compiled by an instance of its own.
 *  2. The data is only read. Its members are its own: a schema may speak of "constructor" or "toString".
 *  3. What the failed branches of an alternative say is not told: a value that broke one before and breaks another now
 *     is no worse.
 *
 * ajv writes each schema as JavaScript and runs that; all text of the schema is quoted in it. Where values are compared it
 * is done here: ajv compares each element of an array with each other, and trips over members called "toString".
 *
 * Not here: what references lead to (schema-outline.ts), the words of a violation (violations.ts).
 */
import { fullFormats } from "ajv-formats/dist/formats.js";
import { Ajv2020 } from "ajv/dist/2020.js";
import type { ErrorObject, KeywordCxt, Options } from "ajv/dist/2020.js";
import { isJsonObject } from "../../../shared/json.ts";
import type { Json, JsonObject } from "../../../shared/json.ts";
import { invalidSchema } from "./invalid-schema.ts";

export type Breach = ErrorObject<string, Readonly<Record<string, unknown>>>;

/** All that the data breaks, in the words of ajv. */
export type Validator = (data: Json) => readonly Breach[];

const OPTIONS: Options = {
  allErrors: true,
  ownProperties: true,
  // what its strict mode looks for, we look for ourselves, and can say where it is
  strict: false,
  logger: false,
};

// "url", which is none of JSON Schema's, takes minutes for a string that a client made for that
const { url: _, ...FORMATS } = fullFormats;

const metaSchema = newAjv(OPTIONS);

/** @throws {ServiceError} INVALID_SCHEMA when the schema breaks the rules of the dialect itself */
export function assertIsSchema(schema: JsonObject): void {
  if (metaSchema.validateSchema(schema) === true) return;
  const [first] = metaSchema.errors ?? [];
  throw invalidSchema(first?.instancePath ?? "", `what is there ${first?.message ?? "is no schema"}`);
}

/** Formats that a schema may ask for. */
export function isFormat(name: Json): boolean {
  return typeof name === "string" && Object.hasOwn(FORMATS, name);
}

/**
 * @param schema valid, with references into itself only
 * @throws {ServiceError} INVALID_SCHEMA when it is more than can be compiled
 */
export function compileValidator(schema: JsonObject): Validator {
  const ajv = newAjv({ ...OPTIONS, formats: FORMATS, meta: false, validateSchema: false });
  tellOutcomeOnly(ajv, "anyOf");
  tellOutcomeOnly(ajv, "oneOf");
  tellOutcomeOnly(ajv, "contains", "unevaluatedItems");
  const validate = compiled(ajv, schema);
  return (data) => {
    void validate(data);
    return validate.errors ?? [];
  };
}

function compiled(ajv: Ajv2020, schema: JsonObject): ReturnType<Ajv2020["compile"]> {
  try {
    const validate = ajv.compile(schema);
    // V8 reads the code when it is first called, and may find it too deep only then
    void validate({});
    return validate;
  } catch (error) {
    // a RangeError: schemas that refer to each other too deep for the stack
    const why = error instanceof Error ? error.message : String(error);
    throw invalidSchema("", `it cannot be compiled (${why.slice(0, 200)})`, error);
  }
}

/** Drops what the branches found when the whole fails; what a branch that holds says goes anyway. */
function tellOutcomeOnly(ajv: Ajv2020, keyword: string, before?: string): void {
  const definition = ajv.getKeyword(keyword);
  if (typeof definition === "boolean" || !("code" in definition)) throw new Error(`ajv has another "${keyword}" now.`);
  const { code } = definition;
  ajv.removeKeyword(keyword);
  ajv.addKeyword({
    ...definition,
    ...(before === undefined ? {} : { before }),
    code: (context: KeywordCxt, ruleType) => {
      const tell = context.error.bind(context);
      context.error = (...told) => {
        context.reset();
        tell(...told);
      };
      code(context, ruleType);
    },
  });
}

/** With comparisons of our own in place of those of ajv. */
function newAjv(options: Options): Ajv2020 {
  const ajv = new Ajv2020(options);
  compareBy(ajv, "enum", (values) => {
    const known = new Set((Array.isArray(values) ? values : []).map(identityOf));
    return (data) => known.has(identityOf(data));
  });
  compareBy(ajv, "const", (value) => {
    const known = identityOf(value);
    return (data) => identityOf(data) === known;
  });
  compareBy(ajv, "uniqueItems", (isAsked) => (data) => isAsked !== true || !Array.isArray(data) || areDifferent(data));
  return ajv;
}

function compareBy(ajv: Ajv2020, keyword: string, compile: (schema: Json) => (data: Json) => boolean): void {
  const definition = ajv.getKeyword(keyword);
  if (typeof definition === "boolean") throw new Error(`ajv has no "${keyword}" any more.`);
  const { type, schemaType, error } = definition;
  ajv.removeKeyword(keyword);
  // the words of ajv for equal elements name those that it found
  ajv.addKeyword({ keyword, type, schemaType, compile, ...(keyword === "uniqueItems" ? {} : { error }) });
}

function areDifferent(elements: readonly Json[]): boolean {
  return new Set(elements.map(identityOf)).size === elements.length;
}

/** The same for equal values: simple ones are their own identity, of others it is a text in which no simple one is found. */
function identityOf(value: Json): Json | undefined {
  if (typeof value === "string") return `"${value}`;
  return typeof value === "object" ? JSON.stringify(ordered(value)) : value;
}

/** The same for all objects with the same members. */
function ordered(value: Json): Json {
  if (Array.isArray(value)) return value.map(ordered);
  if (!isJsonObject(value)) return value;
  const keys = Object.keys(value).sort();
  return { members: keys.map((key) => [key, ordered(value[key] ?? null)]) };
}

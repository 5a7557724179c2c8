/**
 * Which parts of a schema speak of which place of the data: what annotations are read from.
 *
 * Invariants (TYPE):
 *  1. Every subschema is known by its place; a `$ref` leads to one of them, and nowhere else.
 *  2. No value is checked by more than `schemaAppliesMax` subschemas in its own place, and none by itself again.
 *  3. What is looked up in the schema are its own members, whatever they are called.
 *
 * Alternatives all count: the parts of a place are those of `anyOf`, `oneOf`, `then` and `else` too, after what the schema
 * says outright, and an annotation is that of the first part which has one.
 *
 * Not here: validity (compile-validator.ts), what the annotations mean (context-schema.ts).
 */
import { CONFLICT_POLICIES } from "../../../shared/conflict.ts";
import { ServiceError } from "../../../shared/errors.ts";
import { isJsonObject } from "../../../shared/json.ts";
import type { Json, JsonObject } from "../../../shared/json.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { DATA_ROOT, escapeStep, parsePath } from "../../../shared/path.ts";
import type { Steps } from "../../../shared/path.ts";
import { isFormat } from "./compile-validator.ts";
import { invalidSchema } from "./invalid-schema.ts";
import { KEYWORDS } from "./schema-keywords.ts";
import type { Keyword } from "./schema-keywords.ts";

/** The subschemas that speak of one place, in the order in which their annotations count. */
export type Parts = readonly JsonObject[];

export const NOTHING: Parts = [];

const CRDT_KINDS = ["text", "counter"] as const;
export type CrdtKind = (typeof CRDT_KINDS)[number];

const CHOICES: ReadonlyMap<string, readonly string[]> = new Map<string, readonly string[]>([
  ["x-crdt", CRDT_KINDS],
  ["x-conflict", CONFLICT_POLICIES],
]);

export class SchemaOutline {
  readonly root: Parts;
  /** The kinds that occur anywhere in the schema. */
  readonly crdtKinds: ReadonlySet<CrdtKind>;
  /** Each subschema's place in the schema, as a JSON Pointer. */
  readonly #places = new Map<JsonObject, string>();
  readonly #schemaAt = new Map<string, Json>();
  readonly #anchors = new Map<string, JsonObject>();
  readonly #patterns = new Map<string, RegExp>();
  readonly #spreads = new Map<JsonObject, Parts>();

  /**
   * @param schema valid under the meta-schema, and not nested beyond `depthMax`
   * @throws {ServiceError} INVALID_SCHEMA
   */
  constructor(schema: JsonObject) {
    this.#note(schema, "");
    this.#assertFinite();
    this.crdtKinds = new Set([...this.#places.keys()].flatMap((part) => crdtOf(part) ?? []));
    this.root = this.#spread(schema);
  }

  /** The parts that speak of a place; steps as in shared/path.ts, the root first. */
  partsAt([root = DATA_ROOT, ...steps]: Steps): Parts {
    return steps.reduce((parts, step) => this.below(parts, step), root === DATA_ROOT ? this.root : NOTHING);
  }

  /** None for what is no path: whoever uses it as one refuses it. */
  partsAtPath(path: string): Parts {
    try {
      return this.partsAt(parsePath(path));
    } catch (error) {
      if (error instanceof ServiceError) return NOTHING;
      throw error;
    }
  }

  /** The parts that speak of the member or element `step` of what `parts` speak of. "-" is an element, too. */
  below(parts: Parts, step: string): Parts {
    if (parts.length === 0) return NOTHING;
    const found = new Set<JsonObject>();
    for (const part of parts) {
      for (const inner of this.#inside(part, step)) for (const spread of this.#spread(inner)) found.add(spread);
    }
    return found.size === 0 ? NOTHING : [...found];
  }

  #note(schema: Json | undefined, place: string): void {
    if (typeof schema === "boolean") this.#schemaAt.set(place, schema);
    if (!isJsonObject(schema)) return;
    this.#places.set(schema, place);
    this.#schemaAt.set(place, schema);
    for (const [name, value] of Object.entries(schema)) {
      const keyword = KEYWORDS.get(name);
      const at = `${place}/${escapeStep(name)}`;
      if (keyword === undefined) throw invalidSchema(at, `"${name}" is not a keyword that types may use`);
      checkValue(name, value, at);
      this.#learn(name, value, place);
      for (const [step, inner] of subschemas(keyword, value)) this.#note(inner, `${at}${step}`);
    }
  }

  #learn(name: string, value: Json, place: string): void {
    const at = `${place}/${name}`;
    if (name === "pattern" && typeof value === "string") this.#learnPattern(value, at);
    if (name === "patternProperties" && isJsonObject(value)) {
      for (const pattern of Object.keys(value)) this.#learnPattern(pattern, `${at}/${escapeStep(pattern)}`);
    }
    if (name !== "$anchor" || typeof value !== "string") return;
    const schema = this.#schemaAt.get(place);
    if (this.#anchors.has(value)) throw invalidSchema(at, "this anchor is there twice");
    if (isJsonObject(schema)) this.#anchors.set(value, schema);
  }

  #learnPattern(pattern: string, at: string): void {
    try {
      this.#patterns.set(pattern, new RegExp(pattern, "u"));
    } catch {
      throw invalidSchema(at, "this is not a regular expression of JavaScript (with the flag u)");
    }
  }

  /** The subschema that a `$ref` names; undefined for one that allows or forbids everything. */
  #target(part: JsonObject): JsonObject | undefined {
    const ref = Object.hasOwn(part, "$ref") ? part["$ref"] : undefined;
    if (typeof ref !== "string") return undefined;
    const at = `${this.#places.get(part) ?? ""}/$ref`;
    if (!ref.startsWith("#")) {
      throw invalidSchema(
        at,
        'a "$ref" names a place in the schema itself, such as "#/$defs/task"; nothing is fetched',
      );
    }
    const target = this.#anchors.get(ref.slice(1)) ?? this.#schemaAt.get(decoded(ref.slice(1)));
    if (target === undefined) throw invalidSchema(at, "there is no schema at the place that it names");
    return isJsonObject(target) ? target : undefined;
  }

  /** Counts what applies to one value at once; a schema that applies to its own place again would never end. */
  #assertFinite(): void {
    const counts = new Map<JsonObject, number>();
    const under = new Set<JsonObject>();
    const count = (part: JsonObject): number => {
      const known = counts.get(part);
      if (known !== undefined) return known;
      const at = this.#places.get(part) ?? "";
      if (under.has(part)) throw invalidSchema(at, "it applies to the same value again and again");
      if (under.size >= LIMITS.depthMax) throw invalidSchema(at, "too many schemas refer to each other in a row");
      under.add(part);
      const sum = this.#inPlace(part, false).reduce((total, inner) => total + count(inner), 1);
      under.delete(part);
      if (sum > LIMITS.schemaAppliesMax) {
        throw invalidSchema(at, `more than ${LIMITS.schemaAppliesMax} subschemas apply to one value`);
      }
      counts.set(part, sum);
      return sum;
    };
    for (const part of this.#places.keys()) count(part);
  }

  /** Subschemas about the same value: what `$ref` names first. */
  #inPlace(part: JsonObject, heardOnly: boolean): readonly JsonObject[] {
    const target = this.#target(part);
    const found = target === undefined ? [] : [target];
    for (const [name, keyword] of KEYWORDS) {
      if (keyword.inPlace !== true || (heardOnly && keyword.heard !== true) || !Object.hasOwn(part, name)) continue;
      for (const [, inner] of subschemas(keyword, part[name])) if (isJsonObject(inner)) found.push(inner);
    }
    return found;
  }

  #spread(part: JsonObject): Parts {
    const known = this.#spreads.get(part);
    if (known !== undefined) return known;
    const found = new Set([part]);
    for (const inner of this.#inPlace(part, true)) for (const spread of this.#spread(inner)) found.add(spread);
    const parts = [...found];
    this.#spreads.set(part, parts);
    return parts;
  }

  #inside(part: JsonObject, step: string): readonly JsonObject[] {
    return [...this.#members(part, step), ...elements(part, step)].filter(isJsonObject);
  }

  #members(part: JsonObject, step: string): readonly (Json | undefined)[] {
    const named = own(own(part, "properties"), step);
    const patterns = own(part, "patternProperties");
    const matching = isJsonObject(patterns)
      ? Object.entries(patterns).flatMap(([pattern, inner]) =>
          this.#patterns.get(pattern)?.test(step) === true ? [inner] : [],
        )
      : [];
    if (named !== undefined || matching.length > 0) return [named, ...matching];
    return [own(part, "additionalProperties"), own(part, "unevaluatedProperties")];
  }
}

export function crdtOfParts(parts: Parts): CrdtKind | undefined {
  for (const part of parts) {
    const kind = crdtOf(part);
    if (kind !== undefined) return kind;
  }
  return undefined;
}

function crdtOf(part: JsonObject): CrdtKind | undefined {
  return CRDT_KINDS.find((kind) => kind === own(part, "x-crdt"));
}

export function own(schema: Json | undefined, name: string): Json | undefined {
  return isJsonObject(schema) && Object.hasOwn(schema, name) ? schema[name] : undefined;
}

function elements(part: JsonObject, step: string): readonly (Json | undefined)[] {
  if (!/^(-|0|[1-9]\d{0,14})$/.test(step)) return [];
  const prefix = own(part, "prefixItems");
  const placed = Array.isArray(prefix) && step !== "-" ? prefix[Number(step)] : undefined;
  return placed === undefined ? [own(part, "items"), own(part, "unevaluatedItems")] : [placed];
}

/** The subschemas in a keyword, and the rest of their places. */
function subschemas({ kind }: Keyword, value: Json | undefined): readonly (readonly [step: string, schema: Json])[] {
  if (value === undefined || kind === "plain") return [];
  if (kind === "schema") return [["", value]];
  if (kind === "list") return Array.isArray(value) ? value.map((inner: Json, index) => [`/${index}`, inner]) : [];
  return isJsonObject(value) ? Object.entries(value).map(([name, inner]) => [`/${escapeStep(name)}`, inner]) : [];
}

/** What the meta-schema lets pass. */
function checkValue(name: string, value: Json, at: string): void {
  const isInner = at !== `/${name}`;
  if (name === "$id" && isInner) throw invalidSchema(at, "a schema inside another has no identity of its own");
  if (name === "$schema" && isInner) throw invalidSchema(at, "only the whole schema has a dialect");
  if (name === "format" && !isFormat(value)) throw invalidSchema(at, "this format is not known");
  const choices = CHOICES.get(name);
  if (choices === undefined || (typeof value === "string" && choices.includes(value))) return;
  throw invalidSchema(at, `it is one of: ${choices.join(", ")}`);
}

/** The pointer in a URI fragment; what cannot be decoded names nothing. */
function decoded(fragment: string): string {
  try {
    return decodeURIComponent(fragment);
  } catch {
    return "#";
  }
}

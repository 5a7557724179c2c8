/**
 * The keywords of JSON Schema 2020-12 that a type may use, by what they hold. Everything else is refused: a keyword
 * that is misspelled, or of another dialect, would be ignored without a word.
 *
 * Not here: what the keywords demand (ajv), what follows from their values (schema-outline.ts).
 */

/** What stands in a keyword: one subschema, a list of them, members that are subschemas, or no schema at all. */
export type KeywordKind = "schema" | "list" | "map" | "plain";

export interface Keyword {
  readonly kind: KeywordKind;
  /** Its subschemas speak of the same value as the schema that they stand in. */
  readonly inPlace?: true;
  /** … and what they say counts for the value, always or in some of the cases: their annotations are heard. */
  readonly heard?: true;
}

const PLAIN =
  "$schema $id $ref $anchor $comment title description default examples deprecated readOnly writeOnly type enum const " +
  "multipleOf maximum exclusiveMaximum minimum exclusiveMinimum maxLength minLength pattern format contentEncoding " +
  "contentMediaType contentSchema maxItems minItems uniqueItems maxContains minContains maxProperties minProperties " +
  "required dependentRequired x-crdt x-conflict";

/** In the order in which annotations are looked for: what is said outright comes before alternatives. */
export const KEYWORDS: ReadonlyMap<string, Keyword> = new Map<string, Keyword>([
  ["allOf", { kind: "list", inPlace: true, heard: true }],
  ["anyOf", { kind: "list", inPlace: true, heard: true }],
  ["oneOf", { kind: "list", inPlace: true, heard: true }],
  ["then", { kind: "schema", inPlace: true, heard: true }],
  ["else", { kind: "schema", inPlace: true, heard: true }],
  ["dependentSchemas", { kind: "map", inPlace: true, heard: true }],
  ["if", { kind: "schema", inPlace: true }],
  ["not", { kind: "schema", inPlace: true }],
  ["properties", { kind: "map" }],
  ["patternProperties", { kind: "map" }],
  ["additionalProperties", { kind: "schema" }],
  ["unevaluatedProperties", { kind: "schema" }],
  ["propertyNames", { kind: "schema" }],
  ["prefixItems", { kind: "list" }],
  ["items", { kind: "schema" }],
  ["unevaluatedItems", { kind: "schema" }],
  ["contains", { kind: "schema" }],
  ["$defs", { kind: "map" }],
  ["definitions", { kind: "map" }],
  ...PLAIN.split(" ").map((name) => [name, { kind: "plain" }] as const),
]);

/**
 * The JSON Schemas that hosts are shown: reduced to what every host and model API takes.
 *
 * Invariants (MCP-3):
 *  1. No `$ref`, `oneOf`, `anyOf`, `allOf`, or list of types; every array has `items`.
 *  2. Bounds are left out: they cost tokens, some hosts refuse them, and the zod schema enforces them.
 *  3. A schema is converted once.
 */
import { z } from "zod";
import { isJsonObject } from "../../../shared/json.ts";
import type { Json, JsonObject } from "../../../shared/json.ts";

const LEFT_OUT = new Set([
  "$schema",
  "pattern",
  "minLength",
  "maxLength",
  "minItems",
  "maxItems",
  "minimum",
  "maximum",
  "exclusiveMinimum",
  "exclusiveMaximum",
  "format",
  "propertyNames",
  "additionalProperties",
]);

export type ObjectSchema = JsonObject & { readonly type: "object" };

const converted = new WeakMap<z.ZodObject, Map<"input" | "output", ObjectSchema>>();

export function portableSchema(schema: z.ZodObject, io: "input" | "output"): ObjectSchema {
  const known = converted.get(schema)?.get(io);
  if (known !== undefined) return known;
  // what zod makes of a schema without custom types is plain JSON
  const raw = z.toJSONSchema(schema, { io, unrepresentable: "any" }) as unknown as JsonObject;
  const made: ObjectSchema = { type: "object", ...reduced(raw) };
  const forms = converted.get(schema) ?? new Map<"input" | "output", ObjectSchema>();
  converted.set(schema, forms.set(io, made));
  return made;
}

function reduced(schema: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(schema).flatMap(([key, value]): [string, Json][] => {
      if (LEFT_OUT.has(key)) return [];
      // names of properties are no keywords
      if (key === "properties" && isJsonObject(value))
        return [[key, Object.fromEntries(Object.entries(value).map(([name, one]) => [name, reducedValue(one)]))]];
      return [[key, reducedValue(value)]];
    }),
  );
}

function reducedValue(value: Json): Json {
  return isJsonObject(value) ? reduced(value) : value;
}

/**
 * REST: the fields that bodies, answers and queries are made of.
 *
 * JSON values are not walked here: they come from parseJsonText, which has bounded and checked them (z.json() takes 0.4 s for
 * 4 MB and overflows the stack on deep ones).
 *
 * Not here: whole bodies (rest.ts, rest-history.ts, rest-conflicts.ts, rest-types.ts).
 */
import { z } from "zod";
import { isJsonObject } from "../json.ts";
import type { Json, JsonObject } from "../json.ts";
import { LIMITS } from "../limits.ts";

export const jsonValue = z
  .custom<Json>((value) => value !== undefined, "is missing")
  .meta({ override: {}, description: "Any JSON value" });
export const jsonObject = z
  .custom<JsonObject>(isJsonObject, "must be a JSON object")
  .meta({ override: { type: "object", additionalProperties: true } });
export const pointer = z.string().max(LIMITS.pathCharsMax).describe('JSON Pointer into the data, "" for all of it');
/** Beside what several nodes know together. */
export const silentNodes = z
  .int()
  .min(1)
  .exactOptional()
  .describe("So many other nodes did not answer in time: what only they know is missing");
export const version = z.int().min(0);
export const isoTime = z.iso.datetime().meta({ override: { type: "string", format: "date-time" } });
export const message = z.string().max(LIMITS.messageCharsMax).describe("Why; shown in the history");
export const actor = z.string().max(LIMITS.actorCharsMax);

/** A query parameter: digits only, so that "", "0x10" and "1e3" are refused instead of guessed at. */
export const wholeNumber = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d{1,15}$/, `must be a whole number from ${min} to ${max}`)
    .transform(Number)
    .pipe(z.int().min(min).max(max))
    .meta({ override: { type: "integer", minimum: min, maximum: max } });

/** A query parameter that names a version. */
export const versionNumber = wholeNumber(0, Number.MAX_SAFE_INTEGER);
export const pageLimit = wholeNumber(1, LIMITS.listLimitMax);

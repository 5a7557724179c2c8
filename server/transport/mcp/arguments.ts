/**
 * Arguments of a tool against its schema.
 *
 * Models sometimes send an array or object as its JSON text, and a number where a token is asked for: both are taken.
 *
 * Not here: rules about content (behind the facade).
 */
import { z } from "zod";
import { ServiceError } from "../../../shared/errors.ts";
import { isJsonObject } from "../../../shared/json.ts";
import type { JsonObject } from "../../../shared/json.ts";
import { escapeStep } from "../../../shared/path.ts";
import { parseJsonText } from "../../../shared/protocol/json-text.ts";

/** How many faults of one call are told. */
const ISSUES_MAX = 5;

/** @throws {ServiceError} INVALID_REQUEST */
export function checkedArguments<Input extends z.ZodObject>(
  tool: string,
  input: Input,
  args: unknown = {},
): z.output<Input> {
  const parsed = input.safeParse(isJsonObject(args) ? unwrapped(input, args) : args);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.slice(0, ISSUES_MAX).map(({ path, message }) => ({
    at: path.map((step) => `/${escapeStep(String(step))}`).join(""),
    message,
  }));
  const told = issues.map(({ at, message }) => (at === "" ? message : `${at}: ${message}`)).join("; ");
  const names = Object.keys(input.shape).join(", ");
  throw new ServiceError(
    "INVALID_REQUEST",
    `The arguments of ${tool} are not valid. ${told}. It takes: ${names === "" ? "none" : names}.`,
    { details: { issues } },
  );
}

function unwrapped(input: z.ZodObject, args: JsonObject): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(args).map(([name, value]) => {
      const schema: unknown = input.shape[name];
      return [name, schema instanceof z.ZodType && !schema.safeParse(value).success ? unwrappedValue(value) : value];
    }),
  );
}

function unwrappedValue(value: unknown): unknown {
  if (typeof value === "number") return String(value);
  if (typeof value !== "string" || !/^\s*[[{]/.test(value)) return value;
  try {
    return parseJsonText(value);
  } catch {
    return value;
  }
}

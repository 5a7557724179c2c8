/**
 * The refusal of a schema: what is wrong, and where in it.
 */
import { ServiceError } from "../../../shared/errors.ts";

/** @param place JSON Pointer into the schema */
export function invalidSchema(place: string, what: string, cause?: unknown): ServiceError {
  const where = place === "" ? "at its top" : `at ${place}`;
  return new ServiceError(
    "INVALID_SCHEMA",
    `The schema cannot be used: ${where}, ${what}. Correct it and register it again.`,
    {
      details: { path: place },
      ...(cause === undefined ? {} : { cause }),
    },
  );
}

/**
 * What frames of both directions are made of beside lib0's numbers and texts, and the one error for bytes that are none.
 */
import * as decoding from "lib0/decoding";
import { ServiceError } from "../errors.ts";
import type { Json } from "../json.ts";

/** @throws {ServiceError} MALFORMED_FRAME; lib0's errors on short input */
export function readJson(decoder: decoding.Decoder): Json {
  return parseJson(decoding.readVarString(decoder));
}

export function parseJson(text: string): Json {
  try {
    return JSON.parse(text);
  } catch {
    throw malformed("holds text that is not JSON");
  }
}

export function malformed(what: string): ServiceError {
  return new ServiceError("MALFORMED_FRAME", `The message ${what}. See shared/protocol/PROTOCOL.md for the grammar.`);
}

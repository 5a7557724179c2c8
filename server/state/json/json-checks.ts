/**
 * What a key, string or number from outside must be like before it may go into a Yjs document.
 *
 * Invariants (JSON):
 *  1. Strings have no lone surrogate: the encoding replaces one by U+FFFD, and replicas would differ from this one.
 *  2. No member is called "__proto__": `toJSON()` of a client would give an object with a prototype of the author's choice.
 *  3. No member is called as a mark is, such as "$text": that key says "a text" in JSON coming in, so such a member could
 *     not be written back.
 *
 * Not here: nesting and total size (value-intake.ts).
 */
import { ServiceError } from "../../../shared/errors.ts";
import { isMark } from "../../../shared/json-marks.ts";
import { LIMITS } from "../../../shared/limits.ts";

const LONE_SURROGATE = /\p{Surrogate}/u;

/** @throws {ServiceError} INVALID_CHANGE */
export function checkKey(key: string): void {
  if (key === "__proto__") throw invalid('An object cannot have a member called "__proto__". Use another name.');
  if (isMark(key)) throw invalid(`"${key}" is a mark, alone in its object. Use another name for a member.`);
  if (key.length > LIMITS.keyCharsMax)
    throw invalid(`A member's name may have ${LIMITS.keyCharsMax} characters at most.`);
  if (LONE_SURROGATE.test(key))
    throw invalid("A member's name has half of a surrogate pair in it. Send whole characters.");
}

/** @throws {ServiceError} INVALID_CHANGE */
export function checkString(text: unknown, charsMax: number = LIMITS.stringCharsMax): string {
  if (typeof text !== "string") throw invalid("A string is expected here.");
  if (text.length > charsMax) {
    throw invalid(`A string may have ${charsMax} characters at most. Split it, or append it in parts to a text.`);
  }
  if (LONE_SURROGATE.test(text)) throw invalid("A string has half of a surrogate pair in it. Send whole characters.");
  return text;
}

/** Returns the number; 0 for -0, which JSON readers do not agree on. @throws {ServiceError} INVALID_CHANGE */
export function checkNumber(value: unknown): number {
  if (typeof value !== "number" || !Number.isFinite(value)) throw invalid("A finite number is expected here.");
  return value === 0 ? 0 : value;
}

export function invalid(message: string): ServiceError {
  return new ServiceError("INVALID_CHANGE", message);
}

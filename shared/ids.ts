/**
 * Identities: how each is spelled, and who may make one.
 *
 * Invariants (ID):
 *  1. A ContextId matches [A-Za-z0-9][A-Za-z0-9._:-]{0,127}: safe in a URL path, a file name and an ordered key.
 *  2. Values of these types only come out of the parse functions here.
 */
import { ServiceError } from "./errors.ts";
import { LIMITS } from "./limits.ts";

declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

export type ContextId = Branded<"ContextId">;
/** Verified identity of an author; in `open` mode a name the caller chose, or "anonymous". */
export type Actor = Branded<"Actor">;

const CONTEXT_ID = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/;
const ACTOR = /^[^\p{Cc}\p{Cs}]{1,128}$/u;

/** @throws {ServiceError} INVALID_REQUEST */
export function parseContextId(text: string): ContextId {
  if (!isContextId(text)) {
    throw new ServiceError(
      "INVALID_REQUEST",
      "The context id is not valid. Use 1 to 128 letters, digits, '.', '_', ':' or '-', starting with a letter or digit.",
    );
  }
  return text;
}

export function isContextId(text: string): text is ContextId {
  return CONTEXT_ID.test(text);
}

/** @throws {ServiceError} INVALID_REQUEST */
export function parseActor(text: string): Actor {
  if (!isActor(text)) {
    throw new ServiceError(
      "INVALID_REQUEST",
      `The actor name is not valid. Use 1 to ${LIMITS.actorCharsMax} characters without control characters.`,
    );
  }
  return text;
}

function isActor(text: string): text is Actor {
  return ACTOR.test(text);
}

/** Who an `open` server takes a caller to be that gives no name. */
export const ANONYMOUS: Actor = parseActor("anonymous");

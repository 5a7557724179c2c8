/**
 * Who is calling: the one place where a request becomes an actor, for HTTP and WebSocket alike.
 *
 * In `open` mode the caller's word is taken: header `Mcm-Actor` (percent-encoded UTF-8, because headers hold no more than
 * Latin-1), else query parameter `actor` (browsers can't set headers on a WebSocket), else "anonymous".
 *
 * Not here: what an actor may do.
 */
import { ServiceError } from "../../shared/errors.ts";
import { ANONYMOUS, parseActor } from "../../shared/ids.ts";
import type { Actor } from "../../shared/ids.ts";

export interface Credentials {
  /** Lower-case names, as Node and hono give them. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly query: URLSearchParams;
}

export interface Identity {
  readonly actor: Actor;
}

/** @throws {ServiceError} UNAUTHENTICATED, INVALID_REQUEST */
export type Authenticate = (credentials: Credentials) => Identity;

export const authenticateOpen: Authenticate = ({ headers, query }) => {
  const header = headers["mcm-actor"];
  const name = typeof header === "string" ? decodeHeader(header) : query.get("actor");
  return { actor: name === null ? ANONYMOUS : parseActor(name) };
};

function decodeHeader(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new ServiceError(
      "INVALID_REQUEST",
      "The Mcm-Actor header is not percent-encoded UTF-8. Encode the name, for example with encodeURIComponent.",
    );
  }
}

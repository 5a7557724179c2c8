/**
 * Who is calling: where a request says it, for HTTP and WebSocket alike.
 *
 * A token comes in the header `Authorization: Bearer …`. Browsers can't set headers on a WebSocket: there it may come as the
 * query parameter `token`, which stock providers can send, or as the subprotocol `mcm.token.…`, which no log shows.
 *
 * In `open` mode the caller's word is taken: header `Mcm-Actor` (percent-encoded UTF-8, because headers hold no more than
 * Latin-1), else query parameter `actor`, else "anonymous".
 *
 * Not here: what a token says (token-verifier.ts), what an actor may do.
 */
import { ServiceError } from "../../shared/errors.ts";
import { ANONYMOUS, parseActor } from "../../shared/ids.ts";
import { TOKEN_PROTOCOL } from "../../shared/protocol/version.ts";
import { unverified } from "../state/access/identity.ts";
import type { Identity } from "../state/access/identity.ts";

export interface Credentials {
  /** Lower-case names, as Node and hono give them. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** Of a WebSocket's address; empty for HTTP, where a token in an address would end up in logs. */
  readonly query: URLSearchParams;
}

/** @throws {ServiceError} UNAUTHENTICATED, INVALID_REQUEST */
export type Authenticate = (credentials: Credentials) => Promise<Identity>;

export const authenticateOpen: Authenticate = async ({ headers, query }) => {
  const header = headers["mcm-actor"];
  const name = typeof header === "string" ? decodeHeader(header) : query.get("actor");
  return unverified(name === null ? ANONYMOUS : parseActor(name));
};

/** The token that came along. @throws {ServiceError} UNAUTHENTICATED when there is none */
export function tokenOf({ headers, query }: Credentials): string {
  const { authorization } = headers;
  const bearer = typeof authorization === "string" ? /^bearer +(\S+) *$/i.exec(authorization)?.[1] : undefined;
  const token = authorization === undefined ? (protocolToken(headers) ?? query.get("token")) : bearer;
  if (token !== null && token !== undefined && token !== "") return token;
  throw new ServiceError(
    "UNAUTHENTICATED",
    "This server wants a token: send the header Authorization: Bearer <token>, or connect a WebSocket with the parameter token.",
    { details: { rule: "missing" } },
  );
}

function protocolToken({ "sec-websocket-protocol": offered }: Credentials["headers"]): string | undefined {
  if (typeof offered !== "string") return undefined;
  const found = offered.split(",").find((name) => name.trim().startsWith(TOKEN_PROTOCOL));
  return found?.trim().slice(TOKEN_PROTOCOL.length);
}

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

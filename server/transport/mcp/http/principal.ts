/**
 * Who sends a request to /mcp, as the SDK passes it on to handlers.
 *
 * Not here: verifying who it is (server/security).
 */
import type { AuthInfo, ServerContext } from "@modelcontextprotocol/server";
import type { Actor } from "../../../../shared/ids.ts";
import type { Caller, ContextService } from "../../../context-service.ts";
import type { Contexts } from "../contexts.ts";
import { LocalContexts } from "../local-contexts.ts";

/** A request's verified sender. */
export class Principal implements AuthInfo {
  readonly caller: Caller;
  readonly token = "";
  readonly clientId: string;
  readonly scopes: string[];
  readonly #contexts: Contexts;

  constructor(service: ContextService, caller: Caller) {
    const { actor, scopes } = caller.identity;
    this.caller = caller;
    this.clientId = actor;
    this.scopes = [...scopes];
    this.#contexts = new LocalContexts(service, caller);
  }

  get contexts(): Contexts {
    return this.#contexts;
  }

  /** Changes when another token speaks for the same actor. */
  get key(): string {
    const { actor, tokenId, expiresAtMs } = this.caller.identity;
    return JSON.stringify([actor, tokenId, expiresAtMs, this.scopes]);
  }

  /** Sessions are bound to it. */
  get actor(): Actor {
    return this.caller.identity.actor;
  }
}

/** Of the request that a handler answers. */
export function contextsOfRequest({ http }: ServerContext): Contexts {
  const principal = http?.authInfo;
  if (principal instanceof Principal) return principal.contexts;
  throw new Error("a request came to a handler without its sender");
}

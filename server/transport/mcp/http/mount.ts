/**
 * The endpoint as the composition root makes it: who a request is from, how much they may, and where failures go.
 *
 * Not here: routing to it, Host and Origin (rest/app.ts).
 */
import { toServiceError } from "../../../../shared/errors.ts";
import type { Actor } from "../../../../shared/ids.ts";
import type { Clock } from "../../../clock.ts";
import type { ContextService } from "../../../context-service.ts";
import type { Logger } from "../../../monitor/logger.ts";
import type { Authenticate } from "../../../security/authenticate.ts";
import type { Gate, Peer } from "../../gate.ts";
import type { Extension } from "../mcp-server.ts";
import type { ProtectedResource } from "./challenges.ts";
import { McpEndpoint } from "./endpoint.ts";
import { Principal } from "./principal.ts";

interface McpOptions {
  readonly service: ContextService;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly authenticate: Authenticate;
  readonly gate: Gate;
  readonly extension?: Extension;
  /** When an identity provider is configured. */
  readonly resource?: ProtectedResource;
}

/** A request on its way in. */
export interface Arrival {
  readonly peer: Peer;
  readonly requestId: string;
  /** Told whose it is. */
  readonly identified: (actor: Actor) => void;
}

export interface MountedMcp {
  readonly fetch: (request: Request, arrival: Arrival) => Promise<Response>;
  readonly metadata: () => Response | undefined;
  close(): Promise<void>;
}

export function createMcpEndpoint({ logger, clock, extension, resource, ...parts }: McpOptions): MountedMcp {
  const endpoint = new McpEndpoint({
    surface: {
      clock,
      toolset: "all",
      // most are requests that the SDK refused; what is our own fault is among them
      onError: (error) => logger.debug("MCP request failed", { error }),
      ...(extension === undefined ? {} : { extension }),
    },
    ...(resource === undefined ? {} : { resource }),
  });
  return {
    metadata: endpoint.metadata,
    close: () => endpoint.close(),
    fetch: (request, arrival) =>
      endpoint.fetch(request, {
        identify: () => identified(parts, request, arrival),
        spend: (actor, count) =>
          parts.gate.checkCaller(arrival.peer, actor, count, { origin: "mcp", requestId: arrival.requestId }),
        hold: (actor) => parts.gate.holdBoth(arrival.peer, actor),
      }),
  };
}

/** @throws {ServiceError} UNAUTHENTICATED, RATE_LIMITED */
async function identified(
  { service, authenticate, gate }: Pick<McpOptions, "service" | "authenticate" | "gate">,
  request: Request,
  { peer, requestId, identified: tell }: Arrival,
): Promise<Principal> {
  const known = { origin: "mcp", requestId } as const;
  const credentials = { headers: Object.fromEntries(request.headers), query: nameIn(request.url) };
  const identity = await authenticate(credentials).catch((error: unknown) => {
    throw gate.denied("request.authenticate", peer, toServiceError(error), known);
  });
  tell(identity.actor);
  gate.checkCaller(peer, identity.actor, 1, known);
  return new Principal(service, { identity, origin: "mcp", via: { address: peer.address, requestId } });
}

/** A token is never read from an address: addresses are logged. */
function nameIn(url: string): URLSearchParams {
  const actor = new URL(url).searchParams.get("actor");
  return new URLSearchParams(actor === null ? {} : { actor });
}

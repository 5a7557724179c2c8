/**
 * The endpoint as the composition root makes it: who a request is from, and where failures go.
 *
 * Not here: routing to it (rest/app.ts).
 */
import type { Clock } from "../../../clock.ts";
import type { ContextService } from "../../../context-service.ts";
import type { Logger } from "../../../monitor/logger.ts";
import type { Authenticate } from "../../../security/authenticate.ts";
import type { Extension } from "../mcp-server.ts";
import type { ProtectedResource } from "./challenges.ts";
import { McpEndpoint } from "./endpoint.ts";
import { Principal } from "./principal.ts";

interface McpOptions {
  readonly service: ContextService;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly authenticate: Authenticate;
  readonly allowedHosts: readonly string[];
  readonly extension?: Extension;
  /** When an identity provider is configured. */
  readonly resource?: ProtectedResource;
}

export function createMcpEndpoint({
  service,
  clock,
  logger,
  authenticate,
  extension,
  ...rest
}: McpOptions): McpEndpoint {
  return new McpEndpoint({
    ...rest,
    surface: {
      clock,
      toolset: "all",
      // most are requests that the SDK refused; what is our own fault is among them
      onError: (error) => logger.debug("MCP request failed", { error }),
      ...(extension === undefined ? {} : { extension }),
    },
    identify: async (request) => {
      const query = nameOnly(new URL(request.url).searchParams);
      const identity = await authenticate({ headers: headersOf(request), query });
      return new Principal(service, { identity, origin: "mcp" });
    },
  });
}

function headersOf({ headers }: Request): Record<string, string> {
  return Object.fromEntries(headers);
}

/** A token is never read from an address: addresses are logged. */
function nameOnly(query: URLSearchParams): URLSearchParams {
  const actor = query.get("actor");
  return new URLSearchParams(actor === null ? {} : { actor });
}

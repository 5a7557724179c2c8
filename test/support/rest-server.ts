/**
 * The REST application on a real HTTP server on a free loopback port, with a small client.
 */
import { once } from "node:events";
import { systemClock } from "../../server/clock.ts";
import type { Clock } from "../../server/clock.ts";
import type { Service, SessionOpener } from "../../server/context-service.ts";
import { NO_MONITOR } from "../../server/monitor-port.ts";
import { authenticateOpen } from "../../server/security/authenticate.ts";
import { createMcpEndpoint } from "../../server/transport/mcp/http/mount.ts";
import { createRestApp } from "../../server/transport/rest/app.ts";
import { createHttpServer } from "../../server/transport/rest/http-server.ts";
import type { GateOptions } from "../../server/transport/gate.ts";
import { WebSocketEndpoint } from "../../server/transport/websocket/websocket-server.ts";
import type { AuditEvent } from "../../shared/audit.ts";
import { openGate } from "./open-gate.ts";
import { RecordingLogger } from "./recording-logger.ts";

interface RestServer {
  readonly url: string;
  readonly logger: RecordingLogger;
  /** For the audit log. */
  readonly recorded: readonly AuditEvent[];
  close(): Promise<void>;
}

/** With `opener` it takes WebSockets, with `hasMcp` /mcp, too. */
interface RestServerOptions {
  readonly hasMcp?: boolean;
  readonly gate?: Partial<GateOptions>;
  readonly opener?: SessionOpener;
}

export async function startRestServer(
  service: Service,
  clock: Clock = systemClock,
  options: RestServerOptions = {},
): Promise<RestServer> {
  const logger = new RecordingLogger();
  const { gate, recorded } = openGate({ clock, ...options.gate });
  const edge = { clock, logger, monitor: NO_MONITOR, authenticate: authenticateOpen, gate };
  const mcp = options.hasMcp === true ? createMcpEndpoint({ service, ...edge }) : undefined;
  const server = createHttpServer(createRestApp({ service, ...edge, ...(mcp && { mcp }) }), { gate, clock });
  const webSockets = options.opener && new WebSocketEndpoint({ service: options.opener, ...edge });
  webSockets?.attach(server);
  server.listen({ host: "127.0.0.1", port: 0 });
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    logger,
    recorded,
    async close() {
      server.close();
      webSockets?.close();
      await mcp?.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

/**
 * The REST application on a real HTTP server on a free loopback port, with a small client.
 */
import { once } from "node:events";
import { systemClock } from "../../server/clock.ts";
import type { Clock } from "../../server/clock.ts";
import type { Service } from "../../server/context-service.ts";
import { authenticateOpen } from "../../server/security/authenticate.ts";
import { createRestApp } from "../../server/transport/rest/app.ts";
import { createHttpServer } from "../../server/transport/rest/http-server.ts";
import { openGate } from "./open-gate.ts";
import { RecordingLogger } from "./recording-logger.ts";

interface RestServer {
  readonly url: string;
  readonly logger: RecordingLogger;
  close(): Promise<void>;
}

export async function startRestServer(service: Service, clock: Clock = systemClock): Promise<RestServer> {
  const logger = new RecordingLogger();
  const { gate } = openGate({ clock });
  const app = createRestApp({ service, clock, logger, authenticate: authenticateOpen, gate });
  const server = createHttpServer(app, { gate, clock });
  server.listen({ host: "127.0.0.1", port: 0 });
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    logger,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

/**
 * The REST application on a Node HTTP server, with its timeouts. The WebSocket endpoint hangs its `upgrade` on the same server.
 *
 * Not here: listening and closing (the composition root).
 */
import { createServer } from "node:http";
import type { Server } from "node:http";
import { getRequestListener } from "@hono/node-server";
import { ServiceError } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { RestApp } from "./app.ts";
import { problemResponse } from "./problem.ts";

export function createHttpServer(app: RestApp): Server {
  const listener = getRequestListener(app.fetch, {
    // The process's own Request and Response stay what they are.
    overrideGlobalObjects: false,
    errorHandler: () =>
      problemResponse(new ServiceError("INVALID_REQUEST", "The request's address or Host header is not valid.")),
  });
  const server = createServer(
    {
      headersTimeout: LIMITS.upgradeMsMax,
      requestTimeout: LIMITS.requestMsMax,
      connectionsCheckingInterval: LIMITS.upgradeMsMax / 2,
    },
    (incoming, outgoing) => void listener(incoming, outgoing),
  );
  server.maxConnections = LIMITS.connectionsMax;
  return server;
}

/**
 * The part of the OpenAPI document on health, metrics, figures, alerts and sessions.
 */
import { z } from "zod";
import type { ZodOpenApiPathsObject } from "zod-openapi";
import {
  alertListSchema,
  healthSchema,
  sessionListSchema,
  sessionsQuerySchema,
  statsSchema,
} from "../../../shared/protocol/rest-monitoring.ts";
import { trafficSchema } from "../../../shared/protocol/rest-traffic.ts";
import { answer, jsonBody, operation } from "./openapi-parts.ts";

const ofSession = z.object({ sessionId: z.string() });

const ready = {
  "200": answer("It does its work; `degraded` if somebody should look", healthSchema),
  "503": answer("It cannot do its work, and why", healthSchema),
};

export const monitoringPaths: ZodOpenApiPathsObject = {
  "/healthz": { get: { summary: "Is the process alive", responses: { "200": answer("Alive", healthSchema) } } },
  "/readyz": { get: { summary: "Can it do its work", responses: ready } },
  "/metrics": {
    get: operation({
      summary: "Metrics for Prometheus",
      responses: {
        "200": { description: "Prometheus' text format", content: { "text/plain": { schema: z.string() } } },
      },
    }),
  },
  "/v1/stats": {
    get: operation({
      summary: "Figures for people",
      responses: { "200": answer("How the server is now", statsSchema) },
    }),
  },
  "/v1/alerts": {
    get: operation({
      summary: "List alerts, or follow them live with Accept: text/event-stream",
      responses: {
        "200": {
          description: "Those there are, and those that are over",
          content: {
            ...jsonBody(alertListSchema),
            "text/event-stream": { schema: z.string().describe("First an event `alerts`, then events `alert`") },
          },
        },
      },
    }),
  },
  "/v1/sessions": {
    get: operation({
      summary: "List open live sessions",
      query: sessionsQuerySchema,
      responses: { "200": answer("In order of id; ask again with cursor = next", sessionListSchema) },
    }),
  },
  "/v1/sessions/{sessionId}": {
    delete: operation({
      summary: "Close a live session; its client may connect again",
      path: ofSession,
      responses: { "204": { description: "Closed, with 4503" } },
    }),
  },
  "/v1/sessions/{sessionId}/traffic": {
    get: operation({
      summary: "Follow what a live session hears and says, without content, as server-sent events",
      path: ofSession,
      responses: {
        "200": {
          description: "First an event `session`, then events `frame` and `missed`, last an event `ended`",
          content: { "text/event-stream": { schema: trafficSchema } },
        },
      },
    }),
  },
};

/**
 * The REST application: what holds for every request.
 *
 * Invariants (REST-14 … REST-16):
 *  1. Every request is checked in one order: host, address, method, identity, then its handler.
 *  2. Every answer carries X-Request-Id; every refusal is a problem of the error table; nothing internal leaks.
 *
 * Not here: which address is answered by whom (routes.ts), the socket (http-server.ts).
 */
import type { HttpBindings } from "@hono/node-server";
import { Hono } from "hono";
import type { Context } from "hono";
import { cors } from "hono/cors";
import { ServiceError, toServiceError } from "../../../shared/errors.ts";
import { isHostAllowed, isOriginAllowed } from "../../../shared/host.ts";
import type { Clock } from "../../clock.ts";
import type { ContextService, Service } from "../../context-service.ts";
import type { Logger } from "../../monitor/logger.ts";
import type { Authenticate } from "../../security/authenticate.ts";
import { METADATA_PATHS } from "../mcp/http/challenges.ts";
import type { Call, RestHandler, RestParts } from "./call.ts";
import { openApiText } from "./openapi.ts";
import { problemResponse } from "./problem.ts";
import { ROUTES } from "./routes.ts";
import type { Methods } from "./routes.ts";

interface RestOptions {
  readonly service: Service;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly authenticate: Authenticate;
  /** Names besides loopback ones that the Host header may have. */
  readonly allowedHosts: readonly string[];
  /** What answers at /mcp, and says who issues tokens for it. */
  readonly mcp?: {
    readonly fetch: (request: Request) => Promise<Response>;
    readonly metadata: () => Response | undefined;
  };
}

/** Without a socket (app.request in a test) there are no bindings. */
type RestEnv = { Bindings: Partial<HttpBindings>; Variables: { requestId: string } };
type RestContext = Context<RestEnv>;
type Handler = (context: RestContext) => Response | Promise<Response>;

export type RestApp = Hono<RestEnv>;

/** What a page of an allowed origin may send beside the headers that any page may. */
const ASKABLE_HEADERS = [
  "authorization",
  "content-type",
  "idempotency-key",
  "if-match",
  "if-none-match",
  "last-event-id",
  "lock-token",
  "mcm-actor",
  "mcm-client",
  "mcp-method",
  "mcp-name",
  "mcp-protocol-version",
  "mcp-session-id",
];

export function createRestApp(options: RestOptions): RestApp {
  const app: RestApp = new Hono<RestEnv>();
  app.use(async (context, next) => {
    context.set("requestId", options.clock.newId());
    const startedAtMs = options.clock.monotonicMs();
    await next();
    context.header("x-request-id", context.get("requestId"));
    context.header("x-content-type-options", "nosniff");
    options.logger.debug("request", {
      requestId: context.get("requestId"),
      method: context.req.method,
      path: context.req.path,
      status: context.res.status,
      durationMs: options.clock.monotonicMs() - startedAtMs,
    });
  });
  app.use(async (context, next) => {
    assertHost(context, options.allowedHosts);
    await next();
  });
  const forPages = cors({
    origin: (origin) => (isOriginAllowed(origin, options.allowedHosts) ? origin : null),
    allowMethods: ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
    allowHeaders: ASKABLE_HEADERS,
    exposeHeaders: ["etag", "location", "mcp-session-id", "www-authenticate", "x-request-id"],
    maxAge: 600,
  });
  app.use((context, next) => (context.req.header("origin") === undefined ? next() : forPages(context, next)));
  for (const route of Object.entries(openRoutes(options.service))) addRoute(app, route, (handler) => handler);
  const asCaller = identified(options);
  for (const route of Object.entries(ROUTES)) addRoute(app, route, asCaller);
  const { mcp } = options;
  if (mcp !== undefined) {
    app.all("/mcp", (context) => mcp.fetch(context.req.raw));
    for (const path of METADATA_PATHS) app.get(path, (context) => mcp.metadata() ?? context.notFound());
  }
  app.notFound((context) => {
    const error = new ServiceError(
      "NOT_FOUND",
      "There is nothing at this address. See /openapi.json for what there is.",
    );
    return problemResponse(error, context.get("requestId"));
  });
  app.onError((error, context) => {
    const requestId = context.get("requestId");
    const { status, code } = toServiceError(error);
    // CLOSED: the caller went away
    if (status >= 500 && code !== "CLOSED")
      options.logger[status === 500 ? "error" : "warn"]("request failed", { requestId, code, error });
    return problemResponse(error, requestId);
  });
  return app;
}

/** What needs no identity. */
function openRoutes(service: ContextService): Readonly<Record<string, Methods<Handler>>> {
  return {
    "/healthz": { GET: (context) => context.json({ status: "ok", reasons: [] }) },
    "/readyz": {
      GET: (context) => {
        const reasons = service.readiness();
        return reasons.length === 0
          ? context.json({ status: "ok", reasons })
          : context.json({ status: "degraded", reasons }, 503);
      },
    },
    "/openapi.json": {
      GET: (context) => context.body(openApiText(), { headers: { "content-type": "application/json" } }),
    },
  };
}

function identified({ service, clock, logger, authenticate }: RestOptions): (handler: RestHandler) => Handler {
  const onFeedError = (error: unknown): void => {
    if (toServiceError(error).code === "INTERNAL") logger.error("live feed failed", { error });
  };
  const parts: RestParts = { service, clock, onFeedError };
  return (handler) => async (context) => handler(parts, await callOf(context, authenticate));
}

/** Any other method on the address is refused with the list of those there are (RFC 9110 §15.5.6). */
function addRoute<Given>(
  app: RestApp,
  [path, methods]: readonly [string, Methods<Given>],
  answering: (given: Given) => Handler,
): void {
  for (const [method, given] of Object.entries(methods)) app.on(method, path, answering(given));
  const allowed = Object.keys(methods).flatMap((method) => (method === "GET" ? ["GET", "HEAD"] : [method]));
  app.all(path, (context) => {
    const error = new ServiceError("METHOD_NOT_ALLOWED", `This address takes ${allowed.join(", ")}.`, {
      details: { allowed },
    });
    const response = problemResponse(error, context.get("requestId"));
    response.headers.set("allow", allowed.join(", "));
    return response;
  });
}

/** `Mcm-Client` is how our own programs say that they are the door; anything else is "rest". */
const DOORS = ["cli", "mcp"] as const;

async function callOf(context: RestContext, authenticate: Authenticate): Promise<Call> {
  const headers = context.req.header();
  const identity = await authenticate({ headers, query: new URLSearchParams() });
  const origin = DOORS.find((door) => door === headers["mcm-client"]) ?? "rest";
  const cut = (): void => void context.env.outgoing?.destroy();
  const param = (name: string): string => context.req.param(name) ?? "";
  return { request: context.req.raw, caller: { identity, origin }, param, cut };
}

function assertHost(context: RestContext, allowedHosts: readonly string[]): void {
  const host = context.req.header("host") ?? new URL(context.req.url).host;
  if (isHostAllowed(host, allowedHosts)) return;
  throw new ServiceError(
    "FORBIDDEN",
    "This server does not answer under the name in the Host header. Use localhost or 127.0.0.1, or add the name to MCM_ALLOWED_HOSTS.",
  );
}

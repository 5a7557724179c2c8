/**
 * The REST application: what holds for every request.
 *
 * Invariants (REST-14 … REST-16):
 *  1. Every request is checked in one order: rate of the address, site, address, method, identity, rate of the actor, then its handler.
 *  2. Every answer carries X-Request-Id; every refusal is a problem of the error table; nothing internal leaks.
 *
 * Not here: which address is answered by whom (routes.ts), the socket (http-server.ts).
 */
import type { HttpBindings } from "@hono/node-server";
import { Hono } from "hono";
import type { Context, MiddlewareHandler } from "hono";
import { cors } from "hono/cors";
import { routePath } from "hono/route";
import type { ChangeOrigin } from "../../../shared/change.ts";
import { ServiceError, toServiceError } from "../../../shared/errors.ts";
import type { Clock } from "../../clock.ts";
import type { ContextService, Service } from "../../context-service.ts";
import type { Monitor } from "../../monitor-port.ts";
import type { Logger } from "../../monitor/logger.ts";
import type { Actor } from "../../../shared/ids.ts";
import type { Authenticate } from "../../security/authenticate.ts";
import { METADATA_PATHS } from "../mcp/http/challenges.ts";
import type { Arrival } from "../mcp/http/mount.ts";
import type { Gate, Peer } from "../gate.ts";
import { panelAnswer } from "../panel.ts";
import type { PanelFiles } from "../panel.ts";
import type { Call, RestHandler, RestParts } from "./call.ts";
import { openApiText } from "./openapi.ts";
import { problemResponse } from "./problem.ts";
import { ROUTES, costOf } from "./routes.ts";
import type { Methods } from "./routes.ts";

interface RestOptions {
  readonly service: Service;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly monitor: Pick<Monitor, "requested">;
  readonly authenticate: Authenticate;
  readonly gate: Gate;
  /** None unless given. */
  readonly panel?: PanelFiles;
  /** What answers at /mcp, and says who issues tokens for it. */
  readonly mcp?: McpAddress;
}

/** An address that is not of this interface, on the same server. */
interface McpAddress {
  readonly fetch: (request: Request, arrival: Arrival) => Promise<Response>;
  readonly metadata: () => Response | undefined;
}

/** Without a socket (app.request in a test) there are no bindings. */
type RestEnv = { Bindings: Partial<HttpBindings>; Variables: { requestId: string; peer: Peer; actor?: Actor } };
type RestContext = Context<RestEnv>;
type Handler = (context: RestContext) => Response | Promise<Response>;

export type RestApp = Hono<RestEnv>;

/** Those that are counted by name: a client may invent any. */
const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

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

const forPages = cors({
  // those that may not are refused already
  origin: (origin) => origin,
  allowMethods: ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
  allowHeaders: ASKABLE_HEADERS,
  exposeHeaders: ["etag", "location", "mcp-session-id", "retry-after", "www-authenticate", "x-request-id"],
  maxAge: 600,
});

export function createRestApp(options: RestOptions): RestApp {
  const { gate } = options;
  const app: RestApp = new Hono<RestEnv>();
  app.use(traced(options));
  app.use(async (context, next) => {
    const { incoming } = bindingsOf(context);
    const peer = gate.peerOf(incoming);
    context.set("peer", peer);
    gate.checkSite(peer, siteOf(context), { requestId: context.get("requestId") });
    await next();
    const { method } = context.req;
    const answerBytes = method === "HEAD" ? 0 : Number(context.res.headers.get("content-length") ?? 0);
    const readBytes = incoming === undefined ? 0 : gate.bytesReadFrom(incoming);
    // a refused one is not held against who comes again when it was told to
    if (context.res.status !== 429) gate.countBytes(peer, context.get("actor"), readBytes + answerBytes);
  });
  app.use((context, next) => (context.req.header("origin") === undefined ? next() : forPages(context, next)));
  for (const route of Object.entries(openRoutes(options.service))) addRoute(app, route, (handler) => handler);
  app.use(async (context, next) => {
    gate.checkRequest(context.get("peer"), { requestId: context.get("requestId") });
    await next();
  });
  addPanel(app, options);
  const asCaller = identified(options);
  for (const route of Object.entries(ROUTES)) addRoute(app, route, asCaller);
  if (options.mcp !== undefined) addMcp(app, options.mcp);
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
    if (code === "TOO_LARGE") gate.denied("request.size", context.get("peer"), toServiceError(error), knownOf(context));
    // CLOSED: the caller went away
    if (status >= 500 && code !== "CLOSED")
      options.logger[status === 500 ? "error" : "warn"]("request failed", { requestId, code, error });
    return problemResponse(error, requestId);
  });
  return app;
}

/** Every request has an id, by which its answer, its line in the log and its audit entries are found. */
function traced({ clock, monitor, logger }: RestOptions): MiddlewareHandler<RestEnv> {
  return async (context, next) => {
    context.set("requestId", clock.newId());
    const startedAtMs = clock.monotonicMs();
    await next();
    context.header("x-request-id", context.get("requestId"));
    const { method } = context.req;
    const { status } = context.res;
    monitor.requested({
      method: METHODS.has(method) ? method : "other",
      route: routePath(context, -1),
      status,
    });
    logger.debug("request", {
      requestId: context.get("requestId"),
      method,
      path: context.req.path,
      status,
      durationMs: clock.monotonicMs() - startedAtMs,
    });
  };
}

/** The page needs no identity: what it asks for does. */
function addPanel(app: RestApp, { panel = new Map() }: RestOptions): void {
  app.on("GET", ["/panel", "/panel/*"], (context) => panelAnswer(panel, context.req.raw) ?? context.notFound());
}

function addMcp(app: RestApp, mcp: McpAddress): void {
  app.all("/mcp", (context) =>
    mcp.fetch(context.req.raw, {
      peer: context.get("peer"),
      requestId: context.get("requestId"),
      identified: (actor) => context.set("actor", actor),
    }),
  );
  for (const path of METADATA_PATHS) app.get(path, (context) => mcp.metadata() ?? context.notFound());
}

/** What needs no identity. */
function openRoutes(service: ContextService): Readonly<Record<string, Methods<Handler>>> {
  return {
    "/healthz": { GET: (context) => context.json({ status: "ok", reasons: [] }) },
    "/readyz": {
      GET: (context) => {
        const health = service.health();
        return context.json(health, health.status === "down" ? 503 : 200, { "cache-control": "no-store" });
      },
    },
    "/openapi.json": {
      GET: (context) => context.body(openApiText(), { headers: { "content-type": "application/json" } }),
    },
  };
}

function identified(options: RestOptions): (handler: RestHandler, operation: string) => Handler {
  const { service, clock, logger } = options;
  const onFeedError = (error: unknown): void => {
    if (toServiceError(error).code === "INTERNAL") logger.error("live feed failed", { error });
  };
  const parts: RestParts = { service, clock, onFeedError };
  return (handler, operation) => async (context) => handler(parts, await callOf(context, operation, options));
}

/** Any other method on the address is refused with the list of those there are (RFC 9110 §15.5.6). */
function addRoute<Given>(
  app: RestApp,
  [path, methods]: readonly [string, Methods<Given>],
  answering: (given: Given, operation: string) => Handler,
): void {
  for (const [method, given] of Object.entries(methods)) app.on(method, path, answering(given, `${method} ${path}`));
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

async function callOf(context: RestContext, operation: string, { authenticate, gate }: RestOptions): Promise<Call> {
  const headers = context.req.header();
  const peer = context.get("peer");
  const known = knownOf(context);
  const { origin, requestId } = known;
  const identity = await authenticate({ headers, query: new URLSearchParams() }).catch((error: unknown) => {
    throw gate.denied("request.authenticate", peer, toServiceError(error), known);
  });
  const { actor } = identity;
  context.set("actor", actor);
  gate.checkCaller(peer, actor, costOf(operation), known);
  const cut = (): void => void bindingsOf(context).outgoing?.destroy();
  const param = (name: string): string => context.req.param(name) ?? "";
  const hold = (): (() => void) => gate.holdBoth(peer, actor);
  const via = { address: peer.address, requestId };
  return { request: context.req.raw, caller: { identity, origin, via }, param, cut, hold };
}

/** `Mcm-Client` is how our own programs say that they are the door; anything else is "rest". */
const DOORS = ["cli", "mcp"] as const;

/** What the audit log is told of a request. */
function knownOf(context: RestContext) {
  const actor = context.get("actor");
  const said = context.req.header("mcm-client");
  const origin: ChangeOrigin = DOORS.find((door) => door === said) ?? "rest";
  return { origin, requestId: context.get("requestId"), ...(actor === undefined ? {} : { actor }) };
}

/** Without a socket the address has the host. */
function siteOf(context: RestContext) {
  const { req } = context;
  const host = req.header("host") ?? new URL(req.url).host;
  return { host, origin: req.header("origin"), rawHeaders: bindingsOf(context).incoming?.rawHeaders };
}

/** Hono gives no environment at all to a request that came without one. */
function bindingsOf({ env }: { readonly env: Partial<HttpBindings> | undefined }): Partial<HttpBindings> {
  return env ?? {};
}

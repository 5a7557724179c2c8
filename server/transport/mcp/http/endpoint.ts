/**
 * /mcp: both generations of Streamable HTTP on one address. Requests of 2026-07-28 stand alone; those of 2024-11-05 to
 * 2025-11-25 have sessions.
 *
 *   origin → method → identity → limits → body → generation → its handler
 *
 * Invariants (MCP):
 *  1. Nothing is answered, not even by an error of the protocol, before it is known who asks.
 *  2. A stream tells only what its caller may read at that moment, and its acknowledgement says so.
 *  3. When either side ends, nothing of a request or stream is left behind.
 *
 * Not here: Host (rest/app.ts checks it for every address), tools and resources.
 */
import { createMcpHandler, isInitializeRequest, isLegacyRequest } from "@modelcontextprotocol/server";
import type { McpHttpHandler, ServerEventBus } from "@modelcontextprotocol/server";
import { ServiceError } from "../../../../shared/errors.ts";
import { isOriginAllowed } from "../../../../shared/host.ts";
import { isJsonObject } from "../../../../shared/json.ts";
import type { Json, JsonObject } from "../../../../shared/json.ts";
import { LIMITS } from "../../../../shared/limits.ts";
import { createMcpServer } from "../mcp-server.ts";
import type { Surface } from "../mcp-server.ts";
import { followUris, isSubscribable } from "../subscriptions.ts";
import type { Contexts } from "../contexts.ts";
import { ActorLimits } from "./actor-limits.ts";
import { boundedStream } from "./bounded-stream.ts";
import { jsonBodyOf } from "./json-body.ts";
import { contextsOfRequest } from "./principal.ts";
import type { Principal } from "./principal.ts";
import { methodNotAllowed, refusedResponse } from "./rpc-response.ts";
import { Sessions } from "./sessions.ts";

const LISTEN = "subscriptions/listen";

export interface McpEndpointOptions {
  readonly surface: Surface;
  /** Who sends this request. @throws {ServiceError} UNAUTHENTICATED */
  readonly identify: (request: Request) => Promise<Principal>;
  /** Names besides loopback ones of which pages may call. */
  readonly allowedHosts: readonly string[];
}

export class McpEndpoint {
  readonly #options: McpEndpointOptions;
  readonly #sessions: Sessions;
  readonly #requests: McpHttpHandler;
  /** Of open streams of 2026-07-28: each has its own, as the SDK asks nobody who may listen to what. */
  readonly #listeners = new Set<McpHttpHandler>();
  readonly #calls = new ActorLimits(LIMITS.mcpCallsPerActorMax, "calls under way");
  readonly #streams = new ActorLimits(LIMITS.mcpStreamsPerActorMax, "streams");
  #isClosed = false;

  constructor(options: McpEndpointOptions) {
    this.#options = options;
    this.#sessions = new Sessions(options.surface);
    this.#requests = this.#handler();
  }

  get sessionCount(): number {
    return this.#sessions.size;
  }

  get listenerCount(): number {
    return this.#listeners.size;
  }

  readonly fetch = async (request: Request): Promise<Response> => {
    try {
      return await this.#answer(request);
    } catch (error) {
      if (!(error instanceof ServiceError)) this.#options.surface.onError(error);
      return refusedResponse(error);
    }
  };

  /** Ends every session and stream; what is under way is aborted. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const handlers = [this.#requests, ...this.#listeners];
    await Promise.all([this.#sessions.close(), ...handlers.map((handler) => handler.close())]);
  }

  async #answer(request: Request): Promise<Response> {
    if (this.#isClosed) throw new ServiceError("SHUTTING_DOWN", "The server is stopping. Connect again in a moment.");
    const origin = request.headers.get("origin");
    if (origin !== null && !isOriginAllowed(origin, this.#options.allowedHosts)) throw foreignPage();
    if (!["GET", "POST", "DELETE"].includes(request.method)) return methodNotAllowed("This address takes POST.");
    const principal = await this.#options.identify(request);
    if (request.method !== "POST") return this.#ofSession(request, principal);
    const body = await jsonBodyOf(request);
    if (body instanceof Response) return body;
    if (await isLegacyRequest(request, body)) return this.#ofSession(request, principal, body);
    return isListen(body) ? this.#listen(request, principal, body) : this.#request(request, principal, body);
  }

  async #ofSession(request: Request, principal: Principal, body?: Json): Promise<Response> {
    const id = request.headers.get("mcp-session-id");
    const isBeginning = id === null && isInitializeRequest(body);
    if (id === null && request.method !== "POST")
      return methodNotAllowed("This address takes POST; with the Mcp-Session-Id of a session GET and DELETE too.");
    if (id === null && !isBeginning) throw noSession();
    const limits = request.method === "GET" ? this.#streams : this.#calls;
    const onEnd = limits.enter(principal.actor);
    try {
      const asked = { principal, body, onEnd };
      return await (id === null ? this.#sessions.begin(request, asked) : this.#sessions.answer(request, id, asked));
    } catch (error) {
      onEnd();
      throw error;
    }
  }

  async #request(request: Request, principal: Principal, body: Json): Promise<Response> {
    const onEnd = this.#calls.enter(principal.actor);
    try {
      const response = await this.#requests.fetch(request, { authInfo: principal, parsedBody: body });
      return boundedStream(response, { bytesMax: LIMITS.outboundBytesMax, onEnd });
    } catch (error) {
      onEnd();
      throw error;
    }
  }

  async #listen(request: Request, principal: Principal, body: JsonObject): Promise<Response> {
    const leave = this.#streams.enter(principal.actor);
    const handler = this.#handler(this.#busFor(principal.contexts));
    this.#listeners.add(handler);
    const onEnd = (): void => {
      this.#listeners.delete(handler);
      leave();
    };
    try {
      const parsedBody = await this.#readable(body, principal.contexts);
      const response = await handler.fetch(request, { authInfo: principal, parsedBody });
      return boundedStream(response, { bytesMax: LIMITS.outboundBytesMax, onEnd });
    } catch (error) {
      onEnd();
      throw error;
    }
  }

  #handler(bus?: ServerEventBus): McpHttpHandler {
    const { surface } = this.#options;
    return createMcpHandler(() => createMcpServer(contextsOfRequest, surface), {
      legacy: "reject",
      keepAliveMs: LIMITS.eventStreamHeartbeatMs,
      maxSubscriptions: 1,
      onerror: surface.onError,
      ...(bus === undefined ? {} : { bus }),
    });
  }

  /** What the caller may read, as it happens. Nobody publishes to it. */
  #busFor(contexts: Contexts): ServerEventBus {
    const { clock } = this.#options.surface;
    return {
      publish: () => undefined,
      subscribe: (tell) => followUris({ contexts, clock, tell }),
    };
  }

  /** The request without the resources that its caller may not subscribe to: it is acknowledged as what is left. */
  async #readable(body: JsonObject, contexts: Contexts): Promise<JsonObject> {
    const { params } = body;
    const filter = isJsonObject(params) ? params["notifications"] : undefined;
    const wanted = isJsonObject(filter) ? filter["resourceSubscriptions"] : undefined;
    if (!isJsonObject(params) || !isJsonObject(filter) || !Array.isArray(wanted)) return body;
    if (wanted.length > LIMITS.mcpSubscriptionsMax) throw tooMany();
    const { extension } = this.#options.surface;
    const verdicts = await Promise.all(
      wanted.map(async (uri: unknown) => {
        if (typeof uri !== "string") return true;
        return extension?.isSubscribable?.(uri) === true || isSubscribable(contexts, uri);
      }),
    );
    const resourceSubscriptions = wanted.filter((_uri, index) => verdicts[index] === true);
    return { ...body, params: { ...params, notifications: { ...filter, resourceSubscriptions } } };
  }
}

function isListen(body: Json): body is JsonObject {
  return isJsonObject(body) && body["method"] === LISTEN;
}

function foreignPage(): ServiceError {
  return new ServiceError(
    "FORBIDDEN",
    "Pages of this origin may not call the server. Serve the page from this machine, or add its host to MCM_ALLOWED_HOSTS.",
  );
}

function noSession(): ServiceError {
  return new ServiceError(
    "INVALID_REQUEST",
    "The request names no session. Send initialize first, then the Mcp-Session-Id that it answered; or speak revision 2026-07-28.",
  );
}

function tooMany(): ServiceError {
  return new ServiceError(
    "LIMIT_EXCEEDED",
    `One stream subscribes to ${LIMITS.mcpSubscriptionsMax} resources at most. Open another, or name fewer.`,
    { details: { limit: LIMITS.mcpSubscriptionsMax } },
  );
}

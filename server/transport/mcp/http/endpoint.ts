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
import type { Scope } from "../../../../shared/permission.ts";
import { createMcpServer } from "../mcp-server.ts";
import type { Surface } from "../mcp-server.ts";
import { followUris, isSubscribable } from "../subscriptions.ts";
import { TOOLS } from "../tools.ts";
import type { Contexts } from "../contexts.ts";
import { ActorLimits } from "./actor-limits.ts";
import { boundedStream } from "./bounded-stream.ts";
import { jsonBodyOf } from "./json-body.ts";
import { contextsOfRequest } from "./principal.ts";
import type { Principal } from "./principal.ts";
import { insufficientScope, metadataOf, unauthenticated } from "./challenges.ts";
import type { ProtectedResource } from "./challenges.ts";
import { idOf, methodNotAllowed, refusedResponse } from "./rpc-response.ts";
import type { RpcId } from "./rpc-response.ts";
import { Sessions } from "./sessions.ts";

const LISTEN = "subscriptions/listen";

export interface McpEndpointOptions {
  readonly surface: Surface;
  /** Who sends this request. @throws {ServiceError} UNAUTHENTICATED */
  readonly identify: (request: Request) => Promise<Principal>;
  /** Names besides loopback ones of which pages may call. */
  readonly allowedHosts: readonly string[];
  /** When an identity provider is configured. */
  readonly resource?: ProtectedResource;
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

  readonly fetch = (request: Request): Promise<Response> => this.#refusing(null, () => this.#answer(request));

  /** RFC 9728: who issues tokens for this server. Undefined when that is nobody whom clients could ask. */
  readonly metadata = (): Response | undefined => {
    const { resource } = this.#options;
    return resource && metadataOf(resource);
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
    return this.#refusing(idOf(body), async () => {
      const missing = missingScope(body, principal);
      const { resource } = this.#options;
      if (missing !== undefined) return insufficientScope(missing, principal.scopes, { resource, id: idOf(body) });
      if (await isLegacyRequest(request, body)) return this.#ofSession(request, principal, body);
      return isListen(body) ? this.#listen(request, principal, body) : this.#request(request, principal, body);
    });
  }

  async #refusing(id: RpcId, task: () => Promise<Response>): Promise<Response> {
    try {
      return await task();
    } catch (error) {
      if (!(error instanceof ServiceError)) this.#options.surface.onError(error);
      else if (error.code === "UNAUTHENTICATED") return unauthenticated(error, this.#options.resource);
      return refusedResponse(error, { id });
    }
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
    const { clock, onError } = this.#options.surface;
    const { contexts } = principal;
    // its token does not hold any more; not at once: the stream may be just about to open
    const ended = (): void => clock.defer(() => void handler.close().catch(onError));
    const handler = this.#handler({
      // nobody publishes to it
      publish: () => undefined,
      subscribe: (tell) => followUris({ contexts, clock, tell, ended }),
    });
    this.#listeners.add(handler);
    const onEnd = (): void => {
      this.#listeners.delete(handler);
      leave();
    };
    try {
      const parsedBody = await this.#readable(body, contexts);
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

/** What the token would have to allow for this call, if it does not. */
function missingScope(body: Json, { scopes }: Principal): Scope | undefined {
  const needed = isJsonObject(body) && body["method"] === "tools/call" ? scopeOfCall(body["params"]) : "contexts:read";
  return scopes.includes(needed) ? undefined : needed;
}

function scopeOfCall(params: Json | undefined): Scope {
  const tool = isJsonObject(params) ? TOOLS.find(({ name }) => name === params["name"]) : undefined;
  return tool?.scope ?? "contexts:read";
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

/**
 * /mcp: both generations of Streamable HTTP on one address. Requests of 2026-07-28 stand alone; those of 2024-11-05 to
 * 2025-11-25 have sessions.
 *
 *   method → identity → body → scope → generation → limits → its handler
 *
 * Invariants (MCP):
 *  1. Nothing is answered, not even by an error of the protocol, before it is known who asks.
 *  2. A stream tells only what its caller may read at that moment, and its acknowledgement says so.
 *  3. When either side ends, nothing of a request or stream is left behind.
 *
 * Not here: Host and Origin (rest/app.ts checks them for every address), tools and resources.
 */
import { createMcpHandler, isInitializeRequest, isLegacyRequest } from "@modelcontextprotocol/server";
import type { McpHttpHandler, ServerEventBus } from "@modelcontextprotocol/server";
import { ServiceError } from "../../../../shared/errors.ts";
import type { Actor } from "../../../../shared/ids.ts";
import { isJsonObject } from "../../../../shared/json.ts";
import type { Json, JsonObject } from "../../../../shared/json.ts";
import { LIMITS } from "../../../../shared/limits.ts";
import type { Scope } from "../../../../shared/permission.ts";
import { createMcpServer } from "../mcp-server.ts";
import type { Surface } from "../mcp-server.ts";
import { followUris, LISTEN, withoutHidden } from "../subscriptions.ts";
import type { Tool } from "../tool.ts";
import { TOOLS } from "../tools.ts";
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

/** What is known of a request beside itself. */
export interface Sender {
  /** @throws {ServiceError} UNAUTHENTICATED, RATE_LIMITED */
  readonly identify: () => Promise<Principal>;
  /** Counts so many requests more. @throws {ServiceError} RATE_LIMITED */
  readonly spend: (actor: Actor, count: number) => void;
  /** Counts a stream that stays; the returned function counts it off. @throws {ServiceError} RATE_LIMITED */
  readonly hold: (actor: Actor) => () => void;
}

export interface McpEndpointOptions {
  readonly surface: Surface;
  /** When an identity provider is configured. */
  readonly resource?: ProtectedResource;
}

const CALL_ABORTED = 499;

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

  readonly fetch = async (request: Request, sender: Sender): Promise<Response> => {
    const response = await this.#refusing(null, () => this.#answer(request, sender));
    // the SDK's streams say keep-alive, also on a connection that the client, or the HTTP server, wants to end
    response.headers.delete("connection");
    return response;
  };

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

  async #answer(request: Request, sender: Sender): Promise<Response> {
    if (this.#isClosed) throw new ServiceError("SHUTTING_DOWN", "The server is stopping. Connect again in a moment.");
    if (!["GET", "POST", "DELETE"].includes(request.method)) return methodNotAllowed("This address takes POST.");
    const principal = await sender.identify();
    const asking: Asking = { request, principal, sender };
    if (request.method !== "POST") return this.#ofSession(asking);
    const body = await jsonBodyOf(request);
    if (body instanceof Response) return body;
    return this.#refusing(idOf(body), async () => {
      const missing = missingScope(body, principal);
      const { resource } = this.#options;
      if (missing !== undefined) return insufficientScope(missing, principal.scopes, { resource, id: idOf(body) });
      if (toolOf(body)?.isHeavy === true) sender.spend(principal.actor, LIMITS.heavyOpCost - 1);
      if (await isLegacyRequest(request, body)) return this.#ofSession(asking, body);
      return isListen(body) ? this.#listen(asking, body) : this.#request(asking, body);
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

  async #ofSession({ request, principal, sender }: Asking, body?: Json): Promise<Response> {
    const id = request.headers.get("mcp-session-id");
    const isBeginning = id === null && isInitializeRequest(body);
    if (id === null && request.method !== "POST")
      return methodNotAllowed("This address takes POST; with the Mcp-Session-Id of a session GET and DELETE too.");
    if (id === null && !isBeginning) throw noSession();
    const onEnd = request.method === "GET" ? this.#stream(principal, sender) : this.#calls.enter(principal.actor);
    try {
      const asked = { principal, body, onEnd };
      return await (id === null ? this.#sessions.begin(request, asked) : this.#sessions.answer(request, id, asked));
    } catch (error) {
      onEnd();
      throw error;
    }
  }

  async #request({ request, principal }: Asking, body: Json): Promise<Response> {
    const onEnd = this.#calls.enter(principal.actor);
    try {
      const response = await this.#requests.fetch(request, { authInfo: principal, parsedBody: body });
      // the SDK's answer to what was under way when it was closed: the client's fault, and without a word
      if (this.#isClosed && response.status === CALL_ABORTED) throw stoppedUnderWay();
      return boundedStream(response, { bytesMax: LIMITS.outboundBytesMax, onEnd });
    } catch (error) {
      onEnd();
      throw error;
    }
  }

  async #listen({ request, principal, sender }: Asking, body: JsonObject): Promise<Response> {
    const leave = this.#stream(principal, sender);
    const { clock, onError } = this.#options.surface;
    const { contexts } = principal;
    // its token does not hold any more; not at once: the stream may be just about to open
    const ended = (): void => clock.defer(() => void handler.close().catch(onError));
    const handler = this.#handler({
      // nobody publishes to it
      publish: () => undefined,
      subscribe: (tell) => followUris({ contexts, clock, tell, ended }).stop,
    });
    this.#listeners.add(handler);
    const onEnd = (): void => {
      this.#listeners.delete(handler);
      leave();
    };
    try {
      const { extension } = this.#options.surface;
      const parsedBody = await withoutHidden(body, contexts, (uri) => extension?.isSubscribable?.(uri) === true);
      const response = await handler.fetch(request, { authInfo: principal, parsedBody });
      return boundedStream(response, { bytesMax: LIMITS.outboundBytesMax, onEnd });
    } catch (error) {
      onEnd();
      throw error;
    }
  }

  /** Counts a stream that stays. @throws {ServiceError} RATE_LIMITED */
  #stream({ actor }: Principal, { hold }: Sender): () => void {
    const leave = this.#streams.enter(actor);
    try {
      const release = hold(actor);
      return () => {
        release();
        leave();
      };
    } catch (error) {
      leave();
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
}

function stoppedUnderWay(): ServiceError {
  const message = "The server is stopping. Whether the call was carried out is unknown: send it again in a moment.";
  return new ServiceError("SHUTTING_DOWN", message);
}

interface Asking {
  readonly request: Request;
  readonly principal: Principal;
  readonly sender: Sender;
}

function isListen(body: Json): body is JsonObject {
  return isJsonObject(body) && body["method"] === LISTEN;
}

/** What the token would have to allow for this call, if it does not. */
function missingScope(body: Json, { scopes }: Principal): Scope | undefined {
  const needed = toolOf(body)?.scope ?? "contexts:read";
  return scopes.includes(needed) ? undefined : needed;
}

/** The tool that is called, if it is one of ours. */
function toolOf(body: Json): Tool | undefined {
  const { method, params } = isJsonObject(body) ? body : {};
  if (method !== "tools/call" || !isJsonObject(params)) return undefined;
  return TOOLS.find(({ name }) => name === params["name"]);
}

function noSession(): ServiceError {
  return new ServiceError(
    "INVALID_REQUEST",
    "The request names no session. Send initialize first, then the Mcp-Session-Id that it answered; or speak revision 2026-07-28.",
  );
}

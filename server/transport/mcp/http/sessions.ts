/**
 * Sessions of the 2025 revisions: each a server with its transport, bound to the actor that opened it.
 *
 * Invariants (MCP):
 *  1. Only its actor reaches a session; to others it does not exist. Each request is answered by that request's own right.
 *  2. Sessions are bounded, for each actor and in all. A new one takes the place of the one that is idle longest, and none
 *     that is in use is ended for it.
 *  3. A session without requests and streams ends after mcpSessionIdleMs.
 *
 * Not here: the 2026 revision, which has none (endpoint.ts).
 */
import { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/server";
import type { Server } from "@modelcontextprotocol/server";
import { ServiceError } from "../../../../shared/errors.ts";
import { isJsonObject } from "../../../../shared/json.ts";
import { LIMITS } from "../../../../shared/limits.ts";
import { createMcpServer } from "../mcp-server.ts";
import type { Surface } from "../mcp-server.ts";
import { ResourceSubscriptions } from "../resource-subscriptions.ts";
import { boundedStream } from "./bounded-stream.ts";
import { contextsOfRequest } from "./principal.ts";
import type { Principal } from "./principal.ts";
import { ReplayRing } from "./replay-ring.ts";
import { unknownSession } from "./rpc-response.ts";

/** A client whose stream broke comes back after it. */
const RETRY_MS = 1000;
const SWEEP_MS = LIMITS.mcpSessionIdleMs / 6;

export class Sessions {
  readonly #surface: Surface;
  readonly #sessions = new Map<string, Session>();
  #cancelSweep: (() => void) | undefined;

  constructor(surface: Surface) {
    this.#surface = surface;
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** Of a session that is there. */
  async answer(request: Request, id: string, asked: Asked): Promise<Response> {
    const session = this.#sessions.get(id);
    if (session === undefined || session.actor !== asked.principal.actor) {
      asked.onEnd();
      return unknownSession();
    }
    return session.answer(request, asked);
  }

  /** An `initialize`: begins one. @throws {ServiceError} RATE_LIMITED */
  async begin(request: Request, asked: Asked): Promise<Response> {
    this.#makeRoom(asked.principal.actor);
    const { clock } = this.#surface;
    const session = new Session(asked.principal, this.#surface, {
      id: clock.newId(),
      began: (begun) => {
        this.#sessions.set(begun.id, begun);
        this.#sweepLater();
      },
      ended: ({ id }) => void this.#sessions.delete(id),
    });
    await session.connect();
    const response = await session.answer(request, asked);
    // refused: nobody will ever come back to it
    if (!this.#sessions.has(session.id)) await session.close();
    return response;
  }

  async close(): Promise<void> {
    this.#cancelSweep?.();
    await Promise.all([...this.#sessions.values()].map((session) => session.close()));
  }

  #makeRoom(actor: string): void {
    const all = [...this.#sessions.values()];
    const own = all.filter((session) => session.actor === actor);
    if (own.length >= LIMITS.mcpSessionsPerActorMax) this.#endIdlest(own, "You have");
    else if (all.length >= LIMITS.mcpSessionsMax) this.#endIdlest(all, "The server has");
  }

  #endIdlest(sessions: readonly Session[], who: string): void {
    const [idlest] = sessions.filter(({ isIdle }) => isIdle).sort((a, b) => a.idleSinceMs - b.idleSinceMs);
    if (idlest === undefined) {
      throw new ServiceError(
        "RATE_LIMITED",
        `${who} ${sessions.length} sessions in use, which is the limit. End some with DELETE, or try again later.`,
        { details: { limit: sessions.length } },
      );
    }
    this.#end(idlest);
  }

  #end(session: Session): void {
    this.#sessions.delete(session.id);
    session.close().catch(this.#surface.onError);
  }

  #sweepLater(): void {
    if (this.#cancelSweep !== undefined) return;
    this.#cancelSweep = this.#surface.clock.setTimer(SWEEP_MS, () => {
      this.#cancelSweep = undefined;
      const notSinceMs = this.#surface.clock.monotonicMs() - LIMITS.mcpSessionIdleMs;
      for (const session of [...this.#sessions.values()])
        if (session.isIdle && session.idleSinceMs <= notSinceMs) this.#end(session);
      if (this.#sessions.size > 0) this.#sweepLater();
    });
  }
}

/** A request, as far as it was looked at already. */
export interface Asked {
  readonly principal: Principal;
  /** Undefined for GET and DELETE. */
  readonly body: unknown;
  /** Called once, when the answer, or its stream, is over. */
  readonly onEnd: () => void;
}

interface SessionPlace {
  readonly id: string;
  readonly began: (session: Session) => void;
  readonly ended: (session: Session) => void;
}

class Session {
  readonly id: string;
  readonly actor: string;
  idleSinceMs: number;
  readonly #surface: Surface;
  readonly #server: Server;
  readonly #transport: WebStandardStreamableHTTPServerTransport;
  readonly #subscriptions: ResourceSubscriptions;
  #principal: Principal;
  /** Requests and streams that are not over. */
  #openCount = 0;

  constructor(principal: Principal, surface: Surface, { id, began, ended }: SessionPlace) {
    this.id = id;
    this.actor = principal.actor;
    this.idleSinceMs = surface.clock.monotonicMs();
    this.#principal = principal;
    this.#surface = surface;
    this.#server = createMcpServer(contextsOfRequest, surface);
    this.#transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: () => id,
      eventStore: new ReplayRing(),
      retryInterval: RETRY_MS,
      onsessioninitialized: () => began(this),
    });
    this.#subscriptions = new ResourceSubscriptions({
      server: this.#server,
      surface,
      contextsOf: contextsOfRequest,
      // whoever comes again, with another token, hears again
      ended: () => this.#transport.closeStandaloneSSEStream(),
    });
    this.#server.onclose = () => {
      this.#subscriptions.stop();
      ended(this);
    };
  }

  get isIdle(): boolean {
    return this.#openCount === 0;
  }

  connect(): Promise<void> {
    return this.#server.connect(this.#transport);
  }

  async answer(request: Request, { principal, body, onEnd }: Asked): Promise<Response> {
    this.#openCount += 1;
    const over = (): void => {
      this.#openCount -= 1;
      this.idleSinceMs = this.#surface.clock.monotonicMs();
      onEnd();
    };
    // a newer token may allow less, or more
    if (principal.key !== this.#principal.key) this.#subscriptions.refollow(principal.contexts);
    this.#principal = principal;
    try {
      if (request.method === "GET") await this.#subscriptions.follow(principal.contexts);
      const parsed = body === undefined ? {} : { parsedBody: body };
      const response = await this.#transport.handleRequest(request, { authInfo: principal, ...parsed });
      // what was given up is not answered: nothing else would end its stream
      const givenUp = requestGivenUpBy(body);
      if (givenUp !== undefined) this.#transport.closeSSEStream(givenUp);
      return boundedStream(response, { bytesMax: LIMITS.outboundBytesMax, onEnd: over });
    } catch (error) {
      over();
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.#server.close();
  }
}

function requestGivenUpBy(body: unknown): string | number | undefined {
  if (!isJsonObject(body) || body["method"] !== "notifications/cancelled") return undefined;
  const { params } = body;
  const id = isJsonObject(params) ? params["requestId"] : undefined;
  return typeof id === "string" || typeof id === "number" ? id : undefined;
}

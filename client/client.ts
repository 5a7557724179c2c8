/**
 * The SDK's entry: a server, the identity to speak with, and the contexts that are open on it.
 *
 * Not here: an open context (context.ts).
 */
import { ServiceError } from "../shared/errors.ts";
import { ANONYMOUS, parseContextId } from "../shared/ids.ts";
import type { JsonObject } from "../shared/json.ts";
import type { ContextList, ContextView, CreateRequest, FindQuery } from "../shared/protocol/rest.ts";
import { Context } from "./context.ts";
import { openReplica } from "./open-replica.ts";
import type { LocalCopy } from "./open-replica.ts";
import type { Persistence } from "./replica-store.ts";
import { Rest } from "./rest.ts";
import { platformWebSocket } from "./socket.ts";
import type { WebSocketClass } from "./socket.ts";
import type { Input } from "./typed-data.ts";
import { ContextTypes } from "./context-types.ts";
import { subjectOf } from "./token-claims.ts";
import { Tokens } from "./tokens.ts";
import type { TokenSource } from "./tokens.ts";

export interface ConnectOptions {
  /**
   * Says who you are, on servers that check it: a token, or a function that gives one. It is asked when one is needed and the
   * last one is close to its end, or was refused; so sessions go on when tokens end. All of them are one actor's.
   */
  readonly token?: TokenSource;
  /** The name to go by, on servers that do not; beside a token, whose the local copies are when it cannot be had. */
  readonly actor?: string;
  /** Keeps replicas beyond this process, so that offline edits survive it: `indexedDb()`, or `fileStore(folder)` on Node. */
  readonly persistence?: Persistence;
  /** Do not ask the server anything now: contexts with a local copy open without it. */
  readonly offline?: boolean;
  /** How long `connect`, `open` and the others wait for the server. */
  readonly timeoutMs?: number;
  readonly WebSocket?: WebSocketClass;
  readonly fetch?: typeof fetch;
}

export interface OpenOptions<Data = JsonObject> {
  /** Make the context like this if it does not exist. */
  readonly create?: Omit<CreateRequest, "id" | "data"> & { readonly data?: Input<Data> };
}

const TIMEOUT_MS = 10_000;

/**
 * Connects to a server at `url` (http, https, ws or wss; a path before ours is kept).
 * @throws {ServiceError} UNREACHABLE when no server of ours answers in time, INVALID_REQUEST when `url` or `token` is none;
 *   what the function `token` throws
 */
export async function connect(url: string | URL, options: ConnectOptions = {}): Promise<Client> {
  const baseUrl = baseOf(url);
  const WebSocket = options.WebSocket ?? (await platformWebSocket());
  const client = new Client({ ...options, baseUrl, WebSocket });
  if (options.offline !== true) await client.probe();
  return client;
}

interface ClientOptions extends ConnectOptions {
  readonly baseUrl: string;
  readonly WebSocket: WebSocketClass;
}

export class Client {
  /** The schemas that the server knows. */
  readonly types: ContextTypes;
  readonly #options: ClientOptions;
  readonly #rest: Rest;
  readonly #tokens: Tokens | undefined;
  readonly #contexts = new Set<{ close(): Promise<void> }>();
  #isClosed = false;

  /** Applications get clients from `connect`. */
  constructor(options: ClientOptions) {
    this.#options = options;
    const { baseUrl, token, actor, timeoutMs = TIMEOUT_MS, fetch = globalThis.fetch.bind(globalThis) } = options;
    this.#tokens = token === undefined ? undefined : new Tokens(token, timeoutMs);
    this.#rest = new Rest({ baseUrl, tokens: this.#tokens, actor, fetch, timeoutMs });
    this.types = new ContextTypes(this.#rest);
  }

  /** @throws as `connect` */
  async probe(): Promise<void> {
    await this.#rest.probe();
    await this.#tokens?.get();
  }

  /**
   * Makes a context; the answer has its id, version 0 and data.
   * @throws {ServiceError} ALREADY_EXISTS, INVALID_REQUEST, INVALID_CHANGE, TOO_LARGE, UNREACHABLE
   */
  create(request: CreateRequest = {}): Promise<ContextView> {
    return this.#rest.call("POST", ["contexts"], { body: request });
  }

  /** Contexts by text, tag and type; `next`, if there is one, is the `cursor` of the following page. @throws {ServiceError} UNREACHABLE */
  find(query: FindQuery = {}): Promise<ContextList> {
    return this.#rest.call("GET", ["contexts"], { query });
  }

  /** Deletes a context with its history; whoever has it open is told. @throws {ServiceError} CONTEXT_NOT_FOUND, UNREACHABLE */
  async delete(id: string): Promise<void> {
    await this.#rest.call("DELETE", ["contexts", parseContextId(id)]);
  }

  /**
   * Opens a context: resolves when the replica is synced, or without the server if there is a local copy.
   * Each call gives a session and a replica of its own. `Data` is what the data is taken to be, unchecked: see types.
   * @throws {ServiceError} CONTEXT_NOT_FOUND, UNREACHABLE, UNAUTHENTICATED, FORBIDDEN, CLOSED
   */
  async open<Data extends object = JsonObject>(
    id: string,
    options: OpenOptions<NoInfer<Data>> = {},
  ): Promise<Context<Data>> {
    try {
      return await this.#open<Data>(parseContextId(id));
    } catch (error) {
      if (options.create === undefined || !hasCode(error, "CONTEXT_NOT_FOUND")) throw error;
    }
    try {
      await this.#rest.call("POST", ["contexts"], { body: { ...options.create, id } });
    } catch (error) {
      // somebody else was quicker: theirs will do
      if (!hasCode(error, "ALREADY_EXISTS")) throw error;
    }
    return this.#open<Data>(parseContextId(id));
  }

  /** Closes every context opened here. @throws {ServiceError} the first error of Context.close */
  async close(): Promise<void> {
    this.#isClosed = true;
    const results = await Promise.allSettled([...this.#contexts].map((context) => context.close()));
    for (const result of results) if (result.status === "rejected") throw result.reason;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #open<Data>(id: string): Promise<Context<Data>> {
    this.#assertOpen();
    const { baseUrl, actor, persistence, WebSocket, timeoutMs = TIMEOUT_MS } = this.#options;
    const tokens = this.#tokens;
    const params: Record<string, string> = tokens === undefined && actor !== undefined ? { actor } : {};
    const copy = await this.#copyOf(id);
    const replica = await openReplica({
      provider: { url: `${baseUrl.replace(/^http/, "ws")}/sync`, contextId: id, params, tokens, WebSocket },
      ...(copy === undefined ? {} : { copy }),
      timeoutMs,
    });
    const context = new Context<Data>(id, replica, { rest: this.#rest, isKept: persistence !== undefined });
    this.#contexts.add(context);
    // one that the server ended still has its local copy open
    context.on("closed", ({ code }) => code === "CLOSED" && this.#contexts.delete(context));
    // close() may have come while this one was opening
    if (this.#isClosed) await context.close();
    this.#assertOpen();
    return context;
  }

  /**
   * Where the local copy is and whose, so that two people at one machine never get each other's unsent edits.
   * @throws {ServiceError} INVALID_REQUEST when neither token nor `actor` says; what the function `token` throws
   */
  async #copyOf(id: string): Promise<LocalCopy | undefined> {
    const { baseUrl, actor, persistence } = this.#options;
    const tokens = this.#tokens;
    const token = await tokens?.get().catch((error: unknown) => {
      // a local copy opens without a token, as without the server
      if (persistence === undefined || actor === undefined) throw error;
      return "";
    });
    if (persistence === undefined) return undefined;
    const owner = token === undefined ? (actor ?? ANONYMOUS) : (subjectOf(token) ?? actor);
    if (owner === undefined) {
      throw new ServiceError(
        "INVALID_REQUEST",
        "The token does not say whose local copy this is. Give `actor` with it.",
      );
    }
    const name = `${baseUrl}#${encodeURIComponent(owner)}#${id}`;
    return { persistence, name, ...(tokens === undefined ? {} : { owner }) };
  }

  #assertOpen(): void {
    if (this.#isClosed) throw new ServiceError("CLOSED", "The client was closed. Connect again to go on.");
  }
}

function baseOf(url: string | URL): string {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    throw new ServiceError("INVALID_REQUEST", 'The address is not a URL. Use one such as "http://127.0.0.1:4400".');
  }
  const protocol = parsed.protocol.replace(/^ws/, "http");
  if (protocol !== "http:" && protocol !== "https:") {
    throw new ServiceError("INVALID_REQUEST", "The address must begin with http:, https:, ws: or wss:.");
  }
  return `${protocol}//${parsed.host}${parsed.pathname.replace(/\/+$/, "")}`;
}

function hasCode(error: unknown, code: ServiceError["code"]): boolean {
  return error instanceof ServiceError && error.code === code;
}

/** MCP over HTTP by hand: requests and streams as they are on the wire. */
import { readEvents } from "../../client/event-stream.ts";

const META = "io.modelcontextprotocol";
const CLIENT = { name: "raw", version: "1" };
const BOTH = "application/json, text/event-stream";

type Fields = Readonly<Record<string, string>>;

export interface Message {
  readonly id?: unknown;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly code: number; readonly message: string; readonly data?: unknown };
}

/** What a client sends for one actor. */
export class RawMcp {
  readonly #address: string;
  readonly #headers: Fields;
  #session: string | undefined;

  /** `url`: without /mcp. */
  constructor(url: string, { token, path = "/mcp" }: { readonly token?: string; readonly path?: string } = {}) {
    this.#address = `${url}${path}`;
    this.#headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  }

  get session(): string {
    return this.#session ?? "";
  }

  post(body: unknown, headers: Fields = {}, signal?: AbortSignal): Promise<Response> {
    return fetch(this.#address, {
      method: "POST",
      headers: { "content-type": "application/json", accept: BOTH, ...this.#headers, ...headers },
      body: typeof body === "string" ? body : JSON.stringify(body),
      ...(signal === undefined ? {} : { signal }),
    });
  }

  /** A request of revision 2026-07-28. */
  modern(method: string, params: object = {}, signal?: AbortSignal): Promise<Response> {
    const _meta = {
      [`${META}/protocolVersion`]: "2026-07-28",
      [`${META}/clientInfo`]: CLIENT,
      [`${META}/clientCapabilities`]: {},
    };
    const named = "name" in params ? { "mcp-name": String(params.name) } : {};
    return this.post(
      { jsonrpc: "2.0", id: 1, method, params: { _meta, ...params } },
      { "mcp-protocol-version": "2026-07-28", "mcp-method": method, ...named },
      signal,
    );
  }

  initialize(headers: Fields = {}): Promise<Response> {
    const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: CLIENT };
    return this.post({ jsonrpc: "2.0", id: 1, method: "initialize", params }, headers);
  }

  /** Begins a session, in which `legacy`, `stream` and `end` are. */
  async begin(): Promise<void> {
    const response = await this.initialize();
    await response.text();
    this.#session = response.headers.get("mcp-session-id") ?? undefined;
    await (await this.legacy("notifications/initialized", undefined)).text();
  }

  legacy(
    method: string,
    params?: object,
    id: unknown = method.startsWith("notifications/") ? undefined : 2,
  ): Promise<Response> {
    return this.post({ jsonrpc: "2.0", id, method, params }, this.#inSession());
  }

  stream(signal: AbortSignal, lastEventId?: string): Promise<Response> {
    return fetch(this.#address, {
      headers: {
        accept: "text/event-stream",
        ...this.#headers,
        ...this.#inSession(),
        ...(lastEventId === undefined ? {} : { "last-event-id": lastEventId }),
      },
      signal,
    });
  }

  end(): Promise<Response> {
    return fetch(this.#address, { method: "DELETE", headers: { ...this.#headers, ...this.#inSession() } });
  }

  #inSession(): Fields {
    return { "mcp-protocol-version": "2025-11-25", "mcp-session-id": this.session };
  }
}

export interface Told extends Message {
  readonly eventId: string;
}

/** The messages of a stream; without those that only carry an id. */
export async function* messagesOf({ body }: Response): AsyncGenerator<Told> {
  if (body === null) return;
  for await (const { data, lastEventId } of readEvents(body)) {
    if (data !== "") yield { ...(JSON.parse(data) as Message), eventId: lastEventId };
  }
}

/** The one message of an answer, whether it came as JSON or as a stream. */
export async function messageOf(response: Response): Promise<Message> {
  if (response.headers.get("content-type")?.startsWith("text/event-stream") !== true)
    return (await response.json()) as Message;
  for await (const message of messagesOf(response)) if ("result" in message || "error" in message) return message;
  throw new Error("the stream ended without an answer");
}

/**
 * The few REST calls the SDK makes: whole contexts are made, found and deleted there. Refusals come as ServiceError.
 *
 * Not here: anything about an open context; that goes over its WebSocket.
 */
import { ServiceError, isErrorCode } from "../shared/errors.ts";
import { isJsonObject } from "../shared/json.ts";
import type { ContextList, ContextView, CreateRequest, FindQuery } from "../shared/protocol/rest.ts";

export interface RestOptions {
  /** http://host:port, without a slash at the end. */
  readonly baseUrl: string;
  readonly token: string | undefined;
  readonly actor: string | undefined;
  readonly fetch: typeof fetch;
  /** A server that takes longer to answer counts as unreachable. */
  readonly timeoutMs: number;
}

export class Rest {
  readonly #options: RestOptions;

  constructor(options: RestOptions) {
    this.#options = options;
  }

  /** Resolves when a server of ours answers, whatever its health. @throws {ServiceError} UNREACHABLE */
  async probe(): Promise<void> {
    const body = await this.#fetch("GET", "/healthz").then(readJson);
    if (!isJsonObject(body) || typeof body["status"] !== "string")
      throw unreachable("What answers there is not this service");
  }

  create(request: CreateRequest): Promise<ContextView> {
    return this.#call<ContextView>("POST", "/v1/contexts", request);
  }

  find(query: FindQuery): Promise<ContextList> {
    const entries = Object.entries(query).map(([name, value]) => [name, String(value)]);
    return this.#call<ContextList>("GET", `/v1/contexts?${new URLSearchParams(entries)}`);
  }

  async delete(id: string): Promise<void> {
    await this.#call("DELETE", `/v1/contexts/${encodeURIComponent(id)}`);
  }

  /** The server checks what it sends against its schemas; here the answer is taken as what the address promises. */
  async #call<Body>(method: string, path: string, body?: object): Promise<Body> {
    const response = await this.#fetch(method, path, body);
    const answer = await readJson(response);
    if (response.ok) return answer as Body;
    throw problemOf(response.status, answer);
  }

  async #fetch(method: string, path: string, body?: object): Promise<Response> {
    const { baseUrl, token, actor, timeoutMs } = this.#options;
    const headers: Record<string, string> = { accept: "application/json" };
    if (token !== undefined) headers["authorization"] = `Bearer ${token}`;
    else if (actor !== undefined) headers["mcm-actor"] = encodeURIComponent(actor);
    if (body !== undefined) headers["content-type"] = "application/json";
    const init = {
      method,
      headers,
      signal: AbortSignal.timeout(timeoutMs),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    };
    try {
      return await this.#options.fetch(baseUrl + path, init);
    } catch (error) {
      throw unreachable("The server does not answer", error);
    }
  }
}

async function readJson(response: Response): Promise<unknown> {
  const text = await response.text().catch(() => "");
  try {
    return text === "" ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

function problemOf(status: number, body: unknown): ServiceError {
  const { code, detail, details } = isJsonObject(body) ? body : {};
  if (!isErrorCode(code)) return unreachable(`What answers there is not this service (HTTP status ${status})`);
  return new ServiceError(
    code,
    typeof detail === "string" ? detail : "The server gave no reason.",
    isJsonObject(details) ? { details } : {},
  );
}

function unreachable(what: string, cause?: unknown): ServiceError {
  return new ServiceError("UNREACHABLE", `${what}. Check the address, and that the server runs.`, { cause });
}

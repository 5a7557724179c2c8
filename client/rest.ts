/**
 * REST calls of the SDK, with the client's identity. Refusals come as ServiceError.
 *
 * Invariant: a call is made once, but for one whose token was refused: it did nothing, and is made again with a newer one. A
 * write whose answer was lost (UNREACHABLE) may have taken effect: look, and decide.
 *
 * Not here: what there is to call (client.ts, history.ts, conflicts.ts, context-types.ts).
 */
import { ServiceError, isErrorCode } from "../shared/errors.ts";
import { isJsonObject } from "../shared/json.ts";
import type { Tokens } from "./tokens.ts";

export interface RestOptions {
  /** http://host:port, without a slash at the end. */
  readonly baseUrl: string;
  readonly tokens: Tokens | undefined;
  readonly actor: string | undefined;
  readonly fetch: typeof fetch;
  /** A server that takes longer to answer counts as unreachable. */
  readonly timeoutMs: number;
}

export interface RestRequest {
  /** Of the address; what is undefined is left out. */
  readonly query?: object;
  readonly body?: object;
  /** Fencing tokens of the locks that it is written under. */
  readonly lockTokens?: readonly number[];
}

interface Sent extends Omit<RestRequest, "query"> {
  /** Of a feed: it lasts, instead of `timeoutMs`, until this aborts. */
  readonly signal?: AbortSignal;
}

export class Rest {
  readonly #options: RestOptions;

  constructor(options: RestOptions) {
    this.#options = options;
  }

  /** Resolves when a server of ours answers, whatever its health. @throws {ServiceError} UNREACHABLE */
  async probe(): Promise<void> {
    const body = await this.#fetch("GET", "/healthz", {}).then(readJson);
    if (!isJsonObject(body) || typeof body["status"] !== "string")
      throw unreachable("What answers there is not this service");
  }

  /**
   * `steps` are what comes after /v1/. The server checks what it sends against its schemas; here the answer is taken as
   * what the address promises. @throws {ServiceError} the server's refusal, UNREACHABLE
   */
  async call<Body>(method: string, steps: readonly string[], { query = {}, ...rest }: RestRequest = {}): Promise<Body> {
    const response = await this.#ask(method, addressOf(steps, query), rest);
    const answer = await readJson(response);
    if (!response.ok || (answer === undefined && response.status !== NO_CONTENT))
      throw problemOf(response.status, answer);
    return answer as Body;
  }

  /** A live feed, as the server sends it until `signal` aborts. @throws as `call` */
  async open(steps: readonly string[], signal: AbortSignal): Promise<Response> {
    const response = await this.#ask("GET", addressOf(steps, {}), { signal });
    if (!response.ok) throw problemOf(response.status, await readJson(response));
    return response;
  }

  async #ask(method: string, path: string, request: Sent): Promise<Response> {
    const { tokens } = this.#options;
    const token = await tokens?.get();
    const response = await this.#fetch(method, path, request, token);
    if (response.status !== UNAUTHENTICATED || token === undefined || tokens?.areRenewable !== true) return response;
    await response.body?.cancel();
    tokens.refused(token);
    return this.#fetch(method, path, request, await tokens.get());
  }

  async #fetch(
    method: string,
    path: string,
    { body, lockTokens = [], signal }: Sent,
    token?: string,
  ): Promise<Response> {
    const { baseUrl, actor, timeoutMs } = this.#options;
    const headers: Record<string, string> = { accept: signal === undefined ? "application/json" : "text/event-stream" };
    if (token !== undefined) headers["authorization"] = `Bearer ${token}`;
    else if (actor !== undefined) headers["mcm-actor"] = encodeURIComponent(actor);
    if (body !== undefined) headers["content-type"] = "application/json";
    if (lockTokens.length > 0) headers["lock-token"] = lockTokens.join(", ");
    const init = {
      method,
      headers,
      signal: signal ?? AbortSignal.timeout(timeoutMs),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    };
    try {
      return await this.#options.fetch(baseUrl + path, init);
    } catch (error) {
      throw unreachable("The server does not answer", error);
    }
  }
}

const NO_CONTENT = 204;
const UNAUTHENTICATED = 401;

/** @throws {ServiceError} INVALID_REQUEST for steps that would lead to another address */
function addressOf(steps: readonly string[], query: object): string {
  if (steps.some((step) => /^\.{0,2}$/.test(step)))
    throw new ServiceError("INVALID_REQUEST", "An id or a name is empty or consists of dots. Give the one you mean.");
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) search.set(name, String(value));
  return `/v1/${steps.map(encodeURIComponent).join("/")}${search.size > 0 ? `?${search}` : ""}`;
}

/** Undefined when there is none, or what came is not JSON. @throws {ServiceError} UNREACHABLE when it broke off */
async function readJson(response: Response): Promise<unknown> {
  const text = await response.text().catch((error: unknown) => {
    throw unreachable("The server's answer broke off", error);
  });
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

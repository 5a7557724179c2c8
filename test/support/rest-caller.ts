/** REST as a program without the SDK would call it: fetch, a name, and answers that are not refusals. */
import type { JsonOp } from "../../shared/change.ts";
import type { JsonObject } from "../../shared/json.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { ChangeList, ChangeResult, ChangeView, ContextView } from "../../shared/protocol/rest.ts";

export class RestCaller {
  readonly #base: string;
  readonly #actor: string;

  constructor(url: string, actor: string) {
    this.#base = `${url}/v1/contexts`;
    this.#actor = actor;
  }

  create(id: string, data: JsonObject): Promise<ContextView> {
    return this.#call("", { method: "POST", body: { id, data } });
  }

  read(id: string): Promise<ContextView> {
    return this.#call(`/${id}`, {});
  }

  change(id: string, changes: readonly JsonOp[], idempotencyKey: string): Promise<ChangeResult> {
    const headers = { "idempotency-key": idempotencyKey };
    return this.#call(`/${id}`, { method: "PATCH", body: { changes }, headers });
  }

  /** All changes of the history. */
  async changes(id: string): Promise<ChangeView[]> {
    const changes: ChangeView[] = [];
    for (let since: number | undefined = 0; since !== undefined;) {
      const page: ChangeList = await this.#call(`/${id}/changes?since=${since}&limit=${LIMITS.listLimitMax}`, {});
      changes.push(...page.changes);
      since = page.next;
    }
    return changes;
  }

  /** The live feed, as the bytes of its body. */
  async feed(id: string, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    const headers = { accept: "text/event-stream", "mcm-actor": this.#actor };
    const { ok, status, body } = await fetch(`${this.#base}/${id}/changes`, { headers, signal });
    if (!ok || body === null) throw new Error(`The feed of ${id} gave ${status}.`);
    return body;
  }

  async #call<Body>(path: string, request: Request): Promise<Body> {
    const { method = "GET", body, headers = {} } = request;
    const response = await fetch(this.#base + path, {
      method,
      headers: {
        "mcm-actor": this.#actor,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const answer = await response.text();
    if (!response.ok) throw new Error(`${method} ${path} gave ${response.status}: ${answer}`);
    return JSON.parse(answer) as Body;
  }
}

interface Request {
  readonly method?: "GET" | "POST" | "PATCH";
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string>>;
}

/** REST as a program without the SDK would call it: fetch, a name, and answers; a refusal is thrown. */
import type { JsonOp } from "../../shared/change.ts";
import type { JsonObject } from "../../shared/json.ts";
import { LIMITS } from "../../shared/limits.ts";
import type {
  CheckpointList,
  CheckpointView,
  CompactResult,
  RevertResult,
} from "../../shared/protocol/rest-history.ts";
import type { LockView } from "../../shared/protocol/rest-locks.ts";
import type { ChangeList, ChangeResult, ChangeView, ContextView, Problem } from "../../shared/protocol/rest.ts";

export class RestRefusal extends Error {
  readonly status: number;
  readonly code: Problem["code"] | undefined;

  constructor(
    message: string,
    { status, code }: { readonly status: number; readonly code: Problem["code"] | undefined },
  ) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export class RestCaller {
  readonly #base: string;
  readonly #actor: string;
  readonly #patienceMs: number | undefined;

  /** @param patienceMs after so long without an answer it hangs up; for ever unless given */
  constructor(url: string, actor: string, patienceMs?: number) {
    this.#base = `${url}/v1/contexts`;
    this.#actor = actor;
    this.#patienceMs = patienceMs;
  }

  create(id: string, data: JsonObject): Promise<ContextView> {
    return this.#call("", { method: "POST", body: { id, data } });
  }

  /** The present, or an old version. */
  read(id: string, version?: number): Promise<ContextView> {
    return this.#call(version === undefined ? `/${id}` : `/${id}?version=${version}`, {});
  }

  change(
    id: string,
    changes: readonly JsonOp[],
    idempotencyKey: string | undefined,
    {
      lockToken,
      ...more
    }: { readonly ifVersion?: number; readonly message?: string; readonly lockToken?: number } = {},
  ): Promise<ChangeResult> {
    const headers = {
      ...(idempotencyKey === undefined ? {} : { "idempotency-key": idempotencyKey }),
      ...(lockToken === undefined ? {} : { "lock-token": String(lockToken) }),
    };
    return this.#call(`/${id}`, { method: "PATCH", body: { changes, ...more }, headers });
  }

  /** All changes that the history keeps. */
  async changes(id: string): Promise<ChangeView[]> {
    const changes: ChangeView[] = [];
    for (let from = ""; ;) {
      const page: ChangeList = await this.#call(`/${id}/changes?limit=${LIMITS.listLimitMax}${from}`, {});
      changes.push(...page.changes);
      if (page.next === undefined) return changes;
      from = `&since=${page.next}`;
    }
  }

  restore(id: string, version: number, path: string): Promise<RevertResult> {
    return this.#call(`/${id}/restore`, { method: "POST", body: { version, path } });
  }

  nameVersion(id: string, name: string, version: number): Promise<CheckpointView> {
    return this.#call(`/${id}/checkpoints`, { method: "POST", body: { name, version } });
  }

  checkpoints(id: string): Promise<CheckpointList> {
    return this.#call(`/${id}/checkpoints`, {});
  }

  compact(id: string): Promise<CompactResult> {
    return this.#call(`/${id}/compact`, { method: "POST", body: {} });
  }

  lock(id: string, request: object): Promise<LockView> {
    return this.#call(`/${id}/locks`, { method: "POST", body: request });
  }

  renew(id: string, lockId: string): Promise<LockView> {
    return this.#call(`/${id}/locks/${lockId}`, { method: "PUT", body: {} });
  }

  unlock(id: string, lockId: string): Promise<void> {
    return this.#call(`/${id}/locks/${lockId}`, { method: "DELETE" });
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
      ...(this.#patienceMs === undefined ? {} : { signal: AbortSignal.timeout(this.#patienceMs) }),
    });
    const answer = await response.text();
    if (!response.ok) {
      const { status } = response;
      throw new RestRefusal(`${method} ${path} gave ${status}: ${answer}`, { status, code: codeIn(answer) });
    }
    return (answer === "" ? undefined : JSON.parse(answer)) as Body;
  }
}

interface Request {
  readonly method?: "DELETE" | "GET" | "PATCH" | "POST" | "PUT";
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string>>;
}

function codeIn(answer: string): Problem["code"] | undefined {
  try {
    return (JSON.parse(answer) as Partial<Problem>).code;
  } catch {
    return undefined;
  }
}

/**
 * The CLI's side of the REST interface: requests out, checked answers or ServiceErrors back.
 *
 * Not here: what is printed.
 */
import type { z } from "zod";
import { isErrorCode, ServiceError } from "../../shared/errors.ts";
import type { JsonObject } from "../../shared/json.ts";
import { aclSchema, revocationListSchema, revocationResultSchema } from "../../shared/protocol/rest-access.ts";
import type {
  AclBody,
  AclView,
  RevocationBody,
  RevocationList,
  RevocationResult,
  ShareBody,
} from "../../shared/protocol/rest-access.ts";
import { auditListSchema } from "../../shared/protocol/rest-audit.ts";
import type { AuditList } from "../../shared/protocol/rest-audit.ts";
import { conflictListSchema, resolveResultSchema } from "../../shared/protocol/rest-conflicts.ts";
import type { ConflictList, ResolveBody, ResolveResult } from "../../shared/protocol/rest-conflicts.ts";
import {
  blameSchema,
  checkpointListSchema,
  checkpointSchema,
  compactResultSchema,
  diffSchema,
  revertResultSchema,
} from "../../shared/protocol/rest-history.ts";
import type {
  BlameView,
  CheckpointBody,
  CheckpointList,
  CheckpointView,
  CompactResult,
  DiffView,
  RestoreBody,
  RevertResult,
  UndoBody,
} from "../../shared/protocol/rest-history.ts";
import { importResultSchema } from "../../shared/protocol/rest-data.ts";
import type { ImportResult } from "../../shared/protocol/rest-data.ts";
import { heldLockListSchema, lockListSchema, lockSchema } from "../../shared/protocol/rest-locks.ts";
import type { HeldLockList, LockBody, LockList, LockView } from "../../shared/protocol/rest-locks.ts";
import { typeListSchema, typeResultSchema, typeSchema } from "../../shared/protocol/rest-types.ts";
import type { TypeList, TypeResult, TypeView } from "../../shared/protocol/rest-types.ts";
import {
  redeliverResultSchema,
  webhookListSchema,
  webhookReportSchema,
  webhookSchema,
  webhookTestResultSchema,
} from "../../shared/protocol/rest-webhooks.ts";
import type {
  RedeliverResult,
  WebhookBody,
  WebhookList,
  WebhookPatch,
  WebhookReportView,
  WebhookTestResult,
  WebhookView,
} from "../../shared/protocol/rest-webhooks.ts";
import {
  changeListSchema,
  changeResultSchema,
  contextListSchema,
  contextSchema,
  problemSchema,
} from "../../shared/protocol/rest.ts";
import type {
  ChangeList,
  ChangeRequest,
  ChangeResult,
  ContextList,
  ContextView,
  CreateRequest,
} from "../../shared/protocol/rest.ts";
import type { TokenSource } from "./bearer-token.ts";
import { UPDATE_LIST_TYPE } from "../../shared/protocol/update-list.ts";
import type { CliIo } from "./io.ts";

export interface RestTarget {
  readonly url: string;
  readonly actor?: string | undefined;
  readonly token: TokenSource;
  /** Which of our programs asks; `cli` unless it is said. */
  readonly door?: "mcp";
}

type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/** A body of which parts may be undefined: JSON leaves them out. */
type Draft<Body> = { readonly [Key in keyof Body]: Body[Key] | undefined };

export type LockRequest = Draft<LockBody>;

/** What goes with a request that writes. */
export interface WriteOptions {
  readonly idempotencyKey?: string | undefined;
  /** Fencing tokens, with commas between. */
  readonly lockTokens?: string | undefined;
}

interface Content {
  readonly type: string;
  readonly body: string | Buffer<ArrayBuffer>;
}

interface RequestOptions {
  readonly query?: Query;
  /** JSON. */
  readonly body?: unknown;
  /** A body that is no JSON. */
  readonly content?: Content;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** All methods reject with ServiceError, the server's own refusals or UNREACHABLE; or with ConfigError when there is no token where one should be. */
export class RestClient {
  readonly #target: RestTarget;
  readonly #fetch: CliIo["fetch"];

  constructor(target: RestTarget, fetch: CliIo["fetch"]) {
    this.#target = target;
    this.#fetch = fetch;
  }

  list(query: Query): Promise<ContextList> {
    return this.#json(contextListSchema, "GET", "/v1/contexts", { query });
  }

  create(body: Draft<CreateRequest>): Promise<ContextView> {
    return this.#json(contextSchema, "POST", "/v1/contexts", { body });
  }

  read(id: string, query: Query): Promise<ContextView> {
    return this.#json(contextSchema, "GET", contextPath(id), { query });
  }

  change(id: string, body: Draft<ChangeRequest>, options: WriteOptions): Promise<ChangeResult> {
    return this.#json(changeResultSchema, "PATCH", contextPath(id), { body, headers: headersOf(options) });
  }

  async delete(id: string): Promise<void> {
    await this.#request("DELETE", contextPath(id), {});
  }

  changes(id: string, query: Query): Promise<ChangeList> {
    return this.#json(changeListSchema, "GET", contextPath(id, "changes"), { query });
  }

  diff(id: string, query: Query): Promise<DiffView> {
    return this.#json(diffSchema, "GET", contextPath(id, "diff"), { query });
  }

  blame(id: string, query: Query): Promise<BlameView> {
    return this.#json(blameSchema, "GET", contextPath(id, "blame"), { query });
  }

  restore(id: string, body: Draft<RestoreBody>, options: WriteOptions): Promise<RevertResult> {
    return this.#json(revertResultSchema, "POST", contextPath(id, "restore"), { body, headers: headersOf(options) });
  }

  undo(id: string, body: Draft<UndoBody>, options: WriteOptions): Promise<RevertResult> {
    return this.#json(revertResultSchema, "POST", contextPath(id, "undo"), { body, headers: headersOf(options) });
  }

  checkpoints(id: string): Promise<CheckpointList> {
    return this.#json(checkpointListSchema, "GET", contextPath(id, "checkpoints"), {});
  }

  nameCheckpoint(id: string, body: Draft<CheckpointBody>): Promise<CheckpointView> {
    return this.#json(checkpointSchema, "POST", contextPath(id, "checkpoints"), { body });
  }

  async forgetCheckpoint(id: string, name: string): Promise<void> {
    await this.#request("DELETE", contextPath(id, "checkpoints", name), {});
  }

  compact(id: string): Promise<CompactResult> {
    return this.#json(compactResultSchema, "POST", contextPath(id, "compact"), { body: {} });
  }

  conflicts(id: string, query: Query): Promise<ConflictList> {
    return this.#json(conflictListSchema, "GET", contextPath(id, "conflicts"), { query });
  }

  resolve(id: string, conflictId: string, body: Draft<ResolveBody>, options: WriteOptions): Promise<ResolveResult> {
    const path = contextPath(id, "conflicts", conflictId, "resolve");
    return this.#json(resolveResultSchema, "POST", path, { body, headers: headersOf(options) });
  }

  locks(id: string): Promise<LockList> {
    return this.#json(lockListSchema, "GET", contextPath(id, "locks"), {});
  }

  /** Waits no more when `signal` aborts. */
  lock(id: string, body: LockRequest, signal?: AbortSignal): Promise<LockView> {
    const options = signal === undefined ? {} : { signal };
    return this.#json(lockSchema, "POST", contextPath(id, "locks"), { body, ...options });
  }

  renewLock(
    id: string,
    lockId: string,
    { ttlMs, signal }: { readonly ttlMs?: number; readonly signal?: AbortSignal },
  ): Promise<LockView> {
    const options = signal === undefined ? {} : { signal };
    return this.#json(lockSchema, "PUT", contextPath(id, "locks", lockId), { body: { ttlMs }, ...options });
  }

  heldLocks(): Promise<HeldLockList> {
    return this.#json(heldLockListSchema, "GET", "/v1/locks", {});
  }

  share(id: string, body: ShareBody): Promise<AclView> {
    return this.#json(aclSchema, "PATCH", contextPath(id, "acl"), { body });
  }

  /** `force`: somebody else's too. */
  async unlock(id: string, lockId: string, query: { readonly force?: true } = {}): Promise<void> {
    await this.#request("DELETE", contextPath(id, "locks", lockId), { query });
  }

  acl(id: string): Promise<AclView> {
    return this.#json(aclSchema, "GET", contextPath(id, "acl"), {});
  }

  setAcl(id: string, body: AclBody): Promise<AclView> {
    return this.#json(aclSchema, "PUT", contextPath(id, "acl"), { body });
  }

  types(): Promise<TypeList> {
    return this.#json(typeListSchema, "GET", "/v1/types", {});
  }

  type(name: string): Promise<TypeView> {
    return this.#json(typeSchema, "GET", typePath(name), {});
  }

  putType(name: string, schema: JsonObject, query: Query): Promise<TypeResult> {
    return this.#json(typeResultSchema, "PUT", typePath(name), { query, body: { schema } });
  }

  async deleteType(name: string): Promise<void> {
    await this.#request("DELETE", typePath(name), {});
  }

  revoke(body: Draft<RevocationBody>): Promise<RevocationResult> {
    return this.#json(revocationResultSchema, "POST", "/v1/revocations", { body });
  }

  audit(query: Query): Promise<AuditList> {
    return this.#json(auditListSchema, "GET", "/v1/audit", { query });
  }

  revocations(): Promise<RevocationList> {
    return this.#json(revocationListSchema, "GET", "/v1/revocations", {});
  }

  webhooks(): Promise<WebhookList> {
    return this.#json(webhookListSchema, "GET", "/v1/webhooks", {});
  }

  webhook(id: string): Promise<WebhookReportView> {
    return this.#json(webhookReportSchema, "GET", webhookPath(id), {});
  }

  addWebhook(body: Draft<WebhookBody>): Promise<WebhookView> {
    return this.#json(webhookSchema, "POST", "/v1/webhooks", { body });
  }

  changeWebhook(id: string, body: Draft<WebhookPatch>): Promise<WebhookView> {
    return this.#json(webhookSchema, "PATCH", webhookPath(id), { body });
  }

  async removeWebhook(id: string): Promise<void> {
    await this.#request("DELETE", webhookPath(id), {});
  }

  pauseWebhook(id: string): Promise<WebhookView> {
    return this.#json(webhookSchema, "POST", `${webhookPath(id)}/pause`, { body: {} });
  }

  resumeWebhook(id: string): Promise<WebhookView> {
    return this.#json(webhookSchema, "POST", `${webhookPath(id)}/resume`, { body: {} });
  }

  redeliver(id: string, body: { readonly deliveryId: string | undefined }): Promise<RedeliverResult> {
    return this.#json(redeliverResultSchema, "POST", `${webhookPath(id)}/redeliver`, { body });
  }

  testWebhook(id: string): Promise<WebhookTestResult> {
    return this.#json(webhookTestResultSchema, "POST", `${webhookPath(id)}/test`, { body: {} });
  }

  async exportJson(id: string): Promise<string> {
    return (await this.#request("GET", contextPath(id, "export"), { query: { format: "json" } })).text();
  }

  /** The document as one Yjs update, V2, which is the smaller one. */
  async exportYjs(id: string): Promise<Uint8Array> {
    const response = await this.#request("GET", contextPath(id, "export"), { query: { format: "yjs-v2" } });
    return new Uint8Array(await response.arrayBuffer());
  }

  importJson(id: string, body: JsonObject, query: Query): Promise<ImportResult> {
    return this.#json(importResultSchema, "POST", contextPath(id, "import"), { query, body });
  }

  /** @param list Yjs updates, V1 (shared/protocol/update-list.ts) */
  importUpdates(id: string, list: Uint8Array, query: Query): Promise<ImportResult> {
    const content = { type: UPDATE_LIST_TYPE, body: Buffer.from(list) };
    return this.#json(importResultSchema, "POST", contextPath(id, "import"), { query, content });
  }

  async backup(signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    const response = await this.#request("POST", "/v1/backup", { body: {}, signal });
    if (response.body === null) throw this.#stranger(response);
    return response.body;
  }

  /** The live feed's body; an empty `lastEventId` begins at `query.since`, or now. */
  async follow(
    id: string,
    query: Query,
    { lastEventId, signal }: { lastEventId: string; signal: AbortSignal },
  ): Promise<AsyncIterable<Uint8Array>> {
    const resume: Record<string, string> = lastEventId === "" ? {} : { "last-event-id": lastEventId };
    return this.#events(contextPath(id, "changes"), { query, headers: resume, signal });
  }

  /** What happens to any context that the caller may read. */
  events(signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    return this.#events("/v1/events", { signal });
  }

  async #events(path: string, { headers, ...options }: RequestOptions): Promise<AsyncIterable<Uint8Array>> {
    const response = await this.#request("GET", path, {
      ...options,
      headers: { accept: "text/event-stream", ...headers },
    });
    if (response.body === null) throw this.#stranger(response);
    return response.body;
  }

  async #json<Schema extends z.ZodType>(
    schema: Schema,
    method: string,
    path: string,
    options: RequestOptions,
  ): Promise<z.output<Schema>> {
    const response = await this.#request(method, path, options);
    const parsed = schema.safeParse(await response.json().catch(() => undefined));
    if (!parsed.success) throw this.#stranger(response);
    return parsed.data;
  }

  async #request(
    method: string,
    path: string,
    { query = {}, body, content = jsonContent(body), headers, signal }: RequestOptions,
  ): Promise<Response> {
    const token = await this.#target.token.read();
    const response = await this.#fetch(`${this.#target.url}${path}${searchOf(query)}`, {
      method,
      headers: {
        "mcm-client": this.#target.door ?? "cli",
        ...(this.#target.actor === undefined ? {} : { "mcm-actor": encodeURIComponent(this.#target.actor) }),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(content === undefined ? {} : { "content-type": content.type }),
        ...headers,
      },
      ...(content === undefined ? {} : { body: content.body }),
      ...(signal === undefined ? {} : { signal }),
    }).catch((error: unknown) => {
      if (error instanceof ServiceError) throw error;
      throw new ServiceError(
        "UNREACHABLE",
        `No server answers at ${this.#target.url}. Start one with 'mcm serve', or name another with --url.`,
        { cause: error },
      );
    });
    if (!response.ok) throw await this.#refusal(response);
    return response;
  }

  async #refusal(response: Response): Promise<ServiceError> {
    const parsed = problemSchema.safeParse(await response.json().catch(() => undefined));
    if (!parsed.success || !isErrorCode(parsed.data.code)) return this.#stranger(response);
    return new ServiceError(parsed.data.code, parsed.data.detail, { details: parsed.data.details ?? {} });
  }

  #stranger(response: Response): ServiceError {
    return new ServiceError(
      "UNREACHABLE",
      `${this.#target.url} answered (status ${response.status}), but not like an mcp-context-manager server. Check --url.`,
    );
  }
}

function searchOf(query: NonNullable<RequestOptions["query"]>): string {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) given.set(name, String(value));
  return given.size === 0 ? "" : `?${given.toString()}`;
}

function jsonContent(body: unknown): Content | undefined {
  return body === undefined ? undefined : { type: "application/json", body: JSON.stringify(body) };
}

function headersOf({ idempotencyKey, lockTokens }: WriteOptions): Record<string, string> {
  return {
    ...(idempotencyKey === undefined ? {} : { "idempotency-key": idempotencyKey }),
    ...(lockTokens === undefined ? {} : { "lock-token": lockTokens }),
  };
}

function contextPath(...steps: readonly string[]): string {
  return `/v1/contexts/${steps.map(encodeURIComponent).join("/")}`;
}

function typePath(name: string): string {
  return `/v1/types/${encodeURIComponent(name)}`;
}

function webhookPath(id: string): string {
  return `/v1/webhooks/${encodeURIComponent(id)}`;
}

/**
 * A ContextService on plain JSON in memory: enough of the operations to exercise the transports.
 *
 * `failure`, when set, is what every call rejects with. Not here: merging, durability, most operations.
 */
import type { ChangeRecord, JsonOp } from "../../shared/change.ts";
import { ServiceError } from "../../shared/errors.ts";
import { parseContextId } from "../../shared/ids.ts";
import type { ContextId } from "../../shared/ids.ts";
import { isJsonObject } from "../../shared/json.ts";
import type { Json, JsonObject } from "../../shared/json.ts";
import { formatPath, overlaps, parsePath } from "../../shared/path.ts";
import type {
  Caller,
  ChangeOutcome,
  ChangeRequest,
  ContextService,
  ContextSummary,
  FindRequest,
  NewContext,
  Page,
  ReadContext,
} from "../../server/context-service.ts";

interface Stored {
  state: ContextSummary;
  data: JsonObject;
  readonly changes: ChangeRecord[];
  readonly outcomes: Map<string, { readonly fingerprint: string; readonly outcome: ChangeOutcome }>;
  isGone: boolean;
}

const AT_MS = Date.UTC(2026, 10, 22, 12);

export class FakeContextService implements ContextService {
  failure: Error | undefined;
  reasons: string[] = [];
  /** Live feeds under way. */
  followerCount = 0;
  /** Changes that live feeds have taken. */
  yieldCount = 0;
  readonly #contexts = new Map<string, Stored>();
  #wake: (() => void)[] = [];

  async create({ actor }: Caller, { data = {}, tags = [], id, ...names }: NewContext): Promise<ReadContext> {
    this.#failIfTold();
    const contextId = id ?? parseContextId(`context-${this.#contexts.size + 1}`);
    if (this.#contexts.has(contextId)) throw new ServiceError("ALREADY_EXISTS", "A context with this id exists.");
    const state: ContextSummary = {
      meta: { id: contextId, ...names, tags, createdAtMs: AT_MS, createdBy: actor, epoch: 1 },
      head: { seq: 0, version: 0, lockSeq: 0, updatedAtMs: AT_MS },
    };
    this.#contexts.set(contextId, { state, data: plain(data), changes: [], outcomes: new Map(), isGone: false });
    return this.read({ actor, origin: "rest" }, contextId, { path: "" });
  }

  async find(
    _caller: Caller,
    { query = "", tag, type, limit, after = parseContextId("0") }: FindRequest,
  ): Promise<Page<ContextSummary>> {
    this.#failIfTold();
    const hits = [...this.#contexts.values()]
      .map(({ state }) => state)
      .filter(({ meta }) =>
        [meta.id, meta.name, meta.description].some((text) => text?.toLowerCase().includes(query.toLowerCase())),
      )
      .filter(
        ({ meta }) => (tag === undefined || meta.tags.includes(tag)) && (type === undefined || meta.type === type),
      )
      .filter(({ meta }) => meta.id > after)
      .sort((a, b) => (a.meta.id < b.meta.id ? -1 : 1));
    const items = hits.slice(0, limit);
    const last = items.at(-1);
    return hits.length > limit && last !== undefined ? { items, next: last.meta.id } : { items };
  }

  async read(_caller: Caller, id: ContextId, { path }: { path: string; depth?: number }): Promise<ReadContext> {
    const { state, data } = this.#get(id);
    return { ...state, data: valueAt(data, path) };
  }

  async change({ actor, origin }: Caller, id: ContextId, request: ChangeRequest): Promise<ChangeOutcome> {
    const stored = this.#get(id);
    const { ops, ifVersion, message, idempotencyKey } = request;
    const fingerprint = JSON.stringify({ ops, ifVersion, message });
    const former = idempotencyKey === undefined ? undefined : stored.outcomes.get(idempotencyKey);
    if (former !== undefined && former.fingerprint !== fingerprint) {
      throw new ServiceError("IDEMPOTENCY_KEY_REUSED", "The key was used for another change.");
    }
    if (former !== undefined) return { ...former.outcome, replayed: true };
    const { head } = stored.state;
    if (ifVersion !== undefined && ifVersion !== head.version) {
      throw new ServiceError("VERSION_CONFLICT", `The context is at version ${head.version}.`, {
        details: { currentVersion: head.version },
      });
    }
    stored.data = ops.reduce(applied, stored.data);
    const version = head.version + 1;
    const paths = ops.map(({ path }) => formatPath(parsePath(path)));
    const record = { version, seq: version, actor, origin, atMs: AT_MS + version, paths };
    stored.changes.push(message === undefined ? record : { ...record, message });
    stored.state = { ...stored.state, head: { ...head, seq: version, version, updatedAtMs: AT_MS + version } };
    const outcome = { version, seq: version, paths, replayed: false };
    if (idempotencyKey !== undefined) stored.outcomes.set(idempotencyKey, { fingerprint, outcome });
    this.#announce();
    return outcome;
  }

  async delete(_caller: Caller, id: ContextId): Promise<void> {
    this.#get(id).isGone = true;
    this.#contexts.delete(id);
    this.#announce();
  }

  async changes(
    _caller: Caller,
    id: ContextId,
    { since, path = "", limit }: { since: number; path?: string; limit: number },
  ): Promise<Page<ChangeRecord>> {
    const hits = this.#get(id).changes.filter((it) => it.version > since && touches(it, path));
    const items = hits.slice(0, limit);
    return hits.length > limit ? { items, next: String(items.at(-1)?.version) } : { items };
  }

  async *follow(
    _caller: Caller,
    id: ContextId,
    { since, path = "", signal }: { since: number; path?: string; signal: AbortSignal },
  ): AsyncGenerator<ChangeRecord> {
    const stored = this.#get(id);
    const wake = (): void => this.#announce();
    signal.addEventListener("abort", wake);
    this.followerCount += 1;
    try {
      for (let version = since; !signal.aborted;) {
        this.#failIfTold();
        if (stored.isGone) throw unknownContext();
        const next = stored.changes[version];
        if (next === undefined) {
          await new Promise<void>((resolve) => this.#wake.push(resolve));
          continue;
        }
        version = next.version;
        if (!touches(next, path)) continue;
        this.yieldCount += 1;
        yield next;
      }
    } finally {
      this.followerCount -= 1;
      signal.removeEventListener("abort", wake);
    }
  }

  readiness(): readonly string[] {
    return this.reasons;
  }

  /** Makes live feeds look again: at new changes, at `failure`. */
  announce(): void {
    this.#announce();
  }

  #announce(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }

  #get(id: ContextId): Stored {
    this.#failIfTold();
    const stored = this.#contexts.get(id);
    if (stored === undefined) throw unknownContext();
    return stored;
  }

  #failIfTold(): void {
    if (this.failure !== undefined) throw this.failure;
  }
}

function unknownContext(): ServiceError {
  return new ServiceError(
    "CONTEXT_NOT_FOUND",
    "There is no such context. Create it, or look for it with GET /v1/contexts.",
  );
}

function touches({ paths }: ChangeRecord, path: string): boolean {
  return paths.some((it) => overlaps(parsePath(it), parsePath(path)));
}

function valueAt(data: JsonObject, path: string): Json {
  return parsePath(path)
    .slice(1)
    .reduce<Json>((at, step) => child(at, step, path), data);
}

function child(at: Json, step: string, path: string): Json {
  const value = isJsonObject(at) ? at[step] : Array.isArray(at) ? (at[Number(step)] as Json | undefined) : undefined;
  if (value === undefined) throw new ServiceError("PATH_NOT_FOUND", `There is nothing at ${path}.`);
  return value;
}

/** Texts read back as strings. */
function plain(data: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(data).map(([key, value]) => [
      key,
      isJsonObject(value) && "$text" in value ? (value["$text"] ?? "") : value,
    ]),
  );
}

/** Top-level keys only. */
function applied(data: JsonObject, op: JsonOp): JsonObject {
  const key = op.path.slice(1);
  switch (op.op) {
    case "add":
      return { ...data, [key]: op.value };
    case "replace":
      valueAt(data, op.path);
      return { ...data, [key]: op.value };
    case "remove":
      valueAt(data, op.path);
      return Object.fromEntries(Object.entries(data).filter(([it]) => it !== key));
    case "merge":
      return Object.fromEntries(Object.entries({ ...data, ...op.value }).filter(([, value]) => value !== null));
    case "test":
      if (JSON.stringify(valueAt(data, op.path)) === JSON.stringify(op.value)) return data;
      throw new ServiceError("TEST_FAILED", `The value at ${op.path} is another one.`);
    case "edit_text": {
      const parts = JSON.stringify(valueAt(data, op.path)).slice(1, -1).split(op.old);
      if (parts.length === 1) throw new ServiceError("TEXT_NOT_FOUND", `The text at ${op.path} has no such passage.`);
      if (parts.length > 2)
        throw new ServiceError("TEXT_AMBIGUOUS", `The passage occurs ${parts.length - 1} times at ${op.path}.`);
      return { ...data, [key]: parts.join(op.new) };
    }
    default:
      throw new ServiceError("INVALID_CHANGE", `The fake has no ${op.op}.`);
  }
}

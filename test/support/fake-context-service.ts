/**
 * A ContextService on plain JSON in memory: enough of the operations to exercise the transports.
 *
 * `failure`, when set, is what every call rejects with. Not here: merging, durability, most operations.
 */
import type { ChangeRecord, JsonOp } from "../../shared/change.ts";
import type { ContextType } from "../../shared/context-type.ts";
import { ServiceError } from "../../shared/errors.ts";
import { parseContextId } from "../../shared/ids.ts";
import type { Actor, ContextId } from "../../shared/ids.ts";
import { isJsonObject } from "../../shared/json.ts";
import type { Json, JsonObject } from "../../shared/json.ts";
import type { Health } from "../../shared/monitoring.ts";
import { formatPath, parsePath } from "../../shared/path.ts";
import { systemClock } from "../../server/clock.ts";
import type { Clock } from "../../server/clock.ts";
import { AccessWatch } from "../../server/context/access-watch.ts";
import { ContextEvents } from "../../server/context/context-events.ts";
import type {
  AccessService,
  Caller,
  ChangeOutcome,
  ChangeRequest,
  ChangesRequest,
  ContextSummary,
  ContextWatcher,
  FindRequest,
  NewContext,
  Page,
  ReadContext,
  ServerService,
  Service,
} from "../../server/context-service.ts";
import { SharingUseCases } from "../../server/use-cases/sharing.ts";
import { fakeData } from "./fake-data.ts";
import { FakeConflicts } from "./fake-conflicts.ts";
import { FakeLocks } from "./fake-locks.ts";
import { FakeMonitoring } from "./fake-monitoring.ts";
import { FakePast } from "./fake-past.ts";
import { AT_MS, assertUnchanged, dataAt, touches } from "./fake-store.ts";
import type { FakeStore, Stored } from "./fake-store.ts";
import { FakeTokens } from "./fake-tokens.ts";
import { FakeTypes, violationsIn } from "./fake-types.ts";
import { FakeWebhooks } from "./fake-webhooks.ts";

export class FakeContextService implements Service {
  readonly events = new ContextEvents(new AccessWatch(systemClock));
  readonly #types = new Map<string, ContextType>();
  readonly #store: FakeStore = {
    types: this.#types,
    events: this.events,
    get: (id) => this.#get(id),
    all: () => [...this.#contexts.values()],
    change: (caller, id, request) => this.change(caller, id, request),
  };
  readonly history = new FakePast(this.#store);
  readonly conflicts = new FakeConflicts(this.#store);
  readonly types = new FakeTypes(this.#store);
  readonly locks: FakeLocks;
  /** Everybody may everything, whatever the list says. */
  readonly access: AccessService = new SharingUseCases({
    acl: async (id) => this.#get(id).state.meta.acl,
    setAcl: async (_caller, id, acl) => {
      const stored = this.#get(id);
      stored.state = { ...stored.state, meta: { ...stored.state.meta, acl } };
      return acl;
    },
  });
  readonly webhooks = new FakeWebhooks();
  readonly monitoring = new FakeMonitoring();
  readonly server: ServerService = {
    tokens: new FakeTokens(),
    audit: { list: async () => ({ items: [] }) },
    webhooks: this.webhooks,
    monitor: this.monitoring,
    refusals: { list: async () => ({ items: [] }) },
  };
  readonly data = fakeData;
  failure: Error | undefined;
  /** Why it is down. */
  reasons: string[] = [];
  /** Live feeds under way. */
  followerCount = 0;
  /** Who follow all contexts. */
  watcherCount = 0;
  /** Changes that live feeds have taken. */
  yieldCount = 0;
  readonly #contexts = new Map<string, Stored>();
  #wake: (() => void)[] = [];

  constructor(clock?: Clock) {
    this.locks = new FakeLocks(this.#store, clock);
  }

  async create(caller: Caller, { data = {}, tags = [], id, ...names }: NewContext): Promise<ReadContext> {
    this.#failIfTold();
    const contextId = id ?? parseContextId(`context-${this.#contexts.size + 1}`);
    if (this.#contexts.has(contextId)) throw new ServiceError("ALREADY_EXISTS", "A context with this id exists.");
    const state: ContextSummary = {
      meta: {
        id: contextId,
        ...names,
        tags,
        createdAtMs: AT_MS,
        createdBy: caller.identity.actor,
        epoch: 1,
        firstEpoch: 1,
        authorSalt: 0,
      },
      head: { seq: 0, version: 0, lockSeq: 0, updatedAtMs: AT_MS },
    };
    const content = plain(data);
    this.#assertValid(state, content);
    this.#contexts.set(contextId, {
      state,
      data: content,
      past: [content],
      changes: [],
      checkpoints: new Map(),
      conflicts: [],
      outcomes: new Map(),
      isGone: false,
    });
    this.events.emit(state.meta, "created");
    return this.read(caller, contextId, { path: "" });
  }

  async find(
    _caller: Caller,
    { query = "", tag, type, limit, withFigures = false, after = parseContextId("0") }: FindRequest,
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
    const figures = { diskBytes: 100, sessions: 0, locks: 0, conflicts: { recent: 0, open: 0 } };
    const items = hits.slice(0, limit).map((state) => (withFigures ? { ...state, figures } : state));
    const last = items.at(-1);
    return hits.length > limit && last !== undefined ? { items, next: last.meta.id } : { items };
  }

  async summary(_caller: Caller, id: ContextId): Promise<ContextSummary> {
    return this.#get(id).state;
  }

  async read(
    _caller: Caller,
    id: ContextId,
    { path, version }: { path: string; depth?: number; version?: number },
  ): Promise<ReadContext> {
    const stored = this.#get(id);
    if (version === undefined) return { ...stored.state, data: valueAt(stored.data, path) };
    const data = valueAt(dataAt(stored, version), path);
    const head = { ...stored.state.head, seq: version, version, updatedAtMs: AT_MS + version };
    return { ...stored.state, head, data };
  }

  async change(
    caller: Caller,
    id: ContextId,
    request: ChangeRequest & { readonly resolves?: string },
  ): Promise<ChangeOutcome> {
    const stored = this.#get(id);
    const { identity, origin } = caller;
    const { actor } = identity;
    const { ops, message, resolves, idempotencyKey, lockTokens = [], ...precondition } = request;
    const fingerprint = JSON.stringify({ ops, message, precondition });
    const former = idempotencyKey === undefined ? undefined : stored.outcomes.get(idempotencyKey);
    if (former !== undefined && former.fingerprint !== fingerprint) {
      throw new ServiceError("IDEMPOTENCY_KEY_REUSED", "The key was used for another change.");
    }
    if (former !== undefined) return { ...former.outcome, replayed: true };
    assertUnchanged(stored, request);
    const { head } = stored.state;
    const data = ops.reduce(applied, stored.data);
    this.#assertValid(stored.state, data);
    const version = head.version + 1;
    const paths = [...new Set(ops.map(({ path }) => formatPath(parsePath(path))))];
    this.locks.checkWrite(caller, id, paths, lockTokens);
    stored.data = data;
    stored.past.push(data);
    stored.changes.push({
      version,
      seq: version,
      actor,
      origin,
      atMs: AT_MS + version,
      paths,
      ...(message === undefined ? {} : { message }),
      ...(resolves === undefined ? {} : { resolves }),
      bytes: JSON.stringify(ops).length,
    });
    stored.state = { ...stored.state, head: { ...head, seq: version, version, updatedAtMs: AT_MS + version } };
    const outcome = { version, seq: version, paths, replayed: false };
    if (idempotencyKey !== undefined) stored.outcomes.set(idempotencyKey, { fingerprint, outcome });
    this.events.emit(stored.state.meta, "changed");
    this.#announce();
    return outcome;
  }

  async delete(_caller: Caller, id: ContextId): Promise<void> {
    const stored = this.#get(id);
    stored.isGone = true;
    this.#contexts.delete(id);
    this.events.emit(stored.state.meta, "deleted");
    this.#announce();
  }

  async changes(_caller: Caller, id: ContextId, request: ChangesRequest): Promise<Page<ChangeRecord>> {
    const { since = 0, newestFirst = false, before = Infinity, path = "", actor, limit } = request;
    const inOrder = this.#get(id).changes.filter(
      (it) => it.version > since && it.version < before && touches(it, path) && (actor ?? it.actor) === it.actor,
    );
    const hits = newestFirst ? inOrder.reverse() : inOrder;
    const items = hits.slice(0, limit);
    return hits.length > limit ? { items, next: String(items.at(-1)?.version) } : { items };
  }

  async *follow(
    _caller: Caller,
    id: ContextId,
    { since, path = "", actor, signal }: { since: number; path?: string; actor?: Actor; signal: AbortSignal },
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
        if (!touches(next, path) || (actor ?? next.actor) !== next.actor) continue;
        this.yieldCount += 1;
        yield next;
      }
    } finally {
      this.followerCount -= 1;
      signal.removeEventListener("abort", wake);
    }
  }

  watch(caller: Caller, watcher: ContextWatcher): () => void {
    this.#failIfTold();
    const unwatch = this.events.watch(caller, watcher);
    this.watcherCount += 1;
    let isOver = false;
    return () => {
      if (!isOver) this.watcherCount -= 1;
      isOver = true;
      unwatch();
    };
  }

  health(): Health {
    return { status: this.reasons.length === 0 ? "ok" : "down", reasons: this.reasons, checks: [] };
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

  #assertValid({ meta }: ContextSummary, data: JsonObject): void {
    const type = this.#types.get(meta.type ?? "");
    const violations = type === undefined ? [] : violationsIn(data, type.schema);
    if (violations.length === 0) return;
    throw new ServiceError("SCHEMA_VIOLATION", "The result would break the context's type.", {
      details: { violations },
    });
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

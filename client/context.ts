/**
 * One open context: what an application holds.
 *
 * Two ways to write. `update` asks the server for a JSON change: checked, versioned and durable when it resolves. `data`
 * and `doc` are live Yjs types: an edit shows at once, also offline, and is durable when `saved()` resolves.
 *
 * Invariant: when a write resolves with a version, the replica includes it, whichever way it went.
 *
 * Not here: how edits get to the server (replica.ts), requests for the past and for conflicts (history.ts, conflicts.ts).
 */
import { uuidv4 } from "lib0/random";
import type { Awareness } from "y-protocols/awareness";
import type * as Y from "yjs";
import type { ChangeRecord, JsonOp, VersionScope } from "../shared/change.ts";
import { ServiceError } from "../shared/errors.ts";
import type { Diff, NamedCheckpoint } from "../shared/history.ts";
import type { Json, JsonObject } from "../shared/json.ts";
import { isJsonObject } from "../shared/json.ts";
import type { LockList } from "../shared/protocol/rest-locks.ts";
import type { Acl } from "../shared/permission.ts";
import { Conflicts } from "./conflicts.ts";
import type { ConflictsPage, ConflictsQuery, Resolution, Resolved } from "./conflicts.ts";
import { mayWriteAt } from "./context-access.ts";
import type { ContextAccess } from "./context-access.ts";
import type { Unsubscribe } from "./emitter.ts";
import { lockOf, lockWaiterOf } from "./from-wire.ts";
import { History } from "./history.ts";
import type {
  Blame,
  ChangesQuery,
  CheckpointOptions,
  Compacted,
  HistoryPage,
  HistoryQuery,
  Reverted,
  RevertOptions,
  Snapshot,
  UndoOptions,
} from "./history.ts";
import type { Lease } from "./lease.ts";
import { LiveData } from "./live-data.ts";
import type { LockInfo, LockOptions, LockWaiter } from "./locks.ts";
import { modify } from "./modify.ts";
import type { Compute, Modified, Place } from "./modify.ts";
import { PathEvents } from "./path-events.ts";
import type { PathListener } from "./path-events.ts";
import { Presence } from "./presence.ts";
import { findData } from "../shared/read-data.ts";
import type { Replica } from "./replica.ts";
import type { ContextEvents, ContextStatus } from "./replica-events.ts";
import type { Rest } from "./rest.ts";
import type { Input, OpsAt, ValueAt } from "./typed-data.ts";

/** How long `close` waits for edits that are on their way. */
const CLOSE_MS_MAX = 5000;

/** How long it waits to hear that its locks, and its Yjs client id, are free for others: locks end, and one id more does no harm. */
const RELEASE_MS_MAX = 1000;

export interface UpdateOptions {
  /** Refuse with VERSION_CONFLICT when what the operations touch, or lies above or below it, was changed after this version. */
  readonly ifVersion?: number;
  /** `context`: … when anything was. `paths` unless given. */
  readonly ifVersionScope?: VersionScope;
  /** Why; shown in the history. */
  readonly message?: string;
  /** Two updates with the same key take effect once. Made up when absent; give one to repeat an update whose answer was lost. */
  readonly idempotencyKey?: string;
  /** Stops the waiting, not the update: if it was sent, it may yet take effect. */
  readonly signal?: AbortSignal;
  /**
   * Refuse with FENCE_STALE when one of these is not held any more. The locks that this context holds where the update
   * writes count in any case.
   */
  readonly lease?: Pick<Lease, "fencingToken"> | readonly Pick<Lease, "fencingToken">[];
}

export interface ModifyOptions extends Pick<UpdateOptions, "message" | "signal" | "lease"> {
  /** How often it is tried before VERSION_CONFLICT is told; 200 unless given, which takes some 25 s. */
  readonly attempts?: number;
}

/** `Data` is what the application says the data is; see typed-data.ts. */
export class Context<Data = JsonObject> {
  readonly id: string;
  /** Live types under the context's data. */
  readonly data: LiveData;
  readonly presence: Presence;
  readonly #replica: Replica;
  readonly #rest: Rest;
  readonly #pathEvents: PathEvents;
  readonly #history: History;
  readonly #conflicts: Conflicts;
  /** What is lost when the context closes now, if anything. */
  readonly #isKept: boolean;
  #closing: Promise<void> | undefined;

  /** Applications get contexts from Client.open. */
  constructor(id: string, replica: Replica, options: { readonly rest: Rest; readonly isKept: boolean }) {
    this.id = id;
    this.data = new LiveData(() => replica.doc);
    this.presence = new Presence(replica.awareness);
    this.#replica = replica;
    this.#pathEvents = new PathEvents(replica);
    this.#rest = options.rest;
    this.#history = new History(options.rest, id, replica.locks);
    this.#conflicts = new Conflicts(options.rest, id, replica.locks);
    this.#isKept = options.isKept;
    replica.events.on("reset", (doc) => {
      this.presence.reset(replica.awareness);
      this.#pathEvents.reset(doc);
    });
  }

  /** The Yjs document. Another one after a `reset` event. */
  get doc(): Y.Doc {
    return this.#replica.doc;
  }

  /** For editors that show cursors. Another one after a `reset` event. */
  get awareness(): Awareness {
    return this.#replica.awareness;
  }

  /** The newest change that the replica is known to include; local edits have none until they are durable. */
  get version(): number {
    return this.#replica.versions.version;
  }

  get status(): ContextStatus {
    return this.#replica.status;
  }

  /** What we may do here; undefined while the server has not said, as offline. An `access` event tells when it changes. */
  get access(): ContextAccess | undefined {
    return this.#replica.access;
  }

  /**
   * Whether an edit at `path` would be taken, as far as rights go; true while nothing is known of them.
   * @throws {ServiceError} INVALID_REQUEST when `path` is none
   */
  mayWriteAt(path: string): boolean {
    return mayWriteAt(this.access, path);
  }

  /** True while an edit made here is not known to be durable on the server. */
  get hasUnsavedChanges(): boolean {
    return !this.#replica.pending.isEmpty;
  }

  /** Those edits, oldest first, as Yjs updates. What to rescue when the context was closed under us. */
  get unsaved(): readonly Uint8Array[] {
    return this.#replica.pending.entries.map(({ update }) => update);
  }

  /**
   * What the replica has at `path`, as JSON of the caller's own; "" gives all of the data.
   * @throws {ServiceError} PATH_NOT_FOUND, INVALID_REQUEST when `path` is none
   */
  get<Path extends string = "">(path?: Path): ValueAt<Data, Path>;
  get(path = ""): Json {
    const value = findData(this.#replica.doc, path);
    if (value === undefined)
      throw new ServiceError("PATH_NOT_FOUND", "There is nothing at this path. Read its parent to see what is there.", {
        details: { path },
      });
    return value;
  }

  /**
   * Changes the data, all operations or none. Durable, and visible in this replica, when it resolves.
   * While offline it waits; it is sent again after a lost connection and takes effect once.
   * @throws {ServiceError} VERSION_CONFLICT, INVALID_CHANGE, PATH_NOT_FOUND, TEST_FAILED, TEXT_NOT_FOUND, TEXT_AMBIGUOUS,
   *   LOCKED, FENCE_STALE, SCHEMA_VIOLATION, TOO_LARGE, LIMIT_EXCEEDED, STORE_UNAVAILABLE, CLOSED; what ended the session
   */
  update<const Paths extends readonly string[]>(
    changes: OpsAt<Data, Paths>,
    options?: UpdateOptions,
  ): Promise<{ version: number }>;
  async update(changes: readonly JsonOp[], options: UpdateOptions = {}): Promise<{ version: number }> {
    const { signal, idempotencyKey = uuidv4(), lease = [], ...rest } = options;
    const tokens = (Array.isArray(lease) ? lease : [lease]).map(({ fencingToken }) => fencingToken);
    const result = await this.#replica.change({ ...rest, changes, idempotencyKey }, { signal, tokens });
    const version = isJsonObject(result) ? result["version"] : undefined;
    if (typeof version !== "number")
      throw new ServiceError("INTERNAL", "The server's answer to a change has no version. Is it older than this SDK?");
    await this.#included(version);
    return { version };
  }

  /**
   * Compare-and-set: `compute` gets what is at `path` (undefined when nothing is) and gives what shall be there, now or
   * later. It is written, whole, if nobody wrote at, above or below the path meanwhile; else it is computed anew from what is
   * there then. So no write is lost, and callers at separate paths never meet. What stays the same is not written.
   * @throws {ServiceError} VERSION_CONFLICT after the last attempt, those of `update`; what `compute` throws
   */
  modify<Path extends string, const Next extends Input<ValueAt<Data, Path>>>(
    path: Path,
    compute: (value: ValueAt<Data, Path> | undefined) => Next | Promise<Next>,
    options?: ModifyOptions,
  ): Promise<Modified<Next>>;
  modify(path: string, compute: Compute, options: ModifyOptions = {}): Promise<Modified<unknown>> {
    const { attempts, ...rest } = options;
    const place: Place = {
      read: async () => {
        // own edits that the server has yet to take would look like somebody else's
        if (this.hasUnsavedChanges) await this.saved().catch(() => {});
        return { version: this.version, value: findData(this.doc, path) };
      },
      write: (op, ifVersion) => this.update([op], { ...rest, ifVersion }),
      reached: (version) => this.#included(version),
    };
    return modify(path, place, compute, { attempts, signal: rest.signal });
  }

  /**
   * Takes a lock on one path, or on several at once: what others write at, above or below it is refused, whichever way it
   * comes, other contexts of the same actor included. What this context writes there counts as written under it. It is
   * kept until it is released, also over lost connections; see Lease. While offline this waits.
   * @throws {ServiceError} LOCKED when somebody else has it, LIMIT_EXCEEDED, RATE_LIMITED, INVALID_REQUEST, CLOSED;
   *   `signal`'s reason
   */
  lock(paths: string | readonly string[], options?: LockOptions): Promise<Lease> {
    return this.#replica.locks.take(paths, options);
  }

  /** The locks of the context, the oldest first. @throws {ServiceError} UNREACHABLE */
  async locks(): Promise<readonly LockInfo[]> {
    const { locks } = await this.#rest.call<LockList>("GET", ["contexts", this.id, "locks"]);
    return locks.map(lockOf);
  }

  /** Who waits for locks of the context, in the order in which they asked. @throws {ServiceError} UNREACHABLE */
  async lockQueue(): Promise<readonly LockWaiter[]> {
    const { waiting } = await this.#rest.call<LockList>("GET", ["contexts", this.id, "locks"]);
    return waiting.map(lockWaiterOf);
  }

  /**
   * Releases a lock by its id: one of the same actor's, or with `force`, as an admin, whoever holds it, who is told.
   * @throws {ServiceError} LOCK_NOT_FOUND, FORBIDDEN, UNREACHABLE
   */
  async unlock(lockId: string, { force = false }: { readonly force?: boolean } = {}): Promise<void> {
    await this.#rest.call("DELETE", ["contexts", this.id, "locks", lockId], { query: force ? { force } : {} });
  }

  /** Who may do what here, beside the creator, who may do all. For admins. @throws {ServiceError} FORBIDDEN, UNREACHABLE */
  acl(): Promise<Acl> {
    return this.#rest.call("GET", ["contexts", this.id, "acl"]);
  }

  /**
   * Replaces the list. It is in force, for what is open too, when this resolves with it.
   * @throws {ServiceError} FORBIDDEN, INVALID_REQUEST, UNREACHABLE
   */
  setAcl({ grants }: Acl): Promise<Acl> {
    return this.#rest.call("PUT", ["contexts", this.id, "acl"], { body: { grants } });
  }

  /** Resolves when every edit made here so far is durable. @throws {ServiceError} why one of them never will be */
  saved(): Promise<void> {
    return this.#replica.pending.saved();
  }

  /**
   * Calls `listener` after each change at, above or below `path`, local or remote; see PathEvent.
   * @throws {ServiceError} INVALID_REQUEST when `path` is none
   */
  subscribe(path: string, listener: PathListener): Unsubscribe {
    return this.#pathEvents.subscribe(path, listener);
  }

  /**
   * What was at `path` at `version`. @throws {ServiceError} VERSION_NOT_FOUND, PATH_NOT_FOUND, UNREACHABLE
   */
  at<Path extends string = "">(version: number, path?: Path): Promise<Snapshot<ValueAt<Data, Path>>>;
  at(version: number, path = ""): Promise<Snapshot<unknown>> {
    return this.#history.at(version, path);
  }

  /** One page of the changes that the server remembers. @throws {ServiceError} INVALID_REQUEST, UNREACHABLE */
  history(query: HistoryQuery = {}): Promise<HistoryPage> {
    return this.#history.page(query);
  }

  /** All of them, page by page: `for await (const change of plan.changes({ path: "/tasks" }))`. @throws as `history` */
  changes(query: ChangesQuery = {}): AsyncIterable<ChangeRecord> {
    return this.#history.changes(query);
  }

  /**
   * The changes that turn one version, or what it has at `path`, into another, the present one unless given; `to` may lie
   * before `from`. @throws {ServiceError} VERSION_NOT_FOUND, TOO_LARGE, UNREACHABLE
   */
  diff(from: number, to?: number, path = ""): Promise<Diff> {
    return this.#history.diff(from, to, path);
  }

  /** Who wrote last what is there now, value by value, and texts run by run. @throws {ServiceError} PATH_NOT_FOUND, UNREACHABLE */
  blame(path = ""): Promise<Blame> {
    return this.#history.blame(path);
  }

  /**
   * Makes it what it was at `version`, by a new change.
   * @throws {ServiceError} VERSION_NOT_FOUND, SCHEMA_VIOLATION, LIMIT_EXCEEDED, UNREACHABLE
   */
  restore(version: number, options: RevertOptions = {}): Promise<Reverted> {
    return this.#written(this.#history.restore(version, options));
  }

  /**
   * Takes back what one actor changed, and leaves what others wrote there since; `kept` says where.
   * @throws {ServiceError} VERSION_NOT_FOUND, SCHEMA_VIOLATION, LIMIT_EXCEEDED, UNREACHABLE
   */
  undo(actor: string, options: UndoOptions): Promise<Reverted> {
    return this.#written(this.#history.undo(actor, options));
  }

  /** Versions with a name, the newest version first. @throws {ServiceError} UNREACHABLE */
  checkpoints(): Promise<readonly NamedCheckpoint[]> {
    return this.#history.checkpoints();
  }

  /**
   * Names a version, which keeps it readable whatever else of the history is dropped.
   * @throws {ServiceError} ALREADY_EXISTS, VERSION_NOT_FOUND, LIMIT_EXCEEDED, UNREACHABLE
   */
  checkpoint(name: string, options: CheckpointOptions = {}): Promise<NamedCheckpoint> {
    return this.#history.checkpoint(name, options);
  }

  /** @throws {ServiceError} CHECKPOINT_NOT_FOUND, UNREACHABLE */
  forgetCheckpoint(name: string): Promise<void> {
    return this.#history.forgetCheckpoint(name);
  }

  /** Recreates the document without its deleted parts; data, versions and history stay. @throws {ServiceError} UNREACHABLE */
  compact(): Promise<Compacted> {
    return this.#history.compact();
  }

  /** Concurrent writes of which the merge kept one, the newest first. @throws {ServiceError} UNREACHABLE */
  conflicts(query: ConflictsQuery = {}): Promise<ConflictsPage> {
    return this.#conflicts.page(query);
  }

  /**
   * Settles a conflict by a change that names it.
   * @throws {ServiceError} CONFLICT_NOT_FOUND, CONFLICT_RESOLVED, those of `update`, UNREACHABLE
   */
  resolve(conflictId: string, by: Resolution, options: { readonly message?: string } = {}): Promise<Resolved> {
    return this.#written(this.#conflicts.resolve(conflictId, by, options));
  }

  on<Name extends keyof ContextEvents>(event: Name, listener: (...args: ContextEvents[Name]) => void): Unsubscribe {
    return this.#replica.events.on(event, listener);
  }

  /**
   * Ends the session. Waits a few seconds for edits that are on their way.
   * @throws {ServiceError} CLOSED when edits stayed behind and no local store keeps them; they are in `unsaved`
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #written<Result extends { readonly version: number }>(writing: Promise<Result>): Promise<Result> {
    const result = await writing;
    await this.#included(result.version);
    return result;
  }

  #included(version: number): Promise<void> {
    return this.#replica.versions.reached(version);
  }

  async #close(): Promise<void> {
    if (this.status === "online") await withinMs(CLOSE_MS_MAX, Promise.race([this.saved(), this.#statusChange()]));
    const error = new ServiceError("CLOSED", "The context was closed. Open it again to go on.");
    if (this.status === "online") await withinMs(RELEASE_MS_MAX, this.#replica.locks.close(error));
    if (this.status === "online") await withinMs(RELEASE_MS_MAX, this.#replica.releaseClientId());
    const wasOpen = this.status !== "closed";
    const left = this.unsaved.length;
    this.#replica.close(error);
    await this.#replica.dispose();
    if (wasOpen && left > 0 && !this.#isKept) {
      throw new ServiceError(
        "CLOSED",
        `The context was closed before ${left} local edits reached the server. They are in 'unsaved'.`,
      );
    }
  }

  #statusChange(): Promise<void> {
    return new Promise((resolve) => {
      this.on("status", () => resolve());
    });
  }
}

/** Waits until the promise settles, however it does, or the time is up. */
async function withinMs(ms: number, promise: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([promise.catch(() => {}), timeout]);
  clearTimeout(timer);
}

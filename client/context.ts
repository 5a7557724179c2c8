/**
 * One open context: what an application holds.
 *
 * Two ways to write. `update` asks the server for a JSON change: checked, versioned and durable when it resolves. `data`
 * and `doc` are live Yjs types: an edit shows at once, also offline, and is durable when `saved()` resolves.
 *
 * Not here: how edits get to the server (replica.ts).
 */
import { uuidv4 } from "lib0/random";
import type { Awareness } from "y-protocols/awareness";
import type * as Y from "yjs";
import type { JsonOp } from "../shared/change.ts";
import { ServiceError } from "../shared/errors.ts";
import type { Json } from "../shared/json.ts";
import { isJsonObject } from "../shared/json.ts";
import type { Unsubscribe } from "./emitter.ts";
import { LiveData } from "./live-data.ts";
import { PathEvents } from "./path-events.ts";
import type { PathListener } from "./path-events.ts";
import { Presence } from "./presence.ts";
import { findData } from "../shared/read-data.ts";
import type { ContextEvents, ContextStatus, Replica } from "./replica.ts";

/** How long `close` waits for edits that are on their way. */
const CLOSE_MS_MAX = 5000;

export interface UpdateOptions {
  /** Refuse with VERSION_CONFLICT unless this is the context's version. */
  readonly ifVersion?: number;
  /** Why; shown in the history. */
  readonly message?: string;
  /** Two updates with the same key take effect once. Made up when absent; give one to repeat an update whose answer was lost. */
  readonly idempotencyKey?: string;
  /** Stops the waiting, not the update: if it was sent, it may yet take effect. */
  readonly signal?: AbortSignal;
}

export class Context {
  readonly id: string;
  /** Live types under the context's data. */
  readonly data: LiveData;
  readonly presence: Presence;
  readonly #replica: Replica;
  readonly #pathEvents: PathEvents;
  /** What is lost when the context closes now, if anything. */
  readonly #isKept: boolean;
  #closing: Promise<void> | undefined;

  /** Applications get contexts from Client.open. */
  constructor(id: string, replica: Replica, options: { readonly isKept: boolean }) {
    this.id = id;
    this.data = new LiveData(() => replica.doc);
    this.presence = new Presence(replica.awareness);
    this.#replica = replica;
    this.#pathEvents = new PathEvents(replica);
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
   *   TOO_LARGE, LIMIT_EXCEEDED, STORE_UNAVAILABLE, CLOSED; what ended the session
   */
  async update(changes: readonly JsonOp[], options: UpdateOptions = {}): Promise<{ version: number }> {
    const { signal, idempotencyKey = uuidv4(), ifVersion, message } = options;
    const params = {
      changes,
      idempotencyKey,
      ...(ifVersion === undefined ? {} : { ifVersion }),
      ...(message === undefined ? {} : { message }),
    };
    const result = await this.#replica.requests.request("change", params, signal);
    const version = isJsonObject(result) ? result["version"] : undefined;
    if (typeof version !== "number")
      throw new ServiceError("INTERNAL", "The server's answer to a change has no version. Is it older than this SDK?");
    await this.#replica.versions.reached(version);
    return { version };
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

  async #close(): Promise<void> {
    if (this.status === "online") await withinMs(CLOSE_MS_MAX, Promise.race([this.saved(), this.#statusChange()]));
    const wasOpen = this.status !== "closed";
    const left = this.unsaved.length;
    this.#replica.close(new ServiceError("CLOSED", "The context was closed. Open it again to go on."));
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

/**
 * Which contexts are in memory, and whose turn it is: loads and unloads them, and gives each one serial queue of writes.
 *
 * Invariants (LIVE):
 *  1. A context is loaded at most once at a time; everybody who asks meanwhile gets the same object.
 *  2. A context in use, with queued writes, or with appends under way is never unloaded.
 *  3. Writes of a context take their turns in the order they came; a turn is bounded in count and bytes, so that one
 *     context cannot hold the event loop.
 *  4. A paused context takes no turn; what comes for it waits.
 *  5. After `drop` the object is dead: its queued writes are handed back, and the next use loads from the log.
 *
 * Not here: what a turn does (context-manager.ts), reading the log (the `load` that is passed in).
 */
import type { ContextHead, ContextMeta } from "../../shared/context.ts";
import { ServiceError } from "../../shared/errors.ts";
import type { ContextId } from "../../shared/ids.ts";
import type { Limits } from "../../shared/limits.ts";
import { contextNotFound } from "./context-not-found.ts";
import { ContextState } from "./context-state.ts";
import type { StoredState } from "./context-state.ts";
import type { ContextSchema } from "./schema/context-schema.ts";
import type { Write } from "./writes.ts";

/** A write together with what is to happen to it; exactly one of the two is called, once. */
export interface QueuedWrite {
  readonly write: Write;
  /** The write is durable, or changes nothing: `version` holds it. `seq` is its own position when it was appended. */
  settle(result: WriteResult): void;
  refuse(error: ServiceError): void;
}

export interface WriteResult {
  readonly version: number;
  readonly seq: number;
  readonly paths: readonly string[];
}

type Loaded = StoredState & { readonly meta: ContextMeta; readonly head: ContextHead };
type LoadContext = (id: ContextId) => Promise<Loaded | undefined>;

/** The pieces of time that this manager needs; server/clock.ts has them. */
interface Turns {
  monotonicMs(): number;
  defer(task: () => void): void;
}

interface StateManagerOptions<W extends QueuedWrite> {
  readonly load: LoadContext;
  readonly turns: Turns;
  readonly limits: Limits;
  /** Known once the log is open. */
  readonly nodeClientId: () => number;
  /** Known once the log is open; undefined when no other server writes the data. */
  readonly nodeSlot?: () => number | undefined;
  /** Of the context's type, when one is registered. */
  readonly schemaOf: (meta: ContextMeta) => ContextSchema | undefined;
  /** A context came into memory, or left it. */
  readonly onLoaded: (context: LiveContext<W>) => void;
  readonly onDropped: (context: LiveContext<W>, error: ServiceError) => void;
  /** Called with the writes of one turn, never twice at once for one context. */
  readonly onTurn: (context: LiveContext<W>, writes: readonly W[]) => void;
}

/** Writes of one turn: about 5 ms of work. */
const TURN_WRITES_MAX = 512;
const TURN_BYTES_MAX = 1024 * 1024;

export class LiveContext<W extends QueuedWrite = QueuedWrite> {
  /** As far as it is durable. */
  meta: ContextMeta;
  readonly state: ContextState;
  /** Resolves when everything admitted so far is durable and published; rejects when it may be lost. */
  durable: Promise<void> = Promise.resolve();
  /** Appends under way. */
  appending = 0;
  /** Why it is dead; undefined while it lives. */
  droppedBy: ServiceError | undefined;
  /** By how many its writes are held up: nothing is to be admitted now. */
  pauses = 0;
  readonly #queue: W[] = [];
  /** When each of them was queued, monotonic. */
  readonly #queuedAtMs: number[] = [];
  #turnSinceMs = 0;
  #uses = 0;
  lastUseMs = 0;

  /** What plain changes guard on: nobody changed the rules that they were admitted under. */
  lockSeq: number;

  constructor(meta: ContextMeta, state: ContextState, lockSeq: number) {
    this.meta = meta;
    this.state = state;
    this.lockSeq = lockSeq;
  }

  get id(): ContextId {
    return this.meta.id;
  }

  get isDropped(): boolean {
    return this.droppedBy !== undefined;
  }

  get isIdle(): boolean {
    // the time of a lock runs here only
    const hasLocks = this.state.locks.table.size > 0;
    return this.pauses === 0 && !hasLocks && this.#uses === 0 && this.#queue.length === 0 && this.appending === 0;
  }

  get queued(): number {
    return this.#queue.length;
  }

  /** When the oldest write that waits was queued, monotonic; undefined when none waits. */
  get queuedSinceMs(): number | undefined {
    return this.#queuedAtMs[0];
  }

  /** When the oldest write of the turn that was taken last was queued. */
  get turnSinceMs(): number {
    return this.#turnSinceMs;
  }

  retain(): void {
    this.#uses++;
  }

  release(nowMs: number): void {
    this.#uses--;
    this.lastUseMs = nowMs;
  }

  push(write: W, nowMs: number): void {
    this.#queue.push(write);
    this.#queuedAtMs.push(nowMs);
  }

  takeTurn(): W[] {
    let count = 0;
    let bytes = 0;
    for (const { write } of this.#queue) {
      if (count === TURN_WRITES_MAX || (count > 0 && bytes >= TURN_BYTES_MAX)) break;
      count++;
      bytes += write.kind === "update" ? write.update.byteLength : 0;
    }
    this.#turnSinceMs = this.#queuedAtMs[0] ?? 0;
    this.#queuedAtMs.splice(0, count);
    return this.#queue.splice(0, count);
  }
}

export class StateManager<W extends QueuedWrite> {
  readonly #options: StateManagerOptions<W>;
  readonly #live = new Map<ContextId, LiveContext<W>>();
  readonly #loading = new Map<ContextId, Promise<LiveContext<W>>>();

  constructor(options: StateManagerOptions<W>) {
    this.#options = options;
  }

  /** Number of contexts in memory. */
  get liveCount(): number {
    return this.#live.size;
  }

  /** The context if it is in memory now. */
  get(id: ContextId): LiveContext<W> | undefined {
    return this.#live.get(id);
  }

  live(): Iterable<LiveContext<W>> {
    return this.#live.values();
  }

  /** A type was registered, changed or deleted: the contexts in memory that have it keep to `schema` from now on. */
  useSchema(type: string, schema: ContextSchema | undefined): void {
    for (const { meta, state } of this.live()) if (meta.type === type) state.useSchema(schema);
  }

  /**
   * The context, loaded if need be, kept in memory until `release`.
   * @throws {ServiceError} CONTEXT_NOT_FOUND, STORE_UNAVAILABLE
   */
  async acquire(id: ContextId): Promise<LiveContext<W>> {
    for (;;) {
      const context = this.#live.get(id) ?? (await this.#loadOnce(id));
      // it may have been dropped while we waited our turn in the microtask queue
      if (context.isDropped) continue;
      context.retain();
      return context;
    }
  }

  /** The context if it is in memory now, kept there until `release`. */
  retained(id: ContextId): LiveContext<W> | undefined {
    const context = this.#live.get(id);
    context?.retain();
    return context;
  }

  release(context: LiveContext<W>): void {
    context.release(this.#options.turns.monotonicMs());
  }

  /** Queues a write for the context's next turn; one that comes after `drop` is refused with the same error. */
  enqueue(context: LiveContext<W>, write: W): void {
    if (context.droppedBy !== undefined) {
      write.refuse(context.droppedBy);
      return;
    }
    context.push(write, this.#options.turns.monotonicMs());
    if (context.queued === 1) this.#options.turns.defer(() => this.#turn(context));
  }

  /** Lets the context's writes wait until as many `resume` it, or until `drop`. */
  pause(context: LiveContext<W>): void {
    context.pauses++;
  }

  resume(context: LiveContext<W>): void {
    context.pauses--;
    this.#options.turns.defer(() => this.#turn(context));
  }

  /** Forgets a context: what it holds may differ from the log. Its queued writes, and those that still come, are refused with `error`. */
  drop(context: LiveContext<W>, error: ServiceError): void {
    if (context.isDropped) return;
    context.droppedBy = error;
    if (this.#live.get(context.id) === context) this.#live.delete(context.id);
    for (let turn = context.takeTurn(); turn.length > 0; turn = context.takeTurn()) {
      for (const write of turn) write.refuse(error);
    }
    this.#options.onDropped(context, error);
    // the document goes with the object: whatever listens to it is held by nothing else
  }

  /** Drops what is in memory of a context and what is being loaded: its log is not what it was. */
  forget(id: ContextId, error: ServiceError): void {
    this.#loading.delete(id);
    const context = this.#live.get(id);
    if (context !== undefined) this.drop(context, error);
  }

  /** Unloads what nobody has used for `idleUnloadMs`, and the least recently used idle ones beyond `liveBytesMax`. */
  unloadIdle(): void {
    const { limits, turns } = this.#options;
    const nowMs = turns.monotonicMs();
    const idle = [...this.#live.values()].filter((context) => context.isIdle).sort((a, b) => a.lastUseMs - b.lastUseMs);
    let bytes = this.#liveBytes();
    for (const context of idle) {
      const isOld = nowMs - context.lastUseMs >= limits.idleUnloadMs;
      if (!isOld && bytes <= limits.liveBytesMax) continue;
      bytes -= context.state.size.bytes;
      this.drop(context, dropped());
    }
  }

  #turn(context: LiveContext<W>): void {
    if (context.isDropped || context.pauses > 0) return;
    const writes = context.takeTurn();
    if (writes.length === 0) return;
    this.#options.onTurn(context, writes);
    if (context.queued > 0 && !context.isDropped) this.#options.turns.defer(() => this.#turn(context));
  }

  #loadOnce(id: ContextId): Promise<LiveContext<W>> {
    const underWay = this.#loading.get(id);
    if (underWay !== undefined) return underWay;
    // who reads many large contexts must not have to wait for the next round
    if (this.#liveBytes() > this.#options.limits.liveBytesMax) this.unloadIdle();
    const loading = this.#options
      .load(id)
      .then((stored) => {
        if (stored === undefined) throw contextNotFound();
        // made and live in one step: a schema that is registered meanwhile is this one's or finds it
        const context = this.#contextOf(stored);
        // forgotten meanwhile: whoever asked asks again
        if (this.#loading.get(id) !== loading) context.droppedBy = dropped();
        else {
          this.#live.set(id, context);
          this.#options.onLoaded(context);
        }
        return context;
      })
      .finally(() => {
        if (this.#loading.get(id) === loading) this.#loading.delete(id);
      });
    this.#loading.set(id, loading);
    return loading;
  }

  #contextOf(stored: Loaded): LiveContext<W> {
    const { nodeClientId, nodeSlot, schemaOf, turns } = this.#options;
    const state = new ContextState(stored, {
      nodeClientId: nodeClientId(),
      nodeSlot: nodeSlot?.(),
      monotonicMs: turns.monotonicMs(),
      schema: schemaOf(stored.meta),
    });
    const context = new LiveContext<W>(stored.meta, state, stored.head.lockSeq);
    context.lastUseMs = turns.monotonicMs();
    return context;
  }

  #liveBytes(): number {
    let bytes = 0;
    for (const { state } of this.#live.values()) bytes += state.size.bytes;
    return bytes;
  }
}

function dropped(): ServiceError {
  return new ServiceError(
    "STORE_UNAVAILABLE",
    "The context is being loaded again. Send the change once more in a moment.",
    { details: { rule: "unused" } },
  );
}

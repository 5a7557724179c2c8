/**
 * Local edits that the server has not confirmed as durable.
 *
 * Invariants:
 *  1. An edit leaves only by an ack of its data frame or by a refusal; a lost connection puts it back to unsent.
 *  2. Edits keep their order, so on one connection their frame numbers grow.
 *  3. A promise of saved() covers the edits made before the call, and settles exactly once.
 *
 * Not here: sending (replica.ts), keeping edits beyond the process (replica-store.ts).
 */
import type { ServiceError } from "../shared/errors.ts";

export interface PendingUpdate {
  readonly id: number;
  readonly update: Uint8Array;
  /** True for the one that stands for a whole replica loaded from disk: what the server lacks of it is told at connect. */
  readonly isWholeState: boolean;
  /** Which data frame of the current connection carries it; undefined while unsent. */
  frame: number | undefined;
}

interface Waiter {
  readonly upTo: number;
  readonly resolve: () => void;
  readonly reject: (error: ServiceError) => void;
}

export class PendingUpdates {
  #entries: PendingUpdate[] = [];
  #lastId = 0;
  #waiters: Waiter[] = [];
  #failure: ServiceError | undefined;

  get entries(): readonly PendingUpdate[] {
    return this.#entries;
  }

  get isEmpty(): boolean {
    return this.#entries.length === 0;
  }

  add(update: Uint8Array, options: { readonly isWholeState?: boolean } = {}): PendingUpdate {
    const entry = { id: ++this.#lastId, update, isWholeState: options.isWholeState ?? false, frame: undefined };
    this.#entries.push(entry);
    return entry;
  }

  /** Everything up to the n-th data frame of this connection is durable. */
  acked(frames: number): void {
    const left = this.#entries.findIndex(({ frame }) => frame === undefined || frame > frames);
    this.#entries.splice(0, left < 0 ? this.#entries.length : left);
    this.#settle();
  }

  /** Takes out what the server will never accept, and fails whoever waits for it. */
  refuse(entry: PendingUpdate, error: ServiceError): void {
    this.#entries = this.#entries.filter((other) => other !== entry);
    const waits = this.#waiters;
    this.#waiters = waits.filter(({ upTo }) => upTo < entry.id);
    for (const { upTo, reject } of waits) if (upTo >= entry.id) reject(error);
    this.#settle();
  }

  connectionLost(): void {
    for (const entry of this.#entries) entry.frame = undefined;
  }

  /** Resolves when all edits made so far are durable. @throws {ServiceError} why one of them never will be */
  saved(): Promise<void> {
    if (this.isEmpty) return Promise.resolve();
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => this.#waiters.push({ upTo: this.#lastId, resolve, reject }));
  }

  /** No edit will be sent any more. What is pending stays readable. */
  fail(error: ServiceError): void {
    this.#failure ??= error;
    const waits = this.#waiters;
    this.#waiters = [];
    for (const { reject } of waits) reject(error);
  }

  #settle(): void {
    const oldest = this.#entries[0]?.id ?? Infinity;
    let done = 0;
    for (const { upTo, resolve } of this.#waiters) {
      if (upTo >= oldest) break;
      done++;
      resolve();
    }
    this.#waiters.splice(0, done);
  }
}

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
  /** Preceded by voids, when it was put into a document that lacks refused edits before it (replay.ts). */
  update: Uint8Array;
  /** A version that the replica included when the edit was made, if that is known. */
  readonly baseVersion: number | undefined;
  /** It was sent at some time: the server may have it. */
  wasSent: boolean;
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

  add(
    update: Uint8Array,
    { wasSent = false, baseVersion }: { readonly wasSent?: boolean; readonly baseVersion?: number } = {},
  ): PendingUpdate {
    const entry = { id: ++this.#lastId, update, baseVersion, wasSent, frame: undefined };
    this.#entries.push(entry);
    return entry;
  }

  /** Everything up to the n-th data frame of this connection is durable. Returns the edits that are saved by it. */
  acked(frames: number): readonly PendingUpdate[] {
    const left = this.#entries.findIndex(({ frame }) => frame === undefined || frame > frames);
    const acked = this.#entries.splice(0, left < 0 ? this.#entries.length : left);
    this.#settle();
    return acked;
  }

  /** This one's content is durable, in whatever way it got there. */
  done(entry: PendingUpdate): void {
    this.#entries = this.#entries.filter((other) => other !== entry);
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

  sent(entry: PendingUpdate, frame: number | undefined): void {
    entry.frame = frame;
    if (frame !== undefined) entry.wasSent = true;
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

  /** Resolves when each edit made so far is saved or refused, or nothing is sent any more. */
  async settled(): Promise<void> {
    const upTo = this.#lastId;
    while (this.#failure === undefined && this.#entries.some(({ id }) => id <= upTo))
      await this.saved().catch(() => undefined);
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

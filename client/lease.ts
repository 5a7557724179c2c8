/**
 * A lock as its holder has it: how long it lasts, and whether it still does.
 *
 * Invariants (SDK-40):
 *  1. It is held only while both clocks of this machine say so: one stands still while a laptop sleeps, the other may be set.
 *  2. It is lost at most once, and never after it was given back.
 *
 * Not here: taking, renewing and giving back (locks.ts).
 */
import type { ServiceError } from "../shared/errors.ts";
import type { LockMode } from "../shared/lock.ts";
import { callSafely } from "./emitter.ts";
import type { Unsubscribe } from "./emitter.ts";

/** What an application gets from `context.lock`. */
export interface Lease {
  readonly lockId: string;
  readonly paths: readonly string[];
  readonly mode: LockMode;
  /** Grows with every lock of the context: what else is written under the lock, elsewhere, can be fenced by it. */
  readonly fencingToken: number;
  /** When it ends unless it is renewed, which it is, by this machine's clock: milliseconds since 1970. */
  readonly expiresAtMs: number;
  /** False when it was lost or given back, and when its time is over. */
  readonly isHeld: boolean;
  /** Aborts when the lease is lost, with the error as its reason. */
  readonly signal: AbortSignal;
  /** Calls `listener` when the lease is lost, soon if it has been: then somebody else may have the lock. */
  onLost(listener: (error: ServiceError) => void): Unsubscribe;
  /**
   * Gives it back, when the edits made so far are saved or refused. Never rejects; resolves when the lock is free, at the
   * latest when its time is over.
   */
  release(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** What the server grants. */
export interface GrantedLease {
  readonly lockId: string;
  readonly paths: readonly string[];
  readonly mode: LockMode;
  readonly fencingToken: number;
  readonly ttlMs: number;
}

/** A moment by both clocks of this machine. */
export interface Moment {
  readonly wallMs: number;
  readonly monotonicMs: number;
}

export function now(): Moment {
  return { wallMs: Date.now(), monotonicMs: performance.now() };
}

export class HeldLease implements Lease {
  readonly lockId: string;
  readonly paths: readonly string[];
  readonly mode: LockMode;
  readonly fencingToken: number;
  readonly ttlMs: number;
  readonly #giveBack: (lease: HeldLease) => Promise<void>;
  readonly #lost = new AbortController();
  #state: "held" | "releasing" | "released" | "lost" = "held";
  #releasing: Promise<void> | undefined;
  #expiresAtMs = 0;
  #endsAtMs = 0;

  constructor(
    { lockId, paths, mode, fencingToken, ttlMs }: GrantedLease,
    giveBack: (lease: HeldLease) => Promise<void>,
    askedAt: Moment,
  ) {
    this.lockId = lockId;
    this.paths = paths;
    this.mode = mode;
    this.fencingToken = fencingToken;
    this.ttlMs = ttlMs;
    this.#giveBack = giveBack;
    this.extend(askedAt);
  }

  get expiresAtMs(): number {
    return this.#expiresAtMs;
  }

  get isHeld(): boolean {
    return this.#state === "held" && this.leftMs > 0 && now().wallMs < this.#expiresAtMs;
  }

  get isLost(): boolean {
    return this.#state === "lost";
  }

  get signal(): AbortSignal {
    return this.#lost.signal;
  }

  /** By the clock of timers. */
  get leftMs(): number {
    return Math.max(0, this.#endsAtMs - now().monotonicMs);
  }

  /** Its time begins anew, at the latest at this moment. */
  extend({ wallMs, monotonicMs }: Moment): void {
    this.#expiresAtMs = wallMs + this.ttlMs;
    this.#endsAtMs = monotonicMs + this.ttlMs;
  }

  /** False when it was lost or given back before. */
  lose(error: ServiceError): boolean {
    if (this.#state === "released" || this.#state === "lost") return false;
    this.#state = "lost";
    this.#lost.abort(error);
    return true;
  }

  /** The server has it back. */
  released(): void {
    if (this.#state !== "lost") this.#state = "released";
  }

  onLost(listener: (error: ServiceError) => void): Unsubscribe {
    let isWanted = true;
    const tell = (): void => {
      if (isWanted) callSafely(() => listener(this.signal.reason));
    };
    if (this.signal.aborted) queueMicrotask(tell);
    else this.signal.addEventListener("abort", tell, { once: true });
    return () => {
      isWanted = false;
      this.signal.removeEventListener("abort", tell);
    };
  }

  release(): Promise<void> {
    if (this.#state === "held") this.#state = "releasing";
    this.#releasing ??= this.isLost ? Promise.resolve() : this.#giveBack(this);
    return this.#releasing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release();
  }
}

/**
 * The tokens that a client shows: one that it was given, or a function that is asked for newer ones.
 *
 * Invariants (SDK-50):
 *  1. The function is asked when somebody needs a token and the last one is refused or close to its end, and before it ends
 *     when somebody follows; once at a time, whoever needs it.
 *  2. Of a token that does not say its end, or is over by this machine's clock, nothing is concluded: it is shown until the
 *     server refuses it.
 *  3. While the function fails, the last token is shown until its end.
 *  4. Nobody waits for the function longer than `timeoutMs`.
 *
 * Not here: showing them (rest.ts, provider.ts).
 */
import { ServiceError } from "../shared/errors.ts";
import { LIMITS } from "../shared/limits.ts";
import type { Unsubscribe } from "./emitter.ts";
import { endOf } from "./token-claims.ts";

export type TokenSource = string | (() => string | Promise<string>);

/** A newer token is asked for at four fifths of the time of the last one, or this long before its end, whichever is later. */
const MARGIN_MS_MAX = 60_000;

/** Between a failure and the next question, while the last token will do. */
const RETRY_MS = 1000;

/** Timers hold no more; longer ones are set again. */
const TIMER_MS_MAX = 2 ** 31 - 1;

interface Held {
  readonly token: string;
  /** From when on a newer one is asked for, and when it ends: wall clock of this machine. */
  readonly dueAtMs: number;
  readonly endsAtMs: number;
}

export class Tokens {
  readonly #source: TokenSource;
  readonly #timeoutMs: number;
  readonly #followers = new Set<(token: string) => void>();
  /** Undefined while none is known that the server may take. */
  #held: Held | undefined;
  /** That the function gave, refused or not. */
  #newest: string | undefined;
  #asking: Promise<string> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @throws {ServiceError} INVALID_REQUEST when the source is a text that cannot be a token */
  constructor(source: TokenSource, timeoutMs: number) {
    this.#source = source;
    this.#timeoutMs = timeoutMs;
    if (typeof source === "string") this.#held = { token: checked(source), dueAtMs: Infinity, endsAtMs: Infinity };
  }

  /** There may be another one than that which was refused. */
  get areRenewable(): boolean {
    return typeof this.#source === "function";
  }

  /** The one to show now. @throws what the function throws; {ServiceError} UNREACHABLE when it takes too long, INVALID_REQUEST */
  async get(): Promise<string> {
    const held = this.#held;
    if (held !== undefined && Date.now() < held.dueAtMs) return held.token;
    try {
      return await this.#asked();
    } catch (error) {
      if (held !== undefined && this.#held === held && Date.now() < held.endsAtMs) return held.token;
      throw error;
    }
  }

  /** The server does not take this one any more. */
  refused(token: string): void {
    if (this.areRenewable && this.#held?.token === token) this.#held = undefined;
    this.#arm();
  }

  /** Calls `listener` with each newer token, and sees to it that one comes before the last one ends. */
  follow(listener: (token: string) => void): Unsubscribe {
    this.#followers.add(listener);
    this.#arm();
    return () => {
      this.#followers.delete(listener);
      this.#arm();
    };
  }

  #asked(): Promise<string> {
    this.#asking ??= this.#renewed().finally(() => {
      this.#asking = undefined;
    });
    return inTime(this.#asking, this.#timeoutMs);
  }

  async #renewed(): Promise<string> {
    const source = this.#source;
    const token = checked(typeof source === "string" ? source : await source());
    const isNew = token !== this.#newest;
    this.#newest = token;
    this.#held = heldOf(token);
    this.#arm();
    if (isNew) for (const tell of [...this.#followers]) tell(token);
    return token;
  }

  #arm(): void {
    clearTimeout(this.#timer);
    const held = this.#held;
    const nowMs = Date.now();
    if (held === undefined || this.#followers.size === 0 || nowMs >= held.endsAtMs || held.dueAtMs === Infinity) return;
    const leftMs = Math.ceil(held.dueAtMs - nowMs);
    // a failure is tried again until the end; then whoever connects asks
    const delayMs = leftMs > 0 ? Math.min(leftMs, TIMER_MS_MAX) : RETRY_MS;
    this.#timer = setTimeout(() => {
      this.get().then(
        () => this.#arm(),
        () => this.#arm(),
      );
    }, delayMs);
  }
}

function heldOf(token: string): Held {
  const nowMs = Date.now();
  const leftMs = (endOf(token) ?? 0) - nowMs;
  if (leftMs <= 0) return { token, dueAtMs: Infinity, endsAtMs: Infinity };
  // at random, so that the clients of one identity provider spread out
  const marginMs = Math.min(leftMs / 5, MARGIN_MS_MAX) * (1 - Math.random() / 2);
  return { token, dueAtMs: nowMs + leftMs - marginMs, endsAtMs: nowMs + leftMs };
}

/** What fits into a header and a subprotocol, as every JWT does. @throws {ServiceError} INVALID_REQUEST */
function checked(token: unknown): string {
  if (typeof token === "string" && /^[\w.~+-]+$/.test(token) && token.length <= LIMITS.tokenCharsMax) return token;
  throw new ServiceError(
    "INVALID_REQUEST",
    `What was given as token is none: a text of 1 to ${LIMITS.tokenCharsMax} letters, digits and '-', '.', '_'. Give it as it was issued, without "Bearer" and without a line break.`,
  );
}

async function inTime<Result>(promise: Promise<Result>, timeoutMs: number): Promise<Result> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    const error = new ServiceError("UNREACHABLE", `The function 'token' gave none within ${timeoutMs} ms.`);
    timer = setTimeout(() => reject(error), timeoutMs);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

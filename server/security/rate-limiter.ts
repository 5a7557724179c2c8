/**
 * How much everybody does: an account for each actor and each address, with what it has open and its token buckets.
 *
 * Invariants (EDGE):
 *  1. Time is an argument, and never goes back: nothing here reads a clock.
 *  2. `take` takes all of a cost or nothing; `spend` takes it in any case, for what has come already: the debt is waited for.
 *  3. An account with something open is kept; of the others a bounded number, the last used. A forgotten one begins anew,
 *     which forgives no more than one burst.
 *  4. A rate of 0, and a maximum of 0, bound nothing.
 *
 * Not here: who is an actor or an address (server/transport/gate.ts), what happens to those who do too much.
 */
import { LIMITS } from "../../shared/limits.ts";
import { TokenBucket } from "../state/token-bucket.ts";
import type { Rate } from "../state/token-bucket.ts";

export type Measure = "connects" | "ops" | "frames" | "bytes";
export type Holding = "sockets" | "connections";

export interface Quota {
  readonly rates: Readonly<Record<Measure, Rate>>;
  /** At once. */
  readonly max: Readonly<Record<Holding, number>>;
}

/** What is configured; 0 is none. */
export interface RateSettings {
  readonly addressConnectionsMax: number;
  readonly actorConnectionsMax: number;
  readonly actorOpsPerS: number;
  readonly actorFramesPerS: number;
  readonly actorBytesPerS: number;
}

export const UNLIMITED: RateSettings = {
  addressConnectionsMax: 0,
  actorConnectionsMax: 0,
  actorOpsPerS: 0,
  actorFramesPerS: 0,
  actorBytesPerS: 0,
};

export class RateLimiter {
  readonly actors: Accounts;
  readonly addresses: Accounts;
  /** Whether messages of live sessions need to be counted at all. */
  readonly boundsMessages: boolean;

  constructor(settings: RateSettings, idleMax: number = LIMITS.ratedIdleMax) {
    const { actorConnectionsMax, addressConnectionsMax, actorOpsPerS, actorFramesPerS, actorBytesPerS } = settings;
    this.boundsMessages = actorOpsPerS + actorFramesPerS + actorBytesPerS > 0;
    const rates = (of: (perS: number) => Rate) => ({
      ops: of(actorOpsPerS),
      frames: of(actorFramesPerS),
      bytes: of(actorBytesPerS),
    });
    this.actors = new Accounts(
      { rates: { ...rates(rateOfActor), connects: NO_RATE }, max: { sockets: 0, connections: actorConnectionsMax } },
      idleMax,
    );
    const socketsMax = 2 * addressConnectionsMax;
    // everybody behind an address may come back at once
    const connects = socketsMax === 0 ? NO_RATE : { perS: LIMITS.addressConnectsPerS, burst: socketsMax };
    this.addresses = new Accounts(
      {
        rates: { ...rates(rateOfAddress), connects },
        max: { sockets: socketsMax, connections: addressConnectionsMax },
      },
      idleMax,
    );
  }
}

const NO_RATE: Rate = { perS: 0, burst: 0 };

function rateOfActor(perS: number): Rate {
  return { perS, burst: perS * LIMITS.rateBurstS };
}

function rateOfAddress(perS: number): Rate {
  const { perS: all, burst } = rateOfActor(perS * LIMITS.addressActors);
  return { perS: all, burst, debtMax: burst };
}

/** The accounts of all actors, or of all addresses. */
export class Accounts {
  readonly #quota: Quota;
  readonly #idleMax: number;
  readonly #open = new Map<string, Account>();
  /** In order of last use. */
  readonly #idle = new Map<string, Account>();

  constructor(quota: Quota, idleMax: number) {
    this.#quota = quota;
    this.#idleMax = idleMax;
  }

  get size(): number {
    return this.#open.size + this.#idle.size;
  }

  /** To be used at once: an idle one that is kept by its user may be forgotten here, and another begun. */
  of(key: string): Account {
    const open = this.#open.get(key);
    if (open !== undefined) return open;
    const account = this.#idle.get(key) ?? new Account(this.#quota, (it) => this.#move(key, it));
    this.#rest(key, account);
    return account;
  }

  #move(key: string, account: Account): void {
    if (account.isOpen) {
      this.#idle.delete(key);
      this.#open.set(key, account);
    } else {
      this.#open.delete(key);
      this.#rest(key, account);
    }
  }

  #rest(key: string, account: Account): void {
    this.#idle.delete(key);
    this.#idle.set(key, account);
    if (this.#idle.size <= this.#idleMax) return;
    const [oldest] = this.#idle.keys();
    if (oldest !== undefined) this.#idle.delete(oldest);
  }
}

/** What one actor or address has open and how much it did lately. */
export class Account {
  readonly #quota: Quota;
  readonly #onTurn: (account: Account) => void;
  readonly #held: Record<Holding, number> = { sockets: 0, connections: 0 };
  readonly #buckets = new Map<Measure, TokenBucket>();

  /** `onTurn` is told when the first thing is opened and when the last one is closed. */
  constructor(quota: Quota, onTurn: (account: Account) => void) {
    this.#quota = quota;
    this.#onTurn = onTurn;
  }

  get isOpen(): boolean {
    return this.#held.sockets + this.#held.connections > 0;
  }

  held(what: Holding): number {
    return this.#held[what];
  }

  /** False, and nothing is opened, when it has as many as it may. */
  open(what: Holding): boolean {
    const max = this.#quota.max[what];
    if (max > 0 && this.#held[what] >= max) return false;
    this.#held[what]++;
    if (this.#held.sockets + this.#held.connections === 1) this.#onTurn(this);
    return true;
  }

  close(what: Holding): void {
    this.#held[what]--;
    if (!this.isOpen) this.#onTurn(this);
  }

  /** 0 when the cost was taken; else the milliseconds until it can be, and nothing was. */
  take(measure: Measure, cost: number, nowMs: number): number {
    return this.#bucket(measure, nowMs)?.take(cost, nowMs) ?? 0;
  }

  /** Takes the cost; the milliseconds until the debt that this leaves is paid, 0 when it leaves none. */
  spend(measure: Measure, cost: number, nowMs: number): number {
    return this.#bucket(measure, nowMs)?.spend(cost, nowMs) ?? 0;
  }

  #bucket(measure: Measure, nowMs: number): TokenBucket | undefined {
    const rate = this.#quota.rates[measure];
    if (rate.perS <= 0) return undefined;
    let bucket = this.#buckets.get(measure);
    if (bucket === undefined) this.#buckets.set(measure, (bucket = new TokenBucket(rate, nowMs)));
    return bucket;
  }
}

/**
 * The locks of one page, as the SDK keeps them: asked for by names of its own, again on each line until they are answered;
 * renewed at a third of their time, and first of all on a new line, with token and paths; given back when what was edited
 * under them is settled.
 *
 * They belong to the page and not to its document: when that begins anew, they are taken over.
 */
import type { JsonObject } from "../../../shared/json.ts";
import type { Response } from "../../../shared/protocol/server-frames.ts";
import { meets } from "../../support/lock-model.ts";
import { RETRIED } from "../wiretap.ts";
import type { WantedLock } from "./lock-habits.ts";
import type { ToldLock } from "./lock-ledger.ts";
import { toldOf } from "./lock-tap.ts";

/** The client that speaks for the page at the moment. */
export interface Line {
  readonly isReady: boolean;
  readonly hasUnsavedEdits: boolean;
  ask(method: string, params: JsonObject, answered: (response: Response) => void): void;
}

interface Time {
  nowMs(): number;
  after(delayMs: number, run: () => void): void;
}

export interface HeldLease {
  readonly lock: ToldLock;
  ttlMs: number;
  /** When it was asked for or renewed last. */
  askedMs: number;
  endsMs: number;
  /** `left` to its time, `leaving` as soon as everything is saved. */
  state: "held" | "left" | "leaving" | "lost";
}

const LOOK_MS = 50;
const RETRY_MS = 300;

export class ClientLocks {
  readonly #time: Time;
  #line: Line | undefined;
  readonly #wanted = new Map<string, WantedLock>();
  readonly #leases = new Map<string, HeldLease>();
  /** Of others, as events told. */
  readonly #others = new Map<string, { readonly token: number; readonly paths: readonly string[] }>();
  #isAsleep = false;
  #isEnding = false;

  constructor(time: Time) {
    this.#time = time;
  }

  get isIdle(): boolean {
    return this.#wanted.size === 0 && this.#leases.size === 0;
  }

  get leases(): readonly HeldLease[] {
    return [...this.#leases.values()];
  }

  get wanted(): readonly string[] {
    return [...this.#wanted.keys()];
  }

  get others(): readonly (readonly [lockId: string, { readonly token: number; readonly paths: readonly string[] }])[] {
    return [...this.#others];
  }

  /** Fencing tokens of what is held at, above or below these paths. */
  tokensFor(paths: readonly string[]): readonly number[] {
    return this.leases
      .filter(({ state, lock }) => state !== "lost" && meets(lock.paths, paths))
      .map(({ lock }) => lock.fencingToken);
  }

  take(lockId: string, wanted: WantedLock): void {
    if (this.#isEnding) return;
    this.#wanted.set(lockId, wanted);
    this.#askFor(lockId, wanted);
  }

  /** It does not want the lock any more that it waits for. */
  giveUp(lockId: string): void {
    if (this.#line?.isReady !== true || !this.#wanted.delete(lockId)) return;
    this.#line.ask("unlock", { lockId }, ignore);
  }

  /** Gives it back at once, or as the SDK does when everything is saved. */
  release(lease: HeldLease, isAtOnce: boolean): void {
    lease.state = "leaving";
    if (isAtOnce) this.#giveBack(lease);
    else this.#giveBackSoon(lease);
  }

  /** Another time to live, from now on. */
  changeTime(lease: HeldLease, ttlMs: number): void {
    if (this.#line?.isReady !== true) return;
    lease.ttlMs = ttlMs;
    this.#renew(lease);
  }

  /** Shows a lock that is somebody else's as its own; when it is told off it takes that back. */
  pretend(lockId: string, { token, paths }: { readonly token: number; readonly paths: readonly string[] }): void {
    const line = this.#line;
    if (line?.isReady !== true) return;
    line.ask("renew-lock", { lockId, fencingToken: token, paths: [...paths] }, () => {
      if (this.#line?.isReady === true) this.#line.ask("unlock", { lockId }, ignore);
    });
  }

  /** For a while it does nothing by itself, as a machine that sleeps. */
  doze(forMs: number, woken: () => void): void {
    this.#isAsleep = true;
    this.#time.after(forMs, () => {
      this.#isAsleep = false;
      woken();
    });
  }

  /** Wants no more; some are given back, others left to their time. */
  end(isTidy: (lease: HeldLease) => boolean): void {
    this.#isEnding = true;
    for (const lease of this.#leases.values()) {
      if (isTidy(lease)) this.release(lease, false);
      else if (lease.state === "held") lease.state = "left";
    }
  }

  /** A line begins: the server learns of the leases before it gets edits. */
  resume(line: Line): void {
    this.#line = line;
    for (const lease of this.#leases.values()) this.#renew(lease);
    for (const [lockId, wanted] of this.#wanted) this.#askFor(lockId, wanted);
    for (const lease of this.#leases.values())
      if (lease.state === "lost" || lease.state === "leaving") this.#giveBackSoon(lease);
  }

  heard({ type, op, lockId, seq, paths }: JsonObject): void {
    if (type !== "lock" || typeof lockId !== "string") return;
    const lease = this.#leases.get(lockId);
    const isOver = op === "expire" || op === "release";
    if (isOver && lease !== undefined) this.#lose(lease);
    if (isOver) this.#others.delete(lockId);
    if (op === "acquire" && lease === undefined && !this.#wanted.has(lockId) && Array.isArray(paths))
      this.#others.set(lockId, { token: Number(seq), paths: paths.map(String) });
  }

  #askFor(lockId: string, { paths, ...rest }: WantedLock): void {
    const line = this.#line;
    if (line?.isReady !== true) return;
    const sentMs = this.#time.nowMs();
    line.ask("lock", { ...rest, lockId, paths: [...paths] }, (response) => {
      const wanted = this.#wanted.get(lockId);
      if (wanted === undefined) return;
      if (response.ok) this.#granted(toldOf(response.result), sentMs);
      else if (RETRIED.has(response.error.code))
        return this.#time.after(RETRY_MS, () => {
          if (this.#line === line && this.#wanted.get(lockId) === wanted) this.#askFor(lockId, wanted);
        });
      this.#wanted.delete(lockId);
    });
  }

  #granted(lock: ToldLock, sentMs: number): void {
    const { ttlMs } = lock;
    const lease: HeldLease = { lock, ttlMs, askedMs: sentMs, endsMs: sentMs + ttlMs, state: "held" };
    this.#leases.set(lock.lockId, lease);
    if (this.#isEnding) return this.release(lease, false);
    // it waited so long that it cannot tell when the lease began
    if (lease.endsMs <= this.#time.nowMs()) this.#renew(lease);
    this.#tick(lease);
  }

  #tick(lease: HeldLease): void {
    this.#time.after(Math.ceil(lease.ttlMs / 3), () => {
      if (this.#leases.get(lease.lock.lockId) !== lease || lease.state === "lost") return;
      if (!this.#isAsleep && lease.endsMs <= this.#time.nowMs()) return this.#lose(lease);
      if (!this.#isAsleep && lease.state !== "left") this.#renew(lease);
      this.#tick(lease);
    });
  }

  #renew(lease: HeldLease): void {
    const line = this.#line;
    if (line?.isReady !== true) return;
    const sentMs = this.#time.nowMs();
    const { lock, ttlMs } = lease;
    const { lockId, fencingToken, paths } = lock;
    lease.askedMs = sentMs;
    // it may be asked to last shorter than it did
    lease.endsMs = Math.min(lease.endsMs, sentMs + ttlMs);
    line.ask("renew-lock", { lockId, ttlMs, fencingToken, paths: [...paths] }, (response) => {
      if (!response.ok && (response.error.code === "LOCK_NOT_FOUND" || response.error.code === "FORBIDDEN"))
        return this.#lose(lease);
      if (response.ok && lease.askedMs === sentMs) lease.endsMs = sentMs + ttlMs;
    });
  }

  /** Until it is given back the server refuses what is edited there. */
  #lose(lease: HeldLease): void {
    if (lease.state === "lost") return;
    lease.state = "lost";
    this.#giveBackSoon(lease);
  }

  #giveBackSoon(lease: HeldLease): void {
    // without a line it is given back on the next one
    if (this.#leases.get(lease.lock.lockId) !== lease || this.#line?.isReady !== true) return;
    if (!this.#line.hasUnsavedEdits && !this.#isAsleep) this.#giveBack(lease);
    else this.#time.after(LOOK_MS, () => this.#giveBackSoon(lease));
  }

  #giveBack({ lock: { lockId } }: HeldLease): void {
    if (this.#line?.isReady !== true) return;
    this.#leases.delete(lockId);
    this.#line.ask("unlock", { lockId }, ignore);
  }
}

const ignore = (): void => undefined;

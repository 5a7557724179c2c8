/**
 * What the parties of a run saw of the locks of one context, and what follows from it at once. It is written by the taps
 * on connections and by the callers of the service; lock-audit.ts holds the log against it.
 *
 *  S4  at no moment two of them hold what overlaps, unless both share it: each counts its lease from when it asked for it,
 *      until it gave it back
 *  S4  a token is larger than every one that was told before it was asked for
 *  S4  what is known to be over is not accepted any more, what its holder still has is not refused
 */
import type { ErrorDetails } from "../../../shared/errors.ts";
import type { LockMode } from "../../../shared/lock.ts";
import { meets } from "../../support/lock-model.ts";
import type { Violate } from "../log-replay.ts";
import { WaitingLine } from "./waiting-line.ts";
import type { LockAsk, Ticket } from "./waiting-line.ts";

/** A lock as it is told. */
export interface ToldLock {
  readonly lockId: string;
  readonly paths: readonly string[];
  readonly mode: LockMode;
  readonly holder: string;
  readonly fencingToken: number;
  readonly ttlMs: number;
}

/** What a holder may believe. */
interface Belief {
  readonly lock: ToldLock;
  readonly toldMs: number;
  /** When somebody asked last for more time. */
  askedMs: number;
  endsMs: number;
  /** It was given back, or the server said that it is over. */
  isOver: boolean;
  /** Its holder asks for it once more, and so has not heard of it: if it goes away before the answer, it keeps no lock. */
  isUnheard: boolean;
}

/** The time, and the trace. */
export interface Scene {
  nowMs(): number;
  note(what: string): void;
}

/** Who asks, and under whose name. */
export interface Asker {
  readonly party: string;
  readonly actor: string;
}

/** A write under tokens, or the refusal of one. */
export interface Shown extends Asker {
  readonly tokens: readonly number[];
  readonly sentMs: number;
}

export class LockLedger {
  readonly line: WaitingLine;
  /** Who asked for a lock, or showed that it knows its token: by lock, the party with its actor. */
  readonly owners = new Map<string, Map<string, string>>();
  /** Tokens that were shown, by the message of the change. */
  readonly tokensOf = new Map<string, readonly number[]>();
  /** Locks that were named in an answer, for whatever reason. Not yet held against the log. */
  named: { readonly lockId: string; readonly why: string }[] = [];
  /** Told as granted. Not yet held against the log. */
  granted: ToldLock[] = [];
  readonly #violate: Violate;
  readonly #scene: Scene;
  readonly #beliefs = new Map<number, Belief>();
  /** When it was told, to anybody, that a token's lock is over. */
  readonly #overSinceMs = new Map<number, number>();
  readonly #tokenOf = new Map<string, number>();
  /** When a lock was asked for first: the answer that is heard may be to a later request. */
  readonly #askedMs = new Map<string, number>();
  /** By lock: under which name it was given back, or not wanted any more. */
  readonly #givenBackBy = new Map<string, string>();
  /** Who tried to release a lock of somebody else's by force. */
  readonly #forcedBy = new Map<string, Set<string>>();

  constructor(violate: Violate, scene: Scene) {
    this.#violate = violate;
    this.#scene = scene;
    this.line = new WaitingLine(violate);
  }

  /** Locks that somebody may believe to hold. */
  get held(): readonly ToldLock[] {
    return [...this.#beliefs.values()].filter((it) => this.#isHeld(it)).map(({ lock }) => lock);
  }

  /** Every token that was ever told. */
  get tokens(): readonly number[] {
    return [...this.#beliefs.keys()];
  }

  asks(ask: LockAsk): Ticket {
    const { lockId, sentMs, actor } = ask;
    const belief = lockId === undefined ? undefined : this.#beliefOf(lockId);
    if (belief?.lock.holder === actor) belief.isUnheard = true;
    if (lockId !== undefined && !this.#askedMs.has(lockId)) this.#askedMs.set(lockId, sentMs);
    this.#scene.note(`${ask.party} asks for ${ask.mode} ${nameOf(lockId)} on ${ask.paths.join()}`);
    return this.line.ask(ask);
  }

  owns(lockId: string, { party, actor }: Asker): void {
    const owners = this.owners.get(lockId) ?? new Map<string, string>();
    this.owners.set(lockId, owners.set(party, actor));
  }

  /** The answer to a request for a lock, or for its renewal, that was sent at `sentMs` leaves the server. */
  told({ party, actor }: Asker, lock: ToldLock, sentMs: number): void {
    const { fencingToken: token, ttlMs, lockId } = lock;
    this.#scene.note(`${party} is told that it has ${nameOf(lockId)}, token ${token}, for ${ttlMs}`);
    if (lock.holder !== actor) this.#violate("S4 LOCK-13", `${party} was given lock ${lockId} of ${lock.holder}`);
    this.#tokenOf.set(lockId, token);
    let belief = this.#beliefs.get(token);
    if (belief === undefined) {
      this.#checkGrows(lock, sentMs);
      belief = { lock, toldMs: this.#nowMs(), askedMs: 0, endsMs: 0, isOver: this.isGivenBack(lock), isUnheard: false };
      this.#beliefs.set(token, belief);
      this.granted.push(lock);
    }
    belief.isUnheard = false;
    // a later request, which may be for less time, is under way
    if (sentMs >= belief.askedMs) belief.endsMs = Math.max(belief.endsMs, sentMs + ttlMs);
    if (this.#isHeld(belief)) this.#checkAlone(belief);
  }

  /** Asked to last so long from now on: it may be shorter than what it had. */
  shortens(lockId: string, actor: string, ttlMs: number | undefined): void {
    const belief = this.#beliefOf(lockId);
    if (belief?.lock.holder !== actor) return;
    belief.askedMs = this.#nowMs();
    belief.endsMs = Math.min(belief.endsMs, belief.askedMs + (ttlMs ?? belief.lock.ttlMs));
  }

  /** Somebody of its holder's name gave it back, whether or not that has arrived. */
  isGivenBack({ lockId, holder }: ToldLock): boolean {
    return this.#givenBackBy.get(lockId) === holder || this.#forcedBy.has(lockId);
  }

  /** It was released, as this party asked. */
  released({ party, actor }: Asker, lockId: string): void {
    const holder = this.#beliefOf(lockId)?.lock.holder ?? actor;
    if (holder !== actor) this.#violate("S4 LOCK-13", `${party} released lock ${lockId} of ${holder}`);
    this.isOver(lockId);
  }

  /** Its holder, or a sibling, sends that it gives it back. */
  givesBack(lockId: string, actor: string): void {
    this.line.giveUp(lockId);
    this.#givenBackBy.set(lockId, actor);
    const belief = this.#beliefOf(lockId);
    if (belief?.lock.holder === actor) belief.isOver = true;
  }

  /** Somebody asks to release it by force, and may or may not. */
  forces({ lockId, fencingToken }: ToldLock, actor: string): void {
    this.#forcedBy.set(lockId, (this.#forcedBy.get(lockId) ?? new Set()).add(actor));
    const belief = this.#beliefs.get(fencingToken);
    if (belief !== undefined) belief.isOver = true;
  }

  isForcedBy(lockId: string, actor: string): boolean {
    return this.#forcedBy.get(lockId)?.has(actor) === true;
  }

  /**
   * The server tells that it is over, and durably so: nobody may believe in it at that moment. `seq` is where it ended: what
   * was granted under its name after that is another lock.
   */
  isOver(lockId: string, seq = Infinity): void {
    const token = this.#tokenOf.get(lockId);
    if (token === undefined || token > seq || this.#overSinceMs.has(token)) return;
    this.#scene.note(`${nameOf(lockId)}, token ${token}, is told to be over`);
    this.#overSinceMs.set(token, this.#nowMs());
    const belief = this.#beliefs.get(token);
    if (belief === undefined) return;
    if (this.#isHeld(belief))
      this.#violate("S4 LOCK-6", `lock ${lockId} of ${belief.lock.holder} ended ${this.#leftOf(belief)} ms too early`);
    belief.isOver = true;
  }

  /** The server tells that it was granted: its token is the entry's seq. */
  isGranted(lockId: string, seq: number): void {
    this.#tokenOf.set(lockId, seq);
  }

  /** A change that was sent at `sentMs` under these tokens is answered as done, and not because it had been before. */
  wrote({ party, tokens, sentMs }: Shown): void {
    const stale = tokens.find((token) => (this.#overSinceMs.get(token) ?? Infinity) < sentMs);
    if (stale !== undefined)
      this.#violate("S4 LOCK-4", `${party} wrote under token ${stale}, which it knew to be over`);
  }

  /** Something was refused for a lock's sake. */
  refused(code: string, details: ErrorDetails, { party, actor, tokens, sentMs }: Shown): void {
    const { lockId, fencingToken } = details;
    if (SAID.has(code)) this.#scene.note(`${party} is refused: ${code} ${nameOf(lockId ?? fencingToken)}`);
    if (code === "FENCE_STALE") this.#checkStale(Number(fencingToken), party, actor);
    if (code !== "LOCKED" || typeof lockId !== "string") return;
    this.named.push({ lockId, why: `a refusal of ${party}` });
    const token = this.#tokenOf.get(lockId);
    if (token === undefined) return;
    if ((this.#overSinceMs.get(token) ?? Infinity) < sentMs)
      this.#violate("S4 LOCK-6", `${party} was refused for lock ${lockId}, which was known to be over`);
    if (details["mode"] === "exclusive" && details["holder"] === actor && tokens.includes(token))
      this.#violate("S4 LOCK-2", `${party} was refused for its own lock ${lockId}`);
  }

  /** Its holder is told that there is no such lock. */
  missed({ party, actor }: Asker, lockId: string): void {
    const belief = this.#beliefOf(lockId);
    if (belief?.lock.holder === actor && this.#isHeld(belief))
      this.#violate("S4 LOCK-6", `${party} was told that lock ${lockId} is gone, ${this.#leftOf(belief)} ms too early`);
  }

  #checkStale(token: number, party: string, actor: string): void {
    const belief = this.#beliefs.get(token);
    if (belief !== undefined && belief.lock.holder === actor && this.#isHeld(belief))
      this.#violate("S4 LOCK-6", `${party} was told that token ${token} is over, ${this.#leftOf(belief)} ms too early`);
  }

  #nowMs(): number {
    return this.#scene.nowMs();
  }

  #leftOf({ endsMs }: Belief): number {
    return endsMs - this.#nowMs();
  }

  #isHeld({ endsMs, isOver, isUnheard }: Belief): boolean {
    return !isOver && !isUnheard && endsMs > this.#nowMs();
  }

  #beliefOf(lockId: string): Belief | undefined {
    return this.#beliefs.get(this.#tokenOf.get(lockId) ?? -1);
  }

  #checkGrows({ fencingToken, lockId }: ToldLock, sentMs: number): void {
    for (const [token, { toldMs, lock }] of this.#beliefs) {
      if (toldMs < (this.#askedMs.get(lockId) ?? sentMs) && token >= fencingToken)
        this.#violate("S4 LOCK-4", `lock ${lockId} has token ${fencingToken}, after ${token} of ${lock.lockId}`);
    }
  }

  #checkAlone(belief: Belief): void {
    const { lockId, paths, mode, holder } = belief.lock;
    for (const other of this.#beliefs.values()) {
      if (other === belief || !this.#isHeld(other)) continue;
      const { lock } = other;
      if ((mode === "shared" && lock.mode === "shared") || !meets(paths, lock.paths)) continue;
      this.#violate(
        "S4 LOCK-1",
        `${holder} holds ${lockId} on ${paths.join()}, and ${lock.holder} ${lock.lockId} on ${lock.paths.join()}`,
      );
    }
  }
}

/** Refusals that locks are the reason of. */
const SAID: ReadonlySet<string> = new Set(["LOCKED", "FENCE_STALE", "LOCK_NOT_FOUND", "CLOSED"]);

function nameOf(lock: unknown): string {
  return `lock ${String(lock).slice(0, 8)}`;
}

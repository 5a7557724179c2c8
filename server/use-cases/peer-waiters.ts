/**
 * Who waits for locks at the other servers of the data: each says who waits at it, and hears of the others.
 *
 * Invariants (NODE):
 *  1. It is lossy: what each server says is all of its waiters of a context, and says so again once a while. Of a server that
 *     is not heard of any more nobody waits.
 *  2. All servers put the same waiters into the same order.
 *  3. At most so often, and then the newest: of those who wait here the first of each context.
 *  4. Nothing but order rests on it: who gets a lock is decided in the log.
 *
 * Not here: whose turn it is (lock-waiting.ts), the way to the others (server/storage/peers.ts).
 */
import { z } from "zod";
import { parseActor, parseContextId } from "../../shared/ids.ts";
import type { ContextId } from "../../shared/ids.ts";
import type { Json } from "../../shared/json.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { LockWaiter } from "../../shared/lock.ts";
import type { Clock } from "../clock.ts";
import type { Peers } from "../storage/peers.ts";

/** What somebody asked for. */
export type Asked = Omit<LockWaiter, "position">;

/** Somebody who asked, and the place among all who ask: since when, at which server, as which of those there. */
export interface PlacedAsk {
  readonly asked: Asked;
  readonly node: string;
  readonly count: number;
}

/** A word of so few costs next to nothing. */
const FEW = 8;

/** Servers of other releases may say more. */
const messageSchema = z.object({
  contextId: z.string().transform(parseContextId),
  node: z.string(),
  waiting: z.array(
    z.object({
      count: z.int(),
      asked: z.object({
        lockId: z.string(),
        paths: z.array(z.string()),
        mode: z.enum(["exclusive", "shared"]),
        actor: z.string().transform(parseActor),
        sessionId: z.string().exactOptional(),
        purpose: z.string().exactOptional(),
        sinceMs: z.number(),
        untilMs: z.number(),
      }),
    }),
  ),
});

/** What another server said last of a context. */
interface Heard {
  readonly waiting: readonly PlacedAsk[];
  readonly atMs: number;
}

interface PeerWaitersOptions {
  readonly peers: Pick<Peers, "say" | "hear" | "onGap">;
  readonly clock: Clock;
  /** Others wait at other servers than before. */
  readonly changed: (id: ContextId) => void;
}

export class PeerWaiters {
  /** This server, for as long as it runs. */
  readonly node: string;
  readonly #options: PeerWaitersOptions;
  readonly #ours = new Map<ContextId, readonly PlacedAsk[]>();
  readonly #theirs = new Map<ContextId, Map<string, Heard>>();
  /** What is to be said anew. */
  readonly #due = new Set<ContextId>();
  #cancelSaying: (() => void) | undefined;
  #cancelTimer: (() => void) | undefined;

  constructor(options: PeerWaitersOptions) {
    this.#options = options;
    this.node = options.clock.newId();
    options.peers.hear("waiters", (message) => this.#heard(message));
    options.peers.onGap(() => this.#sayAll());
  }

  stop(): void {
    this.#cancelTimer?.();
    this.#cancelSaying?.();
  }

  /** Those who wait here now, in order. */
  tell(id: ContextId, waiting: readonly PlacedAsk[]): void {
    if (waiting.length > 0) this.#ours.set(id, waiting.slice(0, LIMITS.lockWaitersToldMax));
    else if (!this.#ours.delete(id)) return;
    this.#due.add(id);
    if (this.#cancelSaying === undefined || waiting.length <= FEW) this.#sayDue();
    this.#wind();
  }

  /** Those who wait elsewhere. */
  of(id: ContextId): readonly PlacedAsk[] {
    return [...(this.#theirs.get(id)?.values() ?? [])].flatMap(({ waiting }) => waiting);
  }

  #sayAll(): void {
    for (const id of this.#ours.keys()) this.#say(id);
  }

  #sayDue(): void {
    this.#cancelSaying?.();
    for (const id of this.#due) this.#say(id);
    this.#due.clear();
    this.#cancelSaying = this.#options.clock.setTimer(LIMITS.lockWaitersPeersMs, () => {
      this.#cancelSaying = undefined;
      if (this.#due.size > 0) this.#sayDue();
    });
  }

  #say(contextId: ContextId): void {
    const waiting = this.#ours.get(contextId) ?? [];
    const told = waiting.map(({ asked, count }): Json => ({ count, asked: { ...asked, paths: [...asked.paths] } }));
    this.#options.peers.say("waiters", { contextId, node: this.node, waiting: told });
  }

  #heard(message: Json): void {
    const said = understood(message);
    if (said === undefined) return;
    const { contextId, node } = said;
    const heard = this.#theirs.get(contextId) ?? new Map<string, Heard>();
    const waiting = said.waiting.map((one) => ({ ...one, node }));
    if (waiting.length > 0) heard.set(node, { waiting, atMs: this.#options.clock.monotonicMs() });
    else heard.delete(node);
    this.#keep(contextId, heard);
    this.#options.changed(contextId);
    this.#wind();
  }

  #keep(id: ContextId, heard: Map<string, Heard>): void {
    if (heard.size > 0) this.#theirs.set(id, heard);
    else this.#theirs.delete(id);
  }

  #wind(): void {
    if (this.#cancelTimer !== undefined || this.#ours.size + this.#theirs.size === 0) return;
    this.#cancelTimer = this.#options.clock.setTimer(LIMITS.lockWaitersEveryMs, () => {
      this.#cancelTimer = undefined;
      this.#sayAll();
      this.#forgetSilent();
      this.#wind();
    });
  }

  #forgetSilent(): void {
    const notBeforeMs = this.#options.clock.monotonicMs() - LIMITS.lockWaitersTtlMs;
    for (const [id, heard] of this.#theirs) {
      const silent = [...heard].filter(([, { atMs }]) => atMs < notBeforeMs);
      for (const [node] of silent) heard.delete(node);
      this.#keep(id, heard);
      if (silent.length > 0) this.#options.changed(id);
    }
  }
}

/** What a server of another release means by something else is passed over. */
function understood(message: Json): z.output<typeof messageSchema> | undefined {
  try {
    return messageSchema.parse(message);
  } catch {
    return undefined;
  }
}

/**
 * Presence across the servers of one data: what sessions here say of themselves is said to the others, and heard of theirs.
 *
 * Invariants (NODE):
 *  1. Each server speaks for its own sessions only. Whoever hears nothing of a line for presenceTtlMs lets it go, so what a
 *     server that died said last goes by itself.
 *  2. A server whose first session of a context begins asks the others who is there.
 *  3. At most so often, and then of each line only the newest: a word that is lost costs a renewal.
 *
 * Not here: the table (presence.ts), the way to the others (server/storage/peers.ts).
 */
import { z } from "zod";
import { parseContextId } from "../../shared/ids.ts";
import type { ContextId } from "../../shared/ids.ts";
import type { Json } from "../../shared/json.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { AwarenessEntry } from "../../shared/protocol/frames.ts";
import type { Clock } from "../clock.ts";
import type { Peers } from "../storage/peers.ts";
import type { Presence } from "./presence.ts";

/** Servers of other releases may say more. */
const messageSchema = z.object({
  contextId: z.string().transform(parseContextId),
  /** Id, clock and state of each. */
  lines: z.array(z.tuple([z.int(), z.int(), z.string()])).exactOptional(),
  /** Who is there? */
  asks: z.boolean().exactOptional(),
});

interface PeerPresenceOptions {
  readonly peers: Pick<Peers, "say" | "hear" | "onGap">;
  readonly clock: Clock;
  readonly presences: () => Iterable<readonly [ContextId, Presence]>;
  readonly presenceOf: (id: ContextId) => Presence | undefined;
  readonly changed: (id: ContextId) => void;
}

export class PeerPresence {
  readonly #options: PeerPresenceOptions;
  /** What is to be said, by context and Yjs client id. */
  readonly #due = new Map<ContextId, Map<number, AwarenessEntry>>();
  #cancelTimer: (() => void) | undefined;

  constructor(options: PeerPresenceOptions) {
    this.#options = options;
    const { peers, presences } = options;
    peers.hear("presence", (message) => this.#heard(message));
    peers.onGap(() => {
      for (const [id, presence] of presences()) {
        this.ask(id);
        this.tell(id, presence.ours());
      }
    });
  }

  stop(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#due.clear();
  }

  ask(contextId: ContextId): void {
    this.#options.peers.say("presence", { contextId, asks: true });
  }

  /** The first at once, what follows soon after it together. */
  tell(id: ContextId, entries: readonly AwarenessEntry[]): void {
    if (entries.length === 0) return;
    const due = this.#due.get(id) ?? new Map<number, AwarenessEntry>();
    this.#due.set(id, due);
    for (const entry of entries) due.set(entry.yjsClientId, entry);
    if (this.#cancelTimer === undefined) this.#send();
  }

  #send(): void {
    for (const [contextId, due] of this.#due) {
      const lines = Array.from(due.values(), ({ yjsClientId, clock, state }): Json => [yjsClientId, clock, state]);
      this.#options.peers.say("presence", { contextId, lines });
    }
    this.#due.clear();
    this.#cancelTimer = this.#options.clock.setTimer(LIMITS.presencePeersMs, () => {
      this.#cancelTimer = undefined;
      if (this.#due.size > 0) this.#send();
    });
  }

  #heard(message: Json): void {
    const said = understood(message);
    const presence = said && this.#options.presenceOf(said.contextId);
    if (said === undefined || presence === undefined) return;
    const { contextId, lines = [], asks = false } = said;
    if (asks) this.tell(contextId, presence.ours());
    presence.hearPeer(
      lines.map(([yjsClientId, clock, state]) => ({ yjsClientId, clock, state })),
      this.#options.clock.monotonicMs(),
    );
    if (presence.hasChanges) this.#options.changed(contextId);
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

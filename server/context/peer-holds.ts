/**
 * While one server recreates the document of a context that others write too, they let their writes of it wait.
 *
 * Invariants (NODE):
 *  1. It is lossy, and nothing rests on it but the chance to get through: whoever did not hear of it writes on.
 *  2. A hold ends when it is given back, with the document, or by itself when it was not renewed: whoever died holds nobody.
 *
 * Not here: recreating (recreation.ts).
 */
import { parseContextId } from "../../shared/ids.ts";
import type { ContextId } from "../../shared/ids.ts";
import { isJsonObject } from "../../shared/json.ts";
import type { Json } from "../../shared/json.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { Clock } from "../clock.ts";
import type { LiveContext, StateManager } from "../state/state-manager.ts";
import type { Peers } from "../storage/peers.ts";
import type { PendingWrite } from "./write-path.ts";

type Live = LiveContext<PendingWrite>;

interface PeerHoldsOptions {
  readonly clock: Clock;
  readonly state: Pick<StateManager<PendingWrite>, "get" | "pause" | "resume">;
  readonly peers?: Pick<Peers, "say" | "hear"> | undefined;
}

export class PeerHolds {
  readonly #options: PeerHoldsOptions;
  /** What others hold here, and how to cancel its end. */
  readonly #held = new Map<Live, () => void>();

  constructor(options: PeerHoldsOptions) {
    this.#options = options;
    options.peers?.hear("holds", (message) => this.#heard(message));
  }

  /** Asks the others to let their writes wait until the returned function is called. */
  hold(contextId: ContextId): () => void {
    const { clock, peers } = this.#options;
    let cancelTimer = (): void => undefined;
    const say = (): void => {
      peers?.say("holds", { contextId, isHeld: true });
      cancelTimer = clock.setTimer(LIMITS.peerHoldMs / 2, say);
    };
    say();
    return () => {
      cancelTimer();
      peers?.say("holds", { contextId, isHeld: false });
    };
  }

  #heard(message: Json): void {
    const said = understood(message);
    const live = said && this.#options.state.get(said.contextId);
    if (said === undefined || live === undefined) return;
    const { clock, state } = this.#options;
    const cancelTimer = this.#held.get(live);
    cancelTimer?.();
    if (!said.isHeld) return cancelTimer && this.#end(live);
    if (cancelTimer === undefined) state.pause(live);
    this.#held.set(
      live,
      clock.setTimer(LIMITS.peerHoldMs, () => this.#end(live)),
    );
  }

  #end(live: Live): void {
    this.#held.delete(live);
    this.#options.state.resume(live);
  }
}

/** What a server of another release means by something else is passed over. */
function understood(message: Json): { readonly contextId: ContextId; readonly isHeld: boolean } | undefined {
  if (!isJsonObject(message)) return undefined;
  const { contextId, isHeld } = message;
  if (typeof contextId !== "string" || typeof isHeld !== "boolean") return undefined;
  try {
    return { contextId: parseContextId(contextId), isHeld };
  } catch {
    return undefined;
  }
}

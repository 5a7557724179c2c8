/**
 * Who else is here, and what we tell them of us: y-protocols' awareness with a smaller face.
 *
 * Invariants:
 *  1. Nothing is told before `set`; `set(null)` and closing tell the others that we left.
 *  2. What was set stays set when the document is replaced.
 *
 * Presence is not stored, has no version, and is gone 30 s after its client. Not here: cursors in editors, which take
 * `context.awareness`.
 */
import type { Awareness } from "y-protocols/awareness";
import type { JsonObject } from "../shared/json.ts";
import { callSafely } from "./emitter.ts";
import type { Unsubscribe } from "./emitter.ts";

/** The others by their Yjs client id: one entry for each open replica, not for each actor. */
export type Others = ReadonlyMap<number, JsonObject>;

export class Presence {
  #awareness: Awareness;
  #state: JsonObject | null = null;
  readonly #listeners = new Set<(others: Others) => void>();

  constructor(awareness: Awareness) {
    this.#awareness = awareness;
    this.#follow();
  }

  /** Replaces what the others see of us; null to leave. At most LIMITS.presenceBytesMax bytes as JSON. */
  set(state: JsonObject | null): void {
    this.#state = state;
    this.#awareness.setLocalState(state === null ? null : { ...state });
  }

  get(): Others {
    const others = new Map<number, JsonObject>();
    for (const [id, state] of this.#awareness.getStates()) if (id !== this.#awareness.clientID) others.set(id, state);
    return others;
  }

  /** Calls `listener` with all others whenever one comes, goes, or changes. */
  subscribe(listener: (others: Others) => void): Unsubscribe {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** The document was replaced, and with it our Yjs client id. */
  reset(awareness: Awareness): void {
    this.#awareness = awareness;
    this.#follow();
    if (this.#state !== null) this.set(this.#state);
  }

  #follow(): void {
    const own = this.#awareness.clientID;
    this.#awareness.on(
      "change",
      ({ added, updated, removed }: Record<"added" | "updated" | "removed", readonly number[]>) => {
        if (![...added, ...updated, ...removed].some((id) => id !== own)) return;
        for (const listener of [...this.#listeners]) callSafely(() => listener(this.get()));
      },
    );
  }
}

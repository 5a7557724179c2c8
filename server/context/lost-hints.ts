/**
 * Counts hints that were lost: news of other servers that was found by looking, and of which nobody told.
 *
 * Invariant: a hint that comes until the next look, or came since the one before, is none that was lost.
 *
 * Not here: looking, and what is done with a hint (follower.ts).
 */
import type { ContextId } from "../../shared/ids.ts";

type Positions = Map<ContextId, number>;

export class LostHints {
  /** At the look before. */
  #found: Positions = new Map();
  /** Since the look before, and since the one before that: what was heard may be being read still. */
  #heard: Positions = new Map();
  #heardBefore: Positions = new Map();

  heard(id: ContextId, seq: number): void {
    this.#heard.set(id, Math.max(seq, this.#heard.get(id) ?? 0));
  }

  /** What the next look found: how many hints of what the look before found were lost. */
  look(found: ReadonlyMap<ContextId, number>): number {
    let lost = 0;
    for (const [id, seq] of this.#found) if (!this.#isHeard(id, seq)) lost++;
    this.#found = new Map([...found].filter(([id, seq]) => !this.#isHeard(id, seq)));
    this.#heardBefore = this.#heard;
    this.#heard = new Map();
    return lost;
  }

  #isHeard(id: ContextId, seq: number): boolean {
    return [this.#heard, this.#heardBefore].some((heard) => (heard.get(id) ?? 0) >= seq);
  }
}

/**
 * How much one actor may have under way at /mcp.
 *
 * Invariants (MCP-11):
 *  1. What was entered is left exactly once; an actor with nothing under way takes no memory.
 */
import { ServiceError } from "../../../../shared/errors.ts";

export class ActorLimits {
  readonly #max: number;
  readonly #what: string;
  readonly #counts = new Map<string, number>();

  /** `what` names the things counted, for the refusal. */
  constructor(max: number, what: string) {
    this.#max = max;
    this.#what = what;
  }

  /** The returned function says that it is over. @throws {ServiceError} RATE_LIMITED */
  enter(actor: string): () => void {
    const count = this.#counts.get(actor) ?? 0;
    if (count >= this.#max) {
      throw new ServiceError(
        "RATE_LIMITED",
        `You have ${this.#max} ${this.#what} at once, which is the limit. End some, or try again later.`,
        { details: { limit: this.#max } },
      );
    }
    this.#counts.set(actor, count + 1);
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      const left = (this.#counts.get(actor) ?? 1) - 1;
      if (left === 0) this.#counts.delete(actor);
      else this.#counts.set(actor, left);
    };
  }

  countOf(actor: string): number {
    return this.#counts.get(actor) ?? 0;
  }
}

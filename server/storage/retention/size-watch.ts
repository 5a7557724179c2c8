/**
 * Which contexts come close to the bound of what one may take on disk; each is told once until it is smaller again.
 *
 * Not here: refusing writes at the bound (state/size-guard.ts), dropping history (retention-scheduler.ts).
 */
import type { ContextId } from "../../../shared/ids.ts";
import type { LogSize } from "../change-log.ts";

export class SizeWatch {
  readonly #warnBytes: number;
  readonly #large = new Set<ContextId>();

  constructor(warnBytes: number) {
    this.#warnBytes = warnBytes;
  }

  /** True when it is to be told now. */
  isNewlyLarge(contextId: ContextId, { bytes }: LogSize): boolean {
    const wasLarge = this.#large.has(contextId);
    const isLarge = bytes > this.#warnBytes;
    if (isLarge !== wasLarge) this.#set(contextId, isLarge);
    return isLarge && !wasLarge;
  }

  /** The context was deleted. */
  forget(contextId: ContextId): void {
    this.#large.delete(contextId);
  }

  #set(contextId: ContextId, isLarge: boolean): void {
    if (isLarge) this.#large.add(contextId);
    else this.#large.delete(contextId);
  }
}

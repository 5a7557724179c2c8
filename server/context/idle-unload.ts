/** Contexts that nobody uses leave the memory after a while. */
import { LIMITS } from "../../shared/limits.ts";
import type { Clock } from "../clock.ts";

export class IdleUnload {
  readonly #clock: Clock;
  readonly #state: { unloadIdle(): void };
  #cancel: (() => void) | undefined;

  constructor(clock: Clock, state: { unloadIdle(): void }) {
    this.#clock = clock;
    this.#state = state;
  }

  start(): void {
    this.#cancel = this.#clock.setTimer(LIMITS.idleUnloadMs / 4, () => {
      this.#state.unloadIdle();
      this.start();
    });
  }

  stop(): void {
    this.#cancel?.();
  }
}

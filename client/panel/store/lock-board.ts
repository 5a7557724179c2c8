/**
 * The locks of an open context: who holds what, why, for how long, and who waits; and their release.
 *
 * Invariant (PANEL): it is asked for when the server tells of a lock, and now and then, as renewals are not told.
 */
import type { LockInfo } from "../../locks.ts";
import type { Stop } from "./machine.ts";
import type { OpenContext } from "./open-context.ts";
import { Poll } from "./poll.ts";

const EVERY_MS = 4000;

export class LockBoard {
  readonly #opened: OpenContext;
  readonly #poll: Poll<readonly LockInfo[]>;

  constructor(opened: OpenContext) {
    this.#opened = opened;
    this.#poll = new Poll(opened.machine, EVERY_MS, () => opened.context.locks());
  }

  get locks(): Poll<readonly LockInfo[]>["value"] {
    return this.#poll.value;
  }

  get problem(): Poll<readonly LockInfo[]>["problem"] {
    return this.#poll.problem;
  }

  /** Ends with what it returns. */
  start(): Stop {
    const unsubscribe = this.#opened.happenings.on("lock", () => this.#poll.again());
    const stop = this.#poll.start();
    return () => {
      unsubscribe();
      stop();
    };
  }

  /** One's own, or as an admin anybody's, who is told. */
  async release({ lockId, holder, paths }: LockInfo): Promise<void> {
    const { context, link, notices } = this.#opened;
    await notices.tried(async () => {
      await context.unlock(lockId, { force: holder !== link.actor });
      notices.done(`Released ${holder}'s lock on ${paths.join(", ")}`);
    });
    this.#poll.again();
  }
}

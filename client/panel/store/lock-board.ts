/**
 * The locks of an open context: who holds what, why, for how long, and who waits; and their release.
 *
 * Invariant (PANEL): it is asked for when the server tells of a lock or of who waits, and now and then, as renewals are not told.
 */
import { computed } from "@preact/signals-core";
import type { LockList } from "../../../shared/protocol/rest-locks.ts";
import { lockOf, lockWaiterOf } from "../../from-wire.ts";
import type { LockInfo, LockWaiter } from "../../locks.ts";
import type { Stop } from "./machine.ts";
import type { OpenContext } from "./open-context.ts";
import { Poll } from "./poll.ts";

const EVERY_MS = 4000;

interface Board {
  readonly locks: readonly LockInfo[];
  /** In the order in which they asked. */
  readonly waiting: readonly LockWaiter[];
}

export class LockBoard {
  readonly #opened: OpenContext;
  readonly #poll: Poll<Board>;

  constructor(opened: OpenContext) {
    this.#opened = opened;
    this.#poll = new Poll(opened.machine, EVERY_MS, () => this.#look());
  }

  readonly locks = computed(() => this.#poll.value.value?.locks);

  readonly waiting = computed(() => this.#poll.value.value?.waiting);

  get problem(): Poll<Board>["problem"] {
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

  async #look(): Promise<Board> {
    const { id, link } = this.#opened;
    const { locks, waiting } = await link.call<LockList>("GET", ["contexts", id, "locks"]);
    return { locks: locks.map(lockOf), waiting: waiting.map(lockWaiterOf) };
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

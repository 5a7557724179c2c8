/**
 * What everybody has who takes part in a trial: the server and its context, the journal, chance, and the news of its death.
 */
import { setImmediate, setTimeout } from "node:timers/promises";
import type { Random } from "../sim/random.ts";
import type { Journal } from "./crash-journal.ts";

export interface Stage {
  readonly url: string;
  readonly contextId: string;
  readonly journal: Journal;
  readonly random: Random;
  /** Aborted when the server has been killed, or another node of it. */
  readonly dead: AbortSignal;
  /** The node at this address lives on. */
  readonly survives: boolean;
  /** This one is connected; resolves when it may begin: as a rule when all are, for who comes early drowns who comes late. */
  readonly entered: () => Promise<void>;
}

export type Participant = (stage: Stage, name: string) => Promise<void>;

/** The kill and its news do not come in one step: an error counts as the dead server's if that one is dead by then. */
export function ignoreIfDead(dead: AbortSignal, error: unknown): void {
  if (!dead.aborted) throw error;
}

/** Waits for the promise, but no longer than the server lives: what it leaves unanswered never settles. */
export async function untilDead({ dead }: Pick<Stage, "dead">, promise: Promise<unknown>): Promise<void> {
  promise.catch(() => {}); // it may fail after we stopped waiting
  await Promise.race([
    promise,
    until(
      () => dead.aborted,
      (check) => dead.addEventListener("abort", check, { once: true }),
    ),
  ]);
}

/** Waits for an answer: no longer than the server lives. One that lives on gives it, and nothing is under way there then. */
export async function answered(stage: Pick<Stage, "dead" | "survives">, promise: Promise<unknown>): Promise<void> {
  if (stage.survives) await promise;
  else await untilDead(stage, promise);
}

export function until(isMet: () => boolean, listen: (check: () => void) => void): Promise<void> {
  return new Promise((resolve) => {
    const check = (): void => {
      if (isMet()) resolve();
    };
    listen(check);
    check();
  });
}

/** The rhythm of typing, sped up: mostly one edit after the other, now and then a breath. */
export async function pause(random: Random): Promise<void> {
  await (random.percent(80) ? setImmediate() : setTimeout(random.between(1, 3)));
}

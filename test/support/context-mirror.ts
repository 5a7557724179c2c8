/**
 * One context as a receiver of deliveries knows it: it drops doubles and says what does not fit.
 *
 * 1. Each life of the context goes from its creation to its end, every version is told once, in order, or named as a gap.
 * 2. What was taken when the server died, the server does not know: when that is thinned or deleted before it is tried again,
 *    it is told of once more, and only then.
 * 3. A version in a dead letter counts as told: the delivery was tried at its place.
 */
import type { DeliveryBody } from "../../shared/protocol/rest-webhooks.ts";
import type { DeliveryGap } from "../../shared/webhook.ts";

export interface MirrorLife {
  /** All versions up to it were told, or named. */
  told: number;
  readonly gaps: DeliveryGap[];
}

export class ContextMirror {
  readonly lives: MirrorLife[] = [];
  readonly faults: string[] = [];
  isOver = true;
  readonly #seen = new Set<string>();
  /** Where the last delivery began, and whether it told of a creation. */
  #last = { after: 0, isCreation: false };

  take(delivery: DeliveryBody): void {
    const { deliveryId, created = false, deleted = false, version, gaps = [], changes } = delivery;
    if (this.#seen.has(deliveryId)) return;
    this.#seen.add(deliveryId);
    const isInstead = !this.isOver && (deleted || gaps.some(({ reason }) => reason === "thinned"));
    this.#checkCreation(delivery, isInstead);
    const life = this.#lifeOf(gaps, isInstead);
    this.#last = { after: life.told, isCreation: created };
    for (const gap of gaps) this.#skip(life, gap, delivery);
    for (const change of changes) {
      life.told += 1;
      if (change.version !== life.told) this.#blame(delivery, `version ${change.version} instead of ${life.told}`);
    }
    if (version !== life.told) this.#blame(delivery, `up to ${version} instead of ${life.told}`);
    this.isOver = deleted;
  }

  #checkCreation(delivery: DeliveryBody, isInstead: boolean): void {
    const isTold = delivery.created === true;
    const isRepeated = isInstead && isTold && this.#last.isCreation;
    if (isTold !== this.isOver && !isRepeated) this.#blame(delivery, "a creation too many, or too few");
  }

  #lifeOf(gaps: readonly DeliveryGap[], isInstead: boolean): MirrorLife {
    const present = this.lives.at(-1);
    if (present === undefined || this.isOver) {
      const next = { told: 0, gaps: [] };
      this.lives.push(next);
      return next;
    }
    const lost = gaps.findLast(({ reason }) => reason !== "dead-letter");
    if (isInstead && lost !== undefined && lost.from <= present.told) present.told = this.#last.after;
    return present;
  }

  #skip(life: MirrorLife, gap: DeliveryGap, delivery: DeliveryBody): void {
    const { from, to, reason } = gap;
    life.gaps.push(gap);
    const isRight = reason === "dead-letter" ? to <= life.told : from === life.told + 1;
    if (!isRight) this.#blame(delivery, `a gap from ${from} to ${to} after ${life.told}`);
    if (reason === "deleted" && delivery.deleted !== true) this.#blame(delivery, "lost with a context that is there");
    life.told = Math.max(life.told, to);
  }

  #blame({ contextId, deliveryId }: DeliveryBody, what: string): void {
    const lives = this.lives.map(({ told }) => told).join();
    this.faults.push(`${contextId}: ${what} in ${deliveryId}, after ${lives}`);
  }
}

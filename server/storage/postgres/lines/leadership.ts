/**
 * Who of the nodes does what only one may do: whoever holds a lock of the database on its line.
 *
 * Invariants (those of the port, peers.ts), and
 *  1. A node that leads asks for its line once a while, and gives up leading before the engine gives the lock to another:
 *     an answer takes less time than the engine waits for the next question.
 *
 * Not here: the connection (notice-line.ts).
 */
import { LIMITS } from "../../../../shared/limits.ts";
import type { Clock } from "../../../clock.ts";
import type { Leader } from "../../peers.ts";
import { lockKeyOf } from "../lock-key.ts";
import type { Line } from "./notice-line.ts";

interface Candidate {
  readonly key: string;
  readonly leader: Leader;
  isLeading: boolean;
}

export class Leadership {
  readonly #line: Line;
  readonly #clock: Clock;
  readonly #candidates = new Set<Candidate>();
  #round: Promise<void> | undefined;
  #cancelTimer: (() => void) | undefined;

  constructor(line: Line, clock: Clock) {
    this.#line = line;
    this.#clock = clock;
    line.onJoined(() => this.#begin());
    line.onLost(() => this.#lost());
  }

  stand(name: string, leader: Leader): () => Promise<void> {
    const candidate: Candidate = { key: lockKeyOf(`lead ${name}`), leader, isLeading: false };
    this.#candidates.add(candidate);
    this.#begin();
    return async () => {
      this.#candidates.delete(candidate);
      await this.#round;
      if (!candidate.isLeading) return;
      candidate.isLeading = false;
      // a line that is lost has given it back
      await this.#line.ask(`SELECT pg_advisory_unlock(${candidate.key})`).catch(() => undefined);
    };
  }

  #begin(): void {
    this.#cancelTimer?.();
    if (!this.#line.isUp || this.#round !== undefined) return;
    this.#round = this.#ask()
      .catch(() => undefined)
      .finally(() => {
        this.#round = undefined;
        if (this.#line.isUp) this.#cancelTimer = this.#clock.setTimer(LIMITS.headsEveryMs, () => this.#begin());
      });
  }

  /** Also that the line is asked for something keeps it. */
  async #ask(): Promise<void> {
    if ([...this.#candidates].every(({ isLeading }) => isLeading)) await this.#line.ask("SELECT");
    for (const candidate of this.#candidates) {
      if (candidate.isLeading) continue;
      const answer = await this.#line.ask(`SELECT pg_try_advisory_lock(${candidate.key})::text AS "isOurs"`);
      if (!isYes(answer)) continue;
      candidate.isLeading = true;
      if (this.#candidates.has(candidate)) candidate.leader.gained();
    }
  }

  #lost(): void {
    this.#cancelTimer?.();
    for (const candidate of this.#candidates) {
      if (!candidate.isLeading) continue;
      candidate.isLeading = false;
      candidate.leader.lost();
    }
  }
}

function isYes(row: unknown): boolean {
  return typeof row === "object" && row !== null && "isOurs" in row && row.isOurs === "true";
}

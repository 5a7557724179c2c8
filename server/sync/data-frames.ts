/**
 * The data frames of one session: their numbers, how many wait for admission, on what they were made, and which of them
 * wait for the client's next step 2.
 *
 * Invariants (SESS):
 *  1. The n-th data frame has number n; frames are settled in that order.
 *  2. A frame that was left to a step 2 is not acknowledged before one that was asked for after it is settled.
 *
 * Not here: sending and reading (session.ts).
 */
import { LIMITS } from "../../shared/limits.ts";

/** What a session knows of an update beside its bytes. */
export interface UpdateSource {
  /** A step 2: all that the client has beyond what it was asked for, older edits too. */
  readonly isAnswer: boolean;
  /** The author's replica included this version when it made the update; undefined when the client did not say. */
  readonly baseVersion?: number;
}

export class DataFrames {
  #received = 0;
  #settled = 0;
  #unsettledBytes = 0;
  #baseVersion: number | undefined;
  /** The newest frame with a step 2, and whether the client still owes one. */
  #answerFrame = 0;
  #isAsked = false;
  /** The newest frame that was left to a step 2. */
  #leftFrame = 0;

  /** How many came. */
  get received(): number {
    return this.#received;
  }

  /** Counts a frame and returns its number. */
  arrived(bytes: number, isAnswer: boolean): number {
    this.#unsettledBytes += bytes;
    const frame = ++this.#received;
    if (isAnswer) {
      this.#answerFrame = frame;
      this.#isAsked = false;
    }
    return frame;
  }

  /** Later frames were made on a replica that includes `version`. */
  basedOn(version: number): void {
    this.#baseVersion = version;
  }

  source(isAnswer: boolean): UpdateSource {
    return { isAnswer, ...(this.#baseVersion === undefined ? {} : { baseVersion: this.#baseVersion }) };
  }

  /** Admitted or refused, and durable. */
  settled(frame: number, bytes: number): void {
    this.#settled = frame;
    this.#unsettledBytes -= bytes;
  }

  /** Whether an admitted frame, and all before it, may be acknowledged. */
  mayAck(isAnswer: boolean): boolean {
    if (isAnswer) this.#leftFrame = 0;
    return this.#leftFrame === 0;
  }

  asked(): void {
    this.#isAsked = true;
  }

  /** The frame is left to the client's next step 2. True when that must be asked for: none is due, or came after it. */
  leave(frame: number): boolean {
    this.#leftFrame = frame;
    return !this.#isAsked && this.#answerFrame < frame;
  }

  /** More wait than the limits allow. */
  get isFull(): boolean {
    return (
      this.#received - this.#settled >= LIMITS.inboundQueueMax || this.#unsettledBytes >= LIMITS.inboundQueueBytesMax
    );
  }

  /** Few enough wait for more to be read. */
  get hasRoom(): boolean {
    return (
      this.#received - this.#settled <= LIMITS.inboundQueueMax / 2 &&
      this.#unsettledBytes <= LIMITS.inboundQueueBytesMax / 2
    );
  }
}

/**
 * Looking on at one session: what it hears and says, told to those who follow it while they do.
 *
 * Invariants (TAP):
 *  1. The session is none the wiser: telling returns at once and never fails, and waits for nobody.
 *  2. A frame is read once for all who follow, and not at all when none of them has room for it.
 *  3. Of what comes while one has no room, only the number is kept; it is told where those frames are missing, once what
 *     was kept before has been taken.
 *  4. The last that is told is the end of the session.
 *
 * Not here: what is told of a frame (frame-facts.ts), who may follow (context/guarded-sessions.ts).
 */
import type { JsonObject } from "../../shared/json.ts";
import { LIMITS } from "../../shared/limits.ts";
import { FRAME, SYNC } from "../../shared/protocol/frames.ts";
import type { FrameDirection, SessionEnd, SessionFrame, TrafficEvent } from "../../shared/traffic.ts";
import type { Batch } from "./connection.ts";
import { factsOf } from "./frame-facts.ts";
import type { PlacesOf } from "./frame-facts.ts";

/** What one needs who looks on. */
export interface TapTools {
  /** Wall clock. */
  readonly nowMs: () => number;
  readonly placesOf: PlacesOf;
}

export class SessionTap {
  readonly #tools: TapTools;
  readonly #onLeft: () => void;
  readonly #followers = new Set<Follower>();
  /** Data frames that the session has heard so far: their numbers are what acks and rejections speak of. */
  #dataFrames: number;

  /** @param onLeft told when nobody follows any more */
  constructor(tools: TapTools, dataFrames: number, onLeft: () => void) {
    this.#tools = tools;
    this.#dataFrames = dataFrames;
    this.#onLeft = onLeft;
  }

  /** From the call on, until the session ends or `signal` aborts. */
  follow(signal: AbortSignal): AsyncGenerator<TrafficEvent> {
    const follower = new Follower();
    this.#followers.add(follower);
    const leave = (): void => {
      follower.leave();
      if (this.#followers.delete(follower) && this.#followers.size === 0) this.#onLeft();
    };
    if (signal.aborted) leave();
    else signal.addEventListener("abort", leave, { once: true });
    return follower.events();
  }

  heard(message: Uint8Array): void {
    if (isData(message)) this.#tell("in", message, { frame: ++this.#dataFrames });
    else this.#tell("in", message);
  }

  said({ messages }: Batch): void {
    for (const message of messages) this.#tell("out", message);
  }

  ended(end: Omit<SessionEnd, "atMs">): void {
    const whole = { atMs: this.#tools.nowMs(), ...end };
    for (const follower of this.#followers) follower.end(whole);
  }

  #tell(direction: FrameDirection, message: Uint8Array, known: JsonObject = {}): void {
    let frame: SessionFrame | undefined;
    for (const follower of this.#followers) {
      if (follower.hasRoom) follower.tell((frame ??= this.#frameOf(direction, message, known)));
      else follower.miss();
    }
  }

  #frameOf(direction: FrameDirection, message: Uint8Array, known: JsonObject): SessionFrame {
    const { nowMs, placesOf } = this.#tools;
    const { type, facts } = factsOf(message, placesOf);
    return { direction, atMs: nowMs(), type, bytes: message.byteLength, facts: { ...known, ...facts } };
  }
}

/** A step 2 or an edit: types and steps below 128 are one byte. */
function isData([type, step]: Uint8Array): boolean {
  return type === FRAME.sync && (step === SYNC.step2 || step === SYNC.update);
}

class Follower {
  readonly #frames: SessionFrame[] = [];
  #missed = 0;
  #end: SessionEnd | undefined;
  #hasLeft = false;
  #wake = (): void => undefined;

  get hasRoom(): boolean {
    return this.#missed === 0 && this.#frames.length < LIMITS.tapQueueMax;
  }

  tell(frame: SessionFrame): void {
    this.#frames.push(frame);
    this.#wake();
  }

  miss(): void {
    this.#missed++;
  }

  end(end: SessionEnd): void {
    this.#end = end;
    this.#wake();
  }

  leave(): void {
    this.#hasLeft = true;
    this.#frames.length = 0;
    this.#wake();
  }

  async *events(): AsyncGenerator<TrafficEvent> {
    while (!this.#hasLeft) {
      const event = this.#take();
      if (event === undefined) await new Promise<void>((resolve) => (this.#wake = resolve));
      else yield event;
      if (event?.kind === "ended") return;
    }
  }

  #take(): TrafficEvent | undefined {
    const frame = this.#frames.shift();
    if (frame !== undefined) return { kind: "frame", frame };
    if (this.#missed > 0) {
      const frames = this.#missed;
      this.#missed = 0;
      return { kind: "missed", frames };
    }
    return this.#end && { kind: "ended", end: this.#end };
  }
}

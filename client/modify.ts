/**
 * Compare-and-set: reads a value, has the next one worked out, and writes it if nobody changed it meanwhile; else again.
 *
 * Invariants:
 *  1. No lost update: what is written was worked out from the last value that anybody wrote there.
 *  2. Callers at separate paths never stand in each other's way.
 *  3. It ends, after `attempts` refusals with the last of them. In between it waits until the replica has what it was
 *     refused for, and a random time that grows, so that callers who collided spread out.
 *  4. A value that stays as it is is not written: blame keeps naming its author.
 */
import type { JsonOp } from "../shared/change.ts";
import { ServiceError } from "../shared/errors.ts";
import type { Json } from "../shared/json.ts";

/** The place where it happens. */
export interface Place {
  /** What is there now, of the caller's own, and a version that it is not older than. */
  read(): Promise<{ readonly version: number; readonly value: Json | undefined }>;
  /** @throws {ServiceError} VERSION_CONFLICT when it was changed after the version */
  write(op: JsonOp, ifVersion: number): Promise<{ readonly version: number }>;
  /** Resolves when `read` gives what this version holds. */
  reached(version: number): Promise<void>;
}

export interface Patience {
  readonly attempts: number | undefined;
  readonly signal: AbortSignal | undefined;
}

export interface Modified<Value> {
  /** A version that has it. */
  readonly version: number;
  readonly value: Value;
}

export type Compute = (value: Json | undefined) => unknown;

/** @throws {ServiceError} the refusal of the last attempt, at once any other; `signal`'s reason; what `compute` throws */
export async function modify(
  path: string,
  place: Place,
  compute: Compute,
  { attempts = ATTEMPTS, signal }: Patience,
): Promise<Modified<Json>> {
  for (let attempt = 1; ; attempt++) {
    signal?.throwIfAborted();
    const { version, value } = await place.read();
    const before = JSON.stringify(value);
    const next = await compute(value);
    if (!isValue(next))
      throw new TypeError("The function of modify returned no value. Return the next one, or the same.");
    if (JSON.stringify(next) === before) return { version, value: next };
    try {
      const written = await place.write({ op: value === undefined ? "add" : "replace", path, value: next }, version);
      return { version: written.version, value: next };
    } catch (error) {
      if (!isConflict(error) || attempt >= attempts) throw error;
      await place.reached(Number(error.details["currentVersion"] ?? 0));
      await pause(pauseMs(attempt, Math.random()), signal);
    }
  }
}

/** With the pauses some 25 s of others being quicker every time: callers that write without a rest can be so for long. */
const ATTEMPTS = 200;
const PAUSE_MS_FIRST = 4;
const PAUSE_MS_MAX = 250;

/** Before the attempt after this one. Doubles; anything from nothing to all of it. */
export function pauseMs(attempt: number, random: number): number {
  return random * Math.min(PAUSE_MS_MAX, PAUSE_MS_FIRST * 2 ** (attempt - 1));
}

function isConflict(error: unknown): error is ServiceError {
  return error instanceof ServiceError && error.code === "VERSION_CONFLICT";
}

function isValue(value: unknown): value is Json {
  return value !== undefined;
}

/** Ends with its time or, without a word, with the signal. */
function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener("abort", done);
  });
}

/**
 * Carries unsaved edits over from a document that was compacted away: what they did to its JSON is asked for again, as
 * changes of the new document.
 *
 * Invariants (SDK-31, SDK-32):
 *  1. Each edit is carried, found to be there already, or refused with the reason; none is forgotten.
 *  2. Nothing is written twice, and nothing that others wrote is undone: a change is worked out on the version that it names
 *     as `ifVersion`, and repeated under its key until it is answered.
 *  3. An edit that was sent before may be on the server, unacknowledged. It is carried only where the new document reads as
 *     before it; where it reads as after it, the edit is there.
 *
 * Edits go over together; when that cannot be, by halves, so that one which cannot go does not hold the others.
 *
 * Not here: what the old document read like (old-document.ts), connections (replica.ts).
 */
import { uuidv4 } from "lib0/random";
import type { JsonOp } from "../shared/change.ts";
import { ServiceError, toServiceError } from "../shared/errors.ts";
import { sameJson } from "../shared/json-equality.ts";
import { diffRoots } from "../shared/json-diff.ts";
import { isJsonObject } from "../shared/json.ts";
import type { Json, JsonObject } from "../shared/json.ts";
import { LIMITS } from "../shared/limits.ts";
import type { RootsJson } from "../shared/read-data.ts";
import { mergeJson } from "./merge-json.ts";
import type { OldDocument } from "./old-document.ts";

/** Parameters of a `change` request. */
export type ChangeParams = JsonObject & { readonly changes: readonly JsonOp[] };

/** Thrown by a target when there is nothing to be carried over to any more. */
export class RescueOver extends Error {}

/** The new document, as far as it is known here. All methods throw RescueOver when that is so. */
export interface RescueTarget {
  /** Its content and a version that this includes, once it is synced. */
  content(): Promise<{ readonly roots: RootsJson; readonly version: number }>;
  /** Waits until the content includes a version. */
  reached(version: number): Promise<void>;
  /** A `change` request. @throws {ServiceError} */
  change(params: ChangeParams): Promise<Json>;
  pause(ms: number): Promise<void>;
}

/** What became of the edits from one index to another. */
export interface RescueOutcome {
  carried(from: number, to: number): void;
  refused(index: number, error: ServiceError): void;
}

const RETRY_MS = 1000;
const RETRIES_MAX = 10;
/** How often a change is worked out anew because others changed the same places meanwhile. */
const PLANS_MAX = 10;

/** How a change is worked out: strictly when the edits may be on the server already. */
interface Part {
  readonly from: number;
  readonly to: number;
  readonly isStrict: boolean;
}

export class Rescue {
  readonly #old: OldDocument;
  readonly #target: RescueTarget;
  readonly #outcome: RescueOutcome;

  constructor(old: OldDocument, target: RescueTarget, outcome: RescueOutcome) {
    this.#old = old;
    this.#target = target;
    this.#outcome = outcome;
  }

  /**
   * @param sent how many of the edits, from the first, may have reached the server
   * @throws {RescueOver}
   */
  async run(sent: number): Promise<void> {
    const { confirmed, length } = this.#old;
    const unsure = Math.max(sent, confirmed);
    const known = await this.#knownEdits(unsure);
    this.#outcome.carried(0, confirmed);
    for (let index = confirmed; index < known; index++) {
      if (this.#old.isFormless(index, index + 1)) this.#outcome.refused(index, formless());
      else this.#outcome.carried(index, index + 1);
    }
    await this.#carry({ from: known, to: unsure, isStrict: true });
    await this.#carry({ from: unsure, to: length, isStrict: false });
  }

  /** How many edits the new document shows, of those that may have come to the server in order. */
  async #knownEdits(unsure: number): Promise<number> {
    const { confirmed } = this.#old;
    const { roots } = await this.#target.content();
    for (let count = unsure; count > confirmed; count--) {
      const merged = this.#merge({ from: confirmed, to: count, isStrict: true }, roots);
      if (merged !== undefined && isSame(merged, roots)) return count;
    }
    return confirmed;
  }

  async #carry(part: Part): Promise<void> {
    const { from, to, isStrict } = part;
    if (from >= to) return;
    const error = this.#old.isFormless(from, to) ? formless() : await this.#tryToCarry(part);
    if (error === undefined) return this.#outcome.carried(from, to);
    if (to - from === 1) return this.#outcome.refused(from, error);
    const middle = Math.floor((from + to) / 2);
    await this.#carry({ from, to: middle, isStrict });
    await this.#carry({ from: middle, to, isStrict });
  }

  /** Returns why it could not be done, if so. */
  async #tryToCarry(part: Part): Promise<ServiceError | undefined> {
    for (let plans = 0; plans < PLANS_MAX; plans++) {
      const { roots, version } = await this.#target.content();
      const merged = this.#merge(part, roots);
      if (merged === undefined) return contested();
      const changes = diffRoots(roots, merged);
      if (changes.length === 0) return isSame(merged, roots) ? undefined : formless();
      const error = await this.#ask(changes, version);
      if (error?.code !== "VERSION_CONFLICT") return error;
      const current = error.details["currentVersion"];
      if (typeof current === "number") await this.#target.reached(current);
    }
    return contested();
  }

  async #ask(changes: readonly JsonOp[], ifVersion: number): Promise<ServiceError | undefined> {
    const params = { changes: [...changes], ifVersion, message: MESSAGE, idempotencyKey: uuidv4() };
    if (changes.length > LIMITS.opsMax || tooLong(params)) return tooLarge();
    for (let tries = 1; ; tries++) {
      try {
        const result = await this.#target.change(params);
        const version = isJsonObject(result) ? result["version"] : undefined;
        if (typeof version === "number") await this.#target.reached(version);
        return undefined;
      } catch (error) {
        if (error instanceof RescueOver) throw error;
        const cause = toServiceError(error);
        if (cause.retry !== "later" || tries === RETRIES_MAX) return cause;
        await this.#target.pause(RETRY_MS);
      }
    }
  }

  #merge({ from, to, isStrict }: Part, theirs: RootsJson): RootsJson | undefined {
    const before = asJson(this.#old.after(from));
    const ours = asJson(this.#old.after(to));
    const merged = mergeJson({ before, ours, theirs: asJson(theirs) }, { isStrict });
    if (merged === undefined || !isJsonObject(merged)) return undefined;
    const { data, roots } = merged;
    return data !== undefined && roots !== undefined && isJsonObject(roots) ? { data, roots } : undefined;
  }
}

const MESSAGE = "Edits made before the context was compacted";

function asJson({ data, roots }: RootsJson): Json {
  return { data, roots };
}

function isSame(a: RootsJson, b: RootsJson): boolean {
  return sameJson(asJson(a), asJson(b), { left: LIMITS.diffStepsMax });
}

function tooLong(params: Json): boolean {
  // three bytes a character at most, and some for the frame
  const text = JSON.stringify(params);
  return text.length * 3 > LIMITS.frameBytesMax - 1024 && encodedBytes(text) > LIMITS.frameBytesMax - 1024;
}

const encodedBytes = (text: string): number => new TextEncoder().encode(text).byteLength;

function formless(): ServiceError {
  return epochChanged("does what JSON cannot say, such as formatting text");
}

function contested(): ServiceError {
  return epochChanged("changes what somebody else changed meanwhile, or may be in it already");
}

function tooLarge(): ServiceError {
  return new ServiceError("TOO_LARGE", "The context was compacted, and one edit is too large to be carried over.");
}

function epochChanged(why: string): ServiceError {
  return new ServiceError(
    "EPOCH_CHANGED",
    `The context was compacted, and this edit ${why}. Look at the context and make it again if it still makes sense.`,
  );
}

/**
 * What one change may put into a document: JSON from outside becomes drafts, and what is moved or copied is weighed.
 *
 * Invariants (JSON):
 *  1. At most `depthMax` objects, arrays and texts stand inside each other, the root included.
 *  2. All values that one change writes, copies included, weigh at most `contextBytesMax`: copies that double each
 *     other cannot fill the memory.
 *  3. Recursion is as deep as 1. allows, whatever comes in.
 *
 * Not here: what a single key, string or number must be like (json-checks.ts), the size of the resulting context.
 */
import { ServiceError } from "../../../shared/errors.ts";
import { isJsonObject } from "../../../shared/json.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { formatPath } from "../../../shared/path.ts";
import type { Steps } from "../../../shared/path.ts";
import { TEXT_KEY, checkKey, checkNumber, checkString, invalid } from "./json-checks.ts";
import { Foreign, ListDraft, ObjectDraft, TextDraft } from "./json-draft.ts";
import type { DraftValue } from "./json-draft.ts";

/** A value's weight beside its characters, roughly what it takes encoded; more for what becomes a Yjs type. */
const VALUE_BYTES = 8;
const TYPE_BYTES = 64;

/** How `{"$text": "…"}` is taken: as a text to make, or as the string that such a text reads as. */
export type TextReading = "make" | "read";

export class ValueIntake {
  readonly #texts: TextReading;
  #bytesLeft: number = LIMITS.contextBytesMax;
  /** Where the walk is: the steps from the root type. */
  #at: string[] = [];

  constructor(texts: TextReading = "make") {
    this.#texts = texts;
  }

  /**
   * A draft of JSON that is to stand at `at`.
   * @throws {ServiceError} INVALID_CHANGE with the place in `details.path`, TOO_LARGE
   */
  take(value: unknown, at: Steps): DraftValue {
    return this.#walk(at, () => this.#taken(value));
  }

  /**
   * Checks a draft of content that is in the document already and is to stand at `at` too.
   * @throws {ServiceError} INVALID_CHANGE, TOO_LARGE
   */
  weigh(value: DraftValue, at: Steps): void {
    this.#walk(at, () => this.#weighed(value));
  }

  #walk<Result>(at: Steps, walk: () => Result): Result {
    this.#at = [...at];
    try {
      return walk();
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      throw new ServiceError(error.code, error.message, { details: { ...error.details, path: formatPath(this.#at) } });
    }
  }

  #taken(value: unknown): DraftValue {
    this.#spend(VALUE_BYTES);
    if (value === null || typeof value === "boolean") return value;
    if (typeof value === "number") return checkNumber(value);
    if (typeof value === "string") return this.#string(value);
    if (Array.isArray(value)) return this.#list(value);
    if (isJsonObject(value)) return Object.hasOwn(value, TEXT_KEY) ? this.#text(value) : this.#object(value);
    throw invalid("The value is not JSON.");
  }

  #string(value: unknown): string {
    const text = checkString(value);
    this.#spend(text.length);
    return text;
  }

  #text(value: object): DraftValue {
    const [entry, ...others] = Object.entries(value);
    if (entry === undefined || others.length > 0 || typeof entry[1] !== "string") {
      throw invalid('A text is written {"$text": "…"}: a string, and no other member beside it.');
    }
    const text = this.#string(entry[1]);
    if (this.#texts === "read") return text;
    this.#enter();
    return new TextDraft(undefined, text);
  }

  #object(value: object): ObjectDraft {
    this.#enter();
    const object = new ObjectDraft();
    for (const [key, member] of Object.entries(value)) {
      checkKey(key);
      this.#spend(key.length);
      object.members.set(
        key,
        this.#inside(key, () => this.#taken(member)),
      );
    }
    return object;
  }

  #list(values: readonly unknown[]): ListDraft {
    this.#enter();
    return ListDraft.of(values.map((value, index) => this.#inside(String(index), () => this.#taken(value))));
  }

  #weighed(value: DraftValue): void {
    this.#spend(VALUE_BYTES);
    if (typeof value === "string") return this.#spend(value.length);
    if (value === null || typeof value !== "object") return;
    if (value instanceof Uint8Array) return this.#spend(value.byteLength);
    if (value instanceof Foreign) {
      throw invalid(
        "A value is of a kind that JSON cannot hold, so it cannot be moved or copied. Leave it where it is.",
      );
    }
    this.#enter();
    if (value instanceof TextDraft) this.#spend(value.text.length);
    else if (value instanceof ObjectDraft) this.#weighMembers(value);
    else this.#weighElements(value);
  }

  #weighMembers(value: ObjectDraft): void {
    for (const [key, member] of value.entries()) {
      this.#spend(key.length);
      this.#inside(key, () => this.#weighed(member));
    }
  }

  #weighElements(value: ListDraft): void {
    let index = 0;
    for (const element of value.values()) this.#inside(String(index++), () => this.#weighed(element));
  }

  #inside<Result>(step: string, visit: () => Result): Result {
    this.#at.push(step);
    const result = visit();
    this.#at.pop();
    return result;
  }

  /** For what becomes a Yjs type. */
  #enter(): void {
    this.#spend(TYPE_BYTES);
    if (this.#at.length > LIMITS.depthMax) {
      throw invalid(`Objects, arrays and texts may stand ${LIMITS.depthMax} deep inside each other at most.`);
    }
  }

  #spend(bytes: number): void {
    this.#bytesLeft -= bytes;
    if (this.#bytesLeft < 0) {
      throw new ServiceError(
        "TOO_LARGE",
        `One change may write ${LIMITS.contextBytesMax} bytes at most, copies included. Split it.`,
        {
          details: { limitBytes: LIMITS.contextBytesMax },
        },
      );
    }
  }
}

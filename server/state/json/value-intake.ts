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
import { fromBase64, toBase64 } from "lib0/buffer";
import { ServiceError } from "../../../shared/errors.ts";
import { isJsonObject } from "../../../shared/json.ts";
import type { JsonObject } from "../../../shared/json.ts";
import { BYTES_MARK, TEXT_MARK, XML_MARK, isMark } from "../../../shared/json-marks.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { formatPath } from "../../../shared/path.ts";
import type { Steps } from "../../../shared/path.ts";
import { checkKey, checkNumber, checkString, invalid } from "./json-checks.ts";
import { Foreign, ListDraft, ObjectDraft, TextDraft } from "./json-draft.ts";
import type { DraftValue } from "./json-draft.ts";
import { XmlDraft } from "./xml-draft.ts";
import { takeXml } from "./xml-intake.ts";

/** A value's weight beside its characters, roughly what it takes encoded; more for what becomes a Yjs type. */
const VALUE_BYTES = 8;
const TYPE_BYTES = 64;

/**
 * What the values are for. `make`: to be written. `read`: to be compared with what is there, where `{"$text": "…"}` stands
 * for the string that such a text reads as. `planned`: to be written, and taken from a context's content, so that they
 * are not weighed and texts may be as long as they grew.
 */
export type IntakePurpose = "make" | "read" | "planned";

export class ValueIntake {
  readonly #purpose: IntakePurpose;
  readonly #charsMax: number;
  #bytesLeft: number;
  /** Where the walk is: the steps from the root type. */
  #at: string[] = [];

  constructor(purpose: IntakePurpose = "make") {
    this.#purpose = purpose;
    this.#charsMax = purpose === "planned" ? LIMITS.contextBytesMax : LIMITS.stringCharsMax;
    this.#bytesLeft = purpose === "planned" ? Infinity : LIMITS.contextBytesMax;
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
    if (isJsonObject(value)) return this.#marked(value) ?? this.#object(value);
    throw invalid("The value is not JSON.");
  }

  #string(value: unknown): string {
    const text = checkString(value, this.#charsMax);
    this.#spend(text.length);
    return text;
  }

  /** What a mark stands for; undefined for an object without one. */
  #marked(value: JsonObject): DraftValue | undefined {
    const keys = Object.keys(value);
    const mark = keys.find(isMark);
    if (mark === undefined) return undefined;
    if (keys.length > 1) throw invalid(`"${mark}" stands alone in its object, without another member beside it.`);
    switch (mark) {
      case TEXT_MARK:
        return this.#text(value[mark]);
      case BYTES_MARK:
        return this.#bytes(value[mark]);
      case XML_MARK:
        return this.#xml(value[mark]);
      default:
        throw invalid("A big integer cannot be written. Write a number, or a string.");
    }
  }

  #text(value: unknown): DraftValue {
    if (typeof value !== "string") throw invalid('A text is written {"$text": "…"}, with a string.');
    const text = this.#string(value);
    if (this.#purpose === "read") return text;
    this.#enter();
    return new TextDraft(undefined, text);
  }

  #bytes(value: unknown): Uint8Array {
    if (typeof value === "string") this.#spend(value.length);
    const bytes = typeof value === "string" ? bytesOf(value) : undefined;
    if (bytes === undefined) throw invalid('Bytes are written {"$bytes": "…"}, in base64 with its padding.');
    return bytes;
  }

  #xml(value: unknown): XmlDraft {
    const rules = {
      enter: () => this.#spend(TYPE_BYTES),
      spend: (bytes: number) => this.#spend(bytes),
      depth: LIMITS.depthMax - this.#at.length + 1,
      takesUnknown: this.#purpose !== "make",
    };
    this.#enter();
    return new XmlDraft(undefined, takeXml(value, rules));
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
    if (value instanceof Foreign || (value instanceof XmlDraft && value.source !== undefined)) {
      throw invalid(
        "A value is of a kind that JSON cannot hold, so it cannot be moved or copied. Leave it where it is.",
      );
    }
    this.#enter();
    if (value instanceof TextDraft) this.#spend(value.text.length);
    else if (value instanceof XmlDraft) return;
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

/** Undefined for what is no base64 as it is written everywhere: the usual letters, padded, no bit left over. */
function bytesOf(base64: string): Uint8Array | undefined {
  if (base64.length % 4 !== 0 || /[^A-Za-z0-9+/=]/.test(base64) || /=[^=]/.test(base64)) return undefined;
  const bytes = fromBase64(base64);
  return toBase64(bytes) === base64 ? bytes : undefined;
}

/**
 * JSON text from outside into values: strict, bounded, with the position of what is wrong.
 *
 * Invariants (JSON):
 *  1. Total: any text gives a value or a ServiceError; the stack does not grow with nesting, the time is linear.
 *  2. What a parser might silently change is refused: a key twice in an object, `__proto__`, a number beyond a double.
 *  3. An error says line and column, never what stands there.
 *
 * Not here: what the values mean (rest.ts, frames.ts).
 */
import { ServiceError } from "../errors.ts";
import type { Json } from "../json.ts";
import { LIMITS } from "../limits.ts";

/** A request wraps the data a few levels: {"changes": [{"value": data}]}; MCP in {"params": {"arguments": {"ops": [{"value": data}]}}}. */
const NESTING_MAX = LIMITS.depthMax + 6;

/** @throws {ServiceError} INVALID_REQUEST with details {line, column}; TOO_LARGE when nested too deep */
export function parseJsonText(text: string, nestingMax: number = NESTING_MAX): Json {
  new JsonScanner(text, nestingMax).scan();
  return JSON.parse(text);
}

type Expected = "value" | "first item" | "key" | "first key" | "',' or closing bracket" | "end";

const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const LITERAL = /true|false|null/y;

/** One pass over one text. An open object is the set of its keys so far, an open array is "array". */
class JsonScanner {
  readonly #text: string;
  readonly #nestingMax: number;
  readonly #open: (Set<string> | "array")[] = [];
  #at = 0;

  constructor(text: string, nestingMax: number) {
    this.#text = text;
    this.#nestingMax = nestingMax;
  }

  scan(): void {
    let expected: Expected = "value";
    for (this.#skipSpace(); this.#at < this.#text.length; this.#skipSpace()) expected = this.#step(expected);
    if (expected !== "end") throw this.#error(`the text ends where a ${expected} is expected`);
  }

  #step(expected: Expected): Expected {
    const char = this.#text[this.#at];
    switch (expected) {
      case "first item":
        return char === "]" ? this.#close() : this.#value();
      case "value":
        return this.#value();
      case "first key":
        return char === "}" ? this.#close() : this.#key();
      case "key":
        return this.#key();
      case "',' or closing bracket":
        return this.#comma();
      default:
        throw this.#error("there is more text after the value");
    }
  }

  #value(): Expected {
    switch (this.#text[this.#at]) {
      case "{":
        this.#enter(new Set());
        return "first key";
      case "[":
        this.#enter("array");
        return "first item";
      case '"':
        this.#string();
        return this.#afterValue();
      default:
        this.#scalar();
        return this.#afterValue();
    }
  }

  #enter(container: Set<string> | "array"): void {
    if (this.#open.length === this.#nestingMax) {
      throw new ServiceError(
        "TOO_LARGE",
        `The JSON is nested deeper than ${this.#nestingMax} levels. Make it flatter.`,
        {
          details: { depthMax: this.#nestingMax },
        },
      );
    }
    this.#open.push(container);
    this.#at += 1;
  }

  #close(): Expected {
    this.#open.pop();
    this.#at += 1;
    return this.#afterValue();
  }

  #afterValue(): Expected {
    return this.#open.length === 0 ? "end" : "',' or closing bracket";
  }

  #comma(): Expected {
    const isObject = this.#open.at(-1) !== "array";
    const char = this.#text[this.#at];
    if (char === (isObject ? "}" : "]")) return this.#close();
    if (char !== ",") throw this.#error(`expected ',' or '${isObject ? "}" : "]"}'`);
    this.#at += 1;
    return isObject ? "key" : "value";
  }

  #key(): Expected {
    const start = this.#at;
    if (this.#text[start] !== '"') throw this.#error("expected a key in double quotes");
    this.#string();
    const raw = this.#text.slice(start, this.#at);
    const key: unknown = raw.includes("\\") ? JSON.parse(raw) : raw.slice(1, -1);
    const keys = this.#open.at(-1);
    if (typeof key !== "string" || !(keys instanceof Set)) throw new Error("A key outside of an object.");
    if (key === "__proto__") throw this.#error("the key '__proto__' is not allowed", start);
    if (keys.has(key)) throw this.#error("the object has the same key twice", start);
    keys.add(key);
    this.#skipSpace();
    if (this.#text[this.#at] !== ":") throw this.#error("expected ':' after the key");
    this.#at += 1;
    return "value";
  }

  /** By hand: a regular expression over a long string would need a stack as long. */
  #string(): void {
    const text = this.#text;
    let at = this.#at + 1;
    for (; text[at] !== '"'; at += 1) {
      const code = text.charCodeAt(at);
      if (Number.isNaN(code)) throw this.#error("the text ends inside a string", at);
      if (code < 0x20) throw this.#error("a control character in a string must be escaped", at);
      if (code !== 0x5c) continue;
      ESCAPE.lastIndex = at;
      if (!ESCAPE.test(text)) throw this.#error("a string has an unknown escape", at);
      at = ESCAPE.lastIndex - 1;
    }
    this.#at = at + 1;
  }

  #scalar(): void {
    const start = this.#at;
    const pattern = /[a-z]/.test(this.#text.charAt(start)) ? LITERAL : NUMBER;
    pattern.lastIndex = start;
    if (!pattern.test(this.#text)) throw this.#error("expected a value");
    this.#at = pattern.lastIndex;
    if (pattern === NUMBER && !Number.isFinite(Number(this.#text.slice(start, this.#at)))) {
      throw this.#error("the number is too large", start);
    }
  }

  #skipSpace(): void {
    for (; ; this.#at += 1) {
      const code = this.#text.charCodeAt(this.#at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
    }
  }

  #error(what: string, at = this.#at): ServiceError {
    const before = this.#text.slice(0, at);
    const line = before.split("\n").length;
    const column = at - before.lastIndexOf("\n");
    return new ServiceError("INVALID_REQUEST", `Not valid JSON at line ${line}, column ${column}: ${what}.`, {
      details: { line, column },
    });
  }
}

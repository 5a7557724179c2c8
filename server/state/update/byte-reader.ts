/**
 * Reads lib0's primitives out of untrusted bytes.
 *
 * Invariants (SCAN):
 *  1. Every method either moves forward inside the bytes or throws MALFORMED_UPDATE or TOO_LARGE; none reads past the end.
 *  2. What is accepted here, lib0 decodes to the same value. lib0 is more lenient: it takes integers without end and
 *     reads single bytes past the end.
 *  3. Strings are checked without being built (`skipText`), because most of an update's bytes are text nobody looks at.
 */
import { decodeUtf8 } from "lib0/string";
import { malformed, tooLarge } from "./update-refusals.ts";

/** 8 groups of 7 bits hold every safe integer. */
const VAR_UINT_BYTES_MAX = 8;

export class ByteReader {
  readonly #bytes: Uint8Array;
  #position = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get remaining(): number {
    return this.#bytes.length - this.#position;
  }

  byte(): number {
    const byte = this.#bytes[this.#position];
    if (byte === undefined) throw endsEarly();
    this.#position++;
    return byte;
  }

  varUint(): number {
    const first = this.byte();
    return first < 0x80 ? first : this.#continueInteger(first & 0x7f, 0x80);
  }

  /** lib0 keeps the sign in the first byte, so 6 bits of the number are there. */
  varInt(): number {
    const first = this.byte();
    const sign = (first & 0x40) === 0 ? 1 : -1;
    const low = first & 0x3f;
    return sign * (first < 0x80 ? low : this.#continueInteger(low, 0x40));
  }

  skip(length: number): void {
    if (length > this.remaining) throw endsEarly();
    this.#position += length;
  }

  float32(): number {
    return this.#view(4).getFloat32(0);
  }

  float64(): number {
    return this.#view(8).getFloat64(0);
  }

  /** Checks a string and returns its length in UTF-16 units, which is how Yjs counts clocks. */
  skipText(unitsMax: number): number {
    const bytes = this.#bytes;
    const length = this.varUint();
    if (length > this.remaining) throw endsEarly();
    const end = this.#position + length;
    let units = 0;
    for (let at = this.#position; at < end; units++) {
      if ((bytes[at] ?? 0) < 0x80) {
        at++;
        continue;
      }
      const width = sequenceWidth(bytes, at, end);
      if (width === 0) throw malformed("utf8", "holds a string that is not UTF-8");
      // beyond U+FFFF a character is two UTF-16 units
      if (width === 4) units++;
      at += width;
    }
    if (units > unitsMax) throw tooLarge("string", `holds a string of ${units} characters`, unitsMax);
    this.#position = end;
    return units;
  }

  text(unitsMax: number): string {
    const start = this.#position;
    const units = this.skipText(unitsMax);
    const bytes = this.#bytes;
    // all ASCII, short: the usual key, several times faster than TextDecoder
    if (units < 32 && this.#position - start === units + 1) {
      let text = "";
      for (let at = start + 1; at < this.#position; at++) text += String.fromCharCode(bytes[at] ?? 0);
      return text;
    }
    return decodeUtf8(bytes.subarray(start + varUintWidth(bytes, start), this.#position));
  }

  #continueInteger(low: number, scale: number): number {
    let value = low;
    let factor = scale;
    for (let width = 1; width < VAR_UINT_BYTES_MAX; width++) {
      const byte = this.byte();
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) break;
        return value;
      }
      factor *= 0x80;
    }
    throw malformed("integer", "holds an integer beyond 2^53");
  }

  #view(length: number): DataView {
    const start = this.#position;
    this.skip(length);
    return new DataView(this.#bytes.buffer, this.#bytes.byteOffset + start, length);
  }
}

function varUintWidth(bytes: Uint8Array, start: number): number {
  let width = 1;
  while ((bytes[start + width - 1] ?? 0) >= 0x80) width++;
  return width;
}

/** Bytes of the multi-byte character at `at`, 0 if it is none: RFC 3629 §4, so no overlong forms and no surrogates. */
function sequenceWidth(bytes: Uint8Array, at: number, end: number): number {
  const first = bytes[at] ?? 0;
  const width = widthAfter(first);
  if (width === 0 || at + width > end) return 0;
  const second = bytes[at + 1] ?? 0;
  if (second < lowestSecond(first) || second > highestSecond(first)) return 0;
  for (let i = 2; i < width; i++) if (((bytes[at + i] ?? 0) & 0xc0) !== 0x80) return 0;
  return width;
}

function widthAfter(first: number): number {
  if (first < 0xc2 || first > 0xf4) return 0;
  if (first < 0xe0) return 2;
  return first < 0xf0 ? 3 : 4;
}

function lowestSecond(first: number): number {
  if (first === 0xe0) return 0xa0;
  return first === 0xf0 ? 0x90 : 0x80;
}

function highestSecond(first: number): number {
  if (first === 0xed) return 0x9f;
  return first === 0xf4 ? 0x8f : 0xbf;
}

function endsEarly(): Error {
  return malformed("truncated", "ends before its content does");
}

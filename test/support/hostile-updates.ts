/**
 * Updates that do harm to a Y.Doc, to its readers or to the server if they are applied, each with the rule that must
 * stop it. From notes on real attacks and from reading Yjs; every new one that is found goes here.
 *
 * They are written by client HOSTILE against the document that `victimDoc` makes, whose ids are fixed.
 */
import * as encoding from "lib0/encoding";
import * as Y from "yjs";
import type { ErrorCode } from "../../shared/errors.ts";
import { TYPE, any, anyBytes, assemble, concat, deleted, embed, format, gc } from "./update-assembler.ts";
import { item, json, string, text, type, varUint } from "./update-assembler.ts";
import type { Section } from "./update-assembler.ts";

export interface HostileUpdate {
  readonly name: string;
  readonly update: Uint8Array;
  readonly code: ErrorCode;
  /** `details.rule` of the refusal. */
  readonly rule: string;
}

export const AUTHOR = 1;
export const HOSTILE = 666;

/** Ids of the victim's content: clocks of client AUTHOR. */
export const CLOCK = { secret: 0, list: 1, elements: 2, note: 5, letters: 6, gone: 11, fragment: 13, end: 14 } as const;

/** `{secret: "s", list: [1, 2, 3], note: text "hello", fragment: XML}` in `data`, and a collected map with one key. */
export function victimDoc(): Y.Doc {
  const doc = new Y.Doc();
  const data = doc.getMap("data");
  Y.applyUpdate(
    doc,
    assemble([
      {
        client: AUTHOR,
        clock: 0,
        structs: [
          any({ key: "secret" }, "s"),
          type({ key: "list" }, TYPE.array),
          any({ parent: [AUTHOR, CLOCK.list] }, 1, 2, 3),
          type({ key: "note" }, TYPE.text),
          text({ parent: [AUTHOR, CLOCK.note] }, "hello"),
          type({ key: "gone" }, TYPE.map),
          any({ parent: [AUTHOR, CLOCK.gone], key: "inside" }, 1),
          type({ key: "fragment" }, TYPE.fragment),
        ],
      },
    ]),
  );
  data.delete("gone");
  return doc;
}

const range = (length: number): number[] => Array.from({ length }, (_, i) => i);

/** One section of the attacker from clock 0. */
const by = (...structs: readonly Uint8Array[]): Section => ({ client: HOSTILE, clock: 0, structs });
const value = (bytes: readonly number[]): Uint8Array => anyBytes({ key: "k" }, 1, Uint8Array.from(bytes));
const nested = (opening: number, depth: number): number[] => [...range(depth).flatMap(() => [opening, 1]), 126];

function malformed(name: string, rule: string, update: Uint8Array): HostileUpdate {
  return { name, rule, update, code: "MALFORMED_UPDATE" };
}

function oversized(name: string, rule: string, update: Uint8Array): HostileUpdate {
  return { name, rule, update, code: "TOO_LARGE" };
}

function overLimit(name: string, rule: string, update: Uint8Array): HostileUpdate {
  return { name, rule, update, code: "LIMIT_EXCEEDED" };
}

/** Refused by their bytes alone. */
export const MALFORMED_BYTES: readonly HostileUpdate[] = [
  malformed("no bytes", "truncated", new Uint8Array()),
  malformed("silent kill: deleted content of length 0", "empty-struct", assemble([by(deleted({ key: "a" }, 0))])),
  malformed("GC struct of length 0", "empty-struct", assemble([by(gc(0))])),
  malformed("empty text", "empty-struct", assemble([by(text({ parent: "t" }, ""))])),
  malformed("empty list of values", "empty-struct", assemble([by(any({ parent: "l" }))])),
  malformed("deleted range of length 0", "empty-struct", assemble([], [[AUTHOR, 0, 0]])),
  malformed("33 million structs claimed", "count", assemble([{ ...by(gc(1)), claimed: 33e6 }])),
  malformed("4 billion values claimed", "count", assemble([by(item({ parent: "l" }, 8, varUint(2 ** 32)))])),
  malformed("4 billion keys claimed", "count", assemble([by(value([118, 255, 255, 255, 255, 15]))])),
  malformed("section without structs", "empty-section", assemble([by()])),
  malformed("two sections of one client", "duplicate-section", assemble([by(gc(1)), by(gc(2))])),
  malformed("GC struct of 2^40 ids", "clock", assemble([by(gc(2 ** 40))])),
  malformed("clock of 2^53 - 1", "clock", assemble([{ client: HOSTILE, clock: 2 ** 53 - 1, structs: [gc(1)] }])),
  malformed("integer beyond 2^53", "integer", Uint8Array.from([1, 1, 255, 255, 255, 255, 255, 255, 255, 255, 1])),
  malformed(
    "client id of 2^56 - 1, which rounds to another's",
    "integer",
    Uint8Array.from([1, 1, 255, 255, 255, 255, 255, 255, 255, 127, 0, 0, 1, 0]),
  ),
  malformed("integer without end", "integer", new Uint8Array(200).fill(128)),
  malformed("skip struct", "skip", assemble([by(concat(Uint8Array.from([10]), varUint(5)))])),
  malformed("GC struct with an item's flags", "struct-tag", assemble([by(Uint8Array.from([0x80, 1]))])),
  malformed("unknown struct tag", "struct-tag", assemble([by(item({ key: "a" }, 31, varUint(1)))])),
  malformed("subdocument", "subdocument", assemble([by(item({ key: "a" }, 9, concat(string("guid"), value([]))))])),
  malformed("origin is itself", "self-reference", assemble([by(text({ origin: [HOSTILE, 0] }, "a"))])),
  malformed("parent is itself", "self-reference", assemble([by(text({ parent: [HOSTILE, 0] }, "a"))])),
  malformed(
    "right origin is its own future",
    "self-reference",
    assemble([by(text({ rightOrigin: [HOSTILE, 9] }, "a"))]),
  ),
  malformed("parent neither root nor item", "parent-info", assemble([by(Uint8Array.from([4, 2, 1, 97, 1, 97]))])),
  malformed("unknown shared type", "type-tag", assemble([by(type({ key: "a" }, 7))])),
  malformed("unknown value tag", "value-tag", assemble([by(value([115]))])),
  malformed("value tag 0", "value-tag", assemble([by(value([0]))])),
  malformed("BigInt", "number", assemble([by(any({ key: "a" }, 10n))])),
  malformed("NaN", "number", assemble([by(any({ key: "a" }, NaN))])),
  malformed("infinity", "number", assemble([by(any({ key: "a" }, [-Infinity]))])),
  malformed("infinity in JSON", "number", assemble([by(json({ parent: "l" }, "1e999"))])),
  malformed("values nested 5,000 deep", "depth", assemble([by(value(nested(117, 5000)))])),
  malformed(
    "JSON nested 100,000 deep",
    "depth",
    assemble([by(json({ parent: "l" }, "[".repeat(1e5) + "]".repeat(1e5)))]),
  ),
  malformed("text not UTF-8", "utf8", assemble([by(item({ parent: "t" }, 4, Uint8Array.from([2, 0xc3, 0x28])))])),
  malformed("overlong UTF-8", "utf8", assemble([by(item({ parent: "t" }, 4, Uint8Array.from([2, 0xc0, 0x80])))])),
  malformed(
    "surrogate in UTF-8",
    "utf8",
    assemble([by(item({ parent: "t" }, 4, Uint8Array.from([3, 0xed, 0xa0, 0x80])))]),
  ),
  malformed(
    "beyond Unicode",
    "utf8",
    assemble([by(item({ parent: "t" }, 4, Uint8Array.from([4, 0xf4, 0x90, 0x80, 0x80])))]),
  ),
  malformed("key __proto__", "proto-key", assemble([by(any({ key: "__proto__" }, { isAdmin: true }))])),
  malformed("root __proto__", "proto-key", assemble([by(any({ parent: "__proto__" }, 1))])),
  malformed("__proto__ in a value", "proto-key", assemble([by(value([118, 1, 9, ...encode("__proto__"), 118, 0]))])),
  malformed("__proto__ in an embed", "proto-key", assemble([by(embed({ parent: "t" }, '{"__proto__":{"a":1}}'))])),
  malformed("format __proto__", "proto-key", assemble([by(format({ parent: "t" }, "__proto__", "{}"))])),
  malformed("format that is no JSON", "json", assemble([by(format({ parent: "t" }, "bold", "{"))])),
  malformed("embed undefined", "json", assemble([by(embed({ parent: "t" }, "undefined"))])),
  malformed("good item, bad item", "type-tag", assemble([by(any({ key: "good" }, 1), type({ key: "bad" }, 99))])),
  malformed("good item, truncated deletes", "truncated", assemble([by(any({ key: "good" }, 1))]).slice(0, -1)),
  malformed("bytes after the end", "trailing-bytes", concat(assemble([by(any({ key: "good" }, 1))]), varUint(0))),
  oversized("100,000 roots", "roots", assemble([by(...range(1e5).map((i) => any({ parent: `r${i}` }, 1)))])),
  oversized(
    "a million deletes",
    "deletes",
    assemble(
      [],
      range(1e6).map((i) => [9, i * 2, 1] as const),
    ),
  ),
  oversized(
    "8,000 clients",
    "clients",
    assemble(range(8000).map((i) => ({ client: 700 + i, clock: 0, structs: [any({ key: "k" }, 1)] }))),
  ),
  oversized("two million empty objects", "values", assemble([by(anyBytes({ parent: "l" }, 2e6, pairs(118, 0, 2e6)))])),
  oversized("key of 300 characters", "key", assemble([by(any({ key: "k".repeat(300) }, 1))])),
  oversized("text of 2 MB", "string", assemble([by(text({ parent: "t" }, "x".repeat(2 * 1024 * 1024)))])),
  oversized(
    "65 formats",
    "format-keys",
    assemble([by(...range(65).map((i) => format({ parent: "t" }, `f${i}`, "1")))]),
  ),
];

/** Well-formed; refused because of what they would do to the document of `victimDoc`. */
const MALFORMED_HERE: readonly HostileUpdate[] = [
  malformed("gap in the attacker's clocks", "clock-gap", assemble([{ client: HOSTILE, clock: 1, structs: [gc(1)] }])),
  malformed(
    "overwrites as the author's next edit",
    "unknown-reference",
    assemble([by(any({ origin: [AUTHOR, CLOCK.end] }, "evil"))]),
  ),
  malformed("right origin unknown", "unknown-reference", assemble([by(text({ rightOrigin: [99, 0] }, "a"))])),
  malformed("parent unknown", "unknown-reference", assemble([by(text({ parent: [99, 0] }, "a"))])),
  malformed("deletes what nobody wrote", "unknown-reference", assemble([], [[AUTHOR, CLOCK.end, 1]])),
  malformed("deletes beyond the end", "unknown-reference", assemble([], [[AUTHOR, 0, 1000]])),
  malformed(
    "deletes of an unknown client",
    "unknown-reference",
    assemble(
      [],
      range(1000).map((i) => [99, i * 2, 1] as const),
    ),
  ),
  malformed(
    "known struct with an unknown neighbour",
    "unknown-reference",
    assemble([{ client: AUTHOR, clock: 0, structs: [any({ origin: [99, 0] }, "s")] }]),
  ),
  malformed(
    "two clients that wait for each other",
    "circular-reference",
    assemble([
      { client: 700, clock: 0, structs: [text({ origin: [701, 0] }, "a")] },
      { client: 701, clock: 0, structs: [text({ origin: [700, 0] }, "b")] },
    ]),
  ),
  malformed(
    "neighbours in two lists",
    "mixed-origins",
    assemble([by(any({ origin: [AUTHOR, CLOCK.elements], rightOrigin: [AUTHOR, CLOCK.letters] }, "x"))]),
  ),
  malformed(
    "neighbours in two keys",
    "mixed-origins",
    assemble([by(any({ key: "k" }, 1), any({ origin: [HOSTILE, 0], rightOrigin: [AUTHOR, CLOCK.secret] }, 2))]),
  ),
  malformed("child of a string", "parent-type", assemble([by(any({ parent: [AUTHOR, CLOCK.secret], key: "k" }, 1))])),
  malformed(
    "child of a new string",
    "parent-type",
    assemble([by(text({ key: "k" }, "a"), any({ parent: [HOSTILE, 0] }, 1))]),
  ),
  malformed(
    "continues the author's text in the list",
    "overlap",
    assemble([{ client: AUTHOR, clock: CLOCK.end - 1, structs: [any({ parent: [AUTHOR, CLOCK.list] }, 1, 2)] }]),
  ),
  malformed(
    "a key's value that can be cut in two: bricks the document when its parent is deleted",
    "keyed-run",
    assemble([
      by(
        type({ key: "m" }, TYPE.map),
        text({ parent: [HOSTILE, 0], key: "k" }, "xyz"),
        text({ origin: [HOSTILE, 1] }, "a"),
      ),
    ]),
  ),
  malformed(
    "a value behind the current one of a key: deletes that on replicas which load it",
    "keyed-neighbour",
    assemble([by(any({ rightOrigin: [AUTHOR, CLOCK.secret] }, "evil"))]),
  ),
  malformed(
    "right neighbour to the left of the left one",
    "neighbour-order",
    assemble([by(text({ origin: [AUTHOR, CLOCK.letters + 3], rightOrigin: [AUTHOR, CLOCK.letters + 1] }, "x"))]),
  ),
  malformed(
    "right neighbour to the left, in another item",
    "neighbour-order",
    assemble([
      by(text({ origin: [AUTHOR, CLOCK.letters], rightOrigin: [AUTHOR, CLOCK.letters + 1] }, "x")),
      {
        client: HOSTILE + 1,
        clock: 0,
        structs: [text({ origin: [AUTHOR, CLOCK.letters + 3], rightOrigin: [HOSTILE, 0] }, "y")],
      },
    ]),
  ),
  malformed(
    "the same letter on both sides",
    "neighbour-order",
    assemble([by(text({ origin: [AUTHOR, CLOCK.letters + 2], rightOrigin: [AUTHOR, CLOCK.letters + 2] }, "x"))]),
  ),
  malformed("several values for a key", "keyed-run", assemble([by(any({ key: "k" }, 1, 2))])),
  malformed("null in an XML fragment", "xml-child", assemble([by(any({ parent: [AUTHOR, CLOCK.fragment] }, null))])),
  malformed(
    "null in a new XML element",
    "xml-child",
    assemble([by(type({ key: "x" }, TYPE.element, "p"), any({ parent: [HOSTILE, 0] }, null))]),
  ),
  overLimit(
    "types nested 2,500 deep",
    "type-depth",
    assemble([
      by(...range(2500).map((i) => type({ key: "k", ...(i > 0 && { parent: [HOSTILE, i - 1] as const }) }, TYPE.map))),
    ]),
  ),
  overLimit("64 more roots", "roots", assemble([by(...range(64).map((i) => any({ parent: `r${i}` }, 1)))])),
  overLimit("rightOrigin spread over 4,000 items", "work", rightOriginSpread(4000)),
  overLimit(
    "50,000 sets of one key that know nothing of each other",
    "work",
    assemble([by(...range(5e4).map(() => any({ key: "k" }, 1)))]),
  ),
  overLimit(
    "100,000 list items that Yjs joins one by one",
    "work",
    assemble([by(...range(1e5).map((i) => any(i === 0 ? { parent: "l" } : { origin: [HOSTILE, i - 1] }, 1)))]),
  ),
];

export const HOSTILE_UPDATES: readonly HostileUpdate[] = [...MALFORMED_BYTES, ...MALFORMED_HERE];

/** A typed text, and as many items that claim to stand at its start, each before another letter (Item.integrate). */
function rightOriginSpread(count: number): Uint8Array {
  const letters = range(count).map((i) => text(i === 0 ? { parent: "t" } : { origin: [HOSTILE, i - 1] }, "a"));
  const spread = range(count).map((i) => text({ rightOrigin: [HOSTILE, (i * 7) % count] }, "b"));
  return assemble([by(...letters), { client: HOSTILE + 1, clock: 0, structs: spread }]);
}

function encode(ascii: string): number[] {
  return Array.from(ascii, (letter) => letter.charCodeAt(0));
}

function pairs(first: number, second: number, count: number): Uint8Array {
  const encoder = encoding.createEncoder();
  for (let i = 0; i < count; i++) {
    encoding.writeUint8(encoder, first);
    encoding.writeUint8(encoder, second);
  }
  return encoding.toUint8Array(encoder);
}

/**
 * The strict scanner of Yjs V1 updates: reads the bytes without applying them and refuses what could do harm.
 *
 * Invariants (SCAN):
 *  1. Pure and total: the bytes decide alone; any bytes give a ScannedUpdate or a ServiceError, in linear time and memory.
 *  2. The ids of a section follow each other without a gap, each struct has a length of at least 1, and a struct refers
 *     to earlier ids of its own client only. So Yjs can parse every accepted update and split or delete any part of it.
 *  3. No client has two sections: Yjs would silently drop the first.
 *  4. Skip structs and subdocuments are refused: the first exist to mark gaps, the second make a Y.Doc with the
 *     sender's options for each.
 *
 * GC structs are accepted, and with them ContentDeleted: a stock client sends both for what it wrote and removed while it
 * was offline, and the void of a refused update is made of GC structs (docs/yjs.md Y9). They carry no content and name no place,
 * so there is nothing to judge: all they do is use up clocks. Whose clocks, the caller judges by `Touch.advances`.
 *
 * Not here: whether the update fits a document, and where it writes (touched-paths.ts).
 */
import { LIMITS, type Limits } from "../../../shared/limits.ts";
import { assertKey, skipAny, skipJsonElement, skipJsonText } from "./any-content.ts";
import type { ValueCount } from "./any-content.ts";
import { ByteReader } from "./byte-reader.ts";
import { malformed, tooLarge } from "./update-refusals.ts";

export interface ScannedId {
  readonly client: number;
  readonly clock: number;
}

/** "text" is a run of characters, "any" and "json" are list elements or one map value, "format" is a rich text mark. */
export type StructKind = "gc" | "deleted" | "json" | "binary" | "text" | "embed" | "format" | "type" | "any";

/** The shared types that an item can hold, as far as they differ here. */
export type TypeShape = "list" | "map" | "text" | "xml";

export interface ScannedStruct {
  readonly client: number;
  /** First of the `length` ids that the struct takes. */
  readonly clock: number;
  readonly length: number;
  readonly kind: StructKind;
  /** The item to the left, and to the right, when it was written. */
  readonly origin: ScannedId | null;
  readonly rightOrigin: ScannedId | null;
  /** Where it was put, if it had no neighbour: a root type's name, or the id of the item that holds the parent type. */
  readonly parentRoot: string | null;
  readonly parentId: ScannedId | null;
  /** Key in the parent. Null also if there is a neighbour: then the key is the neighbour's. */
  readonly key: string | null;
  /** What it creates, if `kind` is "type". */
  readonly shape: TypeShape | null;
}

export interface ScannedDelete {
  readonly client: number;
  readonly clock: number;
  readonly length: number;
}

export interface ScannedUpdate {
  /** Grouped by client, ascending and without a gap within one. */
  readonly structs: readonly ScannedStruct[];
  readonly deletes: readonly ScannedDelete[];
  /** Names of the root types that Yjs would create while it parses the update, even if it then fails. */
  readonly roots: ReadonlySet<string>;
}

/** Content tag, the low five bits of a struct's first byte, to kind; 0 is a GC struct, 9 a subdocument, 10 a skip. */
const KINDS: readonly (StructKind | undefined)[] = [
  "gc",
  "deleted",
  "json",
  "binary",
  "text",
  "embed",
  "format",
  "type",
  "any",
];
/** By type tag: array, map, text, XML element, XML fragment, XML hook (a map with a name), XML text. */
const SHAPES: readonly TypeShape[] = ["list", "map", "text", "xml", "xml", "map", "text"];
const TAG_XML_ELEMENT = 3;
const TAG_XML_HOOK = 5;

const HAS_ORIGIN = 0x80;
const HAS_RIGHT_ORIGIN = 0x40;
const HAS_KEY = 0x20;
const TAG_BITS = 0x1f;

/** A struct takes two bytes at least, as does a deleted range; a section three. */
const STRUCT_BYTES_MIN = 2;

/** How much one update may hold: what a session sends, or a whole document at once. */
export type ScanLimits = Pick<Limits, "updateClientsMax" | "updateStructsMax" | "updateDeletesMax" | "updateValuesMax">;

/** What is collected and counted over one update. */
interface Scan extends ValueCount {
  readonly limits: ScanLimits;
  readonly structs: ScannedStruct[];
  readonly deletes: ScannedDelete[];
  readonly roots: Set<string>;
  readonly formatKeys: Set<string>;
}

/** @throws {ServiceError} MALFORMED_UPDATE, or TOO_LARGE where a limit is the cause; `details.rule` names the rule */
export function scanUpdate(update: Uint8Array, limits: ScanLimits = LIMITS): ScannedUpdate {
  const reader = new ByteReader(update);
  const scan: Scan = { limits, structs: [], deletes: [], roots: new Set(), formatKeys: new Set(), values: 0 };
  const clientCount = readClientCount(reader, scan);
  const clients = clientCount > 1 ? new Set<number>() : null;
  for (let i = 0; i < clientCount; i++) readSection(reader, scan, clients);
  readDeletes(reader, scan);
  if (reader.remaining > 0) throw malformed("trailing-bytes", "has bytes after its end");
  return scan;
}

function readClientCount(reader: ByteReader, { limits }: Scan): number {
  const count = reader.varUint();
  if (count > limits.updateClientsMax) throw tooLarge("clients", `has ${count} clients`, limits.updateClientsMax);
  return count;
}

/** @param clients those of the sections before it, or null if there is one section only */
function readSection(reader: ByteReader, scan: Scan, clients: Set<number> | null): void {
  const count = reader.varUint();
  const client = reader.varUint();
  let clock = reader.varUint();
  if (count === 0) throw malformed("empty-section", "has a client section without structs");
  if (count > reader.remaining / STRUCT_BYTES_MIN) throw malformed("count", "claims more structs than it has bytes");
  if (scan.structs.length + count > scan.limits.updateStructsMax) {
    throw tooLarge("structs", "has too many structs", scan.limits.updateStructsMax);
  }
  if (clients !== null) {
    if (clients.has(client)) throw malformed("duplicate-section", "has two sections for one client");
    clients.add(client);
  }
  for (let i = 0; i < count; i++) {
    const struct = readStruct(reader, scan, client, clock);
    scan.structs.push(struct);
    clock = endOf(clock, struct.length);
  }
}

function readStruct(reader: ByteReader, scan: Scan, client: number, clock: number): ScannedStruct {
  const info = reader.byte();
  const kind = KINDS[info & TAG_BITS];
  if (kind === undefined) throw unknownTag(info & TAG_BITS);
  if (kind !== "gc") return readItem(reader, scan, { client, clock, kind, info });
  if (info !== 0) throw malformed("struct-tag", "has a GC struct with the flags of an item");
  const length = reader.varUint();
  const nothing = { origin: null, rightOrigin: null, parentRoot: null, parentId: null, key: null, shape: null };
  return { client, clock, length, kind, ...nothing };
}

function unknownTag(tag: number): Error {
  if (tag === 10) return malformed("skip", "has a skip struct, which stands for content that is missing");
  if (tag === 9) return malformed("subdocument", "has a subdocument; this server keeps one document per context");
  return malformed("struct-tag", `has a struct of the unknown kind ${tag}`);
}

interface ItemHead {
  readonly client: number;
  readonly clock: number;
  readonly kind: StructKind;
  readonly info: number;
}

function readItem(reader: ByteReader, scan: Scan, head: ItemHead): ScannedStruct {
  const { client, clock, kind, info } = head;
  const origin = (info & HAS_ORIGIN) === 0 ? null : readReference(reader, head);
  const rightOrigin = (info & HAS_RIGHT_ORIGIN) === 0 ? null : readReference(reader, head);
  let parentRoot: string | null = null;
  let parentId: ScannedId | null = null;
  let key: string | null = null;
  if (origin === null && rightOrigin === null) {
    const parentInfo = reader.varUint();
    if (parentInfo > 1) throw malformed("parent-info", "says neither root nor item where it names a parent");
    if (parentInfo === 1) parentRoot = readRoot(reader, scan);
    else parentId = readReference(reader, head);
    if ((info & HAS_KEY) !== 0) key = readKey(reader);
  }
  const shape = kind === "type" ? readShape(reader) : null;
  const length = readContent(reader, scan, kind);
  return { client, clock, length, kind, origin, rightOrigin, parentRoot, parentId, key, shape };
}

function readReference(reader: ByteReader, head: ItemHead): ScannedId {
  const client = reader.varUint();
  const clock = reader.varUint();
  if (client === head.client && clock >= head.clock) {
    throw malformed("self-reference", "has a struct that refers to itself or to a later one of its client");
  }
  return { client, clock };
}

function readRoot(reader: ByteReader, scan: Scan): string {
  const name = readKey(reader);
  scan.roots.add(name);
  if (scan.roots.size > LIMITS.updateRootsMax) throw tooLarge("roots", "names too many roots", LIMITS.updateRootsMax);
  return name;
}

function readKey(reader: ByteReader): string {
  const key = reader.text(LIMITS.stringCharsMax);
  assertKey(key);
  return key;
}

function readShape(reader: ByteReader): TypeShape {
  const tag = reader.varUint();
  const shape = SHAPES[tag];
  if (shape === undefined) throw malformed("type-tag", `creates a shared type of the unknown kind ${tag}`);
  if (tag === TAG_XML_ELEMENT || tag === TAG_XML_HOOK) readKey(reader);
  return shape;
}

/** Moves past an item's content and returns how many ids it takes. */
function readContent(reader: ByteReader, scan: Scan, kind: StructKind): number {
  switch (kind) {
    case "deleted":
      return reader.varUint();
    case "text":
      return reader.skipText(LIMITS.stringCharsMax);
    case "any":
      return readValues(reader, scan, skipAny);
    case "json":
      return readValues(reader, scan, skipJsonElement);
    case "binary":
      reader.skip(reader.varUint());
      return 1;
    case "format":
      readFormatKey(reader, scan);
      skipJsonText(reader, scan);
      return 1;
    case "embed":
      skipJsonText(reader, scan);
      return 1;
    default: // a shared type, whose only bytes are its shape
      return 1;
  }
}

/** After a change of a formatted text Yjs copies the map of its open formats at each of its items. */
function readFormatKey(reader: ByteReader, scan: Scan): void {
  scan.formatKeys.add(readKey(reader));
  if (scan.formatKeys.size > LIMITS.updateFormatKeysMax) {
    throw tooLarge("format-keys", "uses too many different text formats", LIMITS.updateFormatKeysMax);
  }
}

function readValues(reader: ByteReader, scan: Scan, skip: (reader: ByteReader, count: ValueCount) => void): number {
  const count = reader.varUint();
  if (count > reader.remaining) throw malformed("count", "claims more values than it has bytes");
  for (let i = 0; i < count; i++) skip(reader, scan);
  return count;
}

function readDeletes(reader: ByteReader, scan: Scan): void {
  const clientCount = readClientCount(reader, scan);
  for (let i = 0; i < clientCount; i++) {
    const client = reader.varUint();
    const count = reader.varUint();
    if (scan.deletes.length + count > scan.limits.updateDeletesMax) {
      throw tooLarge("deletes", "deletes too many ranges", scan.limits.updateDeletesMax);
    }
    for (let j = 0; j < count; j++) {
      const clock = reader.varUint();
      const length = reader.varUint();
      endOf(clock, length);
      scan.deletes.push({ client, clock, length });
    }
  }
}

/** The id after a range. A range of length 0 is what bricks a Y.Doc for good (docs/yjs.md Y1). */
function endOf(clock: number, length: number): number {
  if (length === 0) throw malformed("empty-struct", "has a struct or deleted range of length 0");
  const end = clock + length;
  if (end > LIMITS.clockMax) throw malformed("clock", `uses a clock above ${LIMITS.clockMax}`);
  return end;
}

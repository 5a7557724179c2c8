/**
 * Assembles Yjs V1 updates byte by byte, right and wrong ones: what Yjs itself would never write can be said here.
 *
 * Not here: the attacks (hostile-updates.ts).
 */
import * as encoding from "lib0/encoding";

export type Id = readonly [client: number, clock: number];

export interface Section {
  readonly client: number;
  readonly clock: number;
  readonly structs: readonly Uint8Array[];
  /** How many it claims to have, if that is not the truth. */
  readonly claimed?: number;
}

export type DeletedRange = readonly [client: number, clock: number, length: number];

interface ItemPlace {
  readonly origin?: Id;
  readonly rightOrigin?: Id;
  /** Root name, or the id of the item that holds the parent type. */
  readonly parent?: string | Id;
  readonly key?: string;
}

export function assemble(sections: readonly Section[], deletes: readonly DeletedRange[] = []): Uint8Array {
  return write((encoder) => {
    encoding.writeVarUint(encoder, sections.length);
    for (const { client, clock, structs, claimed } of sections) {
      encoding.writeVarUint(encoder, claimed ?? structs.length);
      encoding.writeVarUint(encoder, client);
      encoding.writeVarUint(encoder, clock);
      for (const struct of structs) encoding.writeUint8Array(encoder, struct);
    }
    const byClient = new Map<number, DeletedRange[]>();
    for (const range of deletes) {
      const ranges = byClient.get(range[0]);
      if (ranges === undefined) byClient.set(range[0], [range]);
      else ranges.push(range);
    }
    encoding.writeVarUint(encoder, byClient.size);
    for (const [client, ranges] of byClient) {
      encoding.writeVarUint(encoder, client);
      encoding.writeVarUint(encoder, ranges.length);
      for (const [, clock, length] of ranges) {
        encoding.writeVarUint(encoder, clock);
        encoding.writeVarUint(encoder, length);
      }
    }
  });
}

export function gc(length: number): Uint8Array {
  return write((encoder) => {
    encoding.writeUint8(encoder, 0);
    encoding.writeVarUint(encoder, length);
  });
}

/** An item whose content is given as its tag and bytes. */
export function item(place: ItemPlace, tag: number, content: Uint8Array): Uint8Array {
  const { origin, rightOrigin, parent = "data", key } = place;
  return write((encoder) => {
    encoding.writeUint8(encoder, tag | (origin ? 0x80 : 0) | (rightOrigin ? 0x40 : 0) | (key === undefined ? 0 : 0x20));
    if (origin) writeId(encoder, origin);
    if (rightOrigin) writeId(encoder, rightOrigin);
    if (!origin && !rightOrigin) {
      encoding.writeVarUint(encoder, typeof parent === "string" ? 1 : 0);
      if (typeof parent === "string") encoding.writeVarString(encoder, parent);
      else writeId(encoder, parent);
      if (key !== undefined) encoding.writeVarString(encoder, key);
    }
    encoding.writeUint8Array(encoder, content);
  });
}

export const deleted = (place: ItemPlace, length: number): Uint8Array =>
  item(
    place,
    1,
    write((encoder) => encoding.writeVarUint(encoder, length)),
  );

export const text = (place: ItemPlace, value: string): Uint8Array => item(place, 4, string(value));

export const any = (place: ItemPlace, ...values: readonly unknown[]): Uint8Array =>
  anyBytes(
    place,
    values.length,
    write((encoder) => values.forEach((value) => encoding.writeAny(encoder, asAny(value)))),
  );

/** List elements whose encoding is given. */
export const anyBytes = (place: ItemPlace, count: number, bytes: Uint8Array): Uint8Array =>
  item(place, 8, concat(varUint(count), bytes));

export const TYPE = { array: 0, map: 1, text: 2, element: 3, fragment: 4, hook: 5, xmlText: 6 } as const;

export const type = (place: ItemPlace, tag: number, name?: string): Uint8Array =>
  item(place, 7, name === undefined ? varUint(tag) : concat(varUint(tag), string(name)));

export const json = (place: ItemPlace, source: string): Uint8Array =>
  item(place, 2, concat(varUint(1), string(source)));
export const embed = (place: ItemPlace, source: string): Uint8Array => item(place, 5, string(source));
export const format = (place: ItemPlace, key: string, source: string): Uint8Array =>
  item(place, 6, concat(string(key), string(source)));

export const varUint = (value: number): Uint8Array => write((encoder) => encoding.writeVarUint(encoder, value));
export const string = (value: string): Uint8Array => write((encoder) => encoding.writeVarString(encoder, value));

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return write((encoder) => parts.forEach((part) => encoding.writeUint8Array(encoder, part)));
}

function writeId(encoder: encoding.Encoder, [client, clock]: Id): void {
  encoding.writeVarUint(encoder, client);
  encoding.writeVarUint(encoder, clock);
}

function write(fill: (encoder: encoding.Encoder) => void): Uint8Array {
  const encoder = encoding.createEncoder();
  fill(encoder);
  return encoding.toUint8Array(encoder);
}

/** lib0 takes more than its declared type says: BigInt, which an attacker sends as well. */
function asAny(value: unknown): Parameters<typeof encoding.writeAny>[1] {
  return value as Parameters<typeof encoding.writeAny>[1];
}

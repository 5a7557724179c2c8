/**
 * Log entries as bytes: the body of a run record (decision 0003).
 *
 *   <version before> <count> then per entry:
 *   <kind 1><origin 1><flags 1> [actor] <atMs> [message] [resolves] <path count> <path>* <update> [author salt] [lock event] [meta change]
 *
 * Numbers are lib0 varints, texts and updates carry their length. Flag 1: the actor is the previous entry's and left out;
 * flag 2: there is a message; flag 4: there is the id of a conflict; flag 8: there is a salt; flag 16: there is a lock event, flag 32: a change of metadata,
 * both as JSON. A run's first seq is in its key; seqs and versions of the others follow from it. Layout 1 had the kinds 0 and 1, the origins 0 to 5 and the flags 1 and 2.
 *
 * Not here: checksum and format byte (record.ts).
 */
import { readUint8, readVarString, readVarUint, readVarUint8Array, type Decoder } from "lib0/decoding";
import { writeUint8, writeVarString, writeVarUint, writeVarUint8Array, type Encoder } from "lib0/encoding";
import type { ChangeOrigin } from "../../../shared/change.ts";
import { parseActor, type Actor } from "../../../shared/ids.ts";
import { parseLockEvent, parseMetaChange } from "./rule-codec.ts";
import type { LogEntry } from "../change-log.ts";
import { firstSeqOf } from "./log-keys.ts";
import { decodeRecord, encodeRecord, type StoredRecord } from "./record.ts";

/** Codes are for ever: give a new name the next one, never reuse one. */
const KIND_CODES: Readonly<Record<LogEntry["kind"], number>> = { change: 0, void: 1, epoch: 2, lock: 3, meta: 4 };
const ORIGIN_CODES: Readonly<Record<ChangeOrigin, number>> = {
  sync: 0,
  sdk: 1,
  rest: 2,
  mcp: 3,
  cli: 4,
  restore: 5,
  undo: 6,
  resolver: 7,
  server: 8,
};
const KINDS = byCode(KIND_CODES);
const ORIGINS = byCode(ORIGIN_CODES);

const SAME_ACTOR = 1;
const HAS_MESSAGE = 2;
const HAS_RESOLVES = 4;
const HAS_SALT = 8;
const HAS_LOCK = 16;
const HAS_META = 32;

type Rare = "message" | "resolves" | "authorSalt" | "lock" | "meta";

/** The entry with what most entries lack. Written out: spreads of objects that may lack a field cost microseconds each. */
export function withRare(
  entry: Omit<LogEntry, Rare>,
  rare: { readonly [Key in Rare]: LogEntry[Key] | undefined },
): LogEntry {
  const { message, resolves, authorSalt, lock, meta } = rare;
  if (resolves === undefined && authorSalt === undefined && lock === undefined && meta === undefined)
    return message === undefined ? entry : { ...entry, message };
  return {
    ...entry,
    ...(message === undefined ? {} : { message }),
    ...(resolves === undefined ? {} : { resolves }),
    ...(authorSalt === undefined ? {} : { authorSalt }),
    ...(lock === undefined ? {} : { lock }),
    ...(meta === undefined ? {} : { meta }),
  };
}

/** `entries` follow one another without a gap; the first has the seq that `key` names. */
export function encodeRun(key: Uint8Array, versionBefore: number, entries: readonly LogEntry[]): Uint8Array {
  return encodeRecord(key, (encoder) => {
    writeVarUint(encoder, versionBefore);
    writeVarUint(encoder, entries.length);
    let previous: Actor | undefined;
    for (const entry of entries) {
      writeEntry(encoder, entry, previous);
      previous = entry.actor;
    }
  });
}

/** @throws {ServiceError} DATA_DAMAGED, DATA_FORMAT_NEWER */
export function decodeRun(record: StoredRecord): readonly LogEntry[] {
  return decodeRecord(record, (decoder) => {
    const firstSeq = firstSeqOf(record.key);
    let version = readVarUint(decoder);
    const count = readVarUint(decoder);
    const entries: LogEntry[] = [];
    let actor: Actor | undefined;
    for (let i = 0; i < count; i++) {
      const entry = readEntry(decoder, { seq: firstSeq + i, versionBefore: version, previous: actor });
      entries.push(entry);
      ({ version, actor } = entry);
    }
    return entries;
  });
}

function writeEntry(encoder: Encoder, entry: LogEntry, previous: Actor | undefined): void {
  const isSameActor = entry.actor === previous;
  writeUint8(encoder, KIND_CODES[entry.kind]);
  writeUint8(encoder, ORIGIN_CODES[entry.origin]);
  writeUint8(encoder, flagsOf(entry) | (isSameActor ? SAME_ACTOR : 0));
  if (!isSameActor) writeVarString(encoder, entry.actor);
  writeVarUint(encoder, entry.atMs);
  if (entry.message !== undefined) writeVarString(encoder, entry.message);
  if (entry.resolves !== undefined) writeVarString(encoder, entry.resolves);
  writeVarUint(encoder, entry.paths.length);
  for (const path of entry.paths) writeVarString(encoder, path);
  writeVarUint8Array(encoder, entry.update);
  if (entry.authorSalt !== undefined) writeVarUint(encoder, entry.authorSalt);
  if (entry.lock !== undefined) writeVarString(encoder, JSON.stringify(entry.lock));
  if (entry.meta !== undefined) writeVarString(encoder, JSON.stringify(entry.meta));
}

function flagsOf({ message, resolves, authorSalt, lock, meta }: LogEntry): number {
  return (
    (message === undefined ? 0 : HAS_MESSAGE) |
    (resolves === undefined ? 0 : HAS_RESOLVES) |
    (authorSalt === undefined ? 0 : HAS_SALT) |
    (lock === undefined ? 0 : HAS_LOCK) |
    (meta === undefined ? 0 : HAS_META)
  );
}

interface Position {
  readonly seq: number;
  readonly versionBefore: number;
  readonly previous: Actor | undefined;
}

function readEntry(decoder: Decoder, { seq, versionBefore, previous }: Position): LogEntry {
  const kind = known(KINDS, readUint8(decoder));
  const origin = known(ORIGINS, readUint8(decoder));
  const flags = readUint8(decoder);
  const actor = (flags & SAME_ACTOR) === 0 ? parseActor(readVarString(decoder)) : previous;
  if (actor === undefined) throw new Error("the first entry has no actor");
  const atMs = readVarUint(decoder);
  const message = (flags & HAS_MESSAGE) === 0 ? undefined : readVarString(decoder);
  const resolves = (flags & HAS_RESOLVES) === 0 ? undefined : readVarString(decoder);
  const pathCount = readVarUint(decoder);
  const paths: string[] = [];
  for (let i = 0; i < pathCount; i++) paths.push(readVarString(decoder));
  const update = readVarUint8Array(decoder);
  const authorSalt = (flags & HAS_SALT) === 0 ? undefined : readVarUint(decoder);
  const lock = (flags & HAS_LOCK) === 0 ? undefined : parseLockEvent(readVarString(decoder));
  const meta = (flags & HAS_META) === 0 ? undefined : parseMetaChange(readVarString(decoder));
  const version = versionBefore + (kind === "change" ? 1 : 0);
  const rare = { message, resolves, authorSalt, lock, meta };
  return withRare({ kind, seq, version, actor, atMs, origin, paths, update }, rare);
}

function byCode<Name extends string>(codes: Readonly<Record<Name, number>>): ReadonlyMap<number, Name> {
  const names = new Map<number, Name>();
  for (const name in codes) names.set(codes[name], name);
  return names;
}

function known<Name>(names: ReadonlyMap<number, Name>, code: number): Name {
  const name = names.get(code);
  if (name === undefined) throw new Error(`unknown code ${code}`);
  return name;
}

/**
 * Conflicts as records beside the log (collection "conflicts"), and back.
 *
 * Invariants (CONFLICT):
 *  1. Keys order by position in the log, then by number within the change: "0000000000000017.0003" is conflict "17.3".
 *  2. A record is the conflict itself, without members that are absent.
 */
import { CONFLICT_KINDS, CONFLICT_POLICIES, CONFLICT_STATUSES } from "../../../shared/conflict.ts";
import type { Conflict, ConflictSide } from "../../../shared/conflict.ts";
import { ServiceError } from "../../../shared/errors.ts";
import { parseActor } from "../../../shared/ids.ts";
import { isJsonObject } from "../../../shared/json.ts";
import type { Json, JsonObject } from "../../../shared/json.ts";
import type { LogEntry, RecordWrite } from "../../storage/change-log.ts";

/** Digits of 2^53, and of `conflictsPerChangeMax` with room. */
const SEQ_DIGITS = 16;
const NUMBER_DIGITS = 4;
const ID = /^(0|[1-9]\d{0,15})\.(0|[1-9]\d{0,3})$/;

/** Undefined when it is no id of a conflict. */
export function conflictRecordKey(id: string): string | undefined {
  const [, seq, number] = ID.exec(id) ?? [];
  if (seq === undefined || number === undefined) return undefined;
  return `${seq.padStart(SEQ_DIGITS, "0")}.${number.padStart(NUMBER_DIGITS, "0")}`;
}

export function conflictWrite(conflict: Conflict): RecordWrite {
  const key = conflictRecordKey(conflict.id);
  if (key === undefined) throw new Error(`"${conflict.id}" is no id of a conflict`);
  return { collection: "conflicts", key, value: recordOf(conflict) };
}

/** With the change that resolved it. */
export function resolvedBy(
  conflict: Conflict,
  { version, actor, atMs }: Pick<LogEntry, "version" | "actor" | "atMs">,
): Conflict {
  return { ...conflict, status: "resolved", resolution: { version, actor, atMs } };
}

export function recordOf({ winner, loser, resolution, ...rest }: Conflict): JsonObject {
  return {
    ...rest,
    winner: { ...winner },
    loser: { ...loser },
    ...(resolution === undefined ? {} : { resolution: { ...resolution } }),
  };
}

/** @throws {ServiceError} DATA_DAMAGED when it is no such record */
export function conflictOf(record: JsonObject): Conflict {
  const { id, path, isNested, resolution } = record;
  if (typeof id !== "string" || typeof path !== "string") throw damaged();
  return {
    id,
    path,
    ...(isNested === true ? { isNested } : {}),
    kind: oneOf(CONFLICT_KINDS, record["kind"]),
    policy: oneOf(CONFLICT_POLICIES, record["policy"]),
    winner: sideOf(record["winner"]),
    loser: sideOf(record["loser"]),
    status: oneOf(CONFLICT_STATUSES, record["status"]),
    atMs: numberOf(record["atMs"]),
    version: numberOf(record["version"]),
    ...(resolution === undefined ? {} : { resolution: resolutionOf(resolution) }),
  };
}

function sideOf(record: Json | undefined): ConflictSide {
  if (record === undefined || !isJsonObject(record)) throw damaged();
  const { actor, version, value } = record;
  return {
    ...(typeof actor === "string" ? { actor: parseActor(actor) } : {}),
    ...(version === undefined ? {} : { version: numberOf(version) }),
    ...(value === undefined ? {} : { value }),
  };
}

function resolutionOf(record: Json): NonNullable<Conflict["resolution"]> {
  if (!isJsonObject(record) || typeof record["actor"] !== "string") throw damaged();
  const { version, actor, atMs } = record;
  return { version: numberOf(version), actor: parseActor(actor), atMs: numberOf(atMs) };
}

function numberOf(value: Json | undefined): number {
  if (typeof value !== "number") throw damaged();
  return value;
}

function oneOf<Word extends string>(words: readonly Word[], value: Json | undefined): Word {
  const word = words.find((candidate) => candidate === value);
  if (word === undefined) throw damaged();
  return word;
}

function damaged(): ServiceError {
  return new ServiceError(
    "DATA_DAMAGED",
    "A record of a conflict cannot be read by this release. Start the release that wrote the data folder.",
  );
}

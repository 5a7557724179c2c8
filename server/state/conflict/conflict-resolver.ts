/**
 * What is done about a conflict: by the policy of its place when it is found, by somebody's choice later.
 *
 * | policy | set against set, set against deletion | lost edits |
 * |---|---|---|
 * | `record` | the merge stands | stands |
 * | `first-wins` | what the server took first is put back, if the merge dropped it | stands |
 * | `merge` | two objects: members that only the loser has are added, at every depth; two strings or two texts: the longer one, if it contains the other; else stands | stands |
 * | `manual` | open | open |
 *
 * Invariants (CONFLICT):
 *  1. No policy takes anything of what the winner says; `first-wins` replaces it as a whole.
 *  2. What was kept as an outline, or has no path of its own, is never written: such a conflict stays open where the policy
 *     would write it.
 *
 * Not here: writing it, and not writing when others wrote there since (conflict-desk.ts).
 */
import type { JsonOp } from "../../../shared/change.ts";
import type { ConflictKind, ConflictPolicy, ConflictStatus } from "../../../shared/conflict.ts";
import { ServiceError } from "../../../shared/errors.ts";
import { TEXT_MARK, markOf } from "../../../shared/json-marks.ts";
import { isJsonObject } from "../../../shared/json.ts";
import type { Json, JsonObject } from "../../../shared/json.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { escapeStep } from "../../../shared/path.ts";
import type { Detected } from "./detected.ts";
import { hasOutline } from "./value-outline.ts";

export interface Resolution {
  readonly status: ConflictStatus;
  /** Empty: nothing is to be written. Else the conflict is resolved when they are. */
  readonly ops: readonly JsonOp[];
}

/** What of a conflict decides how a side of it is put back. */
export interface Place {
  readonly path: string;
  readonly isNested?: true;
  readonly kind: ConflictKind;
}

type Present = (path: string) => Json | undefined;

const RECORDED: Resolution = { status: "recorded", ops: [] };
const OPEN: Resolution = { status: "open", ops: [] };

/** @param present what stands at a path with the change in it, marked (shared/json-marks.ts) */
export function resolutionOf(policy: ConflictPolicy, detected: Detected, present: Present): Resolution {
  switch (policy) {
    case "record":
      return RECORDED;
    case "first-wins":
      return firstWins(detected, present);
    case "merge":
      return merged(detected, present);
    default:
      return OPEN;
  }
}

/**
 * Puts what one side says in its place.
 * @throws {ServiceError} INVALID_CHANGE when that is not known exactly, or not where
 */
export function opsOfSide(
  { value }: { readonly value?: Json },
  { path, isNested, kind }: Place,
  present: Present,
): readonly JsonOp[] {
  if (kind === "lost-edits") {
    throw refused(
      "The edits were for something that is not there any more. Write what is needed of them as `changes`.",
    );
  }
  if (isNested === true) {
    throw refused(
      "The place is inside an array, where elements have no names, so it is not known which one to write. Write the value as `changes`.",
    );
  }
  if (value === undefined) return present(path) === undefined ? [] : [{ op: "remove", path }];
  if (hasOutline(value)) {
    throw refused(
      "The value was too large to be kept whole. Read the version before the conflict, and write it as `changes`.",
    );
  }
  return [{ op: "add", path, value }];
}

function firstWins(detected: Detected, present: Present): Resolution {
  const { winner, loser, kind } = detected;
  if (kind === "lost-edits" || !winner.isIncoming || loser.isIncoming) return RECORDED;
  return resolvedBy(() => opsOfSide(loser, detected, present));
}

function merged(detected: Detected, present: Present): Resolution {
  const { winner, loser, kind, path } = detected;
  const kept = present(path);
  if (kind !== "set-set" || winner.value === undefined || loser.value === undefined || kept === undefined) {
    return RECORDED;
  }
  if (detected.isNested === true || hasOutline(winner.value) || hasOutline(loser.value)) return RECORDED;
  return resolvedBy(() => additions(kept, loser.value ?? null, path));
}

/** Nothing to write is nothing resolved: the merge stands. What cannot be written waits for somebody. */
function resolvedBy(write: () => readonly JsonOp[]): Resolution {
  try {
    const ops = write();
    if (ops.length === 0) return RECORDED;
    return ops.length > LIMITS.opsMax ? OPEN : { status: "resolved", ops };
  } catch (error) {
    if (error instanceof ServiceError) return OPEN;
    throw error;
  }
}

/** What `lost` has beyond `kept`. */
function additions(kept: Json, lost: Json, path: string): readonly JsonOp[] {
  const keptText = stringOf(kept);
  const lostText = stringOf(lost);
  if (keptText !== undefined && lostText !== undefined) {
    const isBeyond = lostText.length > keptText.length && lostText.includes(keptText);
    return isBeyond && markOf(kept) === markOf(lost) ? [{ op: "replace", path, value: lost }] : [];
  }
  if (!isMergeable(kept) || !isMergeable(lost)) return [];
  return Object.entries(lost).flatMap(([key, value]): readonly JsonOp[] => {
    const at = `${path}/${escapeStep(key)}`;
    const member = Object.hasOwn(kept, key) ? kept[key] : undefined;
    return member === undefined ? [{ op: "add", path: at, value }] : additions(member, value, at);
  });
}

function isMergeable(value: Json): value is JsonObject {
  return isJsonObject(value) && markOf(value) === undefined;
}

function stringOf(value: Json): string | undefined {
  if (typeof value === "string") return value;
  const text = isJsonObject(value) && markOf(value) === TEXT_MARK ? value[TEXT_MARK] : undefined;
  return typeof text === "string" ? text : undefined;
}

function refused(message: string): ServiceError {
  return new ServiceError("INVALID_CHANGE", message);
}

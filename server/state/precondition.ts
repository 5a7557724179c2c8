/**
 * Preconditions: a write that names the version its author looked at.
 *
 * Invariants (PRE):
 *  1. Scope `paths`: the write holds when no change after that version touched a path at, above or below one that it
 *     touches or says it writes. Scope `context`: when there was no change at all.
 *  2. What cannot be known any more, because the log does not keep it, counts as changed.
 *  3. The refusal says the present version and value, and who changed it when.
 */
import type * as Y from "yjs";
import type { JsonOp, VersionScope } from "../../shared/change.ts";
import { ServiceError } from "../../shared/errors.ts";
import { isoTime } from "../../shared/iso-time.ts";
import { isJsonObject } from "../../shared/json.ts";
import type { Json } from "../../shared/json.ts";
import { LIMITS } from "../../shared/limits.ts";
import { escapeStep } from "../../shared/path.ts";
import { outlineAt } from "./outline-at.ts";
import type { LastWrite, TouchIndex } from "./touch-index.ts";

export interface Precondition {
  readonly version: number;
  readonly scope: VersionScope;
  /** The changes between `version` and what the context's own index knows, when it does not reach back so far. */
  readonly older?: { readonly index: TouchIndex; readonly upTo: number };
}

/**
 * The paths that operations say they write, whether that changes anything or not: who writes what somebody else has just
 * written too must learn that, or two would count one thing once. The others name what they change.
 */
export function statedPaths(ops: readonly JsonOp[]): readonly string[] {
  return ops.flatMap((op): readonly string[] => {
    if (op.op === "merge") return mergedPaths(op.path, op.value);
    return op.op === "add" || op.op === "replace" || op.op === "copy" ? [op.path] : [];
  });
}

function mergedPaths(path: string, value: Json): readonly string[] {
  if (!isJsonObject(value)) return [path];
  return Object.entries(value).flatMap(([key, member]) => mergedPaths(`${path}/${escapeStep(key)}`, member));
}

/** What a precondition is held against. */
export interface Present {
  readonly doc: Y.Doc;
  readonly version: number;
  readonly touches: TouchIndex;
}

/** @throws {ServiceError} VERSION_CONFLICT */
export function checkVersion({ version, scope }: Precondition, present: Present): void {
  if (version > present.version) throw fromTheFuture(version, present);
  if (scope === "paths" || version === present.version) return;
  const last = present.touches.newestAt("");
  // what came after it may have changed nothing that anybody reads
  throw moved(version, present, last !== undefined && last.version > version ? last : undefined);
}

/** @throws {ServiceError} VERSION_CONFLICT */
export function checkPaths({ version, older }: Precondition, paths: readonly string[], present: Present): void {
  if (version === present.version) return;
  const { touches } = present;
  for (const path of paths) {
    const last = touches.newestAt(path) ?? older?.index.newestAt(path);
    if (last !== undefined && last.version > version) throw moved(version, present, { ...last, path });
  }
  if (version >= touches.floor || (older !== undefined && older.index.floor <= version && older.upTo >= touches.floor))
    return;
  throw moved(version, present, undefined);
}

function moved(ifVersion: number, { doc, version }: Present, last: LastWrite | undefined): ServiceError {
  const details = { currentVersion: version, ifVersion };
  if (last === undefined) {
    return new ServiceError(
      "VERSION_CONFLICT",
      `The context is at version ${version}, and what changed after version ${ifVersion} is not known. Read it again and decide on what it says now.`,
      { details },
    );
  }
  const { path, actor, atMs } = last;
  const place = path === "" ? "The context" : `"${path}"`;
  const value = outlineAt(doc, path, LIMITS.conflictValueBytesMax);
  return new ServiceError(
    "VERSION_CONFLICT",
    `${place} was changed by ${actor} in version ${last.version}, after version ${ifVersion} that the change was made for. Read it again and decide on what it says now.`,
    {
      details: {
        ...details,
        path,
        changedBy: { actor, version: last.version, at: isoTime(atMs) },
        ...(value === undefined ? {} : { value }),
      },
    },
  );
}

function fromTheFuture(ifVersion: number, { version }: Present): ServiceError {
  return new ServiceError(
    "VERSION_CONFLICT",
    `The context is at version ${version} and has no version ${ifVersion} yet: it was deleted and made again, or the number is wrong. Read it again.`,
    { details: { currentVersion: version, ifVersion } },
  );
}

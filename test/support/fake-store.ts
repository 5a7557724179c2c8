/**
 * What the fakes of the use cases share: contexts as plain JSON in memory, each with all its earlier states.
 */
import type { ChangeRecord } from "../../shared/change.ts";
import type { Conflict } from "../../shared/conflict.ts";
import type { ContextType } from "../../shared/context-type.ts";
import { ServiceError } from "../../shared/errors.ts";
import type { NamedCheckpoint } from "../../shared/history.ts";
import type { ContextId } from "../../shared/ids.ts";
import type { JsonObject } from "../../shared/json.ts";
import { overlaps, parsePath } from "../../shared/path.ts";
import type { ContextEvents } from "../../server/context/context-events.ts";
import type { Caller, ChangeOutcome, ChangeRequest, ContextSummary } from "../../server/context-service.ts";

export const AT_MS = Date.UTC(2026, 10, 22, 12);

export interface Stored {
  state: ContextSummary;
  data: JsonObject;
  /** The data at version 0, 1, 2, … */
  readonly past: JsonObject[];
  readonly changes: ChangeRecord[];
  readonly checkpoints: Map<string, NamedCheckpoint>;
  /** Newest first. */
  conflicts: Conflict[];
  readonly outcomes: Map<string, { readonly fingerprint: string; readonly outcome: ChangeOutcome }>;
  isGone: boolean;
}

/** What the fakes may do with contexts. */
export interface FakeStore {
  readonly types: Map<string, ContextType>;
  readonly events: ContextEvents;
  /** @throws {ServiceError} CONTEXT_NOT_FOUND */
  get(id: ContextId): Stored;
  all(): readonly Stored[];
  change(
    caller: Caller,
    id: ContextId,
    request: ChangeRequest & { readonly resolves?: string },
  ): Promise<ChangeOutcome>;
}

export function dataAt({ past }: Stored, version: number): JsonObject {
  const data = past[version];
  if (data !== undefined) return data;
  throw new ServiceError("VERSION_NOT_FOUND", `The context is at version ${past.length - 1}; it has no ${version}.`);
}

export function touches({ paths }: Pick<ChangeRecord, "paths">, path: string): boolean {
  return path === "" || paths.some((it) => overlaps(parsePath(it), parsePath(path)));
}

/** The member of the data that a path begins with. */
export function keyOf(path: string): string {
  return parsePath(path)[1] ?? "";
}

/** Refuses what was changed since the version that the change names. @throws {ServiceError} VERSION_CONFLICT */
export function assertUnchanged({ changes, data }: Stored, request: ChangeRequest): void {
  const { ifVersion, ifVersionScope = "paths", ops } = request;
  if (ifVersion === undefined) return;
  const isTouched = (change: ChangeRecord): boolean =>
    ifVersionScope === "context" || ops.some(({ path }) => touches(change, path));
  const since = changes.findLast((it) => it.version > ifVersion && isTouched(it));
  const currentVersion = changes.length;
  if (since === undefined && ifVersion <= currentVersion) return;
  const [path = ""] = since?.paths ?? [];
  const value = data[keyOf(path)];
  const by = since && { actor: since.actor, version: since.version, at: new Date(since.atMs).toISOString() };
  throw new ServiceError("VERSION_CONFLICT", `The context is at version ${currentVersion}. Read it and decide anew.`, {
    details: { currentVersion, ifVersion, path, ...(by && { changedBy: by }), ...(value !== undefined && { value }) },
  });
}

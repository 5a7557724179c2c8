/**
 * The past of a context as callers use it: differences, blame, restore, undo, and versions with names.
 *
 * Invariants (HIST, UNDO):
 *  1. Restoring and undoing are changes like any other: worked out against the present document, merged, durable, listed.
 *  2. A dry run answers what would be written, and writes nothing.
 *  3. A named checkpoint and its record become durable in one step, and go in one step.
 *
 * Not here: how it is worked out (server/history, server/state/history), compaction (compaction.ts).
 */
import type * as Y from "yjs";
import type { JsonOp } from "../../shared/change.ts";
import { ServiceError, toServiceError } from "../../shared/errors.ts";
import type { BlameLine, Diff, NamedCheckpoint } from "../../shared/history.ts";
import type { ContextId } from "../../shared/ids.ts";
import { formatPath, parsePath } from "../../shared/path.ts";
import { readData } from "../../shared/read-data.ts";
import type { Clock } from "../clock.ts";
import type { ContextAccess } from "../context-access.ts";
import type { Caller, HistoryService, RestoreRequest, RevertOutcome, UndoRequest } from "../context-service.ts";
import type { HistoryManager } from "../history/history-manager.ts";
import { readingAt, revertOps } from "../state/history/revert-ops.ts";
import type { RevertOps } from "../state/history/revert-ops.ts";
import { NamedCheckpoints } from "./named-checkpoints.ts";
import type { CheckpointStore } from "./named-checkpoints.ts";

export interface HistoryUseCasesOptions {
  readonly access: ContextAccess;
  readonly history: HistoryManager;
  readonly storage: CheckpointStore;
  readonly clock: Clock;
  readonly compact: HistoryService["compact"];
}

/** How often an undo is worked out anew because somebody wrote at the same places meanwhile. */
const UNDO_TRIES_MAX = 5;

export class HistoryUseCases implements HistoryService {
  readonly compact: HistoryService["compact"];
  readonly #access: ContextAccess;
  readonly #history: HistoryManager;
  readonly #names: NamedCheckpoints;

  constructor({ access, history, storage, clock, compact }: HistoryUseCasesOptions) {
    this.#access = access;
    this.#history = history;
    this.#names = new NamedCheckpoints({ history, storage, clock });
    this.compact = compact;
  }

  diff(
    _caller: Caller,
    id: ContextId,
    request: { readonly from: number; readonly to?: number; readonly path: string },
  ): Promise<Diff> {
    return this.#history.diff(id, request);
  }

  blame(
    _caller: Caller,
    id: ContextId,
    { path }: { readonly path: string },
  ): Promise<{ readonly version: number; readonly lines: readonly BlameLine[] }> {
    return this.#history.blame(id, path);
  }

  async restore(caller: Caller, id: ContextId, request: RestoreRequest): Promise<RevertOutcome> {
    const { path, version, dryRun = false, message = `restore version ${version}` } = request;
    const { lockTokens: tokens = [] } = request;
    const wanted = await this.#history.reading(id, { version, path });
    let found: RevertOps = { changes: [], kept: [] };
    const plan = (doc: Y.Doc): readonly JsonOp[] => {
      found = revertOps(readingAt(doc, path), wanted, path);
      checkParent(doc, path, found.changes);
      return found.changes;
    };
    const at = dryRun
      ? (await this.#access.look(id, plan)).head.version
      : (await this.#access.change(caller, id, { plan, origin: "restore", message, tokens })).version;
    return { version: at, ...found, dryRun };
  }

  async undo(caller: Caller, id: ContextId, request: UndoRequest): Promise<RevertOutcome> {
    checkRange(request);
    for (let tries = 1; ; tries++) {
      try {
        return await this.#undoOnce(caller, id, request);
      } catch (error) {
        if (toServiceError(error).code !== "VERSION_CONFLICT" || tries === UNDO_TRIES_MAX) throw error;
      }
    }
  }

  checkpoints(_caller: Caller, id: ContextId): Promise<readonly NamedCheckpoint[]> {
    return this.#names.list(id);
  }

  nameCheckpoint(
    caller: Caller,
    id: ContextId,
    request: { readonly name: string; readonly version?: number; readonly message?: string },
  ): Promise<NamedCheckpoint> {
    return this.#names.add(caller, id, request);
  }

  forgetCheckpoint(_caller: Caller, id: ContextId, name: string): Promise<void> {
    return this.#names.remove(id, name);
  }

  async #undoOnce(caller: Caller, id: ContextId, request: UndoRequest): Promise<RevertOutcome> {
    const { actor, from, to, dryRun = false, lockTokens: tokens = [] } = request;
    const { changes, kept, version } = await this.#history.undoPlan(id, request);
    if (dryRun || changes.length === 0) return { version, changes, kept, dryRun };
    const message = request.message ?? `undo ${actor}, versions ${from + 1} to ${to}`;
    const planned = { plan: () => changes, origin: "undo", message, ifVersion: version, tokens } as const;
    const outcome = await this.#access.change(caller, id, planned);
    return { version: outcome.version, changes, kept, dryRun };
  }
}

/** What stood in something that is gone can only come back with it. @throws {ServiceError} PATH_NOT_FOUND */
function checkParent(doc: Y.Doc, path: string, changes: readonly JsonOp[]): void {
  if (!changes.some((change) => change.op === "add" && change.path === path)) return;
  try {
    readData(doc, formatPath(parsePath(path).slice(0, -1)), 0);
  } catch (error) {
    const { code, details } = toServiceError(error);
    if (code !== "PATH_NOT_FOUND") throw error;
    throw new ServiceError(
      "PATH_NOT_FOUND",
      "What stood at the path stood in something that is gone as well. Restore that: `details.path` says where it was.",
      { details },
    );
  }
}

function checkRange({ from, to, path = "" }: UndoRequest): void {
  parsePath(path);
  if (from < to) return;
  throw new ServiceError(
    "INVALID_REQUEST",
    "An undo takes the changes after version `from` up to version `to`, so `to` is greater than `from`.",
  );
}

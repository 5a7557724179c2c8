/**
 * The past of a fake context: whole states of earlier versions, compared member by member at the top level.
 *
 * Not here: anything below the top level, what live editors write.
 */
import type { ChangeRecord, JsonOp } from "../../shared/change.ts";
import { ServiceError } from "../../shared/errors.ts";
import type { BlameLine, Diff, KeptPath, NamedCheckpoint } from "../../shared/history.ts";
import type { ContextId } from "../../shared/ids.ts";
import { isJsonObject } from "../../shared/json.ts";
import type { Json, JsonObject } from "../../shared/json.ts";
import { covers, formatPath, parsePath } from "../../shared/path.ts";
import type {
  Caller,
  CompactOutcome,
  HistoryService,
  RestoreRequest,
  RevertOutcome,
  UndoRequest,
} from "../../server/context-service.ts";
import { AT_MS, dataAt, keyOf, touches } from "./fake-store.ts";
import type { FakeStore } from "./fake-store.ts";

export class FakePast implements HistoryService {
  readonly #store: FakeStore;

  constructor(store: FakeStore) {
    this.#store = store;
  }

  async diff(
    _caller: Caller,
    id: ContextId,
    { from, to, path }: { from: number; to?: number; path: string },
  ): Promise<Diff> {
    const stored = this.#store.get(id);
    const newest = to ?? stored.changes.length;
    return { from, to: newest, path, changes: differences(dataAt(stored, from), dataAt(stored, newest), path) };
  }

  async blame(_caller: Caller, id: ContextId, { path }: { path: string }) {
    const stored = this.#store.get(id);
    const lines = Object.keys(stored.data)
      .map((key) => formatPath(["data", key]))
      .filter((it) => covers(parsePath(path), parsePath(it)))
      .map((it): BlameLine => ({ path: it, ...authorship(stored.changes.findLast((change) => touches(change, it))) }));
    if (lines.length === 0) throw new ServiceError("PATH_NOT_FOUND", `There is nothing at ${path}.`);
    return { version: stored.changes.length, lines };
  }

  async restore(caller: Caller, id: ContextId, request: RestoreRequest): Promise<RevertOutcome> {
    const stored = this.#store.get(id);
    const changes = differences(stored.data, dataAt(stored, request.version), request.path);
    return this.#revert({ ...caller, origin: "restore" }, id, { ...request, changes, kept: [] });
  }

  async undo(caller: Caller, id: ContextId, request: UndoRequest): Promise<RevertOutcome> {
    const { actor, from, to, path = "" } = request;
    const stored = this.#store.get(id);
    dataAt(stored, from);
    if (to <= from) throw new ServiceError("INVALID_REQUEST", "`to` must be greater than `from`.");
    const theirs = stored.changes.filter((it) => it.actor === actor && it.version > from && it.version <= to);
    const places = [...new Set(theirs.flatMap(({ paths }) => paths))].filter((it) => touches({ paths: [it] }, path));
    const kept: KeptPath[] = [];
    const changes: JsonOp[] = [];
    for (const place of places) {
      const mine = theirs.filter((it) => touches(it, place));
      const later = stored.changes.findLast(
        (it) => it.version > (mine.at(-1)?.version ?? 0) && !mine.includes(it) && touches(it, place),
      );
      if (later === undefined) {
        changes.push(...differences(stored.data, dataAt(stored, (mine[0]?.version ?? 1) - 1), place));
      } else {
        kept.push({ path: place, reason: "changed-since", by: authorship(later) });
      }
    }
    return this.#revert({ ...caller, origin: "undo" }, id, { ...request, changes, kept });
  }

  async checkpoints(_caller: Caller, id: ContextId): Promise<readonly NamedCheckpoint[]> {
    return [...this.#store.get(id).checkpoints.values()].sort((a, b) => b.version - a.version);
  }

  async nameCheckpoint(
    { identity: { actor } }: Caller,
    id: ContextId,
    { name, version, message }: { name: string; version?: number; message?: string },
  ): Promise<NamedCheckpoint> {
    const stored = this.#store.get(id);
    if (stored.checkpoints.has(name)) throw new ServiceError("ALREADY_EXISTS", "A checkpoint of this name exists.");
    const named = version ?? stored.changes.length;
    dataAt(stored, named);
    const why = message === undefined ? {} : { message };
    const checkpoint: NamedCheckpoint = { name, version: named, seq: named, actor, atMs: AT_MS, ...why };
    stored.checkpoints.set(name, checkpoint);
    return checkpoint;
  }

  async forgetCheckpoint(_caller: Caller, id: ContextId, name: string): Promise<void> {
    if (this.#store.get(id).checkpoints.delete(name)) return;
    throw new ServiceError("CHECKPOINT_NOT_FOUND", "The context has no checkpoint of this name.");
  }

  async compact(_caller: Caller, id: ContextId): Promise<CompactOutcome> {
    const stored = this.#store.get(id);
    const { meta, head } = stored.state;
    stored.state = { ...stored.state, meta: { ...meta, epoch: meta.epoch + 1 } };
    return { version: head.version, epoch: meta.epoch + 1, bytesBefore: 200, bytesAfter: 100 };
  }

  async #revert(
    caller: Caller,
    id: ContextId,
    {
      changes,
      kept,
      dryRun = false,
      message,
      lockTokens = [],
    }: Pick<RevertOutcome, "changes" | "kept"> & Partial<RestoreRequest>,
  ): Promise<RevertOutcome> {
    if (!dryRun && changes.length > 0) {
      await this.#store.change(caller, id, { ops: changes, lockTokens, ...(message === undefined ? {} : { message }) });
    }
    return { version: this.#store.get(id).changes.length, changes, kept, dryRun };
  }
}

function authorship(change: ChangeRecord | undefined) {
  if (change === undefined) return {};
  const { version, actor, atMs, message } = change;
  return { version, actor, atMs, ...(message === undefined ? {} : { message }) };
}

/** At or below `path`, which is "" or a member of the data. */
function differences(from: JsonObject, to: JsonObject, path: string): JsonOp[] {
  const keys = path === "" ? [...new Set([...Object.keys(from), ...Object.keys(to)])] : [keyOf(path)];
  return keys.flatMap((key): JsonOp[] => {
    const [before, after] = [from[key], to[key]];
    const at = formatPath(["data", key]);
    if (isSame(before, after)) return [];
    if (after === undefined) return [{ op: "remove", path: at }];
    return [{ op: before === undefined ? "add" : "replace", path: at, value: after }];
  });
}

function isSame(a: Json | undefined, b: Json | undefined): boolean {
  if (isJsonObject(a) && isJsonObject(b)) return differences(a, b, "").length === 0;
  return JSON.stringify(a) === JSON.stringify(b);
}

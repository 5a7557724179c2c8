/**
 * Conflicts as tests script them: `add` says there is one, resolving is a change.
 */
import type { JsonOp } from "../../shared/change.ts";
import type { Conflict, ConflictSide, ConflictStatus } from "../../shared/conflict.ts";
import { ServiceError } from "../../shared/errors.ts";
import type { ContextId } from "../../shared/ids.ts";
import type { Caller, ConflictService, Page } from "../../server/context-service.ts";
import { AT_MS, touches } from "./fake-store.ts";
import type { FakeStore } from "./fake-store.ts";

export class FakeConflicts implements ConflictService {
  readonly #store: FakeStore;

  constructor(store: FakeStore) {
    this.#store = store;
  }

  add(id: ContextId, conflict: Conflict): void {
    this.#store.get(id).conflicts.unshift(conflict);
  }

  async list(
    _caller: Caller,
    id: ContextId,
    { status, path = "", limit, after }: { status?: ConflictStatus; path?: string; limit: number; after?: string },
  ): Promise<Page<Conflict>> {
    const all = this.#store.get(id).conflicts;
    const rest = all.slice(all.findIndex((it) => it.id === after) + 1);
    const hits = rest.filter(
      (it) => (status === undefined || it.status === status) && touches({ paths: [it.path] }, path),
    );
    const items = hits.slice(0, limit);
    const last = items.at(-1);
    return hits.length > limit && last !== undefined ? { items, next: last.id } : { items };
  }

  async resolve(
    caller: Caller,
    id: ContextId,
    request: Parameters<ConflictService["resolve"]>[2],
  ): Promise<{ version: number; conflict: Conflict }> {
    const stored = this.#store.get(id);
    const conflict = stored.conflicts.find((it) => it.id === request.conflictId);
    if (conflict === undefined) throw new ServiceError("CONFLICT_NOT_FOUND", "The context has no such conflict.");
    if (conflict.status === "resolved") throw new ServiceError("CONFLICT_RESOLVED", "It was resolved already.");
    const { take, conflictId, message, lockTokens = [] } = request;
    const ops = typeof take === "string" ? [writing(conflict.path, conflict[take])] : take;
    const why = message === undefined ? {} : { message };
    const { version } = await this.#store.change(caller, id, { ops, resolves: conflictId, lockTokens, ...why });
    const resolution = { version, actor: caller.identity.actor, atMs: AT_MS + version };
    const resolved: Conflict = { ...conflict, status: "resolved", resolution };
    stored.conflicts = stored.conflicts.map((it) => (it === conflict ? resolved : it));
    return { version, conflict: resolved };
  }
}

function writing(path: string, { value }: ConflictSide): JsonOp {
  return value === undefined ? { op: "remove", path } : { op: "add", path, value };
}

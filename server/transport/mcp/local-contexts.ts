/**
 * Contexts in this process: the facade's use cases for one caller, their outcomes as the views that REST answers.
 *
 * Not here: rules (behind the facade), the views (transport/rest).
 */
import { parseContextId } from "../../../shared/ids.ts";
import { changeView } from "../../../shared/protocol/change-view.ts";
import { heldLockView, lockView } from "../../../shared/protocol/lock-view.ts";
import type { AclView, ShareBody } from "../../../shared/protocol/rest-access.ts";
import type { EventView } from "../../../shared/protocol/rest-events.ts";
import type { DiffView, RevertResult } from "../../../shared/protocol/rest-history.ts";
import type { HeldLockView, LockView } from "../../../shared/protocol/rest-locks.ts";
import type {
  ChangeList,
  ChangeResult,
  ChangeView,
  ContextInfo,
  ContextList,
  ContextView,
  CreateRequest,
} from "../../../shared/protocol/rest.ts";
import type { Caller, ContextService } from "../../context-service.ts";
import { followStart } from "../follow-start.ts";
import { aclView, grantChangeOf } from "../rest/access.ts";
import { diffView, revertResult } from "../rest/history-views.ts";
import { changeList, changeResult, contextInfo, contextList, contextView } from "../rest/views.ts";
import type {
  Acquire,
  ChangesQuery,
  ContextChange,
  Contexts,
  Find,
  FollowFrom,
  Restore,
  Self,
  Watcher,
} from "./contexts.ts";

export class LocalContexts implements Contexts {
  readonly self: Self;
  readonly #service: ContextService;
  readonly #caller: Caller;

  constructor(service: ContextService, caller: Caller) {
    const { actor, scopes } = caller.identity;
    this.#service = service;
    this.#caller = caller;
    this.self = { actor, scopes: [...scopes] };
  }

  async find({ cursor, ...query }: Find): Promise<ContextList> {
    const after = cursor === undefined ? {} : { after: parseContextId(cursor) };
    return contextList(await this.#service.find(this.#caller, { ...query, ...after }));
  }

  async create({ id, ...rest }: CreateRequest): Promise<ContextView> {
    const named = id === undefined ? {} : { id: parseContextId(id) };
    return contextView(await this.#service.create(this.#caller, { ...rest, ...named }));
  }

  async summary(id: string): Promise<ContextInfo> {
    return contextInfo(await this.#service.summary(this.#caller, parseContextId(id)));
  }

  async read(id: string, part: { readonly path: string; readonly version?: number }): Promise<ContextView> {
    return contextView(await this.#service.read(this.#caller, parseContextId(id), part));
  }

  async change(id: string, { changes, ...rest }: ContextChange): Promise<ChangeResult> {
    const contextId = parseContextId(id);
    return changeResult(contextId, await this.#service.change(this.#caller, contextId, { ops: changes, ...rest }));
  }

  async delete(id: string): Promise<void> {
    await this.#service.delete(this.#caller, parseContextId(id));
  }

  async changes(id: string, query: ChangesQuery): Promise<ChangeList> {
    return changeList(await this.#service.changes(this.#caller, parseContextId(id), query));
  }

  async *follow(id: string, { since, ...rest }: FollowFrom): AsyncGenerator<ChangeView> {
    const contextId = parseContextId(id);
    const start = await followStart(this.#service, this.#caller, { id: contextId, since });
    for await (const change of this.#service.follow(this.#caller, contextId, { since: start, ...rest }))
      yield changeView(change);
  }

  async diff(id: string, range: { readonly from: number; readonly path: string }): Promise<DiffView> {
    return diffView(await this.#service.history.diff(this.#caller, parseContextId(id), range));
  }

  async restore(id: string, request: Restore): Promise<RevertResult> {
    return revertResult(await this.#service.history.restore(this.#caller, parseContextId(id), request));
  }

  async share(id: string, grants: ShareBody["grants"]): Promise<AclView> {
    const changes = grants.map(grantChangeOf);
    return aclView(await this.#service.access.share(this.#caller, parseContextId(id), changes));
  }

  async locks(id: string): Promise<readonly LockView[]> {
    return (await this.#service.locks.list(this.#caller, parseContextId(id))).map(lockView);
  }

  async heldLocks(): Promise<readonly HeldLockView[]> {
    return (await this.#service.locks.held(this.#caller)).map(heldLockView);
  }

  async acquireLock(id: string, { path, ...rest }: Acquire): Promise<LockView> {
    return lockView(await this.#service.locks.acquire(this.#caller, parseContextId(id), { paths: [path], ...rest }));
  }

  async renewLock(id: string, lockId: string, ttlMs: number): Promise<LockView> {
    return lockView(await this.#service.locks.renew(this.#caller, parseContextId(id), lockId, { ttlMs }));
  }

  async releaseLock(id: string, lockId: string): Promise<void> {
    await this.#service.locks.release(this.#caller, parseContextId(id), lockId);
  }

  watch(watcher: Watcher): () => void {
    const unwatch = this.#service.watch(this.#caller, {
      tell: (event: EventView) => watcher.tell(event),
      ended: (error) => watcher.ended(error),
    });
    watcher.began();
    return unwatch;
  }
}

/**
 * What happens to contexts, for those who follow many of them: told once it is durable, to whoever may read the context then.
 *
 * Invariants (EVENT):
 *  1. A watcher is asked for its right anew at every event: what it may not read any more is not told.
 *  2. Whose token does not hold any more is told nothing more.
 *  3. Events of one context come in the order of its log; a deletion is the last one.
 *  4. That a context was made or deleted is told to the watchers at other servers too. All else they see in its log
 *     (onlookers.ts). When word of either may be lost, all watchers are told that they may have missed something.
 *
 * Not here: the changes themselves (change-feed.ts), sessions (sync/).
 */
import type { ContextEventKind, ContextMeta } from "../../shared/context.ts";
import type { ServiceError } from "../../shared/errors.ts";
import { parseActor, parseContextId } from "../../shared/ids.ts";
import { isJsonObject } from "../../shared/json.ts";
import type { Json } from "../../shared/json.ts";
import type { Grant } from "../../shared/permission.ts";
import { aclSchema } from "../../shared/protocol/rest-access.ts";
import type { AccessWatch } from "./access-watch.ts";
import { accessTo } from "../state/access/access-policy.ts";
import type { Guarded } from "../state/access/access-policy.ts";
import type { Peers } from "../storage/peers.ts";
import type { Caller, ContextWatcher } from "../context-service.ts";

interface Watch {
  readonly caller: Caller;
  readonly watcher: ContextWatcher;
}

export class ContextEvents {
  readonly #readers: Pick<AccessWatch, "watchToken">;
  readonly #peers: Pick<Peers, "say"> | undefined;
  readonly #watches = new Set<Watch>();

  constructor(readers: Pick<AccessWatch, "watchToken">, peers?: Pick<Peers, "say" | "hear" | "onGap">) {
    this.#readers = readers;
    this.#peers = peers;
    peers?.hear("contexts", (message) => {
      const heard = understood(message);
      if (heard !== undefined) this.#tell(heard.context, heard.kind);
    });
    peers?.onGap(() => {
      for (const { watcher } of [...this.#watches]) watcher.tell({ kind: "missed" });
    });
  }

  get isWatched(): boolean {
    return this.#watches.size > 0;
  }

  /** Tells the watcher until the returned function is called. */
  watch(caller: Caller, watcher: ContextWatcher): () => void {
    const watch: Watch = { caller, watcher };
    this.#watches.add(watch);
    const watched = this.#readers.watchToken(caller.identity, {
      lost: (error) => {
        this.#watches.delete(watch);
        watcher.ended(error);
      },
    });
    return () => {
      this.#watches.delete(watch);
      watched.stop();
    };
  }

  emit({ id, createdBy, acl }: ContextMeta, kind: ContextEventKind): void {
    const context: Guarded = { id, createdBy, ...(acl === undefined ? {} : { acl }) };
    if (kind === "created" || kind === "deleted") this.#peers?.say("contexts", { kind, ...jsonOf(context) });
    this.#tell(context, kind);
  }

  #tell(context: Guarded, kind: ContextEventKind): void {
    for (const { caller, watcher } of [...this.#watches])
      if (accessTo(context, caller.identity).mayRead) watcher.tell({ kind, id: context.id });
  }

  close(error: ServiceError): void {
    const watches = [...this.#watches];
    this.#watches.clear();
    for (const { watcher } of watches) watcher.ended(error);
  }
}

/** Its list is JSON already. */
function jsonOf({ id, createdBy, acl }: Guarded) {
  return { id, createdBy, ...(acl === undefined ? {} : { grants: acl.grants.map((grant): Json => plainOf(grant)) }) };
}

function plainOf({ principal, role, paths }: Grant) {
  return { principal, role, ...(paths === undefined ? {} : { paths: [...paths] }) };
}

/** What a server of another release means by something else is passed over. */
function understood(message: Json): { readonly kind: "created" | "deleted"; readonly context: Guarded } | undefined {
  if (!isJsonObject(message)) return undefined;
  const { kind, id, createdBy, grants } = message;
  if (typeof id !== "string" || typeof createdBy !== "string" || (kind !== "created" && kind !== "deleted"))
    return undefined;
  try {
    const acl = grants === undefined ? {} : { acl: aclSchema.parse({ grants }) };
    return { kind, context: { id: parseContextId(id), createdBy: parseActor(createdBy), ...acl } };
  } catch {
    return undefined;
  }
}

/**
 * What happens to contexts, for those who follow many of them: told once it is durable, to whoever may read the context then.
 *
 * Invariants (EVENT):
 *  1. A watcher is asked for its right anew at every event: what it may not read any more is not told.
 *  2. Whose token does not hold any more is told nothing more.
 *  3. Events of one context come in the order of its log; a deletion is the last one.
 *
 * Not here: the changes themselves (change-feed.ts), sessions (sync/).
 */
import type { ContextEventKind, ContextMeta } from "../../shared/context.ts";
import type { ServiceError } from "../../shared/errors.ts";
import type { AccessWatch } from "./access-watch.ts";
import { accessTo } from "../state/access/access-policy.ts";
import type { Caller, ContextWatcher } from "../context-service.ts";

interface Watch {
  readonly caller: Caller;
  readonly watcher: ContextWatcher;
}

export class ContextEvents {
  readonly #readers: Pick<AccessWatch, "watchToken">;
  readonly #watches = new Set<Watch>();

  constructor(readers: Pick<AccessWatch, "watchToken">) {
    this.#readers = readers;
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

  emit(meta: ContextMeta, kind: ContextEventKind): void {
    for (const { caller, watcher } of [...this.#watches])
      if (accessTo(meta, caller.identity).mayRead) watcher.tell({ kind, id: meta.id });
  }

  close(error: ServiceError): void {
    const watches = [...this.#watches];
    this.#watches.clear();
    for (const { watcher } of watches) watcher.ended(error);
  }
}

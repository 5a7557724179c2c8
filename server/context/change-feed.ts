/**
 * A live feed of a context's changes, made of the log: whatever its reader missed while it was busy is read from there.
 *
 * Invariants:
 *  1. Changes come in version order without a gap, and only durable ones.
 *  2. A feed that nobody reads holds nothing but its own position; it looks at each change once, wanted or not.
 *
 * Not here: the form on the wire (transport/rest/event-feed.ts).
 */
import type { ChangeRecord } from "../../shared/change.ts";
import type { ContextId } from "../../shared/ids.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { ChangesPage, ChangesRequest } from "../context-service.ts";

interface ChangeSource {
  /** @throws {ServiceError} when the context or the server is gone */
  readonly changes: (request: ChangesRequest) => Promise<ChangesPage>;
  /** Calls `wake` after each publication and end of the context. */
  readonly watch: (id: ContextId, wake: () => void) => () => void;
}

export type FeedRequest = Pick<ChangesRequest, "path" | "actor"> & {
  readonly since: number;
  readonly signal: AbortSignal;
};

export async function* changeFeed(
  { changes, watch }: ChangeSource,
  id: ContextId,
  { signal, since: start, ...filter }: FeedRequest,
): AsyncGenerator<ChangeRecord> {
  let news = new Signal();
  const wake = (): void => news.raise();
  const unwatch = watch(id, wake);
  signal.addEventListener("abort", wake);
  try {
    for (let since = start; !signal.aborted;) {
      news = new Signal();
      const { items, next, through } = await changes({ ...filter, since, limit: LIMITS.listLimitMax });
      yield* items;
      since = through;
      if (next === undefined) await news.raised;
    }
  } finally {
    unwatch();
    signal.removeEventListener("abort", wake);
  }
}

/** Something that happens once, and can be awaited. */
class Signal {
  raise: () => void = () => undefined;
  readonly raised: Promise<void> = new Promise((resolve) => {
    this.raise = resolve;
  });
}

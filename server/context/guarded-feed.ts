/**
 * Live feeds for somebody who may have them now, until they may not any more: changes of a context, what the server tells its
 * admins.
 *
 * Invariant (ACL): after the right to read is lost nothing more is told; the feed ends with the reason, also while it waits.
 *
 * Not here: the feeds themselves (change-feed.ts, monitor/alerts/alert-feed.ts, sync/session-tap.ts).
 */
import type { AuditAction } from "../../shared/audit.ts";
import type { ChangeRecord } from "../../shared/change.ts";
import type { ContextId } from "../../shared/ids.ts";
import type { Caller, ContextService } from "../context-service.ts";
import type { Guarded } from "../state/access/access-policy.ts";
import { contextNotFound } from "../state/context-not-found.ts";
import type { AccessAudit } from "./access-audit.ts";
import type { AccessWatch, Watched } from "./access-watch.ts";
import type { FeedRequest } from "./change-feed.ts";

interface FeedSource {
  readonly follow: ContextService["follow"];
  readonly readers: AccessWatch;
  guarded(id: ContextId): Guarded | Promise<Guarded | undefined>;
}

interface ServerSource<Item> {
  readonly follow: (signal: AbortSignal) => Promise<AsyncIterable<Item>>;
  readonly readers: AccessWatch;
  readonly audit: AccessAudit;
}

/** @throws {ServiceError} CONTEXT_NOT_FOUND, UNAUTHENTICATED; those of `ContextService.follow` */
export async function* guardedFeed(
  { source, audit }: { readonly source: FeedSource; readonly audit: AccessAudit },
  caller: Caller,
  id: ContextId,
  request: FeedRequest,
): AsyncGenerator<ChangeRecord> {
  const context = await source.guarded(id);
  if (context === undefined) throw contextNotFound();
  const lost = new AbortController();
  let action: AuditAction = "context.enter";
  const watched = source.readers.watch(context, caller.identity, {
    lost: (error) => {
      audit.denied(caller, { action, contextId: id }, error);
      lost.abort(error);
    },
  });
  action = "context.leave";
  const follow = (signal: AbortSignal) => source.follow(caller, id, { ...request, signal });
  yield* untilLost(follow, request.signal, { lost: lost.signal, watched });
}

/** For an admin of the server, until the token ends. @throws {ServiceError} UNAUTHENTICATED; those of `follow` */
export async function* guardedServerFeed<Item>(
  { follow, readers, audit }: ServerSource<Item>,
  caller: Caller,
  signal: AbortSignal,
): AsyncGenerator<Item> {
  const lost = new AbortController();
  const watched = readers.watchToken(caller.identity, {
    lost: (error) => {
      audit.denied(caller, { action: "server.enter" }, error);
      lost.abort(error);
    },
  });
  yield* untilLost(follow, signal, { lost: lost.signal, watched });
}

async function* untilLost<Item>(
  follow: (signal: AbortSignal) => AsyncIterable<Item> | Promise<AsyncIterable<Item>>,
  wanted: AbortSignal,
  { lost, watched }: { readonly lost: AbortSignal; readonly watched: Watched },
): AsyncGenerator<Item> {
  try {
    lost.throwIfAborted();
    for await (const item of await follow(AbortSignal.any([wanted, lost]))) {
      lost.throwIfAborted();
      yield item;
    }
    lost.throwIfAborted();
  } finally {
    watched.stop();
  }
}

/**
 * A live feed for somebody who may read now, until they may not any more.
 *
 * Invariant (ACL): after the right to read is lost nothing more is told; the feed ends with the reason, also while it waits.
 *
 * Not here: the feed itself (change-feed.ts).
 */
import type { AuditAction } from "../../shared/audit.ts";
import type { ChangeRecord } from "../../shared/change.ts";
import type { ContextId } from "../../shared/ids.ts";
import type { Caller, ContextService } from "../context-service.ts";
import type { Guarded } from "../state/access/access-policy.ts";
import { contextNotFound } from "../state/context-not-found.ts";
import type { AccessAudit } from "./access-audit.ts";
import type { AccessWatch } from "./access-watch.ts";
import type { FeedRequest } from "./change-feed.ts";

interface FeedSource {
  readonly follow: ContextService["follow"];
  readonly readers: AccessWatch;
  guarded(id: ContextId): Guarded | Promise<Guarded | undefined>;
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
  const signal = AbortSignal.any([request.signal, lost.signal]);
  try {
    lost.signal.throwIfAborted();
    for await (const change of source.follow(caller, id, { ...request, signal })) {
      lost.signal.throwIfAborted();
      yield change;
    }
    lost.signal.throwIfAborted();
  } finally {
    watched.stop();
  }
}

/**
 * Where a follower of a context's changes begins, for every transport that feeds them.
 */
import { ServiceError } from "../../shared/errors.ts";
import type { ContextId } from "../../shared/ids.ts";
import type { Caller, ContextService } from "../context-service.ts";

/**
 * The version it begins after: the one it names, else the present one.
 * A version that the context has not reached is of another life of it: waiting would hide the changes until then.
 * @throws {ServiceError} CONTEXT_NOT_FOUND, EPOCH_CHANGED; VERSION_NOT_FOUND when not all that follows is kept
 */
export async function followStart(
  service: ContextService,
  caller: Caller,
  { id, since }: { readonly id: ContextId; readonly since: number | undefined },
): Promise<number> {
  const { head } = await service.summary(caller, id);
  const start = since ?? head.version;
  if (start <= head.version) {
    // refused now: a feed that began and ended again would be asked for again and again
    await service.changes(caller, id, { since: start, limit: 1 });
    return start;
  }
  throw new ServiceError(
    "EPOCH_CHANGED",
    `The context is at version ${head.version} and has no version ${start}: it was deleted and made again. Read it and follow from its version.`,
    { details: { currentVersion: head.version } },
  );
}

/**
 * From the facade's words to the REST shapes of shared/protocol/rest.ts: flat objects, times as ISO 8601 in UTC.
 *
 * Not here: checks of what comes in (request.ts); history-views.ts, conflict-views.ts, type-views.ts and webhook-views.ts have the rest.
 */
import { isoTime } from "../../../shared/iso-time.ts";
import type { ChangeRecord } from "../../../shared/change.ts";
import type { ContextId } from "../../../shared/ids.ts";
import type {
  ChangeList,
  ChangeResult,
  ContextInfo,
  ContextList,
  ContextView,
  ListedContextInfo,
} from "../../../shared/protocol/rest.ts";
import { changeView } from "../../../shared/protocol/change-view.ts";
import type { ChangeOutcome, ContextSummary, Page, ReadContext } from "../../context-service.ts";

export function contextInfo({ meta, head, role }: ContextSummary): ContextInfo {
  return {
    id: meta.id,
    ...(meta.type === undefined ? {} : { type: meta.type }),
    ...(meta.name === undefined ? {} : { name: meta.name }),
    ...(meta.description === undefined ? {} : { description: meta.description }),
    tags: [...meta.tags],
    createdAt: isoTime(meta.createdAtMs),
    createdBy: meta.createdBy,
    updatedAt: isoTime(head.updatedAtMs),
    version: head.version,
    epoch: meta.epoch,
    ...(role === undefined ? {} : { yourRole: role }),
  };
}

export function contextView(context: ReadContext): ContextView {
  return { ...contextInfo(context), data: context.data };
}

function listedContext(context: ContextSummary): ListedContextInfo {
  const { figures } = context;
  return { ...contextInfo(context), ...(figures === undefined ? {} : { figures }) };
}

export function contextList({ items, next }: Page<ContextSummary>): ContextList {
  return { contexts: items.map(listedContext), ...(next === undefined ? {} : { next }) };
}

/** A page of changes goes on at the version it ends with. */
export function changeList({ items, next }: Page<ChangeRecord>): ChangeList {
  return { changes: items.map(changeView), ...(next === undefined ? {} : { next: Number(next) }) };
}

export function changeResult(id: ContextId, { version, seq, paths, replayed }: ChangeOutcome): ChangeResult {
  return { id, version, seq, paths: [...paths], replayed };
}

/**
 * Finding contexts by text, tag and type: a scan in order of id, bounded for each call.
 */
import type { ContextMeta } from "../../shared/context.ts";
import type { ContextId } from "../../shared/ids.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { ContextSummary, FindRequest, Page } from "../context-service.ts";

/** Contexts that one call looks at before it hands back a cursor. */
const FIND_SCAN_MAX = 10_000;

type ListContexts = (after: ContextId | undefined, limit: number) => Promise<readonly ContextSummary[]>;

export async function findContexts(
  list: ListContexts,
  request: FindRequest,
  isVisible: (summary: ContextSummary) => boolean,
): Promise<Page<ContextSummary>> {
  const items: ContextSummary[] = [];
  let { after } = request;
  for (let scanned = 0; scanned < FIND_SCAN_MAX;) {
    const page = await list(after, LIMITS.listLimitMax);
    for (const summary of page) {
      after = summary.meta.id;
      if (matches(summary.meta, request) && isVisible(summary)) items.push(summary);
      if (items.length === request.limit) return { items, next: after };
    }
    if (page.length < LIMITS.listLimitMax) return { items };
    scanned += page.length;
  }
  return { items, ...(after === undefined ? {} : { next: after }) };
}

function matches(meta: ContextMeta, { query, tag, type }: FindRequest): boolean {
  if (type !== undefined && meta.type !== type) return false;
  if (tag !== undefined && !meta.tags.includes(tag)) return false;
  if (query === undefined) return true;
  const needle = query.toLowerCase();
  return [meta.id, meta.name, meta.description].some((text) => text?.toLowerCase().includes(needle));
}

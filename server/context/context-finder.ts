/**
 * Finding contexts by text, tag and type: a scan in order of id, bounded for each call.
 *
 * Not here: what is told of each beside its names and its version (context-figures.ts).
 */
import type { ContextMeta } from "../../shared/context.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { Caller, ContextSummary, FindRequest, Page } from "../context-service.ts";
import { accessTo } from "../state/access/access-policy.ts";
import type { ChangeLog, ListedContext } from "../storage/change-log.ts";
import { FigureDesk } from "./context-figures.ts";
import type { FiguresOptions } from "./context-figures.ts";

/** Contexts that one call looks at before it hands back a cursor. */
const FIND_SCAN_MAX = 10_000;

interface FinderOptions extends FiguresOptions {
  readonly storage: FiguresOptions["storage"] & Pick<ChangeLog, "list">;
}

export class ContextFinder {
  readonly figures: FigureDesk;
  readonly #storage: FinderOptions["storage"];

  constructor(options: FinderOptions) {
    this.figures = new FigureDesk(options);
    this.#storage = options.storage;
  }

  /** Those that the caller may read. */
  async find({ identity }: Caller, request: FindRequest): Promise<Page<ContextSummary>> {
    const { items, ...page } = await this.#scan(request, ({ meta }) => accessTo(meta, identity).mayRead);
    return { ...page, items: request.withFigures === true ? await this.figures.of(items) : items };
  }

  async #scan(request: FindRequest, isVisible: (context: ListedContext) => boolean): Promise<Page<ListedContext>> {
    const items: ListedContext[] = [];
    let { after } = request;
    for (let scanned = 0; scanned < FIND_SCAN_MAX;) {
      const page = await this.#storage.list(after, LIMITS.listLimitMax);
      for (const context of page) {
        after = context.meta.id;
        if (matches(context.meta, request) && isVisible(context)) items.push(context);
        if (items.length === request.limit) return { items, next: after };
      }
      if (page.length < LIMITS.listLimitMax) return { items };
      scanned += page.length;
    }
    return { items, ...(after === undefined ? {} : { next: after }) };
  }
}

function matches(meta: ContextMeta, { query, tag, type }: FindRequest): boolean {
  if (type !== undefined && meta.type !== type) return false;
  if (tag !== undefined && !meta.tags.includes(tag)) return false;
  if (query === undefined) return true;
  const needle = query.toLowerCase();
  return [meta.id, meta.name, meta.description].some((text) => text?.toLowerCase().includes(needle));
}

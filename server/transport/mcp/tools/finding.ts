/**
 * context_find: which contexts there are, and where in them something is said.
 *
 * Invariants (MCP-7):
 *  1. One call looks through a bounded number of contexts and characters, and says where to go on.
 *
 * Not here: finding by name (ContextService.find).
 */
import { z } from "zod";
import { toServiceError } from "../../../../shared/errors.ts";
import { isJsonObject } from "../../../../shared/json.ts";
import type { Json } from "../../../../shared/json.ts";
import { LIMITS } from "../../../../shared/limits.ts";
import { escapeStep } from "../../../../shared/path.ts";
import type { ContextInfo, ContextList } from "../../../../shared/protocol/rest.ts";
import type { Contexts } from "../contexts.ts";
import { summary } from "../fields.ts";
import { defineTool, READS } from "../tool.ts";
import { summaryOf } from "../views.ts";

const match = z.object({ path: z.string(), snippet: z.string() });
const found = summary.extend({ matches: z.array(match).optional() });
type Match = z.input<typeof match>;
type Found = z.input<typeof found>;

export const findContexts = defineTool({
  name: "context_find",
  title: "Find contexts",
  description:
    "List the shared contexts you can read, in order of id, or search in their names, descriptions and contents. Returns summaries, and with query the places that match; read those with context_read.",
  scope: "contexts:read",
  isHeavy: true,
  annotations: READS,
  input: z.strictObject({
    query: z.string().min(1).max(LIMITS.nameCharsMax).optional().describe("Text, in any case"),
    tags: z.array(z.string()).max(LIMITS.tagsMax).optional().describe("Contexts with all of these tags"),
    limit: z.int().min(1).max(LIMITS.mcpFindLimitMax).default(LIMITS.mcpFindLimitDefault),
    cursor: z.string().optional().describe("next_cursor of the page before"),
  }),
  output: z.object({ contexts: z.array(found), next_cursor: z.string().optional() }),
  run: async ({ contexts, signal }, { query, tags = [], limit, cursor }) => {
    const search = new Search(contexts, tags, query?.toLowerCase());
    const hits: Found[] = [];
    let next = cursor;
    do {
      const page = await search.page(next);
      next = page.next;
      for (const info of page.contexts) {
        const hit = await search.look(info);
        if (hit !== undefined) hits.push(hit);
        const isLast = info === page.contexts.at(-1) && page.next === undefined;
        if (!isLast && (hits.length === limit || search.isTired || signal.aborted))
          return { contexts: hits, next_cursor: info.id };
      }
    } while (next !== undefined);
    return { contexts: hits };
  },
});

class Search {
  readonly #contexts: Contexts;
  readonly #tags: readonly string[];
  readonly #needle: string | undefined;
  #count = 0;
  #chars = 0;

  constructor(contexts: Contexts, tags: readonly string[], needle: string | undefined) {
    this.#contexts = contexts;
    this.#tags = tags;
    this.#needle = needle;
  }

  /** With the first of the tags: look() has an eye on the others. */
  page(cursor: string | undefined): Promise<ContextList> {
    const [tag] = this.#tags;
    return this.#contexts.find({
      limit: LIMITS.mcpFindLimitMax,
      ...(tag === undefined ? {} : { tag }),
      ...(cursor === undefined ? {} : { cursor }),
    });
  }

  /** One call has looked at enough. */
  get isTired(): boolean {
    return this.#count >= LIMITS.mcpFindScanMax || this.#chars >= LIMITS.mcpFindScanCharsMax;
  }

  /** Undefined when it is not among those meant. */
  async look(info: ContextInfo): Promise<Found | undefined> {
    const needle = this.#needle;
    if (!this.#tags.every((tag) => info.tags.includes(tag))) return undefined;
    if (needle === undefined) return summaryOf(info);
    this.#count += 1;
    const matches: Match[] = [];
    this.#collect(await this.#dataOf(info.id), "", { needle, matches });
    const isNamed = [info.id, info.name, info.description].some((text) => text?.toLowerCase().includes(needle));
    if (matches.length > 0) return { ...summaryOf(info), matches };
    return isNamed ? summaryOf(info) : undefined;
  }

  /** Null for one that was deleted meanwhile. */
  async #dataOf(id: string): Promise<Json> {
    try {
      return (await this.#contexts.read(id, { path: "" })).data;
    } catch (error) {
      if (toServiceError(error).code === "CONTEXT_NOT_FOUND") return null;
      throw error;
    }
  }

  /** Members by their name too. */
  #collect(value: Json, path: string, hunt: { readonly needle: string; readonly matches: Match[] }): void {
    const { needle, matches } = hunt;
    if (matches.length === LIMITS.mcpFindMatchesMax) return;
    if (value === null || typeof value !== "object") {
      const text = String(value);
      this.#chars += text.length;
      const at = text.toLowerCase().indexOf(needle);
      if (at >= 0) matches.push({ path, snippet: around(text, at) });
      return;
    }
    const members: readonly (readonly [string, Json])[] = isJsonObject(value)
      ? Object.entries(value)
      : value.map((child, index) => [String(index), child] as const);
    for (const [key, child] of members) {
      const inner = `${path}/${escapeStep(key)}`;
      const isNamed = isJsonObject(value) && key.toLowerCase().includes(needle);
      if (isNamed && matches.length < LIMITS.mcpFindMatchesMax) matches.push({ path: inner, snippet: around(key, 0) });
      else this.#collect(child, inner, hunt);
    }
  }
}

function around(text: string, at: number): string {
  const start = Math.max(0, at - Math.floor(LIMITS.mcpFindSnippetChars / 3));
  const snippet = text.slice(start, start + LIMITS.mcpFindSnippetChars).replaceAll(/\s+/g, " ");
  return `${start > 0 ? "…" : ""}${snippet}${start + LIMITS.mcpFindSnippetChars < text.length ? "…" : ""}`;
}

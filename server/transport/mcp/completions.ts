/**
 * Completions of the argument `id` of prompts and resource templates: contexts that the caller can read.
 */
import type { CompleteRequest, CompleteResult } from "@modelcontextprotocol/server";
import { LIMITS } from "../../../shared/limits.ts";
import type { Contexts } from "./contexts.ts";

/** What the protocol allows in one answer. */
const VALUES_MAX = 100;

export async function complete(contexts: Contexts, { argument }: CompleteRequest["params"]): Promise<CompleteResult> {
  if (argument.name !== "id") return { completion: { values: [] } };
  const query = argument.value === "" ? {} : { query: argument.value.slice(0, LIMITS.nameCharsMax) };
  const { contexts: found, next } = await contexts.find({ ...query, limit: LIMITS.listLimitMax });
  const ids = found.map(({ id }) => id).filter((id) => id.startsWith(argument.value));
  return {
    completion: { values: ids.slice(0, VALUES_MAX), hasMore: next !== undefined || ids.length > VALUES_MAX },
  };
}

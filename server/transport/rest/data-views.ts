/**
 * From the facade's words to the REST shapes of shared/protocol/rest-data.ts.
 */
import type { ContextSummary, ImportOutcome } from "../../context-service.ts";
import type { RootsJson } from "../../../shared/read-data.ts";
import { isJsonObject } from "../../../shared/json.ts";
import { CONTEXT_FORMAT } from "../../../shared/protocol/rest-data.ts";
import type { ContextFile, ImportResult } from "../../../shared/protocol/rest-data.ts";
import { contextInfo } from "./views.ts";

export function contextFile({ data, roots, ...context }: ContextSummary & RootsJson): ContextFile {
  return {
    format: CONTEXT_FORMAT,
    ...contextInfo(context),
    data: isJsonObject(data) ? data : {},
    roots: { ...roots },
  };
}

export function importResult({ updates, ...context }: ImportOutcome): ImportResult {
  if (updates === undefined) return contextInfo(context);
  const refusals = updates.refusals.map((refusal) => ({ ...refusal }));
  return { ...contextInfo(context), updates: { ...updates, refusals } };
}

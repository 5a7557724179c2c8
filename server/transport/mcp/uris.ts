/**
 * The URIs of resources. Each has a path of its own: hosts compare paths, without case and without a slash at the end.
 *
 *     context://index/all                         every context
 *     context://guide/agents                      how to work in them
 *     context://contexts/plan                     live data
 *     context://contexts/plan/versions/7          data as it was
 *     context://contexts/plan/changes/7           what changed after version 7
 *     context://contexts/plan/at/tasks/t1         a part: a JSON Pointer without its first slash
 *     context://contexts/plan/locks               who holds what
 */
import { parseContextId } from "../../../shared/ids.ts";

export const INDEX_URI = "context://index/all";
export const GUIDE_URI = "context://guide/agents";

const CONTEXTS = "context://contexts/";

export type ResourceName =
  | { readonly kind: "index" | "guide" }
  | { readonly kind: "context" | "locks"; readonly id: string }
  | { readonly kind: "version" | "changes"; readonly id: string; readonly version: number }
  | { readonly kind: "part"; readonly id: string; readonly path: string };

export function contextUri(id: string): string {
  return `${CONTEXTS}${id}`;
}

export function locksUri(id: string): string {
  return `${contextUri(id)}/locks`;
}

/** Undefined for what is no URI of ours. */
export function parseResourceUri(uri: string): ResourceName | undefined {
  if (uri === INDEX_URI) return { kind: "index" };
  if (uri === GUIDE_URI) return { kind: "guide" };
  if (!uri.startsWith(CONTEXTS)) return undefined;
  const [id = "", ...rest] = uri.slice(CONTEXTS.length).split("/");
  if (!isContextId(id)) return undefined;
  const [kind, ...more] = rest;
  if (kind === undefined) return { kind: "context", id };
  if (more.length === 0) return kind === "locks" ? { kind, id } : undefined;
  return belowOf(id, kind, more.join("/"));
}

function belowOf(id: string, kind: string, rest: string): ResourceName | undefined {
  if (kind === "at") return partOf(id, rest);
  if (!/^\d{1,15}$/.test(rest)) return undefined;
  if (kind === "versions") return { kind: "version", id, version: Number(rest) };
  if (kind === "changes") return { kind, id, version: Number(rest) };
  return undefined;
}

function partOf(id: string, encoded: string): ResourceName | undefined {
  try {
    const path = decodeURIComponent(encoded);
    // another root than the data has its own first character
    return { kind: "part", id, path: path.startsWith("@") ? path : `/${path}` };
  } catch {
    return undefined;
  }
}

function isContextId(text: string): boolean {
  try {
    return parseContextId(text) === text;
  } catch {
    return false;
  }
}

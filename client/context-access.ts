/**
 * What we may do with a context, as the server said it last. It decides nothing: the server judges each write.
 */
import type { JsonObject } from "../shared/json.ts";
import { covers, parsePath } from "../shared/path.ts";

export interface ContextAccess {
  /** At some path at least; locks too. */
  readonly mayWrite: boolean;
  /** May see and replace the access list, delete and compact, release others' locks. */
  readonly isAdmin: boolean;
  /** Where, at these paths and below; everywhere when absent. */
  readonly writablePaths?: readonly string[];
}

/** Of an `access` event; undefined when it does not say. */
export function accessOf({ mayWrite, isAdmin, paths }: JsonObject): ContextAccess | undefined {
  if (typeof mayWrite !== "boolean" || typeof isAdmin !== "boolean") return undefined;
  return { mayWrite, isAdmin, ...(Array.isArray(paths) ? { writablePaths: paths.map(String) } : {}) };
}

/** Of who is not known to be kept from it too. @throws {ServiceError} INVALID_REQUEST when `path` is none */
export function mayWriteAt(access: ContextAccess | undefined, path: string): boolean {
  const place = parsePath(path);
  if (access === undefined) return true;
  const { mayWrite, writablePaths } = access;
  return mayWrite && (writablePaths === undefined || writablePaths.some((it) => covers(parsePath(it), place)));
}

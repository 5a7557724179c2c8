/**
 * From the wire views of REST to the words of the tools.
 */
import type { z } from "zod";
import type { LockView } from "../../../shared/protocol/rest-locks.ts";
import type { ChangeView, ContextInfo } from "../../../shared/protocol/rest.ts";
import type { change, lock, summary } from "./fields.ts";
import { contextUri } from "./uris.ts";

export function summaryOf({
  id,
  name,
  description,
  type,
  tags,
  version,
  updatedAt,
  yourRole,
}: ContextInfo): z.input<typeof summary> {
  return {
    id,
    uri: contextUri(id),
    ...(name === undefined ? {} : { name }),
    ...(description === undefined ? {} : { description }),
    ...(type === undefined ? {} : { type }),
    tags,
    version,
    updated_at: updatedAt,
    ...(yourRole === undefined ? {} : { your_role: yourRole }),
  };
}

/** `self` is shown the tokens of its own locks. */
export function lockOf(view: LockView, self: string): z.input<typeof lock> {
  const { paths, mode, holder, purpose, expiresAt, fencingToken } = view;
  const [path] = paths;
  return {
    ...(path !== undefined && paths.length === 1 ? { path } : { paths }),
    ...(mode === "shared" ? { mode } : {}),
    holder,
    ...(purpose === undefined ? {} : { purpose }),
    expires_at: expiresAt,
    fencing: fencingToken,
    ...(holder === self ? { lock_token: String(fencingToken) } : {}),
  };
}

export function changeOf({ version, at, actor, origin, message, paths }: ChangeView): z.input<typeof change> {
  return { version, at, by: actor, via: origin, ...(message === undefined ? {} : { message }), paths };
}

/** What an access list gives an actor, read as plainly as the page on security says it. */
import { covers, parsePath } from "../../../shared/path.ts";
import type { Acl, Grant } from "../../../shared/permission.ts";

export interface ActorRights {
  readonly mayRead: boolean;
  readonly isAdmin: boolean;
  mayWriteAt(path: string): boolean;
}

/** Who made the context is its admin, whatever the list says; without a list nobody else may do anything. */
export function rightsOf(acl: Acl | undefined, creator: string, actor: string): ActorRights {
  const grants: readonly Grant[] = (acl?.grants ?? []).filter(({ principal }) => [actor, "*"].includes(principal));
  const isAdmin = actor === creator || grants.some(({ role }) => role === "admin");
  const writes = grants.filter(({ role }) => role === "writer");
  const isIn = (path: string, own: string): boolean => covers(parsePath(own), parsePath(path));
  return {
    mayRead: isAdmin || grants.length > 0,
    isAdmin,
    mayWriteAt: (path) =>
      isAdmin || writes.some(({ paths }) => paths === undefined || paths.some((own) => isIn(path, own))),
  };
}

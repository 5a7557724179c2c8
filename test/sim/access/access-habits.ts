/**
 * What a seed makes of rights: whether they matter at all, how often they change, how long tokens last; and lists as
 * somebody might set them.
 */
import type { Acl, Grant } from "../../../shared/permission.ts";
import type { Random } from "../random.ts";
import { EDITOR_ROOT } from "../replica-view.ts";

export interface AccessNature {
  /** How often somebody turns to rights, in a hundred operations. */
  readonly share: number;
  /** Of sessions. */
  readonly tokenMs: number;
}

/** Half of the runs know no rights: everybody may do everything, and nobody shows a token. */
export function drawAccessNature(random: Random): AccessNature | undefined {
  if (random.percent(50)) return undefined;
  return { share: random.pick([4, 10, 20]), tokenMs: random.pick([2000, 10_000, 600_000]) };
}

const WRITABLE = ["/text", "/list", "/tree", "/tree/left", "/k0", "/k1", "/counter", `@${EDITOR_ROOT}`, ""] as const;

/** Some may do everything, some a part of it, some only look on, some nothing. */
export function drawAcl(random: Random, actors: readonly string[]): Acl {
  const grants = actors.flatMap((principal): readonly Grant[] => {
    const drawn = random.below(100);
    if (drawn < 12) return [];
    if (drawn < 30) return [{ principal, role: "reader" }];
    if (drawn < 55) return [{ principal, role: "writer", paths: WRITABLE.filter(() => random.percent(40)) }];
    return [{ principal, role: drawn < 85 ? "writer" : "admin" }];
  });
  return { grants: random.percent(15) ? [...grants, { principal: "*", role: "reader" }] : withPaths(grants) };
}

/** In the end everybody may look on, and most may write. */
export function lastAcl(random: Random, actors: readonly string[]): Acl {
  const writers = actors.filter(() => random.percent(75));
  const grants = writers.map((principal): Grant => ({ principal, role: "writer" }));
  return { grants: [{ principal: "*", role: "reader" }, ...grants] };
}

/** A writer of no place is none. */
function withPaths(grants: readonly Grant[]): readonly Grant[] {
  return grants.map((grant) =>
    grant.paths?.length === 0 ? { principal: grant.principal, role: "reader" as const } : grant,
  );
}

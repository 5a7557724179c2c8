/**
 * The views of conflicts, in the shapes of shared/protocol/rest-conflicts.ts.
 */
import type { Conflict, ConflictSide } from "../../../shared/conflict.ts";
import type { ConflictList, ConflictView, ResolveResult } from "../../../shared/protocol/rest-conflicts.ts";
import type { Page } from "../../context-service.ts";
import { isoTime } from "./views.ts";

export function conflictList({ items, next }: Page<Conflict>): ConflictList {
  return { conflicts: items.map(conflictView), ...(next === undefined ? {} : { next }) };
}

export function resolveResult({ version, conflict }: { version: number; conflict: Conflict }): ResolveResult {
  return { version, conflict: conflictView(conflict) };
}

function conflictView(conflict: Conflict): ConflictView {
  const { id, path, kind, policy, status, version, resolution } = conflict;
  return {
    id,
    path,
    kind,
    policy,
    winner: sideView(conflict.winner),
    loser: sideView(conflict.loser),
    status,
    at: isoTime(conflict.atMs),
    version,
    ...(resolution === undefined
      ? {}
      : { resolution: { version: resolution.version, actor: resolution.actor, at: isoTime(resolution.atMs) } }),
  };
}

function sideView({ actor, version, value }: ConflictSide): ConflictView["winner"] {
  return {
    ...(actor === undefined ? {} : { actor }),
    ...(version === undefined ? {} : { version }),
    ...(value === undefined ? {} : { value }),
  };
}

/**
 * The views of conflicts, in the shapes of shared/protocol/rest-conflicts.ts.
 */
import type { Conflict } from "../../../shared/conflict.ts";
import { conflictView } from "../../../shared/protocol/conflict-view.ts";
import type { ConflictList, ResolveResult } from "../../../shared/protocol/rest-conflicts.ts";
import type { Page } from "../../context-service.ts";

export function conflictList({ items, next }: Page<Conflict>): ConflictList {
  return { conflicts: items.map(conflictView), ...(next === undefined ? {} : { next }) };
}

export function resolveResult({ version, conflict }: { version: number; conflict: Conflict }): ResolveResult {
  return { version, conflict: conflictView(conflict) };
}

/**
 * A conflict as it goes over the wire, the same in REST answers and in events: times as ISO 8601 in UTC.
 */
import type { Conflict, ConflictSide } from "../conflict.ts";
import { isoTime } from "../iso-time.ts";
import type { ConflictView } from "./rest-conflicts.ts";

export function conflictView(conflict: Conflict): ConflictView {
  const { id, path, isNested, kind, policy, winner, loser, status, atMs, version, resolution } = conflict;
  const at = isoTime(atMs);
  const sides = { winner: sideView(winner), loser: sideView(loser) };
  const place = isNested === true ? { path, isNested } : { path };
  const view = { id, ...place, kind, policy, ...sides, status, at, version };
  if (resolution === undefined) return view;
  const { atMs: resolvedAtMs, ...how } = resolution;
  return { ...view, resolution: { ...how, at: isoTime(resolvedAtMs) } };
}

function sideView({ actor, version, value }: ConflictSide): ConflictView["winner"] {
  return {
    ...(actor === undefined ? {} : { actor }),
    ...(version === undefined ? {} : { version }),
    ...(value === undefined ? {} : { value }),
  };
}

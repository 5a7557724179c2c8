/** A context in memory, as the monitor looks at it. */
import { LIMITS } from "../../shared/limits.ts";
import type { ContextVitals } from "../monitor/vitals.ts";
import { isSound, memoryBytesOf, structCount, tombstoneCount } from "../state/document-vitals.ts";
import type { LiveContext } from "../state/state-manager.ts";
import type { PendingWrite } from "./write-path.ts";

/** @param nowMs monotonic */
export function vitalsOf(
  { id, state, queued, queuedSinceMs }: LiveContext<PendingWrite>,
  nowMs: number,
): ContextVitals {
  const { doc, size, clientIds } = state;
  const structs = structCount(doc);
  return {
    contextId: id,
    stateBytes: size.bytes,
    memoryBytes: memoryBytesOf(doc, structs, size.bytes),
    diskBytes: size.storedBytes,
    yjsClientIds: clientIds.size,
    structs,
    tombstones: () => tombstoneCount(doc, LIMITS.tombstoneSamplesMax),
    queuedWrites: queued,
    queuedForMs: queuedSinceMs === undefined ? 0 : nowMs - queuedSinceMs,
    isSound: isSound(doc),
  };
}

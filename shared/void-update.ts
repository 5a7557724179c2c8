/**
 * The void of a refused update: as many clocks, no content, no deletes (docs/yjs.md Y9).
 *
 * Whoever wrote it goes on counting from where it was, so its later edits still fit; nobody sees what was refused. Deletes
 * carry no clock: leaving them out breaks nothing.
 *
 * Not here: when an update is voided (server/state/context-state.ts, client/replay.ts).
 */
import * as encoding from "lib0/encoding";

/** Clocks of one Yjs client id, `to` not among them. */
export interface ClockRange {
  readonly client: number;
  readonly from: number;
  readonly to: number;
}

const GC_REF = 0;

/** Yjs update, V1: a GC struct for each range, of which a client id has one. Undefined when there are none. */
export function voidOf(ranges: readonly ClockRange[]): Uint8Array | undefined {
  if (ranges.length === 0) return undefined;
  const encoder = encoding.createEncoder();
  encoding.writeVarUint(encoder, ranges.length);
  // Yjs writes the highest client first
  for (const { client, from, to } of [...ranges].sort((a, b) => b.client - a.client)) {
    encoding.writeVarUint(encoder, 1);
    encoding.writeVarUint(encoder, client);
    encoding.writeVarUint(encoder, from);
    encoding.writeUint8(encoder, GC_REF);
    encoding.writeVarUint(encoder, to - from);
  }
  encoding.writeVarUint(encoder, 0);
  return encoding.toUint8Array(encoder);
}

/**
 * What an mcm.v1 client is told beside the document: acks and events.
 *
 * Not here: sockets (load-client.ts).
 */
import * as decoding from "lib0/decoding";
import { FRAME } from "../../shared/protocol/frames.ts";

/** The number of data frames that an ack covers; undefined for any other message. */
export function ackedFrames(message: Uint8Array): number | undefined {
  const decoder = decoding.createDecoder(message);
  return decoding.readVarUint(decoder) === FRAME.ack ? decoding.readVarUint(decoder) : undefined;
}

/** The path of the conflict that an event tells of; undefined for any other message. */
export function toldConflict(message: Uint8Array): string | undefined {
  const decoder = decoding.createDecoder(message);
  if (decoding.readVarUint(decoder) !== FRAME.event) return undefined;
  const event = JSON.parse(decoding.readVarString(decoder)) as { type: string; conflict?: { path: string } };
  return event.type === "conflict" ? event.conflict?.path : undefined;
}

/**
 * Many Yjs updates as one body: <length varint> <update> for each, in their order.
 *
 * Not here: what an update may hold (server/state/update).
 */
import { createDecoder, hasContent, readVarUint8Array } from "lib0/decoding";
import { createEncoder, toUint8Array, writeVarUint8Array } from "lib0/encoding";
import { ServiceError } from "../errors.ts";

export const UPDATE_LIST_TYPE = "application/vnd.mcm.yjs-updates";

export function joinUpdates(updates: Iterable<Uint8Array>): Uint8Array {
  const encoder = createEncoder();
  for (const update of updates) writeVarUint8Array(encoder, update);
  return toUint8Array(encoder);
}

/** The updates are views into `body`. @throws {ServiceError} INVALID_REQUEST */
export function splitUpdates(body: Uint8Array): readonly Uint8Array[] {
  const decoder = createDecoder(body);
  const updates: Uint8Array[] = [];
  try {
    while (hasContent(decoder)) {
      const update = readVarUint8Array(decoder);
      // a view past the end would be shorter than it says
      if (decoder.pos > body.length) throw new Error("cut short");
      updates.push(update);
    }
  } catch (error) {
    throw new ServiceError(
      "INVALID_REQUEST",
      "The list of updates is cut short or none. Send each update with its length before it.",
      { cause: error },
    );
  }
  return updates;
}

/**
 * Changes as they go over the wire: in REST answers, live feeds and deliveries of webhooks.
 */
import type { ChangeRecord } from "../change.ts";
import { isoTime } from "../iso-time.ts";
import type { ChangeView } from "./rest.ts";

export function changeView(change: ChangeRecord): ChangeView {
  const { version, seq, actor, origin, message, paths, resolves, bytes } = change;
  return {
    version,
    seq,
    actor,
    at: isoTime(change.atMs),
    origin,
    ...(message === undefined ? {} : { message }),
    paths: [...paths],
    ...(resolves === undefined ? {} : { resolves }),
    ...(bytes === undefined ? {} : { bytes }),
  };
}

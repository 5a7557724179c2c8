/**
 * A bare broadcast relay on ws: what the transport alone costs when every message is sent to every receiver one by one.
 *
 * Not here: Yjs, state, persistence: it has none.
 */
import { fileURLToPath } from "node:url";
import { NO_BYTES, urlIn } from "./adapter.ts";
import type { ServerAdapter } from "./adapter.ts";

export const relay: ServerAdapter = {
  id: "relay",
  label: "bare ws relay",
  holdsState: false,
  persists: false,
  command: async () => ({ argv: [fileURLToPath(new URL("relay.mjs", import.meta.url))], urlIn }),
  createRooms: async () => {},
  path: (room) => `/${room}`,
  prefix: () => NO_BYTES,
  greeting: () => [],
};

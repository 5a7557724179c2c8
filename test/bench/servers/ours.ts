/**
 * Our server as it is shipped: built, with all defaults, durable. A context exists before clients connect to it.
 *
 * Not here: the mcm.v1 frames, which only the scenarios about acks use.
 */
import { fileURLToPath } from "node:url";
import { NO_BYTES, urlIn } from "./adapter.ts";
import type { ServerAdapter } from "./adapter.ts";

export const OURS_MAIN = fileURLToPath(new URL("../../../dist/server/main.js", import.meta.url));

export const ours: ServerAdapter = {
  id: "ours",
  label: "ours (durable)",
  holdsState: true,
  persists: true,
  command: async (dataDir) => ({ argv: [OURS_MAIN, "serve", "--port", "0", "--data-dir", dataDir], urlIn }),
  async createRooms(url, rooms) {
    for (const id of rooms) {
      const response = await fetch(new URL("/v1/contexts", url), {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ id }),
      });
      const body = await response.text();
      if (response.status !== 201) throw new Error(`Creating ${id} gave ${response.status}: ${body}`);
    }
  },
  path: (room) => `/sync/${room}`,
  prefix: () => NO_BYTES,
  greeting: () => [],
};

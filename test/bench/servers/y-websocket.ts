/**
 * The y-websocket server (@y/websocket-server 0.1.1, the newest that installs) with y-leveldb, by its own program.
 *
 * Not here: newer versions, which need packages that exist as prereleases only.
 */
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { NO_BYTES } from "./adapter.ts";
import type { ServerAdapter } from "./adapter.ts";

export const yWebsocket: ServerAdapter = {
  id: "y-websocket",
  label: "y-websocket 0.1.1 + y-leveldb",
  holdsState: true,
  persists: true,
  async command(dataDir) {
    const port = await freePort();
    return {
      argv: [fileURLToPath(new URL("../peers/node_modules/@y/websocket-server/src/server.js", import.meta.url))],
      env: { HOST: "127.0.0.1", PORT: String(port), YPERSISTENCE: join(dataDir, "y-leveldb") },
      urlIn: (line) => (line.startsWith("running at") ? `http://127.0.0.1:${port}` : undefined),
    };
  },
  createRooms: async () => {},
  path: (room) => `/${room}`,
  prefix: () => NO_BYTES,
  greeting: () => [],
};

/** It can't be given port 0: it prints the port it was told, not the one it got. */
async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const address = probe.address();
  probe.close();
  await once(probe, "close");
  if (address === null || typeof address === "string") throw new Error("A TCP listener has a port.");
  return address.port;
}

/**
 * @hocuspocus/server with its SQLite extension, as its documentation starts it. Every message carries the document's name in front,
 * and a connection begins with an authentication message, whatever the token.
 *
 * Not here: the program (peers/hocuspocus.mjs, beside the packages it needs).
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as encoding from "lib0/encoding";
import { urlIn } from "./adapter.ts";
import type { ServerAdapter } from "./adapter.ts";

const MESSAGE_AUTH = 2;
const AUTH_TOKEN = 0;

export const hocuspocus: ServerAdapter = {
  id: "hocuspocus",
  label: "Hocuspocus 4.7 + SQLite",
  holdsState: true,
  persists: true,
  command: async (dataDir) => ({
    argv: [fileURLToPath(new URL("../peers/hocuspocus.mjs", import.meta.url)), join(dataDir, "hocuspocus.sqlite")],
    urlIn,
  }),
  createRooms: async () => {},
  path: () => "/",
  prefix: (room) => encoding.encode((encoder) => encoding.writeVarString(encoder, room)),
  greeting: () => [
    encoding.encode((encoder) => {
      encoding.writeVarUint(encoder, MESSAGE_AUTH);
      encoding.writeVarUint(encoder, AUTH_TOKEN);
      encoding.writeVarString(encoder, "bench");
    }),
  ],
};

/**
 * A TCP line to a server that can be cut: Playwright's setOffline stops new connections, but leaves open WebSockets alone.
 */
import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { Socket } from "node:net";

export interface Line {
  /** The server's address through this line. */
  readonly url: string;
  /** Breaks all connections and lets no new one through until `mend`. */
  cut(): void;
  mend(): void;
  close(): void;
}

export async function layLine(serverUrl: string): Promise<Line> {
  const port = Number(new URL(serverUrl).port);
  const sockets = new Set<Socket>();
  let isCut = false;
  const relay = createServer((near) => {
    if (isCut) {
      near.destroy();
      return;
    }
    const far = connect({ host: "127.0.0.1", port });
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on("error", () => {}); // a broken line is what this is for
      socket.on("close", () => {
        sockets.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
    near.pipe(far).pipe(near);
  });
  const drop = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  relay.listen({ host: "127.0.0.1", port: 0 });
  await once(relay, "listening");
  const address = relay.address();
  if (address === null || typeof address === "string") throw new Error("the line has no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    cut() {
      isCut = true;
      drop();
    },
    mend() {
      isCut = false;
    },
    close() {
      relay.close();
      drop();
    },
  };
}

/**
 * fetch over a Unix socket or a named pipe, which Node's own cannot: as much of it as a REST client needs.
 */
import { Agent, request } from "node:http";
import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import type { ReadableStream as NodeStream } from "node:stream/web";

export interface SocketFetch {
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
  /** Lets go of idle connections. */
  close(): void;
}

const WITHOUT_BODY = new Set([204, 304]);

export function socketFetch(socketPath: string): SocketFetch {
  const agent = new Agent({ keepAlive: true });
  return {
    close: () => agent.destroy(),
    fetch: (url, init) =>
      new Promise((resolve, reject) => {
        const { pathname, search, host } = new URL(url);
        const { method = "GET", signal, body } = init;
        const headers = { ...Object.fromEntries(new Headers(init.headers)), host };
        const asked = request(
          { socketPath, agent, method, path: pathname + search, headers, ...(signal ? { signal } : {}) },
          (incoming) => resolve(responseOf(incoming)),
        );
        asked.on("error", reject);
        asked.end(typeof body === "string" ? body : undefined);
      }),
  };
}

function responseOf(incoming: IncomingMessage): Response {
  const { statusCode: status = 502, headers } = incoming;
  const given = Object.entries(headers).flatMap(([name, value]): [string, string][] =>
    value === undefined ? [] : [[name, String(value)]],
  );
  if (WITHOUT_BODY.has(status)) {
    incoming.resume();
    return new Response(null, { status, headers: given });
  }
  // the two declarations of the same stream differ
  const body = Readable.toWeb(incoming) as NodeStream<Uint8Array> as ReadableStream<Uint8Array>;
  return new Response(body, { status, headers: given });
}

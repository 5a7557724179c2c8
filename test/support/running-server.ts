/** The whole server in this process on a free loopback port, its log in memory unless it gets a folder. */
import type * as Y from "yjs";
import { parseConfig } from "../../server/config.ts";
import type { Environment } from "../../server/config.ts";
import type { Clock } from "../../server/clock.ts";
import { startServer } from "./start-server.ts";
import { RecordingLogger } from "./recording-logger.ts";

export interface TestServer {
  /** http://127.0.0.1:port */
  readonly url: string;
  readonly logger: RecordingLogger;
  close(): Promise<void>;
}

interface TestServerOptions {
  readonly environment?: Environment;
  readonly clock?: Clock;
}

/** `dataDir` makes the log durable there; without it, it is in memory. */
export async function startTestServer(dataDir?: string, options: TestServerOptions = {}): Promise<TestServer> {
  const { environment = {}, ...parts } = options;
  const logger = new RecordingLogger();
  const place = dataDir === undefined ? { storage: "memory" } : { dataDir };
  const server = await startServer(parseConfig({ port: "0", ...place }, environment), { logger, ...parts });
  return { url: server.url, logger, close: () => server.close() };
}

export async function createContext(server: TestServer, id: string, data: object = {}): Promise<void> {
  const response = await fetch(`${server.url}/v1/contexts`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ id, data }),
  });
  if (response.status !== 201) throw new Error(`creating ${id} gave ${response.status}: ${await response.text()}`);
}

export async function readContext(server: TestServer, id: string): Promise<{ version: number; data: unknown }> {
  const response = await fetch(`${server.url}/v1/contexts/${id}`);
  if (!response.ok) throw new Error(`reading ${id} gave ${response.status}: ${await response.text()}`);
  return response.json();
}

/** Resolves when `isTrue` holds, at once or after an update of the document. */
export function until(doc: Y.Doc, isTrue: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const check = (): void => {
      if (!isTrue()) return;
      doc.off("update", check);
      resolve();
    };
    doc.on("update", check);
    check();
  });
}

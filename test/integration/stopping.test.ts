/** A server that stops: everybody who is connected is told, and what was accepted is there afterwards. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createContext, readContext, startTestServer } from "../support/running-server.ts";
import type { TestServer } from "../support/running-server.ts";
import { openStockClient } from "../support/stock-client.ts";

let dataDir: string;
let server: TestServer;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "mcm-stopping-"));
  server = await startTestServer(dataDir);
  await createContext(server, "plan", { n: 0 });
});
afterEach(async () => {
  await server.close();
  await rm(dataDir, { recursive: true });
});

test("[CTX-6] a live feed ends with the reason", async () => {
  const feed = await fetch(`${server.url}/v1/contexts/plan/changes`, { headers: { accept: "text/event-stream" } });
  const [text] = await Promise.all([feed.text(), server.close()]);
  expect(text).toContain("SHUTTING_DOWN");
});

test("[CTX-6] a WebSocket is closed with 4503, which clients take as 'come again'", async () => {
  const client = openStockClient({ url: server.url, contextId: "plan", actor: "ada" });
  await client.synced();
  const code = new Promise((resolve) => client.provider.once("connection-close", (event) => resolve(event?.code)));
  client.provider.shouldReconnect = () => false;
  await server.close();
  expect(await code).toBe(4503);
  client.close();
});

test("[CTX-6] writes under way are answered or refused, and the answered ones are there", async () => {
  const write = (): Promise<number> =>
    fetch(`${server.url}/v1/contexts/plan`, {
      method: "PATCH",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ changes: [{ op: "increment", path: "/n", by: 1 }] }),
    }).then(
      ({ status }) => status,
      () => 0,
    );
  const writes = Array.from({ length: 50 }, write);
  await writes[0];
  const [statuses] = await Promise.all([Promise.all(writes), server.close()]);
  expect(statuses.filter((status) => status !== 200 && status !== 503 && status !== 0)).toEqual([]);
  server = await startTestServer(dataDir);
  const { data } = await readContext(server, "plan");
  const answered = statuses.filter((status) => status === 200).length;
  expect(answered).toBeGreaterThan(0);
  expect(data).toMatchObject({ n: expect.any(Number) });
  expect((data as { n: number }).n).toBeGreaterThanOrEqual(answered);
});

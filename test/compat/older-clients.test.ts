/** Editors of earlier years: the clients of y-websocket 1 and 2, unchanged, beside today's. */
import { WebSocket } from "ws";
import { WebsocketProvider as Provider1 } from "y-websocket-v1";
import { WebsocketProvider as Provider2 } from "y-websocket-v2";
import * as Y from "yjs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createContext, readContext, startTestServer, until } from "../support/running-server.ts";
import type { TestServer } from "../support/running-server.ts";
import { openStockClient } from "../support/stock-client.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.close());

test.each([
  ["1.5.4", Provider1],
  ["2.1.0", Provider2],
])(
  "[WIRE-10] [WIRE-11] [WIRE-12] y-websocket %s syncs both ways, its offline edits included",
  async (version, Provider) => {
    const id = `old-${version}`;
    await createContext(server, id, { from: "server" });
    const doc = new Y.Doc();
    doc.getMap("data").set("offline", version);
    const provider = new Provider(`${server.url.replace("http", "ws")}/sync`, id, doc, {
      WebSocketPolyfill: WebSocket as unknown as typeof globalThis.WebSocket,
      disableBc: true,
    });
    const today = openStockClient({ url: server.url, contextId: id, actor: "today" });
    try {
      await until(doc, () => doc.getMap("data").get("from") === "server");
      await until(today.doc, () => today.doc.getMap("data").get("offline") === version);
      today.doc.getMap("data").set("live", 1);
      await until(doc, () => doc.getMap("data").get("live") === 1);
      doc.getMap("data").delete("live");
      await until(today.doc, () => !today.doc.getMap("data").has("live"));
      provider.awareness.setLocalStateField("user", version);
      await new Promise<void>((resolve) => {
        const check = (): void => {
          const state = today.provider.awareness.getStates().get(doc.clientID);
          if (state?.["user"] === version) resolve();
        };
        today.provider.awareness.on("change", check);
        check();
      });
      expect(await readContext(server, id)).toMatchObject({ data: { from: "server", offline: version } });
    } finally {
      provider.destroy();
      today.close();
    }
  },
);

test.each([
  ["1.5.4", Provider1],
  ["2.1.0", Provider2],
])(
  "[EPOCH-4] [WIRE-20] y-websocket %s comes again and again with its old document, and never brings it in",
  async (version, Provider) => {
    const id = `epoch-${version}`;
    await createContext(server, id, { from: "server" });
    const doc = new Y.Doc();
    const provider = new Provider(`${server.url.replace("http", "ws")}/sync`, id, doc, {
      WebSocketPolyfill: WebSocket as unknown as typeof globalThis.WebSocket,
      disableBc: true,
    });
    try {
      doc.getMap("data").set("mine", new Y.Map([["deep", 1]]));
      await until(doc, () => doc.getMap("data").get("from") === "server");
      const before = await readWhen(id, (data) => "mine" in data);
      let refusals = 0;
      const refused = new Promise<void>((resolve) =>
        provider.on("connection-close", (event) => {
          if (event?.code === 4409 && ++refusals === 3) resolve();
        }),
      );
      const answer = await fetch(`${server.url}/v1/contexts/${id}/compact`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: "{}",
      });
      expect(await answer.json()).toMatchObject({ epoch: 2, version: before.version });
      doc.getMap("data").set("late", 1);
      await refused;
      expect(await readContext(server, id)).toMatchObject({ version: before.version, data: before.data });
      const today = openStockClient({ url: server.url, contextId: id, actor: "today" });
      await today.synced();
      expect(today.doc.getMap("data").toJSON()).toEqual({ from: "server", mine: { deep: 1 } });
      expect([...today.doc.store.clients.keys()].filter((client) => doc.store.clients.has(client))).toEqual([]);
      today.close();
    } finally {
      provider.destroy();
    }
  },
);

/** What the context reads as soon as it holds what is waited for. */
async function readWhen(id: string, isThere: (data: object) => boolean): Promise<{ version: number; data: unknown }> {
  const client = openStockClient({ url: server.url, contextId: id, actor: "reader" });
  await until(client.doc, () => isThere(client.doc.getMap("data").toJSON()));
  client.close();
  return readContext(server, id);
}

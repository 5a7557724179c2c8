/** Somebody who has nothing to do with an attack: edits a context live, and changes it by REST, on connections of its own. */
import { Agent, request } from "node:http";
import { expect } from "vitest";
import { until } from "./running-server.ts";
import type { SecureServer } from "./secure-server.ts";
import { openStockClient } from "./stock-client.ts";

export interface Bystander {
  /** Fails when anything that an honest client does does not work any more, or took long. */
  worksOn(): Promise<void>;
  close(): void;
}

const MS_MAX = 10_000;

export async function openBystander(server: SecureServer, contextId: string): Promise<Bystander> {
  const token = await server.token("bystander");
  const made = await server.call(token, "POST", "/v1/contexts", { id: contextId, data: { beat: 0 } });
  expect(made.status).toBe(201);
  const live = openStockClient({ url: server.url, contextId, token });
  await live.synced();
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const data = live.doc.getMap("data");
  let beats = 0;

  /** On its own connection: one that a flood of others cannot take away. */
  const ask = (method: string, body = ""): Promise<{ readonly status: number; readonly text: string }> =>
    new Promise((resolve, reject) => {
      const headers = { authorization: `Bearer ${token}`, "content-type": "application/json-patch+json" };
      const asked = request(`${server.url}/v1/contexts/${contextId}`, { agent, method, headers }, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk) => (text += String(chunk)));
        response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
      });
      asked.on("error", reject);
      asked.end(body);
    });

  return {
    async worksOn() {
      const value = ++beats;
      const beganAt = performance.now();
      expect((await ask("PATCH", JSON.stringify([{ op: "add", path: "/beat", value }]))).status).toBe(200);
      await until(live.doc, () => data.get("beat") === value);
      data.set("typed", value);
      await until(live.doc, () => data.get("typed") === value);
      expect(JSON.parse((await ask("GET")).text)).toMatchObject({ data: { beat: value } });
      expect(performance.now() - beganAt).toBeLessThan(MS_MAX);
      expect(live.provider.wsconnected).toBe(true);
      expect(server.logger.failures).toEqual([]);
    },
    close() {
      live.close();
      agent.destroy();
    },
  };
}

/** The receiver of docs/webhooks.md, as it stands there, behind the whole server; and the figures of the page. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { once } from "node:events";
import type { Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { LIMITS } from "../../shared/limits.ts";
import { webhookReportSchema, webhookSchema } from "../../shared/protocol/rest-webhooks.ts";
import { read } from "../arch/source.ts";
import { freePort } from "../support/programs.ts";
import { createContext, startTestServer } from "../support/running-server.ts";
import type { TestServer } from "../support/running-server.ts";

const page = read("docs/webhooks.md").text;
const SECRET = "the secret of this test";

let server: TestServer;
let receiver: Server | undefined;
let folder: string;
const printed = vi.spyOn(console, "log").mockImplementation(() => {});

beforeEach(async () => {
  server = await startTestServer();
  folder = await mkdtemp(join(tmpdir(), "mcm-webhooks-page-"));
  printed.mockClear();
});
afterEach(async () => {
  vi.unstubAllEnvs();
  receiver?.closeAllConnections();
  receiver?.close();
  await server.close();
  await rm(folder, { recursive: true });
});

const send = (method: string, path: string, body: object) =>
  fetch(`${server.url}${path}`, {
    method,
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });

async function startReceiver(keyId: string, port: number): Promise<void> {
  const [, program = ""] = /^```js\n(.*?)^```$/ms.exec(page) ?? [];
  const file = join(folder, "receiver.mjs");
  await writeFile(file, program);
  vi.stubEnv("HOOK_KEY_ID", keyId);
  vi.stubEnv("HOOK_SECRET", SECRET);
  ({ receiver } = (await import(pathToFileURL(file).href)) as { receiver: Server });
  receiver.listen({ port, host: "127.0.0.1" });
  await once(receiver, "listening");
}

test("[HOOK-13] the page's receiver takes what is signed with its secret, and nothing else", async () => {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/`;
  const asked = { url, contexts: ["plan-*"], paths: ["/tasks"], secret: SECRET };
  const { id, keyId } = webhookSchema.parse(await (await send("POST", "/v1/webhooks", asked)).json());
  await startReceiver(keyId, port);
  expect(await (await send("POST", `/v1/webhooks/${id}/test`, {})).json()).toMatchObject({ ok: true });
  await createContext(server, "plan-7", { tasks: {} });
  const changes = [{ op: "add", path: "/tasks/t1", value: { title: "Ship it" } }];
  await send("PATCH", "/v1/contexts/plan-7", { changes });
  await send("PATCH", "/v1/contexts/plan-7", { changes: [{ op: "add", path: "/title", value: "Plan" }] });
  await expect.poll(() => printed.mock.calls).toEqual([["plan-7 1 anonymous /tasks/t1"]]);
  await expect
    .poll(async () => webhookReportSchema.parse(await (await fetch(`${server.url}/v1/webhooks/${id}`)).json()).behind)
    .toBe(0);
  // a receiver that knows another secret under this key
  await send("PATCH", `/v1/webhooks/${id}`, { secret: "somebody else's secret" });
  expect(await (await send("POST", `/v1/webhooks/${id}/test`, {})).json()).toMatchObject({
    ok: false,
    error: "it answered 401",
  });
});

test("the page has the limits of the product", () => {
  const { webhookBatchChangesMax, webhookBatchBytesMax, webhookAnswerMsMax, webhookSecretCharsMin } = LIMITS;
  expect(page).toContain(`up to ${webhookBatchChangesMax} changes, or ${webhookBatchBytesMax / 1024} KiB`);
  expect(page).toContain(`within ${webhookAnswerMsMax / 1000} seconds`);
  expect(page).toContain(`at least ${webhookSecretCharsMin} characters`);
  expect(page).toContain("after 1, 2, 4, … seconds, at most a quarter of an hour, a fifth more or less");
  expect([LIMITS.webhookRetryMsMin, LIMITS.webhookRetryMsMax]).toEqual([1000, 900_000]);
  expect(page).toContain(`After ${LIMITS.webhookFailuresMax} of them`);
  expect(page).toContain(`After ${LIMITS.webhookAttemptsMax} attempts`);
  expect(page).toContain("At 1,000 of them");
  expect(LIMITS.webhookDeadLettersMax).toBe(1000);
});

/**
 * What REST promises of webhooks (server/SPEC.md, "Webhooks"), over any ContextService whose targets are a FakeTarget.
 */
import { describe, expect, test } from "vitest";
import { LIMITS } from "../../shared/limits.ts";
import {
  redeliverResultSchema,
  webhookListSchema,
  webhookReportSchema,
  webhookSchema,
  webhookTestResultSchema,
} from "../../shared/protocol/rest-webhooks.ts";
import type { WebhookView } from "../../shared/protocol/rest-webhooks.ts";
import type { FakeTarget } from "../support/fake-target.ts";
import { RestHarness } from "./rest-harness.ts";
import type { ServiceUnderTest } from "./rest-harness.ts";

const SECRET = "nobody may ever read this";
const BODY = { url: "https://hooks.example.org/a", contexts: ["plan-*"], paths: ["/tasks"], secret: SECRET };

export function restWebhooksSuite(name: string, start: () => Promise<ServiceUnderTest & { target: FakeTarget }>): void {
  describe(`REST over ${name}: webhooks`, () => {
    let target: FakeTarget;
    const { call, send, expectProblem } = new RestHarness(async () => {
      const underTest = await start();
      ({ target } = underTest);
      return underTest;
    });

    const add = async (body: object = BODY): Promise<WebhookView> => {
      const response = await send("POST", "/v1/webhooks", body, { "mcm-actor": "ada" });
      expect(response.status).toBe(201);
      return webhookSchema.parse(await response.json());
    };
    const addressOf = ({ id }: WebhookView): string => `/v1/webhooks/${id}`;
    const act = async (webhook: WebhookView, what: string, body: object = {}): Promise<unknown> => {
      const response = await send("POST", `${addressOf(webhook)}/${what}`, body);
      expect(response.status).toBe(200);
      return response.json();
    };

    test("[HOOK-22] a webhook is added, listed, read, changed and deleted", async () => {
      const response = await send("POST", "/v1/webhooks", BODY, { "mcm-actor": "ada" });
      expect(response.status).toBe(201);
      const webhook = webhookSchema.parse(await response.json());
      expect(response.headers.get("location")).toBe(addressOf(webhook));
      expect(webhook).toEqual({
        id: expect.stringMatching(/^[0-9a-f-]{36}$/),
        url: BODY.url,
        contexts: BODY.contexts,
        paths: BODY.paths,
        keyId: expect.stringMatching(/^[0-9a-f]{8}$/),
        createdAt: expect.any(String),
        createdBy: "ada",
        state: "active",
        failures: 0,
        behind: 0,
        deadLetters: 0,
      });
      const listed = webhookListSchema.parse(await (await call("/v1/webhooks")).json());
      expect(listed.webhooks).toContainEqual(webhook);
      const report = webhookReportSchema.parse(await (await call(addressOf(webhook))).json());
      expect(report).toEqual({ ...webhook, positions: [], oldestDeadLetters: [] });
      const changed = await send("PATCH", addressOf(webhook), { url: "https://b.example.org/" });
      expect(webhookSchema.parse(await changed.json())).toEqual({ ...webhook, url: "https://b.example.org/" });
      const rotated = await send("PATCH", addressOf(webhook), { secret: `${SECRET} 2` });
      expect(webhookSchema.parse(await rotated.json()).keyId).not.toBe(webhook.keyId);
      expect((await call(addressOf(webhook), { method: "DELETE" })).status).toBe(204);
      for (const method of ["GET", "DELETE"])
        await expectProblem(await call(addressOf(webhook), { method }), "WEBHOOK_NOT_FOUND");
    });

    test("[HOOK-22] it is paused, resumed and tried; dead letters are sent again", async () => {
      const webhook = await add();
      expect(webhookSchema.parse(await act(webhook, "pause")).state).toBe("paused");
      expect(webhookSchema.parse(await act(webhook, "resume")).state).toBe("active");
      expect(redeliverResultSchema.parse(await act(webhook, "redeliver"))).toEqual({ redelivered: 0, left: 0 });
      expect(webhookTestResultSchema.parse(await act(webhook, "test"))).toEqual({
        ok: true,
        durationMs: expect.any(Number),
      });
      expect(target.taken.at(-1)).toMatchObject({ webhookId: webhook.id, test: true, changes: [] });
      target.answer = () => 500;
      expect(await act(webhook, "test")).toMatchObject({ ok: false, error: "it answered 500" });
      target.answer = () => 204;
      const none = await send("POST", `${addressOf(webhook)}/redeliver`, { deliveryId: "none" });
      await expectProblem(none, "WEBHOOK_NOT_FOUND");
      for (const what of ["pause", "resume", "redeliver", "test"])
        await expectProblem(await send("POST", `/v1/webhooks/none/${what}`, {}), "WEBHOOK_NOT_FOUND");
      await expectProblem(await send("PATCH", "/v1/webhooks/none", { url: BODY.url }), "WEBHOOK_NOT_FOUND");
    });

    test("[HOOK-19] no answer holds a secret", async () => {
      const webhook = await add();
      const answers = [
        await call("/v1/webhooks"),
        await call(addressOf(webhook)),
        await send("PATCH", addressOf(webhook), { secret: `${SECRET} 2` }),
        await send("POST", `${addressOf(webhook)}/pause`, {}),
        await send("POST", "/v1/webhooks", { ...BODY, secret: `whsec_${SECRET}` }),
      ];
      for (const answer of answers) expect(await answer.text()).not.toMatch(/nobody|"secret"/);
    });

    test.each([
      ["no contexts", { contexts: [] }],
      ["a pattern that no id has", { contexts: ["a b"] }],
      ["a pattern that is too long", { contexts: ["a".repeat(LIMITS.contextIdCharsMax + 1)] }],
      ["too many patterns", { contexts: Array(LIMITS.webhookPatternsMax + 1).fill("a") }],
      ["a path that is none", { paths: ["tasks"] }],
      ["no paths", { paths: [] }],
      ["a secret that is too short", { secret: "a".repeat(LIMITS.webhookSecretCharsMin - 1) }],
      ["a secret that is too long", { secret: "a".repeat(LIMITS.webhookSecretCharsMax + 1) }],
      ["a secret that is no base64", { secret: "whsec_not_base64_at_all" }],
      ["a member that there is not", { enabled: true }],
    ])("[HOOK-22] refused is %s", async (_, wrong) => {
      await expectProblem(await send("POST", "/v1/webhooks", { ...BODY, ...wrong }), "INVALID_REQUEST");
    });

    test("[HOOK-22] at the limits it is taken", async () => {
      const contexts = Array<string>(LIMITS.webhookPatternsMax).fill("a".repeat(LIMITS.contextIdCharsMax));
      const webhook = await add({ ...BODY, contexts, secret: "a".repeat(LIMITS.webhookSecretCharsMax) });
      expect(webhook.contexts).toEqual(contexts);
    });

    test("[HOOK-14] an address inside is refused, with the reason", async () => {
      const url = "https://169.254.169.254/latest";
      await expectProblem(await send("POST", "/v1/webhooks", { ...BODY, url }), "TARGET_REFUSED", /not public/);
      await expectProblem(await send("PATCH", addressOf(await add()), { url }), "TARGET_REFUSED", /not public/);
    });

    test("[HOOK-22] a change of nothing, queries and headers that would be ignored are refused", async () => {
      const webhook = await add();
      await expectProblem(await send("PATCH", addressOf(webhook), {}), "INVALID_REQUEST", /url or secret/);
      await expectProblem(await call(`${addressOf(webhook)}?full=1`), "INVALID_REQUEST");
      const conditional = await call(addressOf(webhook), { method: "DELETE", headers: { "if-match": '"1"' } });
      await expectProblem(conditional, "INVALID_REQUEST");
      const plain = await call(`${addressOf(webhook)}/test`, {
        method: "POST",
        headers: { "content-type": "text/plain" },
      });
      await expectProblem(plain, "UNSUPPORTED_MEDIA_TYPE");
      await expectProblem(await call(`${addressOf(webhook)}/test`), "METHOD_NOT_ALLOWED");
    });

    test("[HOOK-22] there are as many webhooks as the limit, and not one more", async () => {
      const { webhooks } = webhookListSchema.parse(await (await call("/v1/webhooks")).json());
      for (let count = webhooks.length; count < LIMITS.webhooksMax; count++) await add();
      await expectProblem(await send("POST", "/v1/webhooks", BODY), "LIMIT_EXCEEDED");
    });
  });
}

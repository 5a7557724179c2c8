/**
 * REST: the bodies of webhooks as zod schemas, and the body of what is delivered to a target.
 *
 * Not here: what the words mean (shared/webhook.ts), how deliveries are signed (docs/webhooks.md).
 */
import { z } from "zod";
import { LIMITS } from "../limits.ts";
import { GAP_REASONS, WEBHOOK_STATES } from "../webhook.ts";
import { isoTime, pointer, version } from "./rest-fields.ts";
import { changeSchema } from "./rest.ts";

const url = z.string().max(LIMITS.webhookUrlCharsMax).describe("https; plain http for this machine and allowed hosts");
const secret = z
  .string()
  .min(LIMITS.webhookSecretCharsMin)
  .max(LIMITS.webhookSecretCharsMax)
  .describe("Signs what is sent: any text, or whsec_ and the key in base64. It is never told again");
const pattern = z
  .string()
  .max(LIMITS.contextIdCharsMax)
  .regex(/^[A-Za-z0-9*][A-Za-z0-9._:*-]*$/, "must be the id of a context, in which '*' stands for any characters");

export const webhookRequestSchema = z.strictObject({
  url,
  contexts: z.array(pattern).min(1).max(LIMITS.webhookPatternsMax).describe("Patterns of context ids"),
  paths: z
    .array(pointer)
    .min(1)
    .max(LIMITS.webhookPatternsMax)
    .exactOptional()
    .describe("Only changes at, above or below one of them"),
  secret,
});

export const webhookPatchSchema = z
  .strictObject({ url: url.exactOptional(), secret: secret.exactOptional() })
  .refine((patch) => patch.url !== undefined || patch.secret !== undefined, { message: "must hold url or secret" });

export const redeliverRequestSchema = z.strictObject({
  deliveryId: z.string().exactOptional().describe("This dead letter; all of them unless given"),
});

export const emptyRequestSchema = z.strictObject({});

const fault = z.object({ at: isoTime, contextId: z.string(), message: z.string() });

export const webhookSchema = z.object({
  id: z.string(),
  url: z.string(),
  contexts: z.array(z.string()),
  paths: z.array(z.string()).exactOptional(),
  keyId: z.string().describe("Names the secret, also in the header Mcm-Key-Id of deliveries"),
  createdAt: isoTime,
  createdBy: z.string(),
  state: z.enum(WEBHOOK_STATES),
  failures: z.int().min(0).describe("Attempts that failed since the target last took one"),
  nextAttemptAt: isoTime.exactOptional(),
  lastDeliveryAt: isoTime.exactOptional(),
  lastError: fault.exactOptional(),
  behind: z
    .int()
    .min(0)
    .describe(
      "Contexts of which something is to be told, as far as is known; not counted while it is paused or stopped",
    ),
  deadLetters: z.int().min(0),
});

export const webhookListSchema = z.object({ webhooks: z.array(webhookSchema) });

export const webhookReportSchema = webhookSchema.extend({
  positions: z
    .array(
      z.object({
        contextId: z.string(),
        version: version.describe("Told up to here"),
        currentVersion: version.exactOptional().describe("Absent when the context is deleted"),
        failures: z.int().min(0),
        nextAttemptAt: isoTime.exactOptional(),
      }),
    )
    .describe("Some of the contexts that are behind"),
  oldestDeadLetters: z.array(
    z.object({
      deliveryId: z.string(),
      contextId: z.string(),
      fromVersion: version,
      toVersion: version,
      attempts: z.int().min(1),
      error: z.string(),
      at: isoTime,
    }),
  ),
});

export const redeliverResultSchema = z.object({
  redelivered: z.int().min(0),
  left: z.int().min(0).describe("Dead letters that are still there"),
  error: z.string().exactOptional().describe("Why it ended before the last one"),
});

export const webhookTestResultSchema = z.object({
  ok: z.boolean(),
  durationMs: z.number().min(0),
  error: z.string().exactOptional(),
});

/** What a target gets. */
export const deliverySchema = z.object({
  deliveryId: z.string().describe("The same at every attempt, as header webhook-id too"),
  webhookId: z.string(),
  contextId: z.string(),
  version: version.describe("With this delivery the target has been told of all versions up to this one"),
  created: z.literal(true).exactOptional().describe("The context is new; its initial data is version 0"),
  deleted: z.literal(true).exactOptional().describe("The context is gone; one of the same id begins at version 0"),
  test: z.literal(true).exactOptional().describe("Somebody tries whether this works; nothing happened"),
  redelivered: z.literal(true).exactOptional().describe("A dead letter; later versions have been told before it"),
  gaps: z
    .array(z.object({ from: version, to: version, reason: z.enum(GAP_REASONS) }))
    .exactOptional()
    .describe("Versions that are not told, both ends included, and why"),
  changes: z.array(changeSchema).describe("In order of version, those at the webhook's paths"),
});

export type WebhookBody = z.infer<typeof webhookRequestSchema>;
export type WebhookPatch = z.infer<typeof webhookPatchSchema>;
export type WebhookView = z.infer<typeof webhookSchema>;
export type WebhookList = z.infer<typeof webhookListSchema>;
export type WebhookReportView = z.infer<typeof webhookReportSchema>;
export type RedeliverResult = z.infer<typeof redeliverResultSchema>;
export type WebhookTestResult = z.infer<typeof webhookTestResultSchema>;
export type DeliveryBody = z.infer<typeof deliverySchema>;

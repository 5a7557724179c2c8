/**
 * Alerts: other thresholds, and the webhook with the key that signs its requests.
 *
 * Invariant (CONF): the key is opaque: no secret can be read off a Config that is printed or logged.
 *
 * Not here: reading variables (config.ts) and the file of thresholds (monitor/alerts/alert-overrides.ts).
 */
import { createSecretKey } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { resolve } from "node:path";
import { z } from "zod";
import type { Source } from "./config-auth.ts";
import { SETTINGS } from "./config-settings.ts";

/** Of a secret that signs: fewer characters could be guessed. */
const SECRET_CHARS_MIN = 16;
/** In Standard Webhooks a secret of this form holds the key in base64. */
const WHSEC = "whsec_";

export const alertsSchema = z.strictObject({
  alertRules: z.string().transform((path) => (path === "" ? undefined : resolve(path))),
  alertWebhook: z
    .string()
    .refine((url) => url === "" || isWebAddress(url), "must be an address that begins with https:// or http://"),
  alertWebhookSecret: z
    .string()
    .refine((secret) => secret === "" || secret.length >= SECRET_CHARS_MIN, `must have ${SECRET_CHARS_MIN} characters`),
});

export interface AlertConfig {
  /** Of the file with other thresholds. */
  readonly rules?: string;
  readonly webhook?: { readonly url: string; readonly key: KeyObject };
}

/** Adds what is wrong to `problems`. */
export function alertsOf(settings: z.infer<typeof alertsSchema>, given: Source, problems: string[]): AlertConfig {
  const { alertRules: rules, alertWebhook: url, alertWebhookSecret: secret } = settings;
  const file = rules === undefined ? {} : { rules };
  if (url !== "" && secret !== "") return { ...file, webhook: { url, key: keyOf(secret) } };
  const lonely = given("alertWebhook") ?? given("alertWebhookSecret");
  const missing = url === "" ? SETTINGS.alertWebhook.variable : SETTINGS.alertWebhookSecret.variable;
  if (lonely !== undefined) problems.push(`${lonely} goes with ${missing}: requests to the address are signed.`);
  return file;
}

function keyOf(secret: string): KeyObject {
  const bytes = secret.startsWith(WHSEC) ? Buffer.from(secret.slice(WHSEC.length), "base64") : Buffer.from(secret);
  return createSecretKey(bytes);
}

function isWebAddress(text: string): boolean {
  return /^https?:\/\//.test(text) && URL.canParse(text);
}

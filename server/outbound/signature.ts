/**
 * Signatures of requests that the server sends, as Standard Webhooks (1.0) has them, so that its libraries verify them:
 *
 *     webhook-id: <id>                          the same at every attempt
 *     webhook-timestamp: <seconds since 1970>   of this attempt
 *     webhook-signature: v1,<base64 of HMAC-SHA256 over "<id>.<timestamp>.<body>">
 *     mcm-key-id: <name of the secret>          ours, for receivers that know several
 *
 * Not here: verifying (docs/webhooks.md shows it).
 */
import { createHmac } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { ServiceError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";

const ENCODED = "whsec_";

export interface SigningKey {
  readonly keyId: string;
  /** `whsec_` and the key in base64, or any other text, which is then the key in UTF-8. */
  readonly secret: string;
}

export interface Signable {
  readonly id: string;
  readonly atMs: number;
  readonly body: string;
}

export function signedHeaders(signable: Signable, { keyId, secret }: SigningKey): Record<string, string> {
  return { ...signatureHeaders(signable, keyOf(secret)), "mcm-key-id": keyId };
}

/** Without the name of the key, for a receiver that knows one only. */
export function signatureHeaders({ id, atMs, body }: Signable, key: KeyObject | Buffer): Record<string, string> {
  const timestamp = String(Math.floor(atMs / 1000));
  return {
    "webhook-id": id,
    "webhook-timestamp": timestamp,
    "webhook-signature": signatureOf(key, `${id}.${timestamp}.${body}`),
  };
}

export function signatureOf(key: KeyObject | Buffer, content: string): string {
  return `v1,${createHmac("sha256", key).update(content).digest("base64")}`;
}

/** @throws {ServiceError} INVALID_REQUEST for an encoded secret that is no base64, or of a key that is too short */
export function checkSecret(secret: string): void {
  const { length } = keyOf(secret);
  const isCanonical = !secret.startsWith(ENCODED) || `${ENCODED}${keyOf(secret).toString("base64")}` === secret;
  if (isCanonical && length >= LIMITS.webhookSecretCharsMin) return;
  throw new ServiceError(
    "INVALID_REQUEST",
    `The secret must be a text of at least ${LIMITS.webhookSecretCharsMin} characters, or "${ENCODED}" and at least ${LIMITS.webhookSecretCharsMin} bytes in base64.`,
  );
}

function keyOf(secret: string): Buffer {
  return secret.startsWith(ENCODED) ? Buffer.from(secret.slice(ENCODED.length), "base64") : Buffer.from(secret, "utf8");
}

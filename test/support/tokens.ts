/** Tokens and keys for tests: those that a server takes, and forgeries. */
import { generateKeyPairSync } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { SignJWT } from "jose";
import { secretKeyOf } from "../../server/security/own-key.ts";
import { ServiceError } from "../../shared/errors.ts";

export const SECRET = "u7Jq2Vd0xkR9sLw4ZbT1yHcN6eGmPaF3";
export const OTHER_SECRET = "p0Wn8Ks3QzX5vBt7RfM2yLdJ4hCgUe6A";
export const AUDIENCE = "mcp-context-manager";

export const secretKey: KeyObject = secretKeyOf(SECRET).key;

/** Claims that are taken at `nowMs`, and what a test says instead; undefined takes a claim away. */
export function claimsAt(nowMs: number, changes: Record<string, unknown> = {}): Record<string, unknown> {
  const nowS = Math.floor(nowMs / 1000);
  const claims = {
    sub: "ada",
    aud: AUDIENCE,
    iat: nowS,
    exp: nowS + 3600,
    scope: "contexts:read",
    jti: "t-1",
    ...changes,
  };
  return Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== undefined));
}

/** A signed token, whatever its claims are. */
export function sign(
  claims: Record<string, unknown>,
  key: KeyObject | Uint8Array = secretKey,
  header: { readonly alg?: string; readonly kid?: string; readonly typ?: string } & Record<string, unknown> = {},
): Promise<string> {
  return new SignJWT(claims).setProtectedHeader({ alg: "HS256", typ: "JWT", ...header }).sign(key);
}

/** A token of which the parts are given as they are. */
export function assemble(header: unknown, payload: unknown, signature = "c2ln"): string {
  const part = (value: unknown): string =>
    Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
  return `${part(header)}.${part(payload)}.${signature}`;
}

export interface PairText {
  readonly publicPem: string;
  readonly privatePem: string;
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

export function keyPair(kind: "ed25519" | "ec" | "rsa", more: { bits?: number; curve?: string } = {}): PairText {
  const { publicKey, privateKey } = pairOf(kind, more);
  return {
    publicKey,
    privateKey,
    publicPem: publicKey.export({ type: "spki", format: "pem" }).toString(),
    privatePem: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}

function pairOf(kind: "ed25519" | "ec" | "rsa", { bits = 2048, curve = "P-256" }: { bits?: number; curve?: string }) {
  if (kind === "ed25519") return generateKeyPairSync("ed25519");
  if (kind === "ec") return generateKeyPairSync("ec", { namedCurve: curve });
  return generateKeyPairSync("rsa", { modulusLength: bits });
}

/** The refusal; fails the test when there is none, or an error of another kind. */
export async function refusalOf(attempt: Promise<unknown>): Promise<ServiceError> {
  const result = await attempt.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if ("value" in result) throw new Error("it was accepted");
  if (result.error instanceof ServiceError) return result.error;
  throw result.error;
}

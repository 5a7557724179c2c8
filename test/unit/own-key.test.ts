/** Secrets and key files: which are keys, and what is said of those that are not. */
import { randomBytes } from "node:crypto";
import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { BadKey, privateKeyOf, publicKeyOf, secretKeyOf } from "../../server/security/own-key.ts";
import { keyPair, SECRET } from "../support/tokens.ts";

const problemOf = (make: () => unknown): string => {
  try {
    make();
  } catch (error) {
    if (error instanceof BadKey) return error.message;
    throw error;
  }
  return "";
};

describe("secrets", () => {
  test("[AUTH-9] a random text of 32 bytes is one, however it is written", () => {
    expect(secretKeyOf(SECRET).algorithms).toEqual(["HS256"]);
    for (const encoding of ["hex", "base64", "base64url"] as const) {
      for (let run = 0; run < 200; run++) {
        const text = randomBytes(32).toString(encoding);
        expect([text, problemOf(() => secretKeyOf(text))]).toEqual([text, ""]);
      }
    }
    expect(problemOf(() => secretKeyOf("correct horse battery staple über allem"))).toBe("");
  });

  test("[AUTH-9] 32 bytes are enough, 31 are not, and bytes are not characters", () => {
    expect(problemOf(() => secretKeyOf(SECRET.slice(0, 31)))).toMatch(
      /secret of 31 bytes.* at least 32\. Make one with/,
    );
    expect(problemOf(() => secretKeyOf("ä7Jq2Vd0xkR9sLw4ZbT1yHcN6eGmPaF"))).toBe("");
    expect(problemOf(() => secretKeyOf(""))).toMatch(/secret of 0 bytes/);
    const long = randomBytes(2048).toString("hex");
    expect(problemOf(() => secretKeyOf(long))).toBe("");
    expect(problemOf(() => secretKeyOf(`${long}0`))).toMatch(/no secret\. Is it the right file/);
  });

  test.each([
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "abababababababababababababababababab",
    "u7Jq2Vd0u7Jq2Vd0u7Jq2Vd0u7Jq2Vd0",
    "u7Jq2Vd0xkR9sLw4u7Jq2Vd0xkR9sLw4",
    "a-string-secret-at-least-256-bits-long",
    "your-256-bit-secret-your-256-bit-secret",
    "please-CHANGE_ME-before-you-go-to-production",
    "MySecret MySecret 2026 !!! and some more",
    "this is a very long sentence that is not random",
    "0123456789abcdef0123456789abcdee",
    "abcdefghijklmnopqrstuvwxyz123456",
    "qwertyuiopasdfghjklzxcvbnm123456",
    "Password1Password2Password3Passw",
    "00000000000000000000000000001234",
  ])("[AUTH-9] %s could be guessed", (secret) => {
    const problem = problemOf(() => secretKeyOf(secret));
    expect(problem).toMatch(/could be guessed\. Make one with: openssl rand/);
    expect(problem).not.toContain(secret);
  });

  test("[AUTH-11] a key shows nothing of what it was made of", () => {
    const key = secretKeyOf(SECRET);
    for (const shown of [
      JSON.stringify(key),
      inspect(key, { depth: 9, showHidden: true }),
      Object.values(key.key).join(),
    ]) {
      expect(shown).not.toContain(SECRET.slice(0, 8));
    }
  });
});

describe("key pairs", () => {
  test.each([
    ["ed25519", ["EdDSA", "Ed25519"]],
    ["ec", ["ES256"]],
    ["rsa", ["RS256"]],
  ] as const)("[AUTH-9] %s signs by %j, and by nothing else", (kind, algorithms) => {
    const { publicPem, privatePem } = keyPair(kind);
    expect(publicKeyOf(publicPem)).toMatchObject({ algorithms, key: { type: "public" } });
    expect(privateKeyOf(privatePem)).toMatchObject({ algorithms, key: { type: "private" } });
  });

  test("[AUTH-9] a server is not given a private key, and nothing is signed with a public one", () => {
    const { publicPem, privatePem } = keyPair("ec");
    expect(problemOf(() => publicKeyOf(privatePem))).toMatch(/holds a private key\. The server needs the public one/);
    expect(problemOf(() => publicKeyOf(publicPem + privatePem))).toMatch(/holds a private key/);
    expect(problemOf(() => privateKeyOf(publicPem))).toMatch(/no private key/);
  });

  test("[AUTH-9] what is no key, damaged, encrypted, too short or of another kind", () => {
    const { publicPem, privateKey } = keyPair("ec");
    expect(problemOf(() => publicKeyOf(""))).toMatch(/no public key/);
    expect(problemOf(() => publicKeyOf(SECRET))).toMatch(/no public key/);
    expect(problemOf(() => publicKeyOf(publicPem.replace(/\n.{20}/, "\n")))).toMatch(/damaged/);
    const encrypted = privateKey
      .export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "x" })
      .toString();
    expect(problemOf(() => privateKeyOf(encrypted))).toMatch(/without a passphrase/);
    expect(problemOf(() => publicKeyOf(keyPair("rsa", { bits: 1024 }).publicPem))).toMatch(/1024 bits.*at least 2048/);
    expect(problemOf(() => publicKeyOf(keyPair("ec", { curve: "P-384" }).publicPem))).toMatch(
      /Use Ed25519, EC P-256 or RSA/,
    );
  });
});

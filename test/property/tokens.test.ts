/** Tokens that somebody has had their hands on: whatever they did, it is refused as a token, and nothing else happens. */
import { createHmac } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { JwtVerifier } from "../../server/security/jwt-verifier.ts";
import { OidcVerifier } from "../../server/security/oidc-verifier.ts";
import { publicKeyOf, secretKeyOf } from "../../server/security/own-key.ts";
import { TOKEN_RULES } from "../../server/security/token-refusals.ts";
import type { TokenVerifier } from "../../server/security/token-verifier.ts";
import { ServiceError } from "../../shared/errors.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { AUDIENCE, claimsAt, keyPair, SECRET, sign } from "../support/tokens.ts";

const RUNS = 4000;
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const ISSUER = "http://127.0.0.1:9/realm";
const clock = new ManualClock();
const audiences = [AUDIENCE];

const grants = [{ id: "plan-*", role: "writer", paths: ["/tasks"] }];
const claims = claimsAt(clock.nowMs(), { name: "Ada", contexts: grants, iss: ISSUER });
const pair = keyPair("ec");
const jwks = { keys: [{ ...pair.publicKey.export({ format: "jwk" }), kid: "1" }] };

const bySecret = new JwtVerifier({ key: secretKeyOf(SECRET), audiences, clock });
const byPair = new JwtVerifier({ key: publicKeyOf(pair.publicPem), audiences, clock });
const byIssuer = new OidcVerifier({
  issuer: ISSUER,
  jwksUrl: `${ISSUER}/jwks`,
  audiences,
  clock,
  fetch: async () => new Response(JSON.stringify(jwks)),
});

const cases: readonly (readonly [string, TokenVerifier, string])[] = [
  ["a secret", bySecret, await sign(claims)],
  ["a key pair", byPair, await sign(claims, pair.privateKey, { alg: "ES256" })],
  ["an identity provider", byIssuer, await sign(claims, pair.privateKey, { alg: "ES256", kid: "1" })],
];

/** The rule by which it is refused; "taken" when it is not. */
async function outcome(verifier: TokenVerifier, token: string): Promise<string> {
  try {
    await verifier.verify(token);
    return "taken";
  } catch (error) {
    if (!(error instanceof ServiceError) || error.code !== "UNAUTHENTICATED") throw error;
    return String(error.details["rule"]);
  }
}

const character = fc.oneof(
  fc.constantFrom(...`${ALPHABET}.=+/ \n`.split("")),
  fc.string({ minLength: 1, maxLength: 1, unit: "binary" }),
);

/** One thing that is done to a text. */
const edit = fc.oneof(
  fc.record({ at: fc.nat(), put: character }).map(({ at, put }) => (text: string) => {
    const index = at % (text.length + 1);
    return text.slice(0, index) + put + text.slice(index + 1);
  }),
  fc.record({ at: fc.nat(), put: fc.array(character, { maxLength: 4 }) }).map(({ at, put }) => (text: string) => {
    const index = at % (text.length + 1);
    return text.slice(0, index) + put.join("") + text.slice(index);
  }),
  fc.record({ at: fc.nat(), count: fc.integer({ min: 1, max: 20 }) }).map(({ at, count }) => (text: string) => {
    const index = at % (text.length + 1);
    return text.slice(0, index) + text.slice(index + count);
  }),
  fc.constantFrom(
    (text: string) => text.split(".").reverse().join("."),
    (text: string) => text.split(".").slice(0, 2).join("."),
    (text: string) => `${text}.${text}`,
    (text: string) => text.toLowerCase(),
    (text: string) => `${text}=`,
    (text: string) => ` ${text}`,
  ),
);

describe.each(cases)("a token by %s", (_, verifier, token) => {
  test("[AUTH-5] as it was issued it is taken", async () => {
    expect(await outcome(verifier, token)).toBe("taken");
  });

  test("[AUTH-5] changed in any way it is refused", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 5 }), async (edits) => {
        const changed = edits.reduce((text, change) => change(text), token);
        fc.pre(changed !== token);
        expect(Object.keys(TOKEN_RULES)).toContain(await outcome(verifier, changed));
      }),
      { numRuns: RUNS },
    );
  });

  test("[AUTH-5] any one character of it counts", async () => {
    for (let at = 0; at < token.length; at++) {
      const next = ALPHABET[(ALPHABET.indexOf(token[at] ?? "") + 1) % ALPHABET.length] ?? "A";
      expect([at, await outcome(verifier, token.slice(0, at) + next + token.slice(at + 1))]).not.toEqual([at, "taken"]);
    }
  });

  test("[AUTH-5] any other text is refused", async () => {
    const part = fc.oneof(
      fc.base64String(),
      fc.json().map((text) => Buffer.from(text).toString("base64url")),
    );
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.array(part, { maxLength: 5 }).map((parts) => parts.join(".")),
    );
    await fc.assert(
      fc.asyncProperty(text, async (it) => {
        expect(Object.keys(TOKEN_RULES)).toContain(await outcome(verifier, it));
      }),
      { numRuns: RUNS },
    );
  });
});

test("[AUTH-3] whatever the claims of a rightly signed token are, they are an identity or refused", async () => {
  const name = fc.constantFrom(
    "sub",
    "aud",
    "exp",
    "iat",
    "nbf",
    "jti",
    "name",
    "scope",
    "scp",
    "contexts",
    "iss",
    "__proto__",
  );
  const grant = fc.record(
    {
      id: fc.anything(),
      role: fc.constantFrom("reader", "writer", "admin", 7),
      paths: fc.anything(),
      __proto__: fc.constant(1),
    },
    { requiredKeys: [] },
  );
  const value = fc.oneof(
    fc.jsonValue(),
    fc.array(grant, { maxLength: 3 }),
    fc.constantFrom(claims["exp"], AUDIENCE, "ada"),
  );
  let taken = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(name, value), { maxLength: 4 }), async (changes) => {
      const body = JSON.stringify({ ...claims, ...Object.fromEntries(changes) });
      const text = `${Buffer.from('{"alg":"HS256"}').toString("base64url")}.${Buffer.from(body).toString("base64url")}`;
      const result = await outcome(
        bySecret,
        `${text}.${createHmac("sha256", SECRET).update(text).digest("base64url")}`,
      );
      if (result === "taken") taken += 1;
      else expect(Object.keys(TOKEN_RULES)).toContain(result);
    }),
    { numRuns: RUNS },
  );
  // both happen: else this says nothing
  expect(taken).toBeGreaterThan(RUNS / 50);
  expect(taken).toBeLessThan(RUNS);
});

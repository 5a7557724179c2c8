/** Issuing: what is issued is taken, what would not be taken is not issued. */
import { decodeJwt, decodeProtectedHeader } from "jose";
import { describe, expect, test } from "vitest";
import { issueToken } from "../../server/security/issue-token.ts";
import type { NewToken } from "../../server/security/issue-token.ts";
import { JwtVerifier } from "../../server/security/jwt-verifier.ts";
import { privateKeyOf, publicKeyOf, secretKeyOf } from "../../server/security/own-key.ts";
import { LIMITS } from "../../shared/limits.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { AUDIENCE, keyPair, refusalOf, SECRET } from "../support/tokens.ts";

const clock = new ManualClock();
const key = secretKeyOf(SECRET);
const claims: NewToken = {
  subject: "ada",
  audience: AUDIENCE,
  scopes: ["contexts:read", "contexts:write"],
  grants: [{ id: "plan-*", role: "writer", paths: ["/tasks"] }],
  name: "Ada",
  lifetimeMs: 3_600_000,
};
const issue = (changes: Partial<NewToken> = {}, by = key) =>
  issueToken({ key: by, claims: { ...claims, ...changes }, nowMs: clock.nowMs(), tokenId: "t-7" });

test("[AUTH-12] what is issued says what was asked for, and is taken", async () => {
  const { token, tokenId, expiresAtMs } = await issue();
  expect([tokenId, expiresAtMs]).toEqual(["t-7", clock.nowMs() + 3_600_000]);
  expect(decodeProtectedHeader(token)).toEqual({ alg: "HS256", typ: "JWT" });
  expect(await new JwtVerifier({ key, audiences: [AUDIENCE], clock }).verify(token)).toEqual({
    actor: "ada",
    name: "Ada",
    scopes: new Set(claims.scopes),
    grants: claims.grants,
    isUnverified: false,
    tokenId: "t-7",
    issuedAtMs: clock.nowMs(),
    expiresAtMs,
  });
});

test.each(["ed25519", "ec", "rsa"] as const)("[AUTH-12] with a private key, %s", async (kind) => {
  const { publicPem, privatePem } = keyPair(kind);
  const verifier = new JwtVerifier({ key: publicKeyOf(publicPem), audiences: [AUDIENCE], clock });
  expect((await verifier.verify((await issue({}, privateKeyOf(privatePem))).token)).actor).toBe("ada");
});

test("[AUTH-12] without name and grants the claims are not there", async () => {
  const { name: _, ...nameless } = claims;
  const options = { key, claims: { ...nameless, grants: [] }, nowMs: clock.nowMs(), tokenId: "t" };
  expect(Object.keys(decodeJwt((await issueToken(options)).token))).toEqual([
    "sub",
    "aud",
    "scope",
    "iat",
    "exp",
    "jti",
  ]);
});

describe("what no server would take", () => {
  test("[AUTH-12] a token lives for a second at least, and no longer than the limit", async () => {
    expect((await issue({ lifetimeMs: LIMITS.tokenLifetimeMsMax })).token).toBeTruthy();
    expect((await issue({ lifetimeMs: 1000 })).token).toBeTruthy();
    expect((await refusalOf(issue({ lifetimeMs: LIMITS.tokenLifetimeMsMax + 6000 }))).message).toMatch(
      /more than 366 days/,
    );
    for (const lifetimeMs of [0, -1, 999, Number.NaN]) {
      expect((await refusalOf(issue({ lifetimeMs }))).message).toMatch(/a second at least/);
    }
  });

  test.each<[Partial<NewToken>, RegExp]>([
    [{ subject: "*" }, /Claim sub/],
    [{ subject: "" }, /Claim sub/],
    [{ subject: "a\nb" }, /Claim sub/],
    [{ audience: "" }, /audience is empty/],
    [{ name: "x".repeat(201) }, /1 to 200 plain characters/],
    [{ name: "" }, /1 to 200 plain characters/],
    [{ grants: [{ id: "a b", role: "reader" }] }, /Claim contexts\/0\/id/],
    [{ grants: [{ id: "a", role: "reader", paths: ["/a"] }] }, /goes with role writer/],
    [{ grants: [{ id: "a", role: "writer", paths: ["a"] }] }, /paths\/0 is not a path/],
  ])("[AUTH-12] %j", async (changes, says) => {
    expect(await refusalOf(issue(changes))).toMatchObject({
      code: "INVALID_REQUEST",
      message: expect.stringMatching(says),
    });
  });

  test("[AUTH-12] more grants than the limit, or than fit into a header", async () => {
    const many = (count: number, id: string) => Array.from({ length: count }, () => ({ id, role: "reader" as const }));
    expect((await issue({ grants: many(LIMITS.tokenGrantsMax, "a") })).token).toBeTruthy();
    const refusal = await refusalOf(issue({ grants: many(LIMITS.tokenGrantsMax + 1, "a") }));
    expect(refusal.message).toContain(`more than ${LIMITS.tokenGrantsMax} grants`);
    const long = await refusalOf(issue({ grants: many(60, "x".repeat(128)) }));
    expect(long).toMatchObject({
      code: "INVALID_REQUEST",
      message: expect.stringMatching(/longer than 8192 characters\. Grant fewer/),
    });
  });
});

/** Tokens signed with the server's own key: what is taken, and each way of forging one. */
import { createHmac, createSecretKey } from "node:crypto";
import { exportJWK } from "jose";
import { describe, expect, test } from "vitest";
import { JwtVerifier } from "../../server/security/jwt-verifier.ts";
import { publicKeyOf, secretKeyOf } from "../../server/security/own-key.ts";
import { LIMITS } from "../../shared/limits.ts";
import { ManualClock } from "../support/manual-clock.ts";
import {
  assemble,
  AUDIENCE,
  claimsAt,
  keyPair,
  OTHER_SECRET,
  refusalOf,
  SECRET,
  secretKey,
  sign,
} from "../support/tokens.ts";

const RESOURCE = "http://127.0.0.1:4400/mcp";
const clock = new ManualClock();
const nowS = Math.floor(clock.nowMs() / 1000);
const verifier = new JwtVerifier({ key: secretKeyOf(SECRET), audiences: [AUDIENCE, RESOURCE], clock });

const claims = (changes: Record<string, unknown> = {}) => claimsAt(clock.nowMs(), changes);
const verify = async (changes: Record<string, unknown> = {}) => verifier.verify(await sign(claims(changes)));
const ruleOf = async (token: Promise<string> | string, by = verifier): Promise<unknown> => {
  const refusal = await refusalOf(by.verify(await token));
  expect(refusal.code).toBe("UNAUTHENTICATED");
  return refusal.details["rule"];
};

test("[AUTH-1] a token of the server's own secret says who it is and what they brought along", async () => {
  const contexts = [
    { id: "plan-*", role: "writer", paths: ["/tasks", "@notes"] },
    { id: "*", role: "reader" },
  ];
  expect(await verify({ name: "Ada", scope: "contexts:read contexts:write openid", contexts })).toEqual({
    actor: "ada",
    name: "Ada",
    scopes: new Set(["contexts:read", "contexts:write"]),
    grants: contexts,
    isUnverified: false,
    tokenId: "t-1",
    issuedAtMs: nowS * 1000,
    expiresAtMs: (nowS + 3600) * 1000,
  });
  expect(await verify({ scope: undefined, iat: undefined, jti: undefined })).toEqual({
    actor: "ada",
    scopes: new Set(),
    grants: [],
    isUnverified: false,
    expiresAtMs: (nowS + 3600) * 1000,
  });
});

describe("forgeries", () => {
  test("[AUTH-1] another secret, and a changed payload", async () => {
    expect(await ruleOf(sign(claims(), createSecretKey(Buffer.from(OTHER_SECRET))))).toBe("signature");
    const [header = "", , signature = ""] = (await sign(claims())).split(".");
    const payload = Buffer.from(JSON.stringify(claims({ sub: "root" }))).toString("base64url");
    expect(await ruleOf(`${header}.${payload}.${signature}`)).toBe("signature");
    expect(await ruleOf(`${header}.${payload}.`)).toBe("signature");
  });

  test("[AUTH-1] no signature, by any spelling of none", async () => {
    for (const alg of ["none", "None", "NONE", "nOnE"]) {
      expect([alg, await ruleOf(assemble({ alg }, claims(), ""))]).toEqual([alg, "algorithm"]);
    }
    for (const alg of [undefined, null, "", 256, ["HS256"], { toString: "HS256" }]) {
      expect([alg, await ruleOf(assemble({ alg }, claims()))]).toEqual([alg, "malformed"]);
    }
  });

  test("[AUTH-1] another algorithm, even with the right secret", async () => {
    const long = secretKeyOf(SECRET.repeat(1) + OTHER_SECRET);
    const lax = new JwtVerifier({ key: long, audiences: [AUDIENCE], clock });
    expect((await lax.verify(await sign(claims(), long.key))).actor).toBe("ada");
    for (const alg of ["HS384", "HS512"])
      expect(await ruleOf(sign(claims(), long.key, { alg }), lax)).toBe("algorithm");
  });

  test("[AUTH-1] a public key never serves as a secret", async () => {
    for (const kind of ["rsa", "ec", "ed25519"] as const) {
      const { publicPem } = keyPair(kind);
      const asymmetric = new JwtVerifier({ key: publicKeyOf(publicPem), audiences: [AUDIENCE], clock });
      for (const secret of [publicPem, publicPem.trim()]) {
        const signed = assemble({ alg: "HS256" }, claims(), "").slice(0, -1);
        const mac = createHmac("sha256", secret).update(signed).digest("base64url");
        expect(await ruleOf(`${signed}.${mac}`, asymmetric)).toBe("algorithm");
      }
    }
  });

  test("[AUTH-1] keys that a token brings along are not looked at", async () => {
    const mine = keyPair("ec");
    const own = keyPair("ec");
    const asymmetric = new JwtVerifier({ key: publicKeyOf(own.publicPem), audiences: [AUDIENCE], clock });
    const header = {
      alg: "ES256",
      jwk: await exportJWK(mine.publicKey),
      jku: "http://127.0.0.1:1/keys",
      x5u: "http://127.0.0.1:1/cert",
      kid: "../../../../dev/null",
    };
    expect(await ruleOf(sign(claims(), mine.privateKey, header), asymmetric)).toBe("signature");
    expect((await asymmetric.verify(await sign(claims(), own.privateKey, header))).actor).toBe("ada");
  });

  test("[AUTH-1] extensions that must be understood, and payloads outside of the token", async () => {
    const signed = (header: Record<string, unknown>): string => {
      const text = assemble({ alg: "HS256", ...header }, claims(), "").slice(0, -1);
      return `${text}.${createHmac("sha256", SECRET).update(text).digest("base64url")}`;
    };
    expect((await verifier.verify(signed({}))).actor).toBe("ada");
    expect(await ruleOf(signed({ crit: ["exp"], exp: 1 }))).toBe("algorithm");
    expect(await ruleOf(signed({ crit: [] }))).toBe("malformed");
    expect(await ruleOf(signed({ crit: ["b64"], b64: false }))).not.toBe(undefined);
  });

  test("[AUTH-1] JWTs of another type", async () => {
    for (const typ of ["JWT", "jwt", "at+jwt", "application/at+JWT", undefined]) {
      const { typ: _, ...rest } = { typ };
      const header = typ === undefined ? rest : { typ };
      expect((await verifier.verify(await sign(claims(), secretKey, header))).actor).toBe("ada");
    }
    for (const typ of ["logout+jwt", "dpop+jwt", "", "JWE", 7]) {
      expect([typ, await ruleOf(sign(claims(), secretKey, { typ: typ as string }))]).toEqual([typ, "type"]);
    }
  });
});

describe.each(["ed25519", "ec", "rsa"] as const)("a key pair, %s", (kind) => {
  const { publicPem, privateKey } = keyPair(kind);
  const key = publicKeyOf(publicPem);
  const asymmetric = new JwtVerifier({ key, audiences: [AUDIENCE], clock });

  test("[AUTH-1] the private key signs, another one does not", async () => {
    for (const alg of key.algorithms) {
      expect((await asymmetric.verify(await sign(claims(), privateKey, { alg }))).actor).toBe("ada");
      expect(await ruleOf(sign(claims(), keyPair(kind).privateKey, { alg }), asymmetric)).toBe("signature");
    }
    expect(await ruleOf(sign(claims()), asymmetric)).toBe("algorithm");
    if (kind === "rsa")
      expect(await ruleOf(sign(claims(), privateKey, { alg: "PS256" }), asymmetric)).toBe("algorithm");
  });
});

describe("for whom and when", () => {
  test("[AUTH-2] a token must be for this server: a name, or an address", async () => {
    for (const aud of [AUDIENCE, RESOURCE, ["other", RESOURCE], [AUDIENCE]]) expect(await verify({ aud })).toBeTruthy();
    for (const aud of [
      "other",
      "",
      [],
      ["other"],
      `${AUDIENCE} `,
      AUDIENCE.toUpperCase(),
      `${RESOURCE}/`,
      [[AUDIENCE]],
      7,
      {},
      null,
    ]) {
      expect([aud, await ruleOf(sign(claims({ aud })))]).toEqual([aud, "audience"]);
    }
  });

  test("[AUTH-2] exp, aud and sub are needed", async () => {
    for (const claim of ["exp", "aud", "sub"]) {
      const refusal = await refusalOf(verify({ [claim]: undefined }));
      expect(refusal.details).toEqual({ rule: "claims", claim });
      expect(refusal.message).toMatch(new RegExp(`${claim} is missing`));
    }
  });

  test("[AUTH-2] times are judged by the server's clock, five seconds more or less", async () => {
    expect(await verify({ exp: nowS - 4 })).toBeTruthy();
    expect(await ruleOf(sign(claims({ exp: nowS - 5 })))).toBe("expired");
    expect(await verify({ nbf: nowS + 5 })).toBeTruthy();
    expect(await ruleOf(sign(claims({ nbf: nowS + 6 })))).toBe("not-yet-valid");
    expect(await verify({ iat: nowS + 5 })).toBeTruthy();
    expect(await ruleOf(sign(claims({ iat: nowS + 6 })))).toBe("not-yet-valid");
    for (const claim of ["exp", "nbf", "iat"]) {
      for (const value of ["1", null, {}, [nowS]]) {
        expect([claim, value, await ruleOf(sign(claims({ [claim]: value })))]).toEqual([claim, value, "claims"]);
      }
    }
  });

  test("[AUTH-2] the clock moves on, and a token ends", async () => {
    const moving = new ManualClock();
    const its = new JwtVerifier({ key: secretKeyOf(SECRET), audiences: [AUDIENCE], clock: moving });
    const token = await sign(claimsAt(moving.nowMs()));
    expect((await its.verify(token)).actor).toBe("ada");
    moving.advance(3_604_000);
    expect((await its.verify(token)).actor).toBe("ada");
    moving.advance(1000);
    expect(await ruleOf(token, its)).toBe("expired");
  });

  test("[AUTH-2] no token counts for longer than tokens may live", async () => {
    const lastS = nowS + LIMITS.tokenLifetimeMsMax / 1000;
    expect(await verify({ exp: lastS })).toBeTruthy();
    for (const exp of [lastS + 6, 1e18, 1.7e308])
      expect([exp, await ruleOf(sign(claims({ exp })))]).toEqual([exp, "lifetime"]);
  });
});

describe("refusals", () => {
  test("[AUTH-5] what is no token", async () => {
    for (const text of [
      "",
      ".",
      "..",
      "a.b.c",
      "a.b",
      "a.b.c.d.e",
      "\0",
      "ä.ö.ü",
      "e30.e30.",
      "null",
      "[object Object]",
      "eyJ.eyJ.eyJ",
      "\ud800.a.b",
    ]) {
      expect([text, await ruleOf(text)]).toEqual([text, "malformed"]);
    }
    for (const header of [[], null, 7, '{"alg":"HS256"', '"HS256"'])
      expect(await ruleOf(assemble(header, claims()))).toBe("malformed");
    for (const payload of [[], null, 7, "{", '{"sub":"ada",}', "\xff"]) {
      const text = assemble({ alg: "HS256" }, payload, "").slice(0, -1);
      const mac = createHmac("sha256", SECRET).update(text).digest("base64url");
      expect([payload, await ruleOf(`${text}.${mac}`)]).toEqual([payload, "malformed"]);
    }
  });

  test("[AUTH-5] a token as long as the limit is read, a longer one is not", async () => {
    const sized = async (chars: number): Promise<string> => {
      const bare = await sign(claims({ pad: "" }));
      const token = await sign(claims({ pad: "x".repeat(Math.floor(((chars - bare.length) * 3) / 4)) }));
      return token;
    };
    const longest = await sized(LIMITS.tokenCharsMax);
    expect(longest.length).toBeGreaterThan(LIMITS.tokenCharsMax - 3);
    expect(longest.length).toBeLessThanOrEqual(LIMITS.tokenCharsMax);
    expect((await verifier.verify(longest)).actor).toBe("ada");
    expect(await ruleOf(await sized(LIMITS.tokenCharsMax + 4))).toBe("too-long");
    expect(await ruleOf("a".repeat(10_000_000))).toBe("too-long");
  });

  test("[AUTH-4] a refusal says what to do, and holds nothing of the token", async () => {
    const secretly = "s3cr3t-c1a1m";
    const forged = createSecretKey(Buffer.from(OTHER_SECRET));
    const tokens = [
      sign(claims({ sub: secretly, exp: 1 })),
      sign(claims({ aud: secretly })),
      sign(claims({ sub: `${secretly}\n` })),
      sign(claims({ contexts: [{ id: secretly, role: secretly, [secretly]: [secretly] }] })),
      sign(claims({ contexts: [{ id: "*", role: "reader", [secretly]: 1 }] })),
      sign(claims({ scope: { [secretly]: secretly } })),
      sign(claims({ sub: secretly }), forged),
      sign(claims({ sub: secretly }), secretKey, { typ: secretly }),
      assemble({ alg: secretly }, { sub: secretly }),
      secretly,
    ];
    for (const token of tokens) {
      const text = await token;
      const refusal = await refusalOf(verifier.verify(text));
      const told = JSON.stringify([refusal.message, refusal.details, String(refusal.stack), refusal.cause ?? null]);
      expect(told).not.toContain(secretly);
      for (const part of text.split(".")) if (part.length > 8) expect(told).not.toContain(part);
      expect(refusal.message).toMatch(/(?:Send|Get|Ask|Wait|Sign)[^.]*\.( Claim [^.]*\.)?$/);
      expect(refusal.status).toBe(401);
      expect(refusal.closeCode).toBe(4401);
    }
  });
});

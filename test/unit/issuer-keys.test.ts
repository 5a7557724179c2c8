/**
 * The keys of an identity provider: when they are fetched, how long they count, and whose fault it is when there are none.
 *
 * Not here: a real provider (test/integration/oidc.test.ts).
 */
import { exportJWK } from "jose";
import { beforeEach, describe, expect, test } from "vitest";
import { isIssuerUrl } from "../../server/security/issuer-keys.ts";
import { OidcVerifier } from "../../server/security/oidc-verifier.ts";
import { LIMITS } from "../../shared/limits.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { AUDIENCE, claimsAt, keyPair, refusalOf, SECRET, secretKey, sign } from "../support/tokens.ts";
import type { PairText } from "../support/tokens.ts";

const ISSUER = "https://id.example/realm";
const DISCOVERY = `${ISSUER}/.well-known/openid-configuration`;
const JWKS = "https://keys.example/jwks";

type Answer = () => Response | Promise<Response>;

let clock = new ManualClock();
let asked: string[] = [];
let failures: unknown[] = [];
let answers: Record<string, Answer> = {};
let verifier = new OidcVerifier({ issuer: ISSUER, audiences: [AUDIENCE], clock });

const one = keyPair("ec");
const two = keyPair("ec");

const jwk = async (pair: PairText, kid: string) => ({ ...(await exportJWK(pair.publicKey)), kid, use: "sig" });
const json =
  (body: unknown, status = 200): Answer =>
  () =>
    new Response(JSON.stringify(body), { status });
const publish = async (...keys: [PairText, string][]): Promise<void> => {
  const all = await Promise.all(keys.map(([pair, kid]) => jwk(pair, kid)));
  answers[JWKS] = json({ keys: all });
};
const down: Answer = () => Promise.reject(new TypeError("fetch failed"));

const tokenOf = (pair: PairText, kid: string | undefined, changes: Record<string, unknown> = {}) =>
  sign(claimsAt(clock.nowMs(), { iss: ISSUER, ...changes }), pair.privateKey, {
    alg: "ES256",
    ...(kid === undefined ? {} : { kid }),
  });
const verify = async (pair: PairText, kid: string | undefined, changes: Record<string, unknown> = {}) =>
  verifier.verify(await tokenOf(pair, kid, changes));
const ruleOf = async (attempt: Promise<unknown>): Promise<unknown> => {
  const { code, details } = await refusalOf(attempt);
  return code === "UNAUTHENTICATED" ? details["rule"] : code;
};

beforeEach(async () => {
  clock = new ManualClock();
  asked = [];
  failures = [];
  answers = { [DISCOVERY]: json({ issuer: ISSUER, jwks_uri: JWKS }) };
  await publish([one, "1"]);
  verifier = new OidcVerifier({
    issuer: ISSUER,
    audiences: [AUDIENCE],
    clock,
    fetch: async (url) => {
      asked.push(url);
      return (answers[url] ?? json({}, 404))();
    },
    onFailure: (error) => failures.push(error),
  });
});

describe("whose tokens", () => {
  test("[AUTH-6] the provider's keys are discovered with the first token, and then known", async () => {
    expect(await verify(one, "1", { scp: ["contexts:read"], scope: undefined })).toMatchObject({
      actor: "ada",
      scopes: new Set(["contexts:read"]),
    });
    expect((await verify(one, undefined)).actor).toBe("ada");
    expect(asked).toEqual([DISCOVERY, JWKS]);
    expect(clock.timerCount).toBe(0);
  });

  test("[AUTH-6] a given address of the keys is not asked for", async () => {
    const direct = new OidcVerifier({
      issuer: ISSUER,
      jwksUrl: JWKS,
      audiences: [AUDIENCE],
      contextsClaim: "https://x.example/c",
      clock,
      fetch: async (url) => {
        asked.push(url);
        return (answers[url] ?? json({}, 404))();
      },
    });
    const grants = [{ id: "plan", role: "reader" }];
    expect((await direct.verify(await tokenOf(one, "1", { "https://x.example/c": grants }))).grants).toEqual(grants);
    expect(asked).toEqual([JWKS]);
  });

  test("[AUTH-6] another issuer, another audience, another key, a secret", async () => {
    for (const iss of ["https://id.example", `${ISSUER}/`, [ISSUER], null]) {
      expect([iss, await ruleOf(verify(one, "1", { iss }))]).toEqual([iss, "issuer"]);
    }
    expect(await ruleOf(verify(one, "1", { iss: undefined }))).toBe("claims");
    expect(await ruleOf(verify(one, "1", { aud: "other" }))).toBe("audience");
    expect(await ruleOf(verify(two, "1"))).toBe("signature");
    expect(
      await ruleOf(
        sign(claimsAt(clock.nowMs(), { iss: ISSUER }), secretKey, { kid: "1" }).then((it) => verifier.verify(it)),
      ),
    ).toBe("algorithm");
  });

  test("[AUTH-6] a shared secret that a provider lists by mistake verifies nothing", async () => {
    answers[JWKS] = json({
      keys: [{ kty: "oct", k: Buffer.from(SECRET).toString("base64url"), kid: "s", alg: "HS256" }],
    });
    const token = await sign(claimsAt(clock.nowMs(), { iss: ISSUER }), secretKey, { kid: "s" });
    expect(await ruleOf(verifier.verify(token))).toBe("algorithm");
    expect(asked).toEqual([]);
  });

  test("[AUTH-6] a token without kid needs a single key that fits", async () => {
    await publish([one, "1"], [two, "2"]);
    expect(await ruleOf(verify(one, undefined))).toBe("unknown-key");
    expect((await verify(one, "1")).actor).toBe("ada");
  });

  test.each<[string, unknown, RegExp]>([
    ["is about another issuer", { issuer: `${ISSUER}/`, jwks_uri: JWKS }, /is about the issuer .*MCM_OIDC_ISSUER/],
    ["names no keys", { issuer: ISSUER }, /has no jwks_uri/],
    [
      "names keys over http",
      { issuer: ISSUER, jwks_uri: "http://keys.example/jwks" },
      /jwks_uri that begins with https/,
    ],
    ["is no object", [], /JSON that is no object/],
  ])("[AUTH-6] discovery that %s gives no keys", async (_, document, says) => {
    answers[DISCOVERY] = json(document);
    expect(await ruleOf(verify(one, "1"))).toBe("IDENTITY_UNAVAILABLE");
    expect(String(failures)).toMatch(says);
    expect(asked).toEqual([DISCOVERY]);
  });

  test.each([
    ["https://id.example", true],
    ["https://id.example:8443/a/b", true],
    ["http://127.0.0.1:9000", true],
    ["http://localhost/realm", true],
    ["http://[::1]:1", true],
    ["http://id.example", false],
    ["http://127.0.0.1.example", false],
    ["https://user:pass@id.example", false],
    ["https://user@id.example", false],
    ["file:///etc/passwd", false],
    ["id.example", false],
    ["", false],
  ])("[AUTH-6] %s as an address of a provider: %s", (url, isTaken) => expect(isIssuerUrl(url)).toBe(isTaken));
});

describe("rotation", () => {
  test("[AUTH-7] a key that is not known is fetched for, once in a while", async () => {
    await verify(one, "1");
    await publish([one, "1"], [two, "2"]);
    expect(await ruleOf(verify(two, "2"))).toBe("unknown-key");
    expect(asked).toHaveLength(2);
    clock.advance(LIMITS.issuerKeysCooldownMs);
    expect((await verify(two, "2")).actor).toBe("ada");
    expect(asked).toHaveLength(4);
    for (let run = 0; run < 50; run++) expect(await ruleOf(verify(two, `made-up-${run}`))).toBe("unknown-key");
    expect(asked).toHaveLength(4);
    expect((await verify(one, "1")).actor).toBe("ada");
  });

  test("[AUTH-7] a key that was withdrawn ends when the keys are fetched again", async () => {
    await verify(one, "1");
    await publish([two, "2"]);
    clock.advance(LIMITS.issuerKeysMs - 1);
    expect((await verify(one, "1")).actor).toBe("ada");
    expect(asked).toHaveLength(2);
    clock.advance(1);
    // this one is not held up by the fetch that it starts
    expect((await verify(one, "1")).actor).toBe("ada");
    await expect.poll(() => ruleOf(verify(one, "1"))).toBe("unknown-key");
    expect(asked).toHaveLength(4);
    expect((await verify(two, "2")).actor).toBe("ada");
  });

  test("[AUTH-7] many at once are one fetch", async () => {
    const all = await Promise.all(Array.from({ length: 100 }, () => verify(one, "1")));
    expect(all).toHaveLength(100);
    expect(asked).toEqual([DISCOVERY, JWKS]);
  });
});

describe("a provider in trouble", () => {
  test("[AUTH-8] without keys nobody is at fault but we: try later", async () => {
    answers[DISCOVERY] = down;
    const refusal = await refusalOf(verify(one, "1"));
    expect(refusal).toMatchObject({ code: "IDENTITY_UNAVAILABLE", status: 503, closeCode: 4503, retry: "later" });
    expect(failures).toHaveLength(1);
    // not asked again at once, and then again
    for (let run = 0; run < 20; run++) expect(await ruleOf(verify(one, "1"))).toBe("IDENTITY_UNAVAILABLE");
    expect(asked).toHaveLength(1);
    answers[DISCOVERY] = json({ issuer: ISSUER, jwks_uri: JWKS });
    clock.advance(LIMITS.issuerRetryMs);
    expect((await verify(one, "1")).actor).toBe("ada");
  });

  test("[AUTH-8] what is wrong with the token itself is said all the same", async () => {
    answers[DISCOVERY] = down;
    expect(await ruleOf(verifier.verify("nonsense"))).toBe("malformed");
    expect(await ruleOf(sign(claimsAt(clock.nowMs())).then((it) => verifier.verify(it)))).toBe("algorithm");
    expect(asked).toEqual([]);
  });

  test("[AUTH-8] known keys go on for an hour", async () => {
    await verify(one, "1");
    answers = {};
    for (let passed = 0; passed < 5; passed++) {
      clock.advance(LIMITS.issuerKeysMs);
      expect((await verify(one, "1", { exp: clock.nowMs() / 1000 + 60 })).actor).toBe("ada");
      await expect.poll(() => failures.length).toBe(passed + 1);
    }
    clock.advance(LIMITS.issuerKeysMs - 1);
    expect((await verify(one, "1")).actor).toBe("ada");
    clock.advance(1);
    expect(await ruleOf(verify(one, "1"))).toBe("IDENTITY_UNAVAILABLE");
    await publish([one, "1"]);
    answers[DISCOVERY] = json({ issuer: ISSUER, jwks_uri: JWKS });
    clock.advance(LIMITS.issuerRetryMs);
    expect((await verify(one, "1")).actor).toBe("ada");
  });

  test("[AUTH-8] an unknown key while the provider is down may be a new one: try later", async () => {
    await verify(one, "1");
    const answering = answers;
    answers = { [DISCOVERY]: down };
    clock.advance(LIMITS.issuerKeysCooldownMs);
    expect(await ruleOf(verify(two, "2"))).toBe("IDENTITY_UNAVAILABLE");
    expect(await ruleOf(verify(two, "2"))).toBe("IDENTITY_UNAVAILABLE");
    expect((await verify(one, "1")).actor).toBe("ada");
    expect(failures).toHaveLength(1);
    answers = answering;
    clock.advance(LIMITS.issuerRetryMs);
    expect(await ruleOf(verify(two, "2"))).toBe("unknown-key");
  });

  test("[AUTH-8] an answer that does not come is waited for until the limit", async () => {
    let isOver = false;
    const slow = new OidcVerifier({
      issuer: ISSUER,
      audiences: [AUDIENCE],
      clock,
      fetch: (url, { signal }) =>
        new Promise((resolve, reject) => {
          asked.push(url);
          signal?.addEventListener("abort", () => reject(new Error("aborted")));
          if (url === DISCOVERY) resolve(json({ issuer: ISSUER, jwks_uri: JWKS })());
        }),
      onFailure: () => (isOver = true),
    });
    const attempt = refusalOf(slow.verify(await tokenOf(one, "1")));
    await expect.poll(() => asked).toEqual([DISCOVERY, JWKS]);
    clock.advance(LIMITS.issuerMsMax - 1);
    expect(isOver).toBe(false);
    clock.advance(1);
    expect((await attempt).code).toBe("IDENTITY_UNAVAILABLE");
    expect([isOver, clock.timerCount]).toEqual([true, 0]);
  });

  test("[AUTH-8] an answer as large as the limit is read, a larger one is not", async () => {
    const sized = async (bytes: number): Promise<Answer> => {
      const body = JSON.stringify({ keys: [await jwk(one, "1")] });
      return () => new Response(body + " ".repeat(bytes - body.length));
    };
    answers[JWKS] = await sized(LIMITS.issuerBytesMax + 1);
    expect(await ruleOf(verify(one, "1"))).toBe("IDENTITY_UNAVAILABLE");
    expect(String(failures)).toMatch(/more than 262144 bytes/);
    answers[JWKS] = await sized(LIMITS.issuerBytesMax);
    clock.advance(LIMITS.issuerRetryMs);
    expect((await verify(one, "1")).actor).toBe("ada");
  });

  test.each<[string, Answer, RegExp]>([
    ["is a redirect", () => new Response(null, { status: 302, headers: { location: JWKS } }), /status 302/],
    ["is an error", json({ keys: [] }, 500), /status 500/],
    ["is no JSON", () => new Response("<html>"), /JSON/],
    ["is no UTF-8", () => new Response(new Uint8Array([0x7b, 0xff])), /invalid|encoded/i],
    ["has no keys", json({ jwks: [] }), /no JSON Web Key Set/],
    ["has keys that are none", json({ keys: ["x"] }), /Key Set malformed/],
    ["is nested without end", () => new Response("[".repeat(100_000)), /nest|deep|levels/i],
  ])("[AUTH-8] an answer that %s gives no keys", async (_, answer, says) => {
    answers[JWKS] = answer;
    expect(await ruleOf(verify(one, "1"))).toBe("IDENTITY_UNAVAILABLE");
    expect(String(failures)).toMatch(says);
  });

  test("[AUTH-8] a listed key that cannot be used is the provider's fault; the others work", async () => {
    const weak = keyPair("rsa", { bits: 1024 });
    const damaged = { ...(await jwk(two, "2")), x: "AAAA" };
    answers[JWKS] = json({ keys: [await jwk(one, "1"), damaged, await jwk(weak, "3"), { kty: "EC", kid: "4" }] });
    const claims = claimsAt(clock.nowMs(), { iss: ISSUER });
    expect(await ruleOf(verify(two, "2"))).toBe("IDENTITY_UNAVAILABLE");
    // jose signs with no such key either
    const strong = keyPair("rsa");
    const byWeak = await sign(claims, strong.privateKey, { alg: "RS256", kid: "3" });
    expect(await ruleOf(verifier.verify(byWeak))).toBe("IDENTITY_UNAVAILABLE");
    expect((await verify(one, "1")).actor).toBe("ada");
    expect(failures).toEqual([]);
  });
});

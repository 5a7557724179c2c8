/** Claims of a token whose signature is right: what they must look like, and what is made of them. */
import { describe, expect, test } from "vitest";
import { identityOf } from "../../server/security/token-claims.ts";
import { ServiceError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import { claimsAt } from "../support/tokens.ts";

const NOW_MS = 1_760_000_000_000;
const identity = (changes: Record<string, unknown>, contextsClaim?: string) =>
  identityOf(claimsAt(NOW_MS, changes), NOW_MS, contextsClaim);

const refusal = (changes: Record<string, unknown>, contextsClaim?: string): ServiceError => {
  try {
    identity(changes, contextsClaim);
  } catch (error) {
    if (error instanceof ServiceError) return error;
    throw error;
  }
  throw new Error("it was accepted");
};

describe("the subject", () => {
  test.each(["ada", "auth0|5f7c8ec7c33c6c004bbafe82", "Jürgen Müller", "a b", "x".repeat(128), "**"])(
    "[AUTH-3] %s is an actor",
    (sub) => expect(identity({ sub }).actor).toBe(sub),
  );

  test.each([["*"], [""], ["a\nb"], ["\u0000"], ["x".repeat(129)], ["\ud800"], [7], [null], [{}], [["ada"]], [true]])(
    "[AUTH-3] %j is none",
    (sub) => {
      expect(refusal({ sub })).toMatchObject({
        details: { rule: "claims", claim: "sub" },
        message: expect.stringMatching(/Claim sub is not a valid actor name\.$/),
      });
    },
  );
});

describe("scopes", () => {
  test.each<[Record<string, unknown>, string[]]>([
    [{ scope: "contexts:read" }, ["contexts:read"]],
    [{ scope: "openid  contexts:admin contexts:read contexts:read" }, ["contexts:admin", "contexts:read"]],
    [{ scope: "contexts:readwrite Contexts:read contexts" }, []],
    [{ scope: "" }, []],
    [{ scope: ["contexts:write", "openid"] }, ["contexts:write"]],
    [{ scope: undefined, scp: ["contexts:read", "contexts:write"] }, ["contexts:read", "contexts:write"]],
    [{ scope: "openid", scp: "contexts:read" }, ["contexts:read"]],
    [{ scope: "__proto__ constructor" }, []],
  ])("[AUTH-3] %j is %j", (changes, scopes) => expect([...identity(changes).scopes]).toEqual(scopes));

  test.each([[7], [null], [{}], [[7]], [true]])("[AUTH-3] %j is no list of scopes", (value) => {
    expect(refusal({ scope: value }).details).toEqual({ rule: "claims", claim: "scope" });
    expect(refusal({ scp: value }).details).toEqual({ rule: "claims", claim: "scp" });
  });
});

describe("grants of contexts", () => {
  const paths = (count: number) => Array.from({ length: count }, (_, index) => `/p${index}`);
  const ids = (count: number) => Array.from({ length: count }, (_, index) => ({ id: `c${index}`, role: "reader" }));

  test.each([
    [[]],
    [[{ id: "plan", role: "admin" }]],
    [[{ id: "*", role: "reader" }]],
    [[{ id: "team:*:2026-*", role: "writer", paths: ["", "/a/~1b", "@text"] }]],
  ])("[AUTH-3] %j are grants", (contexts) => expect(identity({ contexts }).grants).toEqual(contexts));

  test.each<[unknown, RegExp]>([
    ["*", /contexts is not a list of grants/],
    [{ id: "*", role: "reader" }, /contexts is not a list of grants/],
    [null, /contexts is not a list/],
    [["*"], /contexts\/0 is not an object of id, role/],
    [[{ id: "*" }], /contexts\/0\/role is none of: reader, writer, admin/],
    [[{ id: "*", role: "owner" }], /contexts\/0\/role is none of/],
    [[{ id: "*", role: ["admin"] }], /contexts\/0\/role is none of/],
    [[{ role: "reader" }], /contexts\/0\/id is not a context id/],
    [[{ id: "", role: "reader" }], /contexts\/0\/id is not/],
    [[{ id: ".a", role: "reader" }], /contexts\/0\/id is not/],
    [[{ id: "a/b", role: "reader" }], /contexts\/0\/id is not/],
    [[{ id: "a?", role: "reader" }], /contexts\/0\/id is not/],
    [[{ id: "x".repeat(129), role: "reader" }], /contexts\/0\/id is not/],
    [[{ id: "a", role: "reader", paths: ["/a"] }], /contexts\/0\/paths goes with role writer only/],
    [[{ id: "a", role: "admin", paths: ["/a"] }], /contexts\/0\/paths goes with role writer only/],
    [[{ id: "a", role: "writer", paths: [] }], /contexts\/0\/paths is empty/],
    [[{ id: "a", role: "writer", paths: "/a" }], /contexts\/0\/paths is not a list of paths/],
    [[{ id: "a", role: "writer", paths: ["a"] }], /contexts\/0\/paths\/0 is not a path/],
    [[{ id: "a", role: "writer", paths: ["/ok", "/~2"] }], /contexts\/0\/paths\/1 is not a path/],
    [[{ id: "a", role: "writer", paths: [null] }], /contexts\/0\/paths\/0 is not a path/],
    [[{ id: "a", role: "writer", paths: null }], /contexts\/0\/paths is not a list/],
    [
      [
        { id: "b", role: "reader" },
        { id: "a", role: "writer", path: ["/a"] },
      ],
      /contexts\/1 has a member that is none of: id/,
    ],
  ])("[AUTH-3] %j are none", (contexts, says) => {
    expect(refusal({ contexts })).toMatchObject({
      code: "UNAUTHENTICATED",
      message: expect.stringMatching(says),
      details: { rule: "claims", claim: "contexts" },
    });
  });

  test("[AUTH-3] as many as the limits, and one more", () => {
    const { grantPathsMax, tokenGrantsMax } = LIMITS;
    const many = (count: number) => [{ id: "x".repeat(128), role: "writer", paths: paths(count) }];
    expect(identity({ contexts: many(grantPathsMax) }).grants[0]?.paths).toHaveLength(grantPathsMax);
    expect(refusal({ contexts: many(grantPathsMax + 1) }).message).toContain(
      `paths has more than ${grantPathsMax} paths`,
    );
    expect(identity({ contexts: ids(tokenGrantsMax) }).grants).toHaveLength(tokenGrantsMax);
    expect(refusal({ contexts: ids(tokenGrantsMax + 1) }).message).toContain(`has more than ${tokenGrantsMax} grants`);
  });

  test("[AUTH-3] they may stand in a claim of another name; one called contexts is then nobody's", () => {
    const name = "https://mcm.example/contexts";
    const grants = [{ id: "plan", role: "reader" }];
    expect(identity({ [name]: grants, contexts: "not ours" }, name).grants).toEqual(grants);
    expect(identity({ contexts: grants }, name).grants).toEqual([]);
    expect(refusal({ [name]: 7 }, name)).toMatchObject({
      message: expect.stringMatching(/Claim https:\/\/mcm\.example\/contexts is not a list/),
      details: { claim: name },
    });
  });
});

describe("claims that pretend to be something else", () => {
  const parsed = (json: string) => identityOf({ ...claimsAt(NOW_MS), ...JSON.parse(json) }, NOW_MS);

  test("[AUTH-3] __proto__ gives nothing", () => {
    const before = Object.getOwnPropertyNames(Object.prototype).join();
    const payload: Record<string, unknown> = JSON.parse(
      `{"__proto__":{"sub":"root","scope":"contexts:admin","contexts":[{"id":"*","role":"admin"}]},"aud":"a","exp":${NOW_MS / 1000 + 9}}`,
    );
    expect(() => identityOf(payload, NOW_MS)).toThrow(/Claim sub is not/);
    expect(identityOf({ ...payload, sub: "ada" }, NOW_MS)).toMatchObject({
      actor: "ada",
      scopes: new Set(),
      grants: [],
    });
    expect(Object.getOwnPropertyNames(Object.prototype).join()).toBe(before);
  });

  test("[AUTH-3] nor does it in a grant", () => {
    expect(() => parsed('{"contexts":[{"id":"a","role":"reader","__proto__":{"role":"admin"}}]}')).toThrow(
      /contexts\/0 has a member/,
    );
    expect(() => parsed('{"contexts":[{"__proto__":{"id":"a","role":"admin"}}]}')).toThrow(/contexts\/0/);
    expect(() => parsed('{"contexts":{"__proto__":[{"id":"a","role":"admin"}],"length":1}}')).toThrow(/not a list/);
  });

  test("[AUTH-3] a name is for people: one that cannot be shown is left out", () => {
    expect(identity({ name: "Ada Lovelace" }).name).toBe("Ada Lovelace");
    expect(identity({ name: "x".repeat(200) }).name).toHaveLength(200);
    for (const name of ["", "x".repeat(201), "a\u001b[2J", 7, null, {}]) {
      expect(identity({ name })).not.toHaveProperty("name");
    }
  });

  test("[AUTH-3] a token's id is a text within bounds", () => {
    expect(identity({ jti: "x".repeat(LIMITS.tokenIdCharsMax) }).tokenId).toHaveLength(LIMITS.tokenIdCharsMax);
    for (const jti of ["", 7, null, {}, "x".repeat(LIMITS.tokenIdCharsMax + 1)]) {
      expect(refusal({ jti }).details).toEqual({ rule: "claims", claim: "jti" });
    }
  });
});

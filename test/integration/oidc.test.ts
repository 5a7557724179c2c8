/** Tokens of a real identity provider: a process that rotates its keys, is slow, fails, says too much, and dies. */
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { parseConfig } from "../../server/config.ts";
import { createVerifier } from "../../server/security/create-verifier.ts";
import type { TokenVerifier } from "../../server/security/token-verifier.ts";
import { LIMITS } from "../../shared/limits.ts";
import { IssuerProcess } from "../support/issuer-process.ts";
import type { Behaviour } from "../support/issuer-program.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { claimsAt, refusalOf } from "../support/tokens.ts";

const RESOURCE = "http://127.0.0.1:4400/mcp";

let provider: IssuerProcess;
let clock: ManualClock;
let verifier: TokenVerifier;
let failures: string[];
let fetchesBefore: number;

beforeAll(async () => {
  provider = await IssuerProcess.start();
});
afterAll(() => provider.stop());

beforeEach(async () => {
  await provider.behave("ok");
  fetchesBefore = await provider.fetches();
  clock = new ManualClock();
  failures = [];
  const { auth } = parseConfig({ auth: "oidc", oidcIssuer: provider.issuer }, {});
  const made = createVerifier(auth, {
    clock,
    resources: [RESOURCE],
    onIssuerFailure: (error) => void failures.push(String(error)),
  });
  if (made === undefined) throw new Error("no verifier");
  verifier = made;
});

const fetches = async (): Promise<number> => (await provider.fetches()) - fetchesBefore;
const token = (changes: Record<string, unknown> = {}) => provider.token(claimsAt(clock.nowMs(), changes));
const verify = async (text: string): Promise<string> => {
  try {
    return (await verifier.verify(text)).actor;
  } catch {
    const { code, details } = await refusalOf(verifier.verify(text));
    return code === "UNAUTHENTICATED" ? String(details["rule"]) : code;
  }
};

test("[AUTH-6] its tokens are taken, for the server's name and its address", async () => {
  const contexts = [{ id: "plan-*", role: "writer", paths: ["/tasks"] }];
  const given = await token({ scope: undefined, scp: ["contexts:read", "contexts:write"], contexts, aud: [RESOURCE] });
  expect(await verifier.verify(given)).toMatchObject({
    actor: "ada",
    scopes: new Set(["contexts:read", "contexts:write"]),
    grants: contexts,
    isUnverified: false,
  });
  expect(await verify(await token({ iss: "https://elsewhere.example" }))).toBe("issuer");
  expect(await verify(await token({ aud: "somebody-else" }))).toBe("audience");
  expect(await fetches()).toBe(1);
});

test("[AUTH-7] keys are rotated while the server runs", async () => {
  const old = await token();
  expect(await verify(old)).toBe("ada");
  await provider.addKey();
  const fresh = await token();
  clock.advance(LIMITS.issuerKeysCooldownMs);
  expect([await verify(fresh), await verify(old)]).toEqual(["ada", "ada"]);
  await provider.dropOldKeys();
  clock.advance(LIMITS.issuerKeysMs);
  expect(await verify(fresh)).toBe("ada");
  await expect.poll(() => verify(old)).toBe("unknown-key");
  expect(await verify(fresh)).toBe("ada");
  expect(await fetches()).toBe(3);
});

test.each<[Behaviour, RegExp]>([
  ["failing", /status 500/],
  ["large", /more than 262144 bytes/],
  ["redirecting", /status 302/],
  ["html", /JSON/],
  ["cut", /terminated|aborted|socket/i],
])("[AUTH-8] %s: it is the server's trouble, and over when the provider's is", async (as, says) => {
  await provider.behave(as);
  const given = await token();
  expect(await refusalOf(verifier.verify(given))).toMatchObject({ code: "IDENTITY_UNAVAILABLE", retry: "later" });
  expect(failures.join()).toMatch(says);
  await provider.behave("ok");
  clock.advance(LIMITS.issuerRetryMs);
  expect(await verify(given)).toBe("ada");
});

test.each<Behaviour>(["silent", "stuck"])("[AUTH-8] %s: no longer than the limit is waited", async (as) => {
  await provider.behave(as);
  const given = await token();
  const attempt = refusalOf(verifier.verify(given));
  await expect.poll(() => fetches()).toBe(1);
  clock.advance(LIMITS.issuerMsMax);
  expect((await attempt).code).toBe("IDENTITY_UNAVAILABLE");
  expect(failures).toHaveLength(1);
});

// the last one: the provider is gone then
test("[AUTH-8] the provider dies: known keys go on, and it is not asked for each token", async () => {
  const given = await token({ exp: clock.nowMs() / 1000 + 7200 });
  expect(await verify(given)).toBe("ada");
  await provider.stop();
  clock.advance(LIMITS.issuerKeysMs);
  for (let run = 0; run < 100; run++) expect(await verify(given)).toBe("ada");
  await expect.poll(() => failures.length).toBe(1);
  clock.advance(LIMITS.issuerKeysStaleMsMax);
  expect(await verify(given)).toBe("IDENTITY_UNAVAILABLE");
});

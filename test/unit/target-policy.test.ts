/** Where the server sends requests: rules HOOK-14 and HOOK-15, and how they are signed: HOOK-13. */
import { createHmac } from "node:crypto";
import { describe, expect, test } from "vitest";
import { checkSecret, signedHeaders } from "../../server/outbound/signature.ts";
import { TargetPolicy } from "../../server/outbound/target-policy.ts";
import { ServiceError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";

const policy = new TargetPolicy([]);
const why = (check: () => unknown): string => {
  try {
    check();
  } catch (error) {
    if (error instanceof ServiceError && error.code === "TARGET_REFUSED") return error.message;
    throw error;
  }
  return "";
};

describe("targets", () => {
  test.each([
    "https://hooks.example.org/a?b=c",
    "https://hooks.example.org:8443",
    "https://8.8.8.8/",
    "https://[2606:4700::1111]/",
    "http://localhost:3000/hook",
    "http://127.0.0.1/",
    "http://127.8.9.10/",
    "http://[::1]:80/",
    "https://localhost/",
  ])("[HOOK-14] %s may be one", (url) => {
    expect(policy.check(url).href).toContain(new URL(url).host);
  });

  test.each([
    ["hooks.example.org", /is no URL/],
    ["ftp://example.org/", /neither https nor http/],
    ["javascript:alert(1)", /neither https nor http/],
    ["http://example.org/", /plain http/],
    ["http://localhost.example.org/", /plain http/],
    ["https://user@example.org/", /user name/],
    ["https://:word@example.org/", /user name/],
    ["https://example.org/#a", /fragment/],
    [`https://example.org/${"a".repeat(LIMITS.webhookUrlCharsMax)}`, /is no URL/],
    ["https://169.254.169.254/latest/meta-data", /169\.254\.169\.254, which is not public/],
    ["https://10.1.2.3/", /not public/],
    ["https://0x0a010203/", /10\.1\.2\.3, which is not public/],
    ["https://167838211/", /not public/],
    ["https://[fd00::1]/", /not public/],
    ["https://[::ffff:127.0.0.1]/", /not public/],
    ["http://0.0.0.0/", /not public/],
  ])("[HOOK-14] %s may not, and why is said", (url, reason) => {
    expect(why(() => policy.check(url))).toMatch(reason);
    expect(why(() => policy.check(url))).toMatch(/MCM_WEBHOOK_ALLOW/);
  });

  test("[HOOK-14] a URL may have as many characters as the limit", () => {
    const start = "https://example.org/";
    expect(why(() => policy.check(start + "a".repeat(LIMITS.webhookUrlCharsMax - start.length)))).toBe("");
  });

  test.each([
    "0.0.0.1",
    "10.0.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.8",
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:8.8.8.8",
    "64:ff9b::10.0.0.1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:0a00:0001::1",
    "3fff::1",
    "fc00::1",
    "fd12::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "not an address",
  ])("[HOOK-15] %s is not public", (address) => {
    expect(why(() => policy.checkAddress("hooks.example.org", address))).toMatch(/not public/);
  });

  test.each(["1.1.1.1", "9.255.255.255", "11.0.0.0", "172.15.255.255", "172.32.0.0", "100.128.0.1", "223.255.255.255"])(
    "[HOOK-15] %s is public",
    (address) => {
      expect(why(() => policy.checkAddress("hooks.example.org", address))).toBe("");
      expect(why(() => policy.checkAddress("hooks.example.org", `64:ff9b::${address}`))).toBe("");
    },
  );

  test("[HOOK-15] loopback is for targets that say so, and for nothing but loopback", () => {
    expect(why(() => policy.checkAddress("localhost", "127.0.0.1"))).toBe("");
    expect(why(() => policy.checkAddress("localhost", "::1"))).toBe("");
    expect(why(() => policy.checkAddress("localhost", "10.0.0.1"))).toMatch(/not public/);
    expect(why(() => policy.checkAddress("rebound.example.org", "127.0.0.1"))).toMatch(/not public/);
  });

  test("[HOOK-15] what the configuration allows may be inside, and plain http", () => {
    const wide = new TargetPolicy(["Hooks.internal", "*.svc", "10.1.0.0/16", "fd00::/8", "192.168.7.7"]);
    for (const url of [
      "http://hooks.INTERNAL/",
      "http://a.b.svc:9/",
      "http://10.1.9.9/",
      "http://[fd12::1]/",
      "http://192.168.7.7/",
    ])
      expect(why(() => wide.check(url))).toBe("");
    for (const url of ["http://internal/", "http://svc/", "http://xsvc/", "http://10.2.0.1/", "http://192.168.7.8/"])
      expect(why(() => wide.check(url))).not.toBe("");
    expect(why(() => wide.checkAddress("hooks.internal", "172.16.0.1"))).toBe("");
    expect(why(() => wide.checkAddress("example.org", "10.1.2.3"))).toBe("");
    expect(why(() => wide.checkAddress("example.org", "10.2.2.3"))).toMatch(/not public/);
    expect(why(() => wide.checkAddress("example.org", "fd99::1"))).toBe("");
  });
});

describe("signatures", () => {
  const body = '{"é":1}';

  test("[HOOK-13] are those of Standard Webhooks: HMAC-SHA256 over id, seconds and body", () => {
    const headers = signedHeaders(
      { id: "d1", atMs: 1_760_000_000_999, body },
      { keyId: "k1", secret: "a secret of sixteen" },
    );
    const expected = createHmac("sha256", "a secret of sixteen").update(`d1.1760000000.${body}`).digest("base64");
    expect(headers).toEqual({
      "webhook-id": "d1",
      "webhook-timestamp": "1760000000",
      "webhook-signature": `v1,${expected}`,
      "mcm-key-id": "k1",
    });
  });

  test("[HOOK-13] a secret that begins with whsec_ is a key in base64", () => {
    const key = Buffer.from([...Array(24).keys()]);
    const secret = `whsec_${key.toString("base64")}`;
    checkSecret(secret);
    const headers = signedHeaders({ id: "d", atMs: 0, body }, { keyId: "k", secret });
    expect(headers["webhook-signature"]).toBe(`v1,${createHmac("sha256", key).update(`d.0.${body}`).digest("base64")}`);
  });

  test("[HOOK-13] a secret that is too short, or no base64 where it should be, is refused", () => {
    const short = Buffer.alloc(LIMITS.webhookSecretCharsMin - 1).toString("base64");
    for (const secret of ["x".repeat(LIMITS.webhookSecretCharsMin - 1), `whsec_${short}`, "whsec_not*base64*at*all*"])
      expect(() => checkSecret(secret)).toThrow(/secret must be/);
    checkSecret("x".repeat(LIMITS.webhookSecretCharsMin));
    checkSecret(`whsec_${Buffer.alloc(LIMITS.webhookSecretCharsMin).toString("base64")}`);
  });
});

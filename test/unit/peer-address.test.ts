/** From where a request comes: rule EDGE-4. */
import fc from "fast-check";
import { isIP } from "node:net";
import { describe, expect, test } from "vitest";
import { LIMITS } from "../../shared/limits.ts";
import { UNKNOWN_ADDRESS, addressKey, peerAddresses } from "../../server/transport/peer-address.ts";

const behind = peerAddresses(["10.0.0.0/8", "192.168.1.1", "fd00::/8"]);

const via = (remote: string | undefined, forwardedFor?: string, forwarded?: string) =>
  behind.of(remote, {
    ...(forwardedFor === undefined ? {} : { "x-forwarded-for": forwardedFor }),
    ...(forwarded === undefined ? {} : { forwarded }),
  });

describe("[EDGE-4] who is not a trusted proxy", () => {
  test.each(["203.0.113.9", "192.168.1.2", "11.0.0.1", "2001:db8::1"])("%s counts itself, whatever it says", (peer) => {
    expect(via(peer, "198.51.100.7", "for=198.51.100.7")).toBe(peer);
    expect(behind.isProxy(peer)).toBe(false);
  });

  test("without trusted proxies nobody is one", () => {
    const alone = peerAddresses([]);
    expect(alone.of("127.0.0.1", { "x-forwarded-for": "203.0.113.9" })).toBe("127.0.0.1");
    expect(alone.isProxy("127.0.0.1")).toBe(false);
  });

  test("IPv4 in IPv6 clothes is IPv4, also when it is trusted", () => {
    expect(via("::ffff:203.0.113.9")).toBe("203.0.113.9");
    expect(via("::ffff:10.1.2.3", "203.0.113.9")).toBe("203.0.113.9");
    expect(behind.isProxy("::FFFF:10.1.2.3")).toBe(true);
  });

  test("a socket that is gone has no address", () => {
    expect(via(undefined, "203.0.113.9")).toBe(UNKNOWN_ADDRESS);
    expect(behind.isProxy(undefined)).toBe(false);
  });
});

describe("[EDGE-4] behind a trusted proxy", () => {
  test.each([
    ["203.0.113.9", "203.0.113.9"],
    ["198.51.100.7, 203.0.113.9", "203.0.113.9"],
    ["127.0.0.1, 10.9.9.9, 203.0.113.9", "203.0.113.9"],
    ["203.0.113.9, 10.3.3.3,192.168.1.1", "203.0.113.9"],
    ["203.0.113.9:4711", "203.0.113.9"],
    ["[2001:db8::1]:4711", "2001:db8::1"],
    ["2001:DB8::1", "2001:db8::1"],
    ["fd00::7, fd00::8", "fd00::7"],
    ["10.0.0.9", "10.0.0.9"],
  ])("X-Forwarded-For: %s is %s", (header, client) => {
    expect(via("10.0.0.1", header)).toBe(client);
  });

  test.each([
    ["for=203.0.113.9", "203.0.113.9"],
    ["for=198.51.100.7, For=203.0.113.9;proto=https;by=10.0.0.1", "203.0.113.9"],
    ['proto=http;for="[2001:db8::1]:4711"', "2001:db8::1"],
    ['for="203.0.113.9:80", for=10.0.0.7', "203.0.113.9"],
  ])("Forwarded: %s is %s", (header, client) => {
    expect(via("10.0.0.1", undefined, header)).toBe(client);
  });

  test.each([
    ["", "10.0.0.1"],
    ["unknown", "10.0.0.1"],
    ["203.0.113.9, unknown", "10.0.0.1"],
    ["203.0.113.9, , 10.0.0.2", "10.0.0.2"],
    ["203.0.113.9 10.0.0.2", "10.0.0.1"],
    ["203.0.113.999", "10.0.0.1"],
    ["1.2.3.4\u0000", "10.0.0.1"],
    [`203.0.113.9, ${"9".repeat(5000)}`, "10.0.0.1"],
  ])("garbage (%j) leaves the nearest known hop", (header, client) => {
    expect(via("10.0.0.1", header)).toBe(client);
  });

  test.each(["for=_hidden", "for=unknown", "by=10.0.0.1", 'for="', "for"])("Forwarded: %s names nobody", (header) => {
    expect(via("10.0.0.1", undefined, header)).toBe("10.0.0.1");
  });

  test("two headers that disagree count for nothing: one of them may be the client's own", () => {
    expect(via("10.0.0.1", "203.0.113.9", "for=198.51.100.7")).toBe("10.0.0.1");
    expect(via("10.0.0.1", "203.0.113.9", "for=203.0.113.9")).toBe("203.0.113.9");
  });

  test("of an endless chain the nearest hops are looked at", () => {
    const { forwardedHopsMax } = LIMITS;
    const chain = (proxies: number) => via("10.0.0.1", ["203.0.113.9", ...Array(proxies).fill("10.0.0.2")].join(","));
    expect([chain(forwardedHopsMax - 1), chain(forwardedHopsMax)]).toEqual(["203.0.113.9", "10.0.0.2"]);
  });

  test("a header that was sent several times is one list", () => {
    const headers = { forwarded: ["for=198.51.100.7", "for=203.0.113.9"] as unknown as string };
    expect(behind.of("10.0.0.1", headers)).toBe("203.0.113.9");
  });

  test("whatever is sent: an address comes out, and it is not what stands left of a stranger", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 80 }), fc.string({ maxLength: 80 }), (some, other) => {
        expect(isIP(via("10.0.0.1", some, other))).toBeGreaterThan(0);
        expect(via("10.0.0.1", `${some},203.0.113.9`)).toBe("203.0.113.9");
      }),
    );
  });
});

test("[EDGE-4] an IPv6 network of 2^64 addresses counts as one, an IPv4 address as itself", () => {
  expect(addressKey("203.0.113.9")).toBe("203.0.113.9");
  expect(addressKey(UNKNOWN_ADDRESS)).toBe(UNKNOWN_ADDRESS);
  const same = ["2001:db8:1:2::1", "2001:0db8:0001:0002:ffff:1:2:3", "2001:db8:1:2:0:0:0:0"];
  expect(new Set(same.map(addressKey))).toEqual(new Set(["2001:db8:1:2::/64"]));
  expect(addressKey("2001:db8:1:3::1")).toBe("2001:db8:1:3::/64");
  expect([addressKey("::1"), addressKey("::"), addressKey("fe80::")]).toEqual([
    "0:0:0:0::/64",
    "0:0:0:0::/64",
    "fe80:0:0:0::/64",
  ]);
  expect(addressKey("1:2:3:4:5:6:7::")).toBe("1:2:3:4::/64");
});

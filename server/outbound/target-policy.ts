/**
 * Which addresses the server sends requests to by itself. Whoever may name one could otherwise reach, from inside, what
 * only this machine or its network reaches: metadata services of clouds, databases, other people's admin pages.
 *
 * Invariants (HOOK):
 *  1. A target is https. Plain http is for this machine, and for hosts that the configuration names.
 *  2. What a name resolves to must be public, at every request anew. Loopback is for targets that say so in their URL.
 *  3. What the configuration allows, it allows both ways: by name whatever it resolves to, by range whatever its name.
 *
 * Not here: sending (http-post.ts).
 */
import { BlockList, isIP } from "node:net";
import { ServiceError } from "../../shared/errors.ts";
import { isLoopback } from "../../shared/host.ts";
import { LIMITS } from "../../shared/limits.ts";

/** IANA's special-purpose registry, multicast, and what is reserved. */
const NOT_PUBLIC_V4 = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.88.99.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/3",
];
/** Of IPv6 only global unicast is public, and IPv4 behind a translator. */
const NAT64 = "64:ff9b::";
const PUBLIC_V6 = ["2000::/3", `${NAT64}/96`];
/** … but for protocol assignments, documentation, and tunnels, which hold an IPv4 address of anybody's choice. */
const NOT_PUBLIC_V6 = ["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"];

const PUBLIC_V6_RANGES = rangesOf(PUBLIC_V6);
const NOT_PUBLIC_RANGES = rangesOf([
  ...NOT_PUBLIC_V4,
  ...NOT_PUBLIC_V6,
  ...NOT_PUBLIC_V4.map((range) =>
    range.replace(/^(.*)\/(\d+)$/, (_, address, bits) => `${NAT64}${address}/${96 + Number(bits)}`),
  ),
]);

export class TargetPolicy {
  readonly #names: readonly string[];
  readonly #ranges: BlockList;

  /** Host names, `*.` before one for all below it, IP addresses, and ranges such as 10.0.0.0/8 (see config.ts). */
  constructor(allowed: readonly string[]) {
    const isRange = (text: string): boolean => isIP(text.replace(/\/\d+$/, "")) !== 0;
    this.#ranges = rangesOf(allowed.filter(isRange));
    this.#names = allowed.filter((text) => !isRange(text)).map((name) => name.toLowerCase());
  }

  /** What can be said of a target before its name is resolved. @throws {ServiceError} TARGET_REFUSED */
  check(text: string): URL {
    if (text.length > LIMITS.webhookUrlCharsMax || !URL.canParse(text)) throw refused("is no URL");
    const url = new URL(text);
    checkForm(url);
    const host = hostOf(url);
    if (isIP(host) !== 0) this.checkAddress(host, host);
    if (url.protocol === "https:" || isLoopback(host) || this.#isNamed(host) || this.#isInRange(host)) return url;
    throw refused("is plain http, which anybody on the way can read. Use https");
  }

  /** May the server connect to `address`, to which `host` resolved? @throws {ServiceError} TARGET_REFUSED */
  checkAddress(host: string, address: string): void {
    if (isPublic(address) || this.#isNamed(host) || this.#isInRange(address)) return;
    if (isLoopback(host) && isLoopback(address)) return;
    throw refused(`leads to ${address}, which is not public`);
  }

  #isNamed(host: string): boolean {
    const name = host.toLowerCase().replace(/\.$/, "");
    return this.#names.some((it) => (it.startsWith("*.") ? name.endsWith(it.slice(1)) : name === it));
  }

  #isInRange(address: string): boolean {
    const version = isIP(address);
    return version !== 0 && this.#ranges.check(withoutZone(address), version === 4 ? "ipv4" : "ipv6");
  }
}

/** @throws {ServiceError} TARGET_REFUSED */
function checkForm({ protocol, username, password, hash }: URL): void {
  if (protocol !== "https:" && protocol !== "http:") throw refused("is neither https nor http");
  if (username !== "" || password !== "") {
    throw refused("holds a user name or password. The signature says who sends; leave them out");
  }
  if (hash !== "") throw refused("has a fragment, which is never sent. Leave out what follows the '#'");
}

/** A URL's host as name resolution takes it: IPv6 addresses without brackets. */
function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[(.*)\]$/, "$1");
}

function isPublic(address: string): boolean {
  switch (isIP(address)) {
    case 4:
      return !NOT_PUBLIC_RANGES.check(address, "ipv4");
    case 6: {
      const plain = withoutZone(address);
      return PUBLIC_V6_RANGES.check(plain, "ipv6") && !NOT_PUBLIC_RANGES.check(plain, "ipv6");
    }
    default:
      return false;
  }
}

function withoutZone(address: string): string {
  return address.replace(/%.*$/, "");
}

function rangesOf(texts: readonly string[]): BlockList {
  const ranges = new BlockList();
  for (const text of texts) {
    const [address = "", bits] = text.split("/");
    const family = isIP(address) === 4 ? "ipv4" : "ipv6";
    if (bits === undefined) ranges.addAddress(address, family);
    else ranges.addSubnet(address, Number(bits), family);
  }
  return ranges;
}

function refused(why: string): ServiceError {
  return new ServiceError(
    "TARGET_REFUSED",
    `The target's address ${why}. Hosts and ranges inside a network are allowed with MCM_WEBHOOK_ALLOW.`,
  );
}

/**
 * From where a request comes: the peer's address, or what a trusted proxy says of the one behind it.
 *
 * Invariants (EDGE):
 *  1. A forwarding header counts only when the direct peer is a trusted proxy: anybody can send one.
 *  2. Entries are read from the right, where the nearest proxy wrote; the first that is no trusted proxy is the client. What is
 *     left of it, anybody may have written.
 *  3. What is no address ends the reading: then the last proxy that is known counts. So does it when `Forwarded` and
 *     `X-Forwarded-For` name different clients: a proxy that writes one of them may pass on the other as it came.
 *
 * Not here: what an address may do (gate.ts).
 */
import { BlockList, isIP } from "node:net";
import type { IncomingHttpHeaders } from "node:http";
import { LIMITS } from "../../shared/limits.ts";

/** As far as it is known; a socket that is gone has none. */
export const UNKNOWN_ADDRESS = "unknown";

export interface PeerAddresses {
  /** Whether this direct peer speaks for others. */
  isProxy(remoteAddress: string | undefined): boolean;
  /** The client's address. */
  of(remoteAddress: string | undefined, headers: IncomingHttpHeaders): string;
}

/** `trusted`: addresses, or networks such as 10.0.0.0/8. */
export function peerAddresses(trusted: readonly string[]): PeerAddresses {
  const proxies = new BlockList();
  for (const entry of trusted) addNetwork(proxies, entry);
  const isTrusted = (address: string): boolean => proxies.check(address, familyOf(address));
  const isProxy = (remoteAddress: string | undefined): boolean => {
    const direct = parseAddress(remoteAddress ?? "");
    return direct !== undefined && isTrusted(direct);
  };
  return {
    isProxy,
    of(remoteAddress, headers) {
      const direct = parseAddress(remoteAddress ?? "");
      if (direct === undefined) return UNKNOWN_ADDRESS;
      if (!isTrusted(direct)) return direct;
      const said = [listOf(headers["x-forwarded-for"]), listOf(headers["forwarded"]).map(forwardedFor)]
        .filter((hops) => hops.length > 0)
        .map((hops) => clientOf(hops, direct, isTrusted));
      return said.every((client) => client === said[0]) ? (said[0] ?? direct) : direct;
    },
  };
}

/** What counts as one when amounts are bounded: an IPv6 network of a household or a machine, which has 2^64 addresses. */
export function addressKey(address: string): string {
  if (isIP(address) !== 6) return address;
  const [head = "", tail = ""] = address.split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === "" ? [] : tail.split(":");
  const groups = address.includes("::")
    ? [...left, ...Array(8 - left.length - right.length).fill("0"), ...right]
    : left;
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":")}::/64`;
}

function clientOf(hops: readonly string[], direct: string, isTrusted: (address: string) => boolean): string {
  let nearest = direct;
  for (const hop of hops.slice(-LIMITS.forwardedHopsMax).reverse()) {
    const address = parseHop(hop);
    if (address === undefined) return nearest;
    if (!isTrusted(address)) return address;
    nearest = address;
  }
  return nearest;
}

/** The entries of a header, however often it was sent. */
function listOf(header: string | readonly string[] | undefined): readonly string[] {
  if (header === undefined) return [];
  const text = typeof header === "string" ? header : header.join(",");
  return text.split(",").map((entry) => entry.trim());
}

/** The node of an element of `Forwarded` (RFC 7239): `for="[2001:db8::1]:4711";proto=https`. */
function forwardedFor(element: string): string {
  const pair = element.split(";").find((it) => /^\s*for=/i.test(it)) ?? "";
  return pair.replace(/^\s*for=/i, "").replace(/^"(.*)"$/, "$1");
}

/** An entry may have a port: `192.0.2.1:80`, `[2001:db8::1]:80`. */
function parseHop(entry: string): string | undefined {
  const bracketed = /^\[([^\]]{1,64})\](?::\d{1,5})?$/.exec(entry)?.[1];
  const withPort = /^([\d.]{7,15}):\d{1,5}$/.exec(entry)?.[1];
  return parseAddress(bracketed ?? withPort ?? entry);
}

/** IPv4 in IPv6 clothes (`::ffff:10.0.0.1`, what a socket that listens on `::` sees) is IPv4. */
function parseAddress(text: string): string | undefined {
  if (text.length > 64) return undefined;
  const mapped = /^::ffff:([\d.]+)$/i.exec(text)?.[1];
  const address = (mapped ?? text).toLowerCase().replace(/%.*$/, "");
  return isIP(address) === 0 ? undefined : address;
}

function addNetwork(list: BlockList, entry: string): void {
  const [network = "", prefix] = entry.split("/");
  const family = familyOf(network);
  if (prefix === undefined) list.addAddress(network, family);
  else list.addSubnet(network, Number(prefix), family);
}

function familyOf(address: string): "ipv4" | "ipv6" {
  return isIP(address) === 6 ? "ipv6" : "ipv4";
}

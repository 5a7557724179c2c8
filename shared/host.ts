/**
 * Host names: which mean this machine, and which a server answers for.
 *
 * A web page can point a name of its own at 127.0.0.1 (DNS rebinding) and then talk to a local server as same origin;
 * the Host header still says that name. So a server without authentication answers only to names it knows.
 *
 * Not here: name resolution.
 */

/** A name or address that only this machine can reach: localhost, 127.0.0.0/8, ::1. */
export function isLoopback(host: string): boolean {
  return /^(?:localhost|127(?:\.\d{1,3}){3}|::1|\[::1\])$/i.test(host);
}

/** True when `hostHeader` (with or without port) is loopback or one of `allowed` (names without port). */
export function isHostAllowed(hostHeader: string, allowed: readonly string[]): boolean {
  const name = hostHeader.replace(/:\d+$/, "").toLowerCase();
  return isLoopback(name) || allowed.some((it) => it.toLowerCase() === name);
}

/**
 * True for pages served from this machine or from an allowed name, and for those of `origins` (such as https://app.example).
 * Any page may send requests to a local server; its browser says in Origin which page it is.
 */
export function isOriginAllowed(origin: string, hosts: readonly string[], origins: readonly string[] = []): boolean {
  const host = /^https?:\/\/([^/]+)$/i.exec(origin)?.[1];
  return host !== undefined && (isHostAllowed(host, hosts) || origins.includes(origin.toLowerCase()));
}

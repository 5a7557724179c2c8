/** Times as they go over the wire: ISO 8601 in UTC. */

export function isoTime(atMs: number): string {
  // oxlint-disable-next-line no-restricted-globals -- writes a time that is given; reads no clock
  return new Date(atMs).toISOString();
}

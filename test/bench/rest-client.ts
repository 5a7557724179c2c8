/**
 * One REST request and how long it took, its body read to the end but not looked into: parsing would hold up the load's own
 * clocks.
 */

export interface Answered {
  readonly ms: number;
  readonly bytes: Buffer;
}

/** @throws {Error} unless the answer is a 2xx */
export async function timedRequest(url: URL, method: string, body?: object): Promise<Answered> {
  const start = performance.now();
  const response = await fetch(url, {
    method,
    ...(body === undefined ? {} : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
  });
  const bytes = Buffer.from(await response.arrayBuffer());
  const ms = performance.now() - start;
  if (!response.ok) throw new Error(`${method} ${url.pathname} gave ${response.status}: ${bytes.toString()}`);
  return { ms, bytes };
}

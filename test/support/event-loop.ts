/** Holds the event loop, and lets it turn. */

export function holdEventLoop(forMs: number): void {
  const untilMs = performance.now() + forMs;
  while (performance.now() < untilMs);
}

/** Resolves after so long in which the event loop did nothing but turn. */
export async function turning(forMs: number): Promise<void> {
  const untilMs = performance.now() + forMs;
  while (performance.now() < untilMs) await new Promise((resolve) => void setImmediate(resolve));
}

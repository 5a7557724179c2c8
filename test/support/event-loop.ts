/** Holds the event loop, and lets it turn. */

export function holdEventLoop(forMs: number): void {
  const untilMs = performance.now() + forMs;
  while (performance.now() < untilMs);
}

/** Resolves when the event loop has turned so often: what had arrived in this process is handled by then. */
export async function turns(count: number): Promise<void> {
  for (let n = 0; n < count; n++) await new Promise((resolve) => void setImmediate(resolve));
}

/** Counts the time in which the event loop turned: what a busy machine takes away is not the server's delay. */
export function stopwatch(): { readonly ms: () => number } {
  const STEP_MS = 10;
  let steps = 0;
  const timer = setInterval(() => steps++, STEP_MS);
  timer.unref();
  return {
    ms: () => {
      clearInterval(timer);
      return steps * STEP_MS;
    },
  };
}

/** Resolves after so long in which the event loop did nothing but turn. */
export async function turning(forMs: number): Promise<void> {
  const untilMs = performance.now() + forMs;
  while (performance.now() < untilMs) await new Promise((resolve) => void setImmediate(resolve));
}

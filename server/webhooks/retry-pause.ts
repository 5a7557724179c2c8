/**
 * Pauses between attempts: they double up to a bound, and vary, so that those who failed together do not come back together.
 */
import { LIMITS } from "../../shared/limits.ts";

/** After so many failures in a row; `random` is in [0, 1). */
export function retryPauseMs(failures: number, random: number): number {
  const doubled = LIMITS.webhookRetryMsMin * 2 ** Math.max(0, failures - 1);
  return Math.min(LIMITS.webhookRetryMsMax, doubled) * (0.8 + 0.4 * random);
}

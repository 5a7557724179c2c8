/**
 * How long to wait before the n-th attempt to reconnect: exponential, capped, and spread.
 *
 * Without the spread all clients of a restarted server come back in the same instant.
 */

const RECONNECT_DELAY_MS_MIN = 200;
export const RECONNECT_DELAY_MS_MAX = 5000;

/** @param attempt 1 for the first. @param random in [0, 1). Returns between half and all of the attempt's full delay. */
export function reconnectDelayMs(attempt: number, random: number): number {
  const full = Math.min(RECONNECT_DELAY_MS_MAX, RECONNECT_DELAY_MS_MIN * 2 ** Math.min(attempt - 1, 16));
  return full / 2 + (full / 2) * random;
}

/**
 * The times of tokens: JWTs count seconds, we count milliseconds.
 */

export const DAY_MS = 24 * 60 * 60 * 1000;

/** Clocks of two machines that are set by the network differ by less. */
export const TOLERANCE_S = 5;
export const TOLERANCE_MS = TOLERANCE_S * 1000;

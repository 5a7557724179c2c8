/** For clients of tests that are not about patience: on a busy machine a thread in the background may start for many seconds. */
export const PATIENT = { timeoutMs: 60_000 } as const;

/**
 * Keeps a lease while something goes on under it.
 *
 * Invariants (CLI-12):
 *  1. The lease is renewed at a third of its time, and again soon after a failure, until its time is over.
 *  2. Its time counts from when the newest renewal that succeeded was sent: the server's own count ends later.
 *
 * Not here: what is done when it is lost (under-lock.ts).
 */
import { toServiceError } from "../../shared/errors.ts";
import type { ServiceError } from "../../shared/errors.ts";
import type { CliIo } from "./io.ts";

interface Lease {
  readonly ttlMs: number;
  /** Rejects with a ServiceError, soon after `signal` aborts at the latest. */
  readonly renew: (signal: AbortSignal) => Promise<unknown>;
}

const RETRY_MS = 1000;

/** Resolves with why the lease is lost, or with undefined when `signal` aborts. */
export async function keepLease(
  io: Pick<CliIo, "sleep" | "monotonicMs">,
  { ttlMs, renew }: Lease,
  signal: AbortSignal,
): Promise<ServiceError | undefined> {
  let endsAtMs = io.monotonicMs() + ttlMs;
  let pauseMs = ttlMs / 3;
  for (;;) {
    await io.sleep(pauseMs, signal);
    if (signal.aborted) return undefined;
    const sentAtMs = io.monotonicMs();
    const patienceMs = Math.min(ttlMs / 3, Math.max(endsAtMs - sentAtMs, RETRY_MS));
    const error = await attempt(io, { renew, patienceMs }, signal);
    if (signal.aborted) return undefined;
    const leftMs = endsAtMs - io.monotonicMs();
    if (error === undefined) {
      endsAtMs = sentAtMs + ttlMs;
      pauseMs = ttlMs / 3;
    } else if (error.retry !== "later" || leftMs <= 0) {
      return error;
    } else {
      pauseMs = Math.min(RETRY_MS, leftMs);
    }
  }
}

/** Why the renewal failed, if it did; an answer that does not come is a failure too. */
async function attempt(
  io: Pick<CliIo, "sleep">,
  { renew, patienceMs }: Pick<Lease, "renew"> & { readonly patienceMs: number },
  signal: AbortSignal,
): Promise<ServiceError | undefined> {
  const answered = new AbortController();
  const late = new AbortController();
  void io.sleep(patienceMs, answered.signal).then(() => late.abort());
  try {
    await renew(AbortSignal.any([signal, late.signal]));
    return undefined;
  } catch (error) {
    return toServiceError(error);
  } finally {
    answered.abort();
  }
}

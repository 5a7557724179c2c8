/**
 * The way to a server that may go away: calls are made again until they are answered, or it is clear that they will not be.
 *
 * Invariant (HUB-3): whoever calls makes its request repeatable first; what had an unknown outcome is sent again.
 *
 * Not here: what is called (remote-contexts.ts), who the server is (hub.ts, serve-stdio.ts).
 */
import { ServiceError, toServiceError } from "../../../shared/errors.ts";
import type { RestClient } from "../rest-client.ts";

export interface Line {
  readonly client: RestClient;
  /**
   * Resolves when another try makes sense. `failures`: tries in a row that failed.
   * @throws {ServiceError} UNREACHABLE when none will
   */
  recover(failures: number, signal: AbortSignal): Promise<void>;
}

/** How often one call is made. With the pauses of `recover` this is half a minute. */
const TRIES_MAX = 40;

/** `isAgain`: an earlier try of the call may have taken effect. */
export type Attempt<Result> = (client: RestClient, isAgain: boolean) => Promise<Result>;

export async function persistently<Result>(
  line: Line,
  attempt: Attempt<Result>,
  signal: AbortSignal = new AbortController().signal,
): Promise<Result> {
  for (let failures = 0; ;) {
    try {
      return await attempt(line.client, failures > 0);
    } catch (error) {
      failures += 1;
      if (!isPassing(error) || failures === TRIES_MAX || signal.aborted) throw error;
      await line.recover(failures, signal);
    }
  }
}

/** The same request may be answered a moment later, perhaps by another server. */
export function isPassing(error: unknown): boolean {
  const { code } = toServiceError(error);
  return code === "UNREACHABLE" || code === "SHUTTING_DOWN" || code === "STORE_UNAVAILABLE";
}

/** Pauses grow, with jitter, so that many do not come back at the same moment. */
export function pauseMs(failures: number, random: number): number {
  return Math.min(1000, 25 * 2 ** Math.min(failures, 6)) * (0.5 + random / 2);
}

export function gone(): ServiceError {
  return new ServiceError("CLOSED", "The caller does not wait any more.");
}

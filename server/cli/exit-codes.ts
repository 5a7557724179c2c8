/**
 * What the CLI's exit codes mean; docs/reference/cli.md tells users.
 *
 * Not here: messages (program.ts).
 */
import type { ServiceError } from "../../shared/errors.ts";

export const EXIT = {
  ok: 0,
  /** Something failed that is nobody's request: a file, a port, a bug. */
  failed: 1,
  /** The command line or the configuration is wrong. */
  usage: 2,
  /** The server refused the request; the same one will be refused again. */
  refused: 3,
  /** The server can't be reached or can't do it now; the same request may succeed later. */
  unavailable: 4,
  /** What was looked at is damaged, or not all of it could be taken. */
  damaged: 5,
  /** The lock did not last as long as the command under it, which was stopped. As `timeout` says it. */
  lockLost: 124,
  /** The command to run under a lock cannot be run, or is not there. As shells say it. */
  notRunnable: 126,
  notFound: 127,
} as const;

export function exitCodeOf(error: ServiceError): number {
  if (error.code === "DATA_DAMAGED") return EXIT.damaged;
  return error.retry === "later" || error.code === "UNREACHABLE" ? EXIT.unavailable : EXIT.refused;
}

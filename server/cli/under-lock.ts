/**
 * Runs a command while a lock is held.
 *
 * Invariants (CLI-12):
 *  1. The command runs only while the lock is held: it is stopped when the lock is lost, and killed when it does not stop.
 *  2. Whatever way it ends, by itself, by a signal or because it cannot run, the lock is released.
 *
 * Not here: when a lock is lost (lease-keeper.ts), the command line (commands/lock.ts).
 */
import { toServiceError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { LockView } from "../../shared/protocol/rest-locks.ts";
import type { Cli } from "./client-command.ts";
import { EXIT } from "./exit-codes.ts";
import { signalExitCode } from "./io.ts";
import type { CliIo, EndSignal, RunningCommand } from "./io.ts";
import { keepLease } from "./lease-keeper.ts";
import { lockEnvironment } from "./lock-tokens.ts";
import { safe } from "./output.ts";
import type { LockRequest, RestClient, RestTarget } from "./rest-client.ts";

export interface UnderLock {
  readonly client: RestClient;
  readonly target: RestTarget;
  readonly id: string;
  readonly request: LockRequest;
  /** The program and its arguments. */
  readonly command: readonly string[];
}

/** Resolves with the exit code. @throws {ServiceError} when the lock is not granted */
export async function runUnderLock(cli: Cli, job: UnderLock): Promise<number> {
  const { client, id, request } = job;
  const waiting = new AbortController();
  let interruptedBy: EndSignal | undefined;
  let interrupt = (signal: EndSignal): void => {
    interruptedBy = signal;
    waiting.abort();
  };
  const forget = cli.io.onSignal((signal) => interrupt(signal));
  try {
    const lock = await client.lock(id, request, waiting.signal);
    const running = cli.io.run(job.command, environmentOf(cli, job, lock));
    interrupt = (signal) => running.forward(signal);
    return await supervise(cli, job, { lock, running });
  } catch (error) {
    if (interruptedBy === undefined) throw error;
    return signalExitCode(interruptedBy);
  } finally {
    forget();
  }
}

/** So that `mcm` in the command speaks to the same server, as the same actor, under the lock. */
function environmentOf({ io }: Cli, { id, target }: UnderLock, lock: LockView) {
  return {
    ...io.environment,
    MCM_URL: target.url,
    MCM_ACTOR: target.actor,
    ...target.token.environment,
    ...lockEnvironment(id, lock, io.environment),
  };
}

interface Supervised {
  readonly lock: LockView;
  readonly running: RunningCommand;
}

async function supervise(cli: Cli, { client, id, command }: UnderLock, { lock, running }: Supervised): Promise<number> {
  const over = new AbortController();
  const ended = running.ended
    .catch((error: unknown) => {
      sayError(cli, `The command '${command.join(" ")}' cannot be run (${String(error)}).`);
      return isMissing(error) ? EXIT.notFound : EXIT.notRunnable;
    })
    .finally(() => over.abort());
  const renew = (signal: AbortSignal): Promise<LockView> => client.renewLock(id, lock.lockId, { signal });
  const lost = await keepLease(cli.io, { ttlMs: lock.ttlMs, renew }, over.signal);
  if (lost !== undefined) {
    sayError(cli, `The lock is lost, the command is stopped. ${lost.message}`);
    await stop(cli.io, running, over.signal);
    await ended;
    return EXIT.lockLost;
  }
  const code = await ended;
  return (await isReleased(cli, client, { id, lock })) ? code : EXIT.lockLost;
}

async function stop(io: CliIo, running: RunningCommand, over: AbortSignal): Promise<void> {
  running.kill("SIGTERM");
  await io.sleep(LIMITS.commandStopMs, over);
  if (!over.aborted) running.kill("SIGKILL");
}

/** False when there was no lock any more: it did not last until here. */
async function isReleased(
  cli: Cli,
  client: RestClient,
  { id, lock }: { id: string; lock: LockView },
): Promise<boolean> {
  try {
    await client.unlock(id, lock.lockId);
    return true;
  } catch (error) {
    const { code, message } = toServiceError(error);
    if (code === "LOCK_NOT_FOUND") {
      sayError(cli, "The lock was lost before the command ended.");
      return false;
    }
    sayError(cli, `The lock is not released, and ends in ${lock.ttlMs / 1000} seconds at most. ${message}`);
    return true;
  }
}

function sayError({ io, color }: Cli, text: string): void {
  io.err(`${color.red("error:")} ${safe(text)}`);
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

/** What PostgreSQL says when it refuses, and what that means for the log. */
import pg from "pg";
import { ServiceError } from "../../../shared/errors.ts";

/** The engine did not answer, or is not the one that was opened: nothing but close() and open() helps. */
export class EngineLost extends Error {
  constructor(cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.name = "EngineLost";
  }
}

/** @throws {EngineLost} instead of what `ask` throws */
export async function askEngine<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    throw error instanceof EngineLost ? error : new EngineLost(error);
  }
}

const LOCK_NOT_AVAILABLE = "55P03";
const DEADLOCK_DETECTED = "40P01";

/** Somebody else has the lock, or the engine chose us to break a tie. */
export function isLockRefusal(error: unknown): boolean {
  return error instanceof pg.DatabaseError && (error.code === LOCK_NOT_AVAILABLE || error.code === DEADLOCK_DETECTED);
}

/** @param errors of each of its hosts */
export function openError(location: string, errors: readonly unknown[]): ServiceError {
  const why = errors.map((error) => (error instanceof Error ? error.message : String(error))).join("; ");
  const [error] = errors;
  const message = `The ${location} cannot be used now: ${why}. Check that it runs, and that MCM_STORAGE names it.`;
  return new ServiceError("STORE_UNAVAILABLE", message, { cause: error });
}

export function fullError(location: string, nodesMax: number): ServiceError {
  const message = `${nodesMax} servers use the ${location} already, which is the limit. Stop one, then start this one.`;
  return new ServiceError("DATA_DIR_LOCKED", message);
}

export function inUseError(location: string): ServiceError {
  return new ServiceError("DATA_DIR_LOCKED", `A server uses the ${location}. Stop all of its servers first.`);
}

export function closedError(): ServiceError {
  return new ServiceError("STORE_UNAVAILABLE", "The database is not open. Try again in a moment.");
}

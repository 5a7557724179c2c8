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

/** What is wrong on this side, with a word for it. */
export class EngineFault extends Error {
  readonly kind: string;

  constructor(kind: "restarted" | "standby" | "unreplicated", message: string) {
    super(message);
    this.name = "EngineFault";
    this.kind = kind;
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
const QUERY_CANCELED = "57014";
const LOCK_REFUSALS: readonly unknown[] = [LOCK_NOT_AVAILABLE, DEADLOCK_DETECTED, QUERY_CANCELED];

/** Of a statement that takes locks: somebody else has one, several were had one after the other, or we were to break a tie. */
export function isLockRefusal(error: unknown): boolean {
  return error instanceof pg.DatabaseError && LOCK_REFUSALS.includes(error.code);
}

/** One of few words: the class of what the engine said, or what happened to the connection. */
export function failureKindOf(error: unknown): string {
  const cause = error instanceof EngineLost ? error.cause : error;
  if (cause instanceof EngineFault) return cause.kind;
  if (cause instanceof pg.DatabaseError) return cause.code?.slice(0, 2) ?? "other";
  if (!(cause instanceof Error)) return "other";
  if (/timeout/i.test(cause.message)) return "timeout";
  // a code of Node's, or in pg's own words
  return "code" in cause || /connection/i.test(cause.message) ? "connection" : "other";
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

export function busyError(): ServiceError {
  const message = "All connections that read the database have been busy for too long. Try again in a moment.";
  return new ServiceError("STORE_UNAVAILABLE", message);
}

export function closedError(): ServiceError {
  return new ServiceError("STORE_UNAVAILABLE", "The database is not open. Try again in a moment.");
}

/**
 * What programs on REST do with locks: they take them, write under their tokens, renew them, give them back or forget
 * them; they wake up late and go on with a token that is over; and they try what is somebody else's.
 *
 * Each errand is one person's: it may fail in the middle, and then is not taken up again.
 */
import { ServiceError } from "../../../shared/errors.ts";
import type { Runner } from "../errands.ts";
import type { SimService } from "../server-life.ts";
import { RETRIED } from "../wiretap.ts";
import { drawLock, operationsAt } from "./lock-habits.ts";
import type { LockNature, WantedLock } from "./lock-habits.ts";
import type { Asker, ToldLock } from "./lock-ledger.ts";

export interface LockRunner extends Runner {
  readonly asker: Asker;
  readonly nature: LockNature;
  /** That it was granted, the newest last. */
  readonly locks: ToldLock[];
  readonly nowMs: () => number;
  readonly pause: (forMs: number) => Promise<void>;
  /** One attempt. `left` sees whatever leaves the server. @throws {ServiceError} */
  readonly callAndHear: <T>(
    ask: (service: SimService) => Promise<T>,
    left: (answer: T | ServiceError) => void,
  ) => Promise<T>;
}

type Run = (runner: LockRunner, mark: string) => Promise<void>;

const RUNS = {
  "work under a lock": work,
  "take and forget": async (runner) => void (await acquire(runner, drawLock(runner.random, runner.nature))),
  "use an old token": async (runner, mark) => {
    const lock = runner.random.pick(runner.locks);
    if (lock !== undefined) await write(runner, mark, lock, [lock.fencingToken]);
  },
  intrude: async (runner, mark) => {
    const lock = runner.random.pick(runner.ledger.locks.held);
    if (lock !== undefined) await write(runner, mark, lock, []);
  },
  "use a stolen token": async (runner, mark) => {
    const { random, ledger } = runner;
    const lock = random.pick(ledger.locks.held);
    const token = random.percent(80) ? lock?.fencingToken : random.below(1000) + 1;
    if (lock !== undefined && token !== undefined) await write(runner, mark, lock, [token]);
  },
  "meddle with a lock": async (runner) => {
    const lock = runner.random.pick(runner.ledger.locks.held);
    if (lock === undefined) return;
    if (runner.random.percent(50)) await renew(runner, lock.lockId);
    else await release(runner, lock.lockId);
  },
} satisfies Record<string, Run>;

export type LockErrand = keyof typeof RUNS;
export const WORK: readonly LockErrand[] = ["work under a lock", "work under a lock", "take and forget"];
export const OFFENCES: readonly LockErrand[] = [
  "use an old token",
  "intrude",
  "use a stolen token",
  "meddle with a lock",
];

const TRIES_MAX = 4;
const RETRY_MS = 250;

/** Never rejects. */
export async function runLockErrand(errand: LockErrand, runner: LockRunner, mark: string): Promise<void> {
  const run: Run = RUNS[errand];
  try {
    await run(runner, mark);
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
  }
}

async function work(runner: LockRunner, mark: string): Promise<void> {
  const { random, pause, nowMs } = runner;
  const wanted = drawLock(random, runner.nature);
  const taken = await acquire(runner, wanted);
  if (taken === undefined) return;
  let { endsMs } = taken;
  const { lock } = taken;
  const steps = random.between(1, 4);
  for (let step = 0; step < steps; step++) {
    await write(runner, `${mark}-${step}`, lock, [lock.fencingToken]);
    await pause(random.below(Math.ceil(wanted.ttlMs / 2)));
    if (random.percent(50)) endsMs = (await renew(runner, lock.lockId, random.pick([undefined, 1000]))) ?? endsMs;
  }
  if (random.percent(60)) return release(runner, lock.lockId);
  // it falls asleep, and does not know when it wakes up
  await pause(Math.max(0, endsMs - nowMs()) + random.between(-100, 500));
  await write(runner, `${mark}-late`, lock, [lock.fencingToken]);
}

async function write(
  { change, random }: LockRunner,
  key: string,
  { paths }: ToldLock,
  lockTokens: readonly number[],
): Promise<void> {
  const what = operationsAt(random.pick(paths) ?? "", key);
  await change({ key, ...what, ...(lockTokens.length === 0 ? {} : { lockTokens }) });
}

/** By a name of its own it is asked for again when the answer gets lost; without one it is not. */
async function acquire(
  runner: LockRunner,
  wanted: WantedLock,
): Promise<{ readonly lock: ToldLock; readonly endsMs: number } | undefined> {
  const { random, ledger, asker, locks, nowMs, pause } = runner;
  const name = random.percent(60) ? { lockId: random.uuid() } : {};
  for (let tries = 1; tries <= (name.lockId === undefined ? 1 : TRIES_MAX); tries++) {
    const sentMs = nowMs();
    const lock = await acquireOnce(runner, { ...wanted, ...name }, sentMs);
    if (!(lock instanceof ServiceError)) {
      locks.push(lock);
      ledger.locks.owns(lock.lockId, asker);
      return { lock, endsMs: sentMs + lock.ttlMs };
    }
    if (!RETRIED.has(lock.code)) return undefined;
    await pause(RETRY_MS);
  }
  return undefined;
}

async function acquireOnce(
  { caller, contextId, ledger, asker, random, callAndHear, pause }: LockRunner,
  wanted: WantedLock & { readonly lockId?: string },
  sentMs: number,
): Promise<ToldLock | ServiceError> {
  const { line } = ledger.locks;
  const ticket = ledger.locks.asks({ ...wanted, ...asker, sentMs });
  const gone = new AbortController();
  if (wanted.waitMs > 0 && random.percent(15))
    void pause(random.below(wanted.waitMs)).then(() => {
      ticket.isUnclear = true;
      gone.abort();
    });
  try {
    return await callAndHear(
      async (service) => {
        line.arrive(ticket);
        return service.locks.acquire(caller, contextId, { ...wanted, signal: gone.signal });
      },
      (answer) => {
        const isGranted = !(answer instanceof ServiceError);
        line.close(ticket, isGranted);
        if (isGranted) ledger.locks.told(asker, answer, sentMs);
        else ledger.locks.refused(answer.code, answer.details, { ...asker, tokens: [], sentMs });
      },
    );
  } catch (error) {
    if (ticket.isOpen) line.close(ticket, false);
    if (error instanceof ServiceError) return error;
    throw error;
  }
}

/** Until when it lasts now; undefined when that is not known. */
async function renew(
  { caller, contextId, ledger, asker, nowMs, callAndHear }: LockRunner,
  lockId: string,
  ttlMs?: number,
): Promise<number | undefined> {
  const sentMs = nowMs();
  ledger.locks.shortens(lockId, asker.actor, ttlMs);
  const { ttlMs: lastsMs } = await callAndHear(
    async (service) => service.locks.renew(caller, contextId, lockId, ttlMs === undefined ? {} : { ttlMs }),
    (answer) => {
      if (!(answer instanceof ServiceError)) ledger.locks.told(asker, answer, sentMs);
      else if (answer.code === "LOCK_NOT_FOUND") ledger.locks.missed(asker, lockId);
    },
  );
  return sentMs + lastsMs;
}

async function release({ caller, contextId, ledger, asker, callAndHear }: LockRunner, lockId: string): Promise<void> {
  ledger.locks.givesBack(lockId, asker.actor);
  await callAndHear(
    async (service) => service.locks.release(caller, contextId, lockId),
    (answer) => {
      if (!(answer instanceof ServiceError)) ledger.locks.released(asker, lockId);
    },
  );
}

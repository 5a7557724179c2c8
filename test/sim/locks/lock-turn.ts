/**
 * What somebody does when it turns to locks: a page with the SDK's locks, or a program on REST.
 */
import type { ExtendedClient } from "../extended-client.ts";
import type { Random } from "../random.ts";
import type { ClientLocks, HeldLease } from "./client-locks.ts";
import { drawLock, editAt } from "./lock-habits.ts";
import type { LockNature } from "./lock-habits.ts";

/** So many locks at once, held or waited for, are enough for a page. */
const LOCKS_MAX = 3;

interface Turn {
  readonly random: Random;
  readonly nature: LockNature;
  readonly mark: string;
}

export function pageTurnsToLocks(client: ExtendedClient, locks: ClientLocks, turn: Turn): void {
  const { random, nature } = turn;
  const lease = random.pick(locks.leases);
  const wanted = random.pick(locks.wanted);
  if (random.percent(nature.offences)) return offend(client, locks, turn);
  if (lease === undefined || (locks.leases.length < LOCKS_MAX && random.percent(30))) {
    if (locks.leases.length + locks.wanted.length < LOCKS_MAX) locks.take(random.uuid(), drawLock(random, nature));
    else if (wanted !== undefined) locks.giveUp(wanted);
    return;
  }
  switch (random.below(8)) {
    case 0:
      return locks.release(lease, random.percent(50));
    case 1:
      return locks.changeTime(lease, random.pick([1000, 1500, lease.ttlMs]));
    case 2:
      return fallAsleep(client, locks, {
        lease,
        turn,
        forMs: Math.ceil((lease.ttlMs * random.between(50, 160)) / 100),
      });
    default:
      return editUnder(client, lease.lock.paths, turn);
  }
}

function editUnder(client: ExtendedClient, paths: readonly string[], { random, mark }: Turn): void {
  const count = random.percent(30) ? random.between(2, 5) : 1;
  for (let i = 0; i < count; i++) {
    const place = random.pick(paths) ?? "";
    client.edit(`${mark}.${i}`, (doc) => editAt(doc, place, random, `${mark}.${i}`));
  }
}

interface Nap {
  readonly lease: HeldLease;
  readonly turn: Turn;
  readonly forMs: number;
}

/** The machine stops: it hears nothing for a while, and goes on where it was. */
function fallAsleep(client: ExtendedClient, locks: ClientLocks, { lease, turn, forMs }: Nap): void {
  client.currentLink?.stall(forMs + 1);
  locks.doze(forMs, () => {
    if (client.isReady) editUnder(client, lease.lock.paths, turn);
  });
}

/** Edits where somebody else has a lock, or says that it is its own. */
function offend(client: ExtendedClient, locks: ClientLocks, turn: Turn): void {
  const other = turn.random.pick(locks.others);
  if (other === undefined) return;
  const [lockId, lock] = other;
  if (turn.random.percent(40)) locks.pretend(lockId, lock);
  editUnder(client, lock.paths, turn);
}

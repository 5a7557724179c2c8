/**
 * Who held what, entry by entry of the log: the plainest reading of its lock entries.
 *
 *  S4 LOCK-1   a lock is granted only where nothing overlaps it, unless both are shared; one that is not there does not end
 *  S4 LOCK-4   its token is the position of its entry
 */
import type { Actor } from "../../../shared/ids.ts";
import type { LockMode } from "../../../shared/lock.ts";
import type { LogEntry } from "../../../server/storage/change-log.ts";
import { meets } from "../../support/lock-model.ts";
import type { Violate } from "../log-replay.ts";

export interface LoggedLock {
  readonly lockId: string;
  readonly paths: readonly string[];
  readonly mode: LockMode;
  readonly holder: Actor;
  readonly fencingToken: number;
  readonly ttlMs: number;
}

export class LockReplay {
  readonly #violate: Violate;
  readonly #isForcedBy: (lockId: string, actor: string) => boolean;
  /** The locks after each entry; at 0 before the first. */
  readonly #tables: (readonly LoggedLock[])[] = [[]];
  /** Every lock that there ever was, by its token. */
  readonly granted = new Map<number, LoggedLock>();

  constructor(violate: Violate, isForcedBy: (lockId: string, actor: string) => boolean) {
    this.#violate = violate;
    this.#isForcedBy = isForcedBy;
  }

  /** The locks with the entry of this position in place. */
  at(seq: number): readonly LoggedLock[] {
    return this.#tables[seq] ?? [];
  }

  get now(): readonly LoggedLock[] {
    return this.#tables.at(-1) ?? [];
  }

  apply(entry: LogEntry): void {
    this.#tables.push(entry.lock === undefined ? this.now : this.#changed(entry, entry.lock));
  }

  #changed({ seq, actor }: LogEntry, event: NonNullable<LogEntry["lock"]>): readonly LoggedLock[] {
    const { now } = this;
    const { lockId } = event;
    const lock = now.find((it) => it.lockId === lockId);
    if (event.op === "acquire") {
      const { paths, mode, ttlMs } = event;
      const asked = { lockId, paths, mode, holder: actor, fencingToken: seq, ttlMs };
      const other = now.find((it) => (mode === "exclusive" || it.mode === "exclusive") && meets(it.paths, paths));
      if (other !== undefined || lock !== undefined)
        this.#violate("S4 LOCK-1", `entry ${seq} grants ${lockId} on ${paths.join()}, past ${describe(other ?? lock)}`);
      this.granted.set(seq, asked);
      return [...now, asked];
    }
    const isForced = event.op === "release" && this.#isForcedBy(lockId, actor);
    if (lock === undefined || (lock.holder !== actor && !isForced))
      this.#violate("S4 LOCK-13", `entry ${seq} by ${actor} is about ${lockId}, ${describe(lock)}`);
    const others = now.filter((it) => it !== lock);
    if (event.op !== "renew" || lock === undefined) return others;
    return now.map((it) => (it === lock ? { ...lock, ttlMs: event.ttlMs } : it));
  }
}

export function describe(lock: LoggedLock | undefined): string {
  if (lock === undefined) return "which nobody has";
  return `${lock.lockId} (${lock.mode}) of ${lock.holder} on ${lock.paths.join()}`;
}

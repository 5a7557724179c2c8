/**
 * Rights: the log against its own access lists, entry by entry (S5).
 *
 *  ACL-4   no change touches a path at which its author may not write
 *  ACL-12  lists and epochs are by admins
 *  ACL-13  a lock is taken, and made to last, by who may write at its paths; released by its holder or an admin
 *
 * What a conflict policy writes is the server's, and nobody's right.
 */
import type { Json } from "../../../shared/json.ts";
import type { Acl } from "../../../shared/permission.ts";
import type { LogEntry } from "../../../server/storage/change-log.ts";
import type { Ledger } from "../ledger.ts";
import type { LockAudit } from "../locks/lock-audit.ts";
import type { LogReplay, Violate } from "../log-replay.ts";
import { changedPlaces } from "../refusals/places.ts";
import { rightsOf } from "./rights.ts";
import type { ActorRights } from "./rights.ts";

interface AccessAuditOptions {
  readonly ledger: Ledger;
  readonly replay: LogReplay;
  readonly locks: LockAudit;
  readonly violate: Violate;
}

export class AccessAudit {
  readonly #options: AccessAuditOptions;
  #acl: Acl | undefined;
  #read = 0;

  constructor(options: AccessAuditOptions) {
    this.#options = options;
  }

  /** After the replay has read on. */
  check(): void {
    const { ledger, replay } = this.#options;
    const { creator } = ledger.access;
    for (const entry of replay.entries.slice(this.#read)) {
      if (creator !== undefined) this.#checkEntry(entry, rightsOf(this.#acl, creator, entry.actor));
      if (entry.meta !== undefined) this.#acl = entry.meta.acl;
    }
    this.#read = replay.entries.length;
  }

  #checkEntry(entry: LogEntry, rights: ActorRights): void {
    if (entry.kind === "change" && entry.origin !== "resolver") this.#checkChange(entry, rights);
    if (entry.lock !== undefined) this.#checkLock(entry, rights);
    if ((entry.kind === "meta" || entry.kind === "epoch") && !rights.isAdmin)
      this.#options.violate("S5 ACL-12", `entry ${entry.seq} (${entry.kind}) is by ${entry.actor}, who is no admin`);
  }

  #checkChange({ seq, version, actor, paths }: LogEntry, rights: ActorRights): void {
    const { replay, violate } = this.#options;
    // a deletion that came too late is there for the conflict that it lost, and says nothing
    if (replay.moments[seq - 1]?.view === replay.moments[seq]?.view) return;
    const [before, after] = [version - 1, version].map((at) => JSON.parse(replay.dataAt(at) ?? "null") as Json);
    const seen = rights.mayWriteAt("") ? [] : changedPlaces(before, after, ["data"]);
    const barred = [...paths, ...seen].filter((path) => !rights.mayWriteAt(path));
    if (barred.length > 0)
      violate("S5 ACL-4", `version ${version} by ${actor} touches ${barred.join()}, where they may not write`);
  }

  #checkLock({ seq, actor, lock }: LogEntry, rights: ActorRights): void {
    const { locks, violate } = this.#options;
    if (lock === undefined || lock.op === "expire") return;
    const paths = lock.op === "acquire" ? lock.paths : [];
    const held = locks.locks.at(seq - 1).find(({ lockId }) => lockId === lock.lockId);
    const isReleasedByForce = lock.op === "release" && held !== undefined && held.holder !== actor;
    const asked = lock.op === "renew" ? (held?.paths ?? []) : paths;
    if (isReleasedByForce && !rights.isAdmin)
      violate("S5 ACL-12", `entry ${seq} releases ${lock.lockId} by force, and ${actor} is no admin`);
    const barred = asked.filter((path) => !rights.mayWriteAt(path));
    if (barred.length > 0)
      violate("S5 ACL-13", `entry ${seq} locks ${barred.join()} for ${actor}, who may not write there`);
  }
}

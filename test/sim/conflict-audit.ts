/**
 * Records of conflicts against the log.
 *
 *  STATE-8  a conflict names the change that made it known, and sides that are in the log as it says
 *  STATE-9  it is resolved once: by the change that names it, or without a change; and then it stays as it is
 *  S2       what was told of one is there
 */
import type { Conflict, ConflictSide } from "../../shared/conflict.ts";
import { conflictOf } from "../../server/state/conflict/conflict-record.ts";
import type { ChangeLog, LogEntry } from "../../server/storage/change-log.ts";
import type { Ledger } from "./ledger.ts";
import type { LogReplay, Violate } from "./log-replay.ts";

interface ConflictAuditOptions {
  readonly ledger: Ledger;
  readonly replay: LogReplay;
  readonly violate: Violate;
}

export class ConflictAudit {
  readonly #ledger: Ledger;
  readonly #replay: LogReplay;
  readonly #violate: Violate;
  #known = new Map<string, Conflict>();

  constructor({ ledger, replay, violate }: ConflictAuditOptions) {
    this.#ledger = ledger;
    this.#replay = replay;
    this.#violate = violate;
  }

  get count(): number {
    return this.#known.size;
  }

  async check(log: ChangeLog): Promise<void> {
    const found = await this.#read(log);
    const resolving = this.#resolving();
    this.#checkTold(found);
    for (const before of this.#known.values()) this.#checkStays(before, found.get(before.id));
    for (const conflict of found.values()) {
      this.#checkOrigin(conflict);
      this.#checkResolution(conflict, resolving.get(conflict.id));
    }
    for (const [id, { version }] of resolving) {
      if (!found.has(id)) this.#violate("S3 STATE-9", `version ${version} resolves ${id}, which is no conflict`);
    }
    this.#known = found;
  }

  async #read(log: ChangeLog): Promise<Map<string, Conflict>> {
    const records = await log.listRecords(this.#ledger.id, "conflicts", { limit: Number.MAX_SAFE_INTEGER });
    const found = new Map<string, Conflict>();
    for (const { value } of records) {
      const conflict = conflictOf(value);
      if (found.has(conflict.id)) this.#violate("S3 CONFLICT-12", `there are two conflicts ${conflict.id}`);
      found.set(conflict.id, conflict);
    }
    return found;
  }

  #checkTold(found: ReadonlyMap<string, Conflict>): void {
    for (const [id, status] of this.#ledger.conflicts) {
      const there = found.get(id)?.status;
      if (there === undefined || (status === "resolved" && there !== status))
        this.#violate("S2 STATE-8", `conflict ${id} was told to be ${status} and is ${there ?? "not there"}`);
    }
  }

  #checkStays(before: Conflict, now: Conflict | undefined): void {
    if (now === undefined) return this.#violate("S2 STATE-8", `conflict ${before.id} is gone`);
    const { status, resolution, ...rest } = before;
    const { status: statusNow, resolution: resolutionNow, ...restNow } = now;
    const isSettled = status === "resolved";
    const isSame = JSON.stringify(rest) === JSON.stringify(restNow);
    if (!isSame || (isSettled && (statusNow !== status || resolution?.version !== resolutionNow?.version)))
      this.#violate("S3 STATE-9", `conflict ${before.id} was ${JSON.stringify(before)} and is ${JSON.stringify(now)}`);
  }

  #checkOrigin({ id, version, winner, loser }: Conflict): void {
    const entry = this.#replay.changeAt(version);
    if (entry === undefined || `${entry.seq}` !== id.split(".")[0])
      this.#violate("S3 STATE-8", `conflict ${id} says it came with version ${version}`);
    for (const side of [winner, loser]) this.#checkSide(id, version, side);
  }

  /** `by` is the change that names it; who lets the present stand makes none. */
  #checkResolution({ id, version, status, resolution }: Conflict, by: LogEntry | undefined): void {
    const says = `conflict ${id} is ${status} by version ${resolution?.version ?? "none"}`;
    const isConsistent = (status === "resolved") === (resolution !== undefined);
    if (!isConsistent || (resolution !== undefined && resolution.version < version)) this.#violate("S3 STATE-9", says);
    if (by !== undefined && (resolution?.version !== by.version || resolution.actor !== by.actor))
      this.#violate("S3 STATE-9", `${says}, and version ${by.version} by ${by.actor} resolves it`);
  }

  #checkSide(id: string, foundAt: number, { actor, version }: ConflictSide): void {
    if (version === undefined) {
      const isKnown = actor === undefined || this.#replay.entries.some((entry) => entry.actor === actor);
      if (!isKnown) this.#violate("S3 STATE-8", `conflict ${id} names ${actor}, who wrote nothing`);
      return;
    }
    const entry = this.#replay.changeAt(version);
    if (version > foundAt || entry === undefined || entry.actor !== actor)
      this.#violate("S3 STATE-8", `conflict ${id} names version ${version} by ${actor ?? "nobody"}`);
  }

  #resolving(): Map<string, LogEntry> {
    const resolving = new Map<string, LogEntry>();
    for (const entry of this.#replay.entries) {
      if (entry.resolves === undefined) continue;
      const first = resolving.get(entry.resolves);
      if (first !== undefined)
        this.#violate(
          "S3 STATE-9",
          `conflict ${entry.resolves} is resolved by versions ${first.version} and ${entry.version}`,
        );
      resolving.set(entry.resolves, entry);
    }
    return resolving;
  }
}

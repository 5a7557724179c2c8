/**
 * What is kept of a context's past against what it was.
 *
 *  S3  checkpoints, the base and kept ones among them, hold what the log said there; the log begins right after its base
 *      and is read alike from both ends; thinning keeps what the policy says; names stay until they are given back
 *  HIST  differences lead from one version to the other; what was restored is what it was; only what is gone is said to be
 */
import * as Y from "yjs";
import type { Json } from "../../shared/json.ts";
import type { RetentionPolicy } from "../../server/state/retention.ts";
import type { ChangeLog, Checkpoint, LogSize } from "../../server/storage/change-log.ts";
import { patched } from "../support/json-patch.ts";
import type { Ledger } from "./ledger.ts";
import type { LockAudit } from "./locks/lock-audit.ts";
import type { LogReplay, Violate } from "./log-replay.ts";
import { canonical, viewOf } from "./replica-view.ts";

interface PastAuditOptions {
  readonly ledger: Ledger;
  readonly replay: LogReplay;
  readonly violate: Violate;
  readonly retention: RetentionPolicy;
  readonly locks: LockAudit;
}

const SHARE_THAT_STAYS = 3 / 4;

export class PastAudit {
  readonly #ledger: Ledger;
  readonly #replay: LogReplay;
  readonly #violate: Violate;
  readonly #retention: RetentionPolicy;
  readonly #locks: LockAudit;
  #baseSeq = 0;

  constructor({ ledger, replay, violate, retention, locks }: PastAuditOptions) {
    this.#ledger = ledger;
    this.#replay = replay;
    this.#violate = violate;
    this.#retention = retention;
    this.#locks = locks;
  }

  async check(log: ChangeLog, size: LogSize): Promise<void> {
    await this.#checkBase(log, size);
    await this.#checkCheckpoints(log);
    await this.#checkNames(log);
    this.#checkGone(size);
    this.#checkDiffs();
    this.#checkRestored();
    this.#checkTurnedAway();
  }

  async #checkBase(log: ChangeLog, { baseSeq, baseVersion }: LogSize): Promise<void> {
    const { entries, moments, version } = this.#replay;
    if (baseSeq < this.#baseSeq) this.#violate("S3 LOG-19", `the base went back from ${this.#baseSeq} to ${baseSeq}`);
    this.#baseSeq = baseSeq;
    if (moments[baseSeq]?.version !== baseVersion)
      this.#violate("S3 LOG-19", `the base at seq ${baseSeq} says version ${baseVersion}`);
    const { changesMax, ageMsMax, bytesMax } = this.#retention;
    const stays = Math.ceil((changesMax ?? Infinity) * SHARE_THAT_STAYS);
    if (ageMsMax === undefined && bytesMax === undefined && version - baseVersion < Math.min(version, stays))
      this.#violate("S3 RET-1", `of ${version} changes those after ${baseVersion} are left, ${stays} should be`);
    const backwards = await log.readBackwards(this.#ledger.id, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
    const wanted = entries.slice(baseSeq).map(({ seq }) => seq);
    if (backwards.map(({ seq }) => seq).join() !== wanted.reverse().join())
      this.#violate("S3 LOG-8", "the log read backwards is another one");
  }

  async #checkCheckpoints(log: ChangeLog): Promise<void> {
    const { id } = this.#ledger;
    for (const info of await log.checkpoints(id)) {
      const checkpoint = await log.checkpointBefore(id, info.seq);
      const moment = this.#replay.moments[info.seq];
      if (checkpoint?.seq !== info.seq || moment === undefined || checkpoint.version !== moment.version)
        return this.#violate("S3 LOG-18", `the checkpoint at seq ${info.seq} says it is at ${checkpoint?.seq}`);
      this.#locks.checkCheckpoint(checkpoint);
      if (viewOfState(checkpoint) !== moment.view)
        this.#violate("S3 STATE-7", `the checkpoint at seq ${info.seq} differs from the log there`);
      const { retired, authorSalt } = moment.epoch;
      const isOfEpoch = authorSalt === undefined || authorSalt === checkpoint.authorSalt;
      if (
        !isOfEpoch ||
        checkpoint.retired.length !== retired.size ||
        !checkpoint.retired.every((it) => retired.has(it))
      )
        this.#violate("S3 EPOCH-4", `the checkpoint at seq ${info.seq} is not of its epoch`);
    }
  }

  async #checkNames(log: ChangeLog): Promise<void> {
    const { id, names } = this.#ledger;
    const kept = (await log.checkpoints(id)).filter(({ isKept }) => isKept);
    for (const [name, version] of names) {
      const record = await log.readRecord(id, "checkpoints", name);
      if (record?.["version"] !== version || !kept.some(({ seq }) => seq === record["seq"]))
        this.#violate("S3 HIST-14", `version ${version}, called ${name}, is not kept`);
    }
  }

  #checkGone({ baseVersion }: LogSize): void {
    for (const { after, to } of this.#ledger.skipped.splice(0)) {
      if (!(to > after && to <= baseVersion))
        this.#violate("S3 CTX-4", `a feed was told that the changes after ${after} are dropped up to ${to}`);
    }
    for (const version of this.#ledger.gone.splice(0)) {
      if (version >= baseVersion || [...this.#ledger.names.values()].includes(version))
        this.#violate("S3 HIST-3", `version ${version} was said to be gone, and is kept`);
    }
  }

  #checkDiffs(): void {
    for (const { from, to, changes } of this.#ledger.diffs.splice(0)) {
      const found = canonical(patched(this.#json(from), changes));
      if (found !== this.#replay.dataAt(to))
        this.#violate("S3 HIST-4", `from ${from} to ${to} a difference leads to ${found}`);
    }
  }

  #checkRestored(): void {
    for (const { message, version } of this.#ledger.restored.splice(0)) {
      const { version: wanted, path } = this.#ledger.restores.get(message) ?? { version, path: "" };
      const [now, then] = [version, wanted].map((at) =>
        path === "" ? this.#replay.contentAt(at) : canonical(memberOf(this.#json(at), path)),
      );
      if (now !== then)
        this.#violate("S3 HIST-10", `${message} gave ${now ?? "nothing"} instead of ${then ?? "nothing"}`);
    }
  }

  #checkTurnedAway(): void {
    const { epochs, epoch: current } = this.#replay;
    for (const { vector, epoch } of this.#ledger.turnedAway.splice(0)) {
      const isOld =
        (epoch ?? epochs.length) < epochs.length || [...vector.keys()].some((it) => current.retired.has(it));
      if (!isOld) this.#violate("S9 EPOCH-4", "a client of this epoch was turned away with 4409");
    }
  }

  #json(version: number): Json {
    return JSON.parse(this.#replay.dataAt(version) ?? "null") as Json;
  }
}

function viewOfState({ state }: Checkpoint): string {
  const doc = new Y.Doc();
  Y.applyUpdateV2(doc, state);
  return viewOf(doc);
}

/** A path of one step. */
function memberOf(data: Json, path: string): Json {
  const [, value = null] = Object.entries(data ?? {}).find(([key]) => `/${key}` === path) ?? [];
  return value;
}

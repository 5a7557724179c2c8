/**
 * The log on the disk against what was promised, as a machine that just lost power would find it.
 *
 *  S2  what was acknowledged or shown is there
 *  S3  the log from its base, and every checkpoint, give what the log from its beginning gave; what was read, announced or
 *      acknowledged at a version is what the log says at that version
 *  S8  a request under a key is in the log at most once, at the version that was answered; a refused one not at all; one
 *      that changed nothing changed nothing
 *
 * Not here: the log by itself (log-replay.ts), the past (past-audit.ts), preconditions, conflicts, locks, refusals,
 * rights.
 */
import * as Y from "yjs";
import type { Clock } from "../../server/clock.ts";
import { ContextState } from "../../server/state/context-state.ts";
import type { RetentionPolicy } from "../../server/state/retention.ts";
import type { ChangeLog, LogEntry } from "../../server/storage/change-log.ts";
import { KeyValueChangeLog } from "../../server/storage/log/key-value-change-log.ts";
import { SoleWriterCore } from "../../server/storage/log/sole-writer-core.ts";
import type { KeyValueStore } from "../../server/storage/store/store.ts";
import { AccessAudit } from "./access/access-audit.ts";
import { ConflictAudit } from "./conflict-audit.ts";
import type { Ledger } from "./ledger.ts";
import { LockAudit } from "./locks/lock-audit.ts";
import { LogReplay } from "./log-replay.ts";
import type { Violate } from "./log-replay.ts";
import { PastAudit } from "./past-audit.ts";
import { checkPrecondition } from "./precondition-audit.ts";
import { RefusalAudit } from "./refusals/refusal-audit.ts";
import { beyond, vectorOf, viewOf } from "./replica-view.ts";

export class Audit {
  readonly #ledger: Ledger;
  readonly #violate: Violate;
  readonly replay: LogReplay;
  readonly #past: PastAudit;
  readonly #conflicts: ConflictAudit;
  readonly #locks: LockAudit;
  readonly #access: AccessAudit;
  readonly #refusals: RefusalAudit;
  #baseVersion = 0;

  constructor(ledger: Ledger, violate: Violate, retention: RetentionPolicy) {
    this.#ledger = ledger;
    this.#violate = violate;
    this.replay = new LogReplay(ledger, violate);
    const parts = { ledger, violate, replay: this.replay };
    this.#locks = new LockAudit(parts);
    this.#access = new AccessAudit({ ...parts, locks: this.#locks });
    this.#past = new PastAudit({ ...parts, retention, locks: this.#locks });
    this.#conflicts = new ConflictAudit(parts);
    this.#refusals = new RefusalAudit(parts);
  }

  get doc(): Y.Doc {
    return this.replay.doc;
  }

  /** Of the newest change in the log at the last audit. */
  get version(): number {
    return this.replay.version;
  }

  /** Changes up to it are dropped. */
  get baseVersion(): number {
    return this.#baseVersion;
  }

  async check(log: ChangeLog): Promise<void> {
    try {
      await this.#check(log);
    } catch (error) {
      this.#violate("S2 LOG-1", `the data cannot be read: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  async #check(log: ChangeLog): Promise<void> {
    const { id } = this.#ledger;
    const stored = await log.load(id);
    if (stored === undefined) return this.#violate("S2 CTX-1", `context ${id} is gone`);
    const { baseSeq, baseVersion } = stored.size;
    this.#baseVersion = baseVersion;
    this.replay.readOn(baseSeq, await log.read(id, 0, Number.MAX_SAFE_INTEGER));
    const { head, meta } = stored;
    const { entries, version, epochs } = this.replay;
    if (head.seq !== entries.length || head.version !== version || meta.epoch !== epochs.length) {
      this.#violate(
        "S3 LOG-2 LOG-16",
        `the head says seq ${head.seq}, version ${head.version}, epoch ${meta.epoch}; the log has ${entries.length}, ${version} and ${epochs.length}`,
      );
    }
    const loaded = new ContextState(stored, { nodeClientId: log.nodeClientId, monotonicMs: 0 });
    if (viewOf(loaded.doc) !== viewOf(this.doc))
      this.#violate(
        "S3 STATE-7",
        `checkpoint ${stored.checkpoint.seq} and tail differ from the log at version ${version}`,
      );
    this.#locks.check();
    this.#locks.checkLoaded(loaded.locks.table.list());
    this.#access.check();
    this.#refusals.check();
    this.#checkShown();
    this.#checkChanges();
    this.#checkReads();
    this.#checkAnswers();
    await this.#past.check(log, stored.size);
    await this.#conflicts.check(log);
  }

  /** Both ways round: what was shown adds nothing, and was not something else under the same clocks. */
  #checkShown(): void {
    const { versionMax, epochMax, shown } = this.#ledger;
    if (versionMax > this.version)
      this.#violate("S2 CTX-1", `version ${versionMax} was announced, the log ends at ${this.version}`);
    if (epochMax > this.replay.epochs.length)
      this.#violate("S2 CTX-1", `epoch ${epochMax} was announced, the log ends in ${this.replay.epochs.length}`);
    for (const [number, epoch] of shown) {
      const kept = this.replay.epochs[number - 1]?.doc;
      if (!epoch.isNew || kept === undefined) continue;
      epoch.isNew = false;
      const unkept = beyond(epoch.announced, vectorOf(kept));
      if (unkept !== undefined) this.#violate("S2 CTX-1", `announced in a state vector and not in the log: ${unkept}`);
      const merged = new Y.Doc();
      Y.applyUpdate(merged, Y.encodeStateAsUpdate(epoch.doc));
      Y.applyUpdate(merged, Y.encodeStateAsUpdate(kept));
      const lost = beyond(vectorOf(merged), vectorOf(kept));
      if (lost !== undefined) this.#violate("S2 CTX-1", `shown in epoch ${number} and not in the log: ${lost}`);
      else if (merged.store.pendingStructs !== null || viewOf(merged) !== viewOf(kept))
        this.#violate("S2 CTX-1", "what was shown differs from the log under the same clocks");
    }
  }

  #checkChanges(): void {
    const ledger = this.#ledger;
    for (const seen of ledger.changes.splice(0)) {
      const entry = this.replay.entries[seen.seq - 1];
      const isIt = entry?.version === seen.version && entry.actor === seen.actor;
      if (!isIt || !isSameUpdate(seen.update, entry))
        this.#violate("S3 LOG-2", `version ${seen.version} was announced as something else than the log has`);
    }
    for (const { epoch, version, vector, why } of ledger.claims.splice(0)) {
      const lacking = beyond(vector, this.replay.epochs[epoch - 1]?.vectorAt.get(version) ?? new Map());
      if (lacking !== undefined) this.#violate("S3 WIRE-14", `${why} names version ${version}, which lacks ${lacking}`);
    }
  }

  #checkReads(): void {
    for (const { version, data } of this.#ledger.reads.splice(0)) {
      const logged = this.replay.dataAt(version);
      if (logged !== data)
        this.#violate(
          "S3 CTX-1 HIST-1",
          `a read at version ${version} saw ${data}, the log says ${logged ?? "nothing"}`,
        );
    }
  }

  #checkAnswers(): void {
    const ledger = this.#ledger;
    for (const { key, answer } of ledger.judged.splice(0)) {
      const asked = ledger.asked.get(key);
      if (asked !== undefined) checkPrecondition(asked, answer, this, this.#violate);
    }
    for (const [key, answer] of ledger.answers) {
      if (answer.kind !== "done") continue;
      const version = this.replay.versionOf(key);
      const isNothing = answer.seq === 0 && Object.keys(ledger.asked.get(key)?.counts ?? {}).length === 0;
      if (version !== (isNothing ? undefined : answer.version))
        this.#violate(
          "S2 CTX-1",
          `request ${key} was answered with seq ${answer.seq}, version ${answer.version} and is ${version ?? "not in the log"}`,
        );
    }
  }

  /** Once everything is answered: what was only ever refused did not happen. */
  checkSettled({ haveLocksEnded }: { readonly haveLocksEnded: boolean }): void {
    for (const [key, answer] of this.#ledger.answers) {
      if (answer.kind !== "refused" || this.#ledger.mayBeDone(key, answer.code)) continue;
      if (this.replay.versionOf(key) !== undefined)
        this.#violate("S8 IDEM-1", `request ${key} was refused with ${answer.code} and is in the log`);
    }
    this.#refusals.checkSettled();
    this.#locks.checkSettled(haveLocksEnded);
  }
}

/** Opens a copy of the disk as a server would, and looks. */
export async function auditAll(disk: KeyValueStore, audits: Iterable<Audit>): Promise<void> {
  const log = new KeyValueChangeLog(new SoleWriterCore({ store: disk, clock: STANDING_CLOCK }));
  await log.open();
  for (const audit of audits) await audit.check(log);
  await log.close();
}

const STANDING_CLOCK: Clock = {
  nowMs: () => 0,
  monotonicMs: () => 0,
  setTimer: () => () => undefined,
  defer: (task) => queueMicrotask(task),
  newId: () => "00000000-0000-4000-8000-000000000000",
  randomUint32: () => 1,
};

function isSameUpdate(seen: Uint8Array | undefined, { update }: LogEntry): boolean {
  return seen === undefined || seen.byteLength === 0 || Buffer.compare(seen, update) === 0;
}

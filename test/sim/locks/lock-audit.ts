/**
 * Locks: the log against what the parties were told and did.
 *
 *  S4 LOCK-2   no change in the log touches what somebody else had locked at its position, nor what anybody shared
 *  S4 LOCK-4   nor was it written under a token of no lock of its author at that position
 *  S4 LOCK-5   nor edited in a session that had lost a lock there and had not given it back
 *  S2 LOCK-9   what was told of locks is in the log
 *  S3 LOCK-10  checkpoints, and the context loaded from them, have the locks that the log gives
 *  S9 LOCK-14  in the end all locks are over, and nobody waits
 *
 * What a change touches is told twice, by the entry's paths and by what reads differently after it: both count.
 */
import { isDeepStrictEqual } from "node:util";
import { isJsonObject } from "../../../shared/json.ts";
import type { Json } from "../../../shared/json.ts";
import type { Lock } from "../../../shared/lock.ts";
import { covers, parsePath } from "../../../shared/path.ts";
import type { Checkpoint, LogEntry } from "../../../server/storage/change-log.ts";
import { meets } from "../../support/lock-model.ts";
import type { Ledger } from "../ledger.ts";
import type { LogReplay, Violate } from "../log-replay.ts";
import { EDITOR_ROOT, canonical } from "../replica-view.ts";
import { LockReplay, describe } from "./lock-replay.ts";
import type { LoggedLock } from "./lock-replay.ts";

interface LockAuditOptions {
  readonly ledger: Ledger;
  readonly replay: LogReplay;
  readonly violate: Violate;
}

export class LockAudit {
  readonly #ledger: Ledger;
  readonly #replay: LogReplay;
  readonly #violate: Violate;
  readonly #locks: LockReplay;
  #read = 0;

  constructor({ ledger, replay, violate }: LockAuditOptions) {
    this.#ledger = ledger;
    this.#replay = replay;
    this.#violate = violate;
    this.#locks = new LockReplay(violate, (lockId, actor) => ledger.locks.isForcedBy(lockId, actor));
  }

  get locks(): LockReplay {
    return this.#locks;
  }

  /** After the replay has read on. */
  check(): void {
    const { entries } = this.#replay;
    for (const entry of entries.slice(this.#read)) {
      if (entry.kind === "change") this.#checkChange(entry);
      this.#locks.apply(entry);
    }
    this.#read = entries.length;
    this.#checkTold();
    this.#checkShown();
  }

  checkLoaded(locks: readonly Lock[]): void {
    this.#checkTable("the context that was loaded", locks, this.#read);
  }

  checkCheckpoint({ seq, locks }: Checkpoint): void {
    this.#checkTable(`the checkpoint at seq ${seq}`, locks, seq);
  }

  checkSettled(haveLocksEnded: boolean): void {
    const [left] = this.#locks.now;
    if (haveLocksEnded && left !== undefined)
      this.#violate("S9 LOCK-14", `nobody keeps ${describe(left)}, and it is still there`);
    if (this.#ledger.locks.line.length > 0) this.#violate("S9 LOCK-8", "somebody still waits for a lock");
  }

  #checkTable(whose: string, locks: readonly Lock[], seq: number): void {
    const found = locks.map(({ purpose: _purpose, grantedAtMs: _atMs, ...lock }) => lock);
    const wanted = this.#locks.at(seq);
    if (!isDeepStrictEqual(byToken(found), byToken(wanted)))
      this.#violate(
        "S3 LOCK-10",
        `${whose} has ${found.map(describe).join(" and ")}, the log ${wanted.map(describe).join(" and ")}`,
      );
  }

  #checkChange(entry: LogEntry): void {
    const { seq, version, actor, message = "" } = entry;
    const { moments } = this.#replay;
    // a deletion that came too late is there for the conflict that it lost, and says nothing
    const touched = moments[seq - 1]?.view === moments[seq]?.view ? [] : entry.paths;
    const inWay = this.#locks.now.filter((lock) => !this.#mayWrite(entry, lock));
    const [before, after] = inWay.length === 0 ? [null, null] : [this.#content(version - 1), this.#content(version)];
    for (const lock of inWay) {
      if (meets(lock.paths, touched) || lock.paths.some((path) => at(before, path) !== at(after, path)))
        this.#violate(
          "S4 LOCK-2",
          `version ${version} by ${actor} (${message}) touches ${entry.paths.join()}, in spite of ${describe(lock)}`,
        );
    }
    if (entry.origin === "sync") this.#checkLost(entry, touched);
    this.#checkTokens(entry);
  }

  #checkTokens({ seq, version, actor, message = "" }: LogEntry): void {
    for (const token of this.#ledger.locks.tokensOf.get(message) ?? []) {
      const isHeld = this.#locks.now.some((lock) => lock.fencingToken === token && lock.holder === actor);
      if (!isHeld) this.#violate("S4 LOCK-4", `version ${version} at seq ${seq} was written under token ${token}`);
    }
  }

  #checkLost({ version, actor, update }: LogEntry, touched: readonly string[]): void {
    const tokens = this.#ledger.edits.tokensOf(update);
    const held = this.#locks.now.filter((lock) => tokens.includes(lock.fencingToken) && lock.holder === actor);
    // a lock that was asked for before the edit may be granted before it is judged, and told after
    const taken = this.#locks.now
      .filter((lock) => held.includes(lock) || this.#isOwn(update, lock))
      .flatMap(({ paths }) => paths);
    const barred = touched.filter((path) => !taken.some((own) => covers(parsePath(own), parsePath(path))));
    for (const token of tokens) {
      const lost = held.some((lock) => lock.fencingToken === token) ? undefined : this.#locks.granted.get(token);
      if (lost !== undefined && meets(lost.paths, barred))
        this.#violate(
          "S4 LOCK-5",
          `version ${version} by ${actor} touches ${barred.join()}, where its session lost ${describe(lost)}`,
        );
    }
  }

  /** Its holder is who shows its token, or the session that took it: not everybody of that name. */
  #mayWrite(entry: LogEntry, { lockId, mode, holder, fencingToken }: LoggedLock): boolean {
    if (mode === "shared" || entry.actor !== holder) return false;
    if (entry.origin === "sync") return this.#isOwn(entry.update, { lockId, holder });
    return this.#ledger.locks.tokensOf.get(entry.message ?? "")?.includes(fencingToken) === true;
  }

  /** Somebody who sent the edit took the lock. */
  #isOwn(update: Uint8Array, { lockId, holder }: Pick<LoggedLock, "lockId" | "holder">): boolean {
    const { locks, edits } = this.#ledger;
    const owners = locks.owners.get(lockId);
    return [...edits.sendersOf(update)].some((party) => owners?.get(party) === holder);
  }

  #checkTold(): void {
    const { locks } = this.#ledger;
    for (const { lockId, holder, fencingToken, paths, mode } of locks.granted.splice(0)) {
      const logged = this.#locks.granted.get(fencingToken);
      const isIt = logged?.lockId === lockId && logged.holder === holder && logged.mode === mode;
      if (!isIt || canonical(logged.paths) !== canonical(paths))
        this.#violate(
          "S2 LOCK-9",
          `${holder} was told to have ${lockId} with token ${fencingToken}, and the log says ${describe(logged)}`,
        );
    }
    const granted = new Set([...this.#locks.granted.values()].map(({ lockId }) => lockId));
    for (const { lockId, why } of locks.named.splice(0))
      if (!granted.has(lockId)) this.#violate("S2 LOCK-9", `${why} names lock ${lockId}, which was never granted`);
  }

  /** Refusals of live edits name what is in the way. */
  #checkShown(): void {
    const { edits, locks } = this.#ledger;
    for (const { party, code, details, places } of edits.refusals.splice(0)) {
      const lock = [...this.#locks.granted.values()].findLast((it) =>
        code === "LOCKED" ? it.lockId === details["lockId"] : it.fencingToken === details["fencingToken"],
      );
      const isInWay = lock !== undefined && (places.length === 0 || meets(lock.paths, places));
      if (code === "LOCKED" && !isInWay)
        this.#violate("S4 LOCK-2", `${party} edited ${places.join()} and was refused for ${describe(lock)}`);
      const isItsOwn = lock !== undefined && locks.owners.get(lock.lockId)?.has(party) === true;
      if (code === "FENCE_STALE" && !(isInWay && isItsOwn))
        this.#violate("S4 LOCK-5", `${party} edited ${places.join()} and was refused for its lost ${describe(lock)}`);
    }
  }

  #content(version: number): Json {
    const [data = "null", all = ""] = [this.#replay.dataAt(version), this.#replay.contentAt(version)];
    return { data: JSON.parse(data) as Json, [EDITOR_ROOT]: all.slice(data.length) };
  }
}

/** What stands at a path, as text: all of it for "". */
function at(content: Json, path: string): string | undefined {
  let value: Json | undefined = content;
  for (const step of parsePath(path)) {
    if (Array.isArray(value)) value = value[Number(step)];
    else value = isJsonObject(value) ? value[step] : undefined;
  }
  return value === undefined ? undefined : canonical(value);
}

function byToken(locks: readonly LoggedLock[]): readonly LoggedLock[] {
  return locks.toSorted((a, b) => a.fencingToken - b.fencingToken);
}

/**
 * One context in memory: its document, who owns which Yjs client id, who wrote last where, and the admission of changes.
 *
 * Invariants (STATE):
 *  1. A write is judged before the document is touched: a refusal leaves it as it was.
 *  2. Nothing pending is ever accepted, and no update writes under another actor's Yjs client id or the server's own.
 *  3. `seq` and `version` count what was admitted; the log assigns the same numbers when it appends in the same order.
 *  4. After `admit` the document is usable, or DocumentBroken was thrown and the caller drops this object.
 *  5. A conflict is told with the change that made it known; what its policy writes follows in the same turn.
 *
 * Not here: durability (what is admitted may still be lost), sessions, clocks.
 */
import * as Y from "yjs";
import type { JsonOp } from "../../shared/change.ts";
import type { ContextMeta } from "../../shared/context.ts";
import type { Conflict } from "../../shared/conflict.ts";
import type { ErrorCode } from "../../shared/errors.ts";
import { ServiceError, toServiceError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { LockEvent } from "../../shared/lock.ts";
import { voidOf } from "../../shared/void-update.ts";
import type { Checkpoint, LogEntry, LogSize } from "../storage/change-log.ts";
import type { Guarded } from "./access/access-policy.ts";
import { AccessDesk } from "./access/access-desk.ts";
import { authorIdOf, isAuthorId } from "./author-id.ts";
import { ClientIds } from "./client-ids.ts";
import { ClockIndex } from "./clock-index.ts";
import { CollectedPlaces } from "./conflict/collected-places.ts";
import { ConflictProbe } from "./conflict/conflict-detector.ts";
import type { ProbeOptions } from "./conflict/conflict-detector.ts";
import { ConflictDesk } from "./conflict/conflict-desk.ts";
import { RecentDeletions } from "./conflict/recent-deletions.ts";
import { DocumentFold } from "./document-fold.ts";
import { LockDesk } from "./locks/lock-desk.ts";
import { applyJsonOps } from "./json/json-changes.ts";
import { writeAs } from "./json/write-as.ts";
import type { WrittenJson } from "./json/write-as.ts";
import { coverOf } from "./path-cover.ts";
import { checkPaths, checkVersion, statedPaths } from "./precondition.ts";
import type { Present } from "./precondition.ts";
import type { ContextSchema } from "./schema/context-schema.ts";
import { Rehearsal } from "./schema/rehearsal.ts";
import { SizeGuard } from "./size-guard.ts";
import { TouchIndex } from "./touch-index.ts";
import { touchOf } from "./update/touched-paths.ts";
import type { Touch } from "./update/touched-paths.ts";
import { refusedBefore } from "./update/update-refusals.ts";
import { scanUpdate } from "./update/update-scanner.ts";
import type { ScannedUpdate } from "./update/update-scanner.ts";
import type { AdmittedChange, LockWrite, MetaWrite, Moment, OpsWrite, UpdateWrite, Verdict, Write } from "./writes.ts";

/** What a context is loaded from; the log's types fit (server/storage/change-log.ts). */
export interface StoredState {
  readonly meta: Guarded & Pick<ContextMeta, "authorSalt">;
  readonly checkpoint: Checkpoint;
  readonly tail: readonly LogEntry[];
  readonly head: { readonly seq: number; readonly version: number; readonly updatedAtMs: number };
  readonly size: Pick<LogSize, "bytes">;
}

/** The document threw or stopped working: it and everything admitted in the same turn must be dropped and loaded again. */
export class DocumentBroken extends Error {
  /** The write that did it. */
  readonly culprit: Write | undefined;

  constructor(culprit: Write | undefined, cause: unknown) {
    super("The document cannot be used any more; it must be loaded from the log again.", { cause });
    this.name = "DocumentBroken";
    this.culprit = culprit;
  }
}

const LIVE = Symbol("live");

/** A Yjs update that says nothing: no structs, no deletes. */
const NOTHING = Uint8Array.of(0, 0);

/** Refusals of what an edit says or where, after which the edit's clocks are taken. */
const VOIDED: ReadonlySet<ErrorCode> = new Set(["LOCKED", "FENCE_STALE", "FORBIDDEN", "SCHEMA_VIOLATION"]);

export interface StateOptions {
  readonly nodeClientId: number;
  /** This server's place among those that write the data; undefined when it is the only one. */
  readonly nodeSlot?: number | undefined;
  /** Now: leases of a loaded context begin anew. */
  readonly monotonicMs: number;
  readonly schema?: ContextSchema | undefined;
}

export class ContextState implements Present {
  readonly doc: Y.Doc;
  readonly clientIds: ClientIds;
  readonly touches: TouchIndex;
  readonly size: SizeGuard;
  readonly locks: LockDesk;
  readonly access: AccessDesk;
  readonly #voids: Map<number, number>;
  readonly #clocks: ClockIndex;
  readonly #collected: CollectedPlaces;
  readonly #deletions = new RecentDeletions();
  readonly #conflicts: ConflictDesk;
  /** Why an edit of a session was voided. */
  readonly #voided = new WeakMap<object, ServiceError>();
  #rehearsal: Rehearsal | undefined;
  #seq: number;
  #version: number;
  #updatedAtMs: number;

  constructor(stored: StoredState, { nodeClientId, nodeSlot, monotonicMs, schema }: StateOptions) {
    const { checkpoint, tail, head, meta } = stored;
    const fold = new DocumentFold(checkpoint, { nodeClientId });
    fold.apply(tail);
    this.doc = fold.doc;
    this.locks = new LockDesk(fold.locks.list(), monotonicMs, nodeSlot !== undefined);
    this.access = new AccessDesk(meta);
    this.#voids = fold.voids;
    const isServers = (client: number): boolean => isAuthorId(client, nodeClientId, meta);
    const ids = { authorId: authorIdOf(nodeClientId, meta, nodeSlot), isServers };
    this.clientIds = new ClientIds(ids, fold.owners, fold.retired);
    this.#seq = head.seq;
    this.#version = head.version;
    this.#updatedAtMs = head.updatedAtMs;
    this.touches = new TouchIndex(checkpoint.version);
    for (const entry of tail) if (entry.kind === "change") this.#remember(entry);
    this.#clocks = new ClockIndex(head.version);
    this.#collected = new CollectedPlaces(this.doc);
    this.#conflicts = new ConflictDesk({ clocks: this.#clocks, touches: this.touches, clientIds: this.clientIds });
    const grown = tail.reduce((sum, { update }) => sum + update.byteLength, 0);
    this.size = new SizeGuard(this.doc, { measured: checkpoint.state.byteLength, grown, stored: stored.size.bytes });
    this.useSchema(schema);
  }

  get seq(): number {
    return this.#seq;
  }

  get version(): number {
    return this.#version;
  }

  get updatedAtMs(): number {
    return this.#updatedAtMs;
  }

  /** The clock of the first void of each Yjs client id that has some: its author's document may hold what was refused. */
  get voids(): ReadonlyMap<number, number> {
    return this.#voids;
  }

  /** The schema of the context's type from now on; undefined for none. */
  useSchema(schema: ContextSchema | undefined): void {
    this.#rehearsal = schema === undefined ? undefined : new Rehearsal(this.doc, schema);
    this.#conflicts.useSchema(schema);
  }

  /** Writes that the conflict policies of what was admitted ask for: to be admitted next, in the same turn. */
  takeResolutions(): readonly OpsWrite[] {
    return this.#conflicts.takeResolutions();
  }

  /**
   * Judges and applies writes in order. Neighbouring live updates share one Yjs transaction, which makes each several
   * times cheaper.
   * @throws {DocumentBroken}
   */
  admit(writes: readonly Write[], now: Moment): Verdict[] {
    const verdicts: Verdict[] = [];
    let at = 0;
    const admitNext = (): void => {
      const write = writes[at];
      if (write === undefined) return;
      verdicts.push(this.#admitOne(write, now));
      at++;
    };
    try {
      while (at < writes.length) {
        if (writes[at]?.kind !== "update") {
          admitNext();
        } else {
          this.doc.transact(() => {
            while (writes[at]?.kind === "update") admitNext();
          }, LIVE);
        }
      }
      // an exception inside Yjs' clean-up leaves the document deaf for good (docs/yjs.md Y8)
      if (this.doc._transaction !== null || this.doc._transactionCleanups.length > 0)
        throw new Error("a transaction was left open");
    } catch (error) {
      throw new DocumentBroken(writes[at] ?? writes.at(-1), error);
    }
    return verdicts;
  }

  /**
   * What others appended after what this knows: it is in the log, and not judged again. Gives the clocks it advanced.
   * @throws {DocumentBroken}
   */
  absorb(entry: LogEntry, { monotonicMs }: Pick<Moment, "monotonicMs">): Touch["advances"] {
    if (entry.lock !== undefined) this.locks.apply(entry.lock, entry, monotonicMs);
    if (entry.meta !== undefined) this.access.apply(entry.meta);
    let advances: Touch["advances"] = [];
    if (entry.kind === "change" || entry.kind === "void") {
      advances = advancesOf(this.doc, entry.update);
      try {
        Y.applyUpdate(this.doc, entry.update, LIVE);
        this.#rehearsal?.applied(entry.update);
        if (this.doc.store.pendingStructs !== null || this.doc.store.pendingDs !== null)
          throw new Error("the entry refers to content that is not there");
      } catch (error) {
        throw new DocumentBroken(undefined, error);
      }
      this.#absorbed(entry, advances);
    }
    this.#seq = entry.seq;
    this.#version = entry.version;
    return advances;
  }

  #absorbed(entry: LogEntry, advances: Touch["advances"]): void {
    const { kind, actor, version, update } = entry;
    this.clientIds.claimed(advances, actor);
    this.size.grew(update.byteLength, kind === "change" && advances.length === 0);
    if (kind === "void") return this.#voidedAt(advances);
    this.#remember(entry);
    this.#clocks.record(advances, { version, actor, source: undefined });
    if (entry.resolves !== undefined) this.#conflicts.resolved({ id: entry.resolves });
    this.#updatedAtMs = Math.max(this.#updatedAtMs, entry.atMs);
  }

  #voidedAt(advances: Touch["advances"]): void {
    for (const { client, from } of advances) if (!this.#voids.has(client)) this.#voids.set(client, from);
  }

  #admitOne(write: Write, now: Moment): Verdict {
    if (write.kind === "update") return this.#admitUpdate(write, now);
    if (write.kind === "ops") return this.#admitOps(write, now);
    return write.kind === "lock" ? this.#admitLock(write, now) : this.#admitMeta(write, now);
  }

  #admitUpdate(write: UpdateWrite, now: Moment): Verdict {
    const { actor } = write;
    let { update } = write;
    let probe: ConflictProbe;
    let touch: Touch | undefined;
    try {
      const scanned = scanUpdate(update);
      touch = touchOf(this.doc, scanned);
      update = this.#newIn(write);
      // first: what is refused for another reason takes its clocks, which must be its author's
      this.clientIds.check(touch.advances, actor);
      this.#checkVoids(write, touch);
      if (touch.isNoop && this.#isNothing(write)) return { kind: "unchanged" };
      this.#checkEdit(write, touch, now);
      probe = new ConflictProbe(this.doc, scanned, this.#probeOptions(write, scanned));
      // last: what passes it, the document must get
      if (!touch.isNoop) this.#rehearsal?.tryUpdate(update, touch.paths);
    } catch (error) {
      return this.#refused(write, toServiceError(error), touch, now);
    }
    if (!touch.isNoop) Y.applyUpdate(this.doc, update, LIVE);
    this.clientIds.claim(touch.advances, actor);
    const { atMs } = now;
    const next = { actor, atMs, seq: this.#seq + 1, version: this.#version + 1 };
    const conflicts = this.#conflicts.judge(probe.conflicts(), this.doc, next);
    // a deletion that came too late changes nothing; if it lost against something, that is what there is to tell
    if (touch.isNoop && conflicts.length === 0) return { kind: "unchanged" };
    const paths = touch.isNoop ? pathsOf(conflicts) : touch.paths;
    const { advances } = touch;
    if (advances.length === 0) this.#deletions.add(update);
    return this.#admitted(
      { kind: "change", actor, origin: "sync", atMs, paths, update, advances, conflicts },
      write.source,
    );
  }

  /** An answer tells voided places again, also those that are gone since: that must not get into the log by it. */
  #newIn({ update, isAnswer = false }: UpdateWrite): Uint8Array {
    return isAnswer && this.#voids.size > 0 ? Y.diffUpdate(update, Y.encodeStateVector(this.doc)) : update;
  }

  /**
   * What a session sends on before it learns of a refusal may build on what was voided: it can be seen nowhere, and must
   * not get around the refusal into the log and to others either.
   */
  #checkVoids({ source }: UpdateWrite, { hasVoided, hasVanishing }: Touch): void {
    if (hasVoided) throw refusedBefore();
    const error = source === undefined ? undefined : this.#voided.get(source);
    if (error !== undefined && hasVanishing) throw error;
  }

  #checkEdit(write: UpdateWrite, { paths, advances, isNoop }: Touch, { monotonicMs }: Moment): void {
    if (!isNoop) this.access.checkWrite(paths, write);
    // what only deletes is the way out of a full context
    if (advances.length > 0) this.size.check(write.update.byteLength);
    this.locks.checkEdit(paths, write, monotonicMs);
  }

  /**
   * Of an update that the server has all of: it was sent before, or what else there may be to tell of it, a deletion that
   * lost against something, is not its author's to say.
   */
  #isNothing(write: UpdateWrite): boolean {
    const { update, isAnswer = false } = write;
    return isAnswer || this.#deletions.has(update) || !this.access.mayWriteAt("", write);
  }

  #probeOptions(write: UpdateWrite, { deletes }: ScannedUpdate): ProbeOptions {
    const { update, baseVersion, source, isAnswer = false } = write;
    const options = { update, isWhole: isAnswer, collected: this.#collected };
    // it matters to deletions alone
    if (baseVersion === undefined || deletes.length === 0) return options;
    const knows = this.#clocks.knowledgeOf(baseVersion, source);
    return knows === undefined ? options : { ...options, knows };
  }

  #admitOps(write: OpsWrite, now: Moment): Verdict {
    const client = this.clientIds.authorId;
    const from = Y.getState(this.doc.store, client);
    let written: WrittenJson;
    try {
      written = this.#judgedAndWritten(write, now);
    } catch (error) {
      if (error instanceof ServiceError) return { kind: "refused", error };
      throw error;
    }
    const { paths, update } = written;
    if (update === undefined) return { kind: "unchanged" };
    const to = Y.getState(this.doc.store, client);
    const { actor, origin, message, resolves } = write;
    if (resolves !== undefined) this.#conflicts.resolved(resolves);
    return this.#admitted({
      kind: "change",
      actor,
      origin,
      atMs: now.atMs,
      paths,
      update,
      advances: to > from ? [{ client, from, to }] : [],
      conflicts: [],
      ...(message === undefined ? {} : { message }),
      ...(resolves === undefined ? {} : { resolves: resolves.id }),
    });
  }

  /** @throws {ServiceError} and leaves the document as it was */
  #judgedAndWritten(write: OpsWrite, now: Moment): WrittenJson {
    // who lost its lock is told so, also if it would write nothing
    this.locks.checkWrite([], write, now.monotonicMs);
    if (write.ifVersion !== undefined) checkVersion(write.ifVersion, this);
    if (write.resolves !== undefined) this.#conflicts.checkOpen(write.resolves);
    const ops = typeof write.ops === "function" ? write.ops(this.doc) : write.ops;
    if (write.ifVersion?.scope === "paths") checkPaths(write.ifVersion, statedPaths(ops), this);
    // what only removes is the way out of a full context
    if (!ops.every((op) => op.op === "remove" || op.op === "test")) this.size.check(0);
    return this.#write({ ...write, ops }, now);
  }

  #write(write: OpsWrite & { readonly ops: readonly JsonOp[] }, now: Moment): WrittenJson {
    const { ops, ifVersion, origin } = write;
    const beforeWrite = (paths: readonly string[]): void => {
      this.access.checkWrite(paths, write);
      this.locks.checkWrite(paths, write, now.monotonicMs);
      if (ifVersion?.scope === "paths") checkPaths(ifVersion, paths, this);
    };
    const clientId = this.clientIds.authorId;
    // a conflict may be resolved by operations that a caller gave
    const isPlanned = origin === "restore" || origin === "undo";
    if (this.#rehearsal === undefined)
      return writeAs(this.doc, clientId, () => applyJsonOps(this.doc, ops, LIVE, { beforeWrite, isPlanned }));
    // what puts an earlier state back may set a counter
    const maySetCounters = isPlanned || origin === "resolver";
    const rehearsed = this.#rehearsal.tryOps(ops, { clientId, beforeWrite, isPlanned, maySetCounters });
    if (rehearsed.update !== undefined) Y.applyUpdate(this.doc, rehearsed.update, LIVE);
    return rehearsed;
  }

  #admitLock(write: LockWrite, { atMs, monotonicMs }: Moment): Verdict {
    const { actor, origin, event, leases } = write;
    // given back also when it was lost: its session knows now that it has it no more
    if (event.op === "release") leases?.remove(event.lockId);
    let lock: LockEvent | undefined;
    try {
      lock = this.#judgeLock(write, monotonicMs);
    } catch (error) {
      return { kind: "refused", error: toServiceError(error) };
    }
    const paths = this.locks.pathsOf(event);
    if (lock !== undefined) this.locks.apply(lock, { seq: ++this.#seq, actor, atMs }, monotonicMs);
    const held = this.locks.table.get(event.lockId);
    if (held !== undefined && event.op !== "expire") leases?.add(held);
    if (lock === undefined) return { kind: "unchanged" };
    return { kind: "admitted", change: { kind: "lock", actor, origin, atMs, paths, update: NOTHING, lock } };
  }

  #judgeLock(write: LockWrite, monotonicMs: number): LockEvent | undefined {
    const { actor, event, isForced = false } = write;
    if (event.op === "acquire" || event.op === "renew") this.access.checkWrite(this.locks.pathsOf(event), write);
    return this.locks.judge(event, { actor, mayRelease: isForced && this.access.isAdmin(write) }, monotonicMs);
  }

  #admitMeta(write: MetaWrite, { atMs }: Moment): Verdict {
    const { actor, origin, change: meta } = write;
    try {
      if (!this.access.judge(meta, write)) return { kind: "unchanged" };
    } catch (error) {
      return { kind: "refused", error: toServiceError(error) };
    }
    this.access.apply(meta);
    this.#seq++;
    return { kind: "admitted", change: { kind: "meta", actor, origin, atMs, paths: [], update: NOTHING, meta } };
  }

  /**
   * A live edit that only its place or its content forbids is voided, so that what its author writes next still fits.
   * Bytes that are damaged, or written under an id that is not the author's, take no clocks; nor does what somebody writes
   * who may write nowhere: nothing of theirs will follow, and readers must not make the log grow.
   */
  #refused(write: UpdateWrite, error: ServiceError, touch: Touch | undefined, { atMs }: Moment): Verdict {
    const { actor, source } = write;
    if (source !== undefined && VOIDED.has(error.code)) this.#voided.set(source, error);
    const isVoided = VOIDED.has(error.code) && this.access.mayWrite(write);
    const update = touch !== undefined && isVoided ? voidOf(touch.advances) : undefined;
    if (touch === undefined || update === undefined) return { kind: "refused", error };
    Y.applyUpdate(this.doc, update, LIVE);
    this.#rehearsal?.applied(update);
    const { advances, paths } = touch;
    this.clientIds.claim(advances, actor);
    this.#voidedAt(advances);
    this.size.grew(update.byteLength, false);
    this.#seq++;
    const message = error.code;
    return {
      kind: "refused",
      error,
      instead: { kind: "void", actor, origin: "sync", atMs, message, paths, update, advances },
    };
  }

  #remember(entry: LogEntry): void {
    this.touches.record(entry.paths, entry);
    if (entry.origin === "sync") this.#deletions.add(entry.update);
  }

  #admitted(change: AdmittedChange, source?: object): Verdict {
    this.#seq++;
    this.#version++;
    this.#updatedAtMs = change.atMs;
    const { actor, atMs, paths, advances } = change;
    const version = this.#version;
    this.touches.record(paths, { version, actor, atMs });
    this.#clocks.record(advances, { version, actor, source });
    this.size.grew(change.update.byteLength, advances.length === 0);
    return { kind: "admitted", change };
  }
}

/** What of an update the document does not have. */
function advancesOf({ store }: Y.Doc, update: Uint8Array): Touch["advances"] {
  const { from, to } = Y.parseUpdateMeta(update);
  return Array.from(to, ([client, end]) => ({
    client,
    from: Math.max(from.get(client) ?? 0, Y.getState(store, client)),
    to: end,
  })).filter((advance) => advance.to > advance.from);
}

function pathsOf(conflicts: readonly Conflict[]): readonly string[] {
  return coverOf(new Set(conflicts.map(({ path }) => path)), LIMITS.touchedPathsMax);
}

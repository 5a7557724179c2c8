/**
 * What left the server about one context: everything that somebody was told or shown, and is thereby promised; and what
 * was asked for.
 *
 * It is written by the taps on connections and by the callers of the service, never by the code under test;
 * audit.ts holds the log on the disk against it.
 */
import * as Y from "yjs";
import type { JsonOp, VersionScope } from "../../shared/change.ts";
import type { ConflictStatus } from "../../shared/conflict.ts";
import type { ErrorDetails } from "../../shared/errors.ts";
import type { ContextId } from "../../shared/ids.ts";
import type { Counts } from "./habits.ts";
import { AccessLedger } from "./access/access-ledger.ts";
import { LockLedger } from "./locks/lock-ledger.ts";
import type { Scene } from "./locks/lock-ledger.ts";
import { EditLedger } from "./refusals/edit-ledger.ts";
import { canonical } from "./replica-view.ts";

/** A change as somebody saw it; receipts and feeds have no bytes. */
export interface SeenChange {
  readonly version: number;
  readonly seq: number;
  readonly actor: string;
  readonly update?: Uint8Array;
}

/** A change under a key, as it is asked for. */
export interface KeyedChange {
  readonly key: string;
  readonly ops: readonly JsonOp[];
  readonly ifVersion?: number;
  readonly ifVersionScope?: VersionScope;
  /** What it adds to which counter. */
  readonly counts?: Counts;
  readonly lockTokens?: readonly number[];
}

export type Answer =
  | { readonly kind: "done"; readonly version: number; readonly seq: number; readonly replayed: boolean }
  | { readonly kind: "refused"; readonly code: string; readonly details: ErrorDetails };

/** A promise that the state at a version is no older than this. */
interface VectorClaim {
  readonly epoch: number;
  readonly version: number;
  readonly vector: ReadonlyMap<number, number>;
  readonly why: string;
}

/** What was shown of one epoch of the document. */
export interface ShownEpoch {
  /** Everything shown, merged. */
  readonly doc: Y.Doc;
  /** The newest state vector that was announced. */
  readonly announced: Map<number, number>;
  /** Something was added since it was held against the log. */
  isNew: boolean;
}

/** An answer about the past: from `from` to `to`, or one version. */
interface SeenDiff {
  readonly from: number;
  readonly to: number;
  readonly changes: readonly JsonOp[];
}

export class Ledger {
  readonly id: ContextId;
  readonly locks: LockLedger;
  readonly access: AccessLedger;
  readonly edits = new EditLedger();
  readonly shown = new Map<number, ShownEpoch>();
  versionMax = 0;
  epochMax = 1;
  readonly answers = new Map<string, Answer>();
  readonly asked = new Map<string, Omit<KeyedChange, "key"> & { readonly counts: Counts }>();
  /** Versions with names; until somebody asks to forget one it is there. */
  readonly names = new Map<string, number>();
  /** What was to be restored, by message. */
  readonly restores = new Map<string, { readonly version: number; readonly path: string }>();
  /** Conflicts that were told, with the last thing said of them. */
  readonly conflicts = new Map<string, ConflictStatus>();
  // --- not yet held against the log
  changes: SeenChange[] = [];
  reads: { readonly version: number; readonly data: string }[] = [];
  diffs: SeenDiff[] = [];
  claims: VectorClaim[] = [];
  /** Answers done and refused, as they came. */
  judged: { readonly key: string; readonly answer: Answer }[] = [];
  restored: { readonly message: string; readonly version: number }[] = [];
  /** Feeds that were told that what comes next is dropped, and from which version on all is kept. */
  skipped: { readonly after: number; readonly to: number }[] = [];
  /** Versions that were said not to be kept. */
  gone: number[] = [];
  /** Documents that were turned away as those of an earlier epoch, and the epoch of their last session. */
  turnedAway: { readonly vector: ReadonlyMap<number, number>; readonly epoch: number | undefined }[] = [];
  /** How often what was asked for under a key was sent. */
  readonly #sent = new Map<string, number>();
  readonly #violate: (rule: string, what: string) => void;

  constructor(id: ContextId, violate: (rule: string, what: string) => void, scene: Scene) {
    this.id = id;
    this.#violate = violate;
    this.locks = new LockLedger(violate, scene);
    this.access = new AccessLedger(violate, scene);
  }

  epoch(epoch: number): ShownEpoch {
    this.epochMax = Math.max(this.epochMax, epoch);
    let shown = this.shown.get(epoch);
    if (shown === undefined) {
      shown = { doc: new Y.Doc(), announced: new Map(), isNew: true };
      shown.doc.clientID = 1;
      this.shown.set(epoch, shown);
    }
    return shown;
  }

  asks({ key, counts = {}, lockTokens = [], ...change }: KeyedChange): void {
    this.asked.set(key, { ...change, counts });
    this.locks.tokensOf.set(key, lockTokens);
  }

  /** A request under this key goes out, for the first time or again. */
  sends(key: string): void {
    this.#sent.set(key, (this.#sent.get(key) ?? 0) + 1);
  }

  /** It was refused, and yet may have been done: by an earlier request, of which who lost the right to ask is told nothing. */
  mayBeDone(key: string, code: string): boolean {
    return DENIALS.has(code) && (this.#sent.get(key) ?? 0) > 1;
  }

  sawVersion(version: number): void {
    this.versionMax = Math.max(this.versionMax, version);
  }

  sawUpdate(epoch: number, update: Uint8Array): void {
    const shown = this.epoch(epoch);
    shown.isNew = true;
    Y.applyUpdate(shown.doc, update);
  }

  /** A change of the log; its bytes belong to an epoch, if they were shown. */
  sawChange(change: SeenChange, epoch?: number): void {
    this.sawVersion(change.version);
    this.changes.push(change);
    if (epoch !== undefined && change.update !== undefined && change.update.byteLength > 0)
      this.sawUpdate(epoch, change.update);
  }

  sawRead(version: number, data: unknown): void {
    this.sawVersion(version);
    this.reads.push({ version, data: canonical(data) });
  }

  claim(claim: VectorClaim): void {
    this.sawVersion(claim.version);
    this.claims.push(claim);
  }

  /** The server said it has this much; no version was named with it. */
  sawVector(epoch: number, vector: ReadonlyMap<number, number>): void {
    const shown = this.epoch(epoch);
    shown.isNew = true;
    for (const [client, clock] of vector)
      shown.announced.set(client, Math.max(clock, shown.announced.get(client) ?? 0));
  }

  sawConflict(id: string, status: ConflictStatus): void {
    if (this.conflicts.get(id) !== "resolved") this.conflicts.set(id, status);
  }

  /** The answer to a change under a key. What was done is answered alike for ever; what was refused may be tried again. */
  sawAnswer(key: string, answer: Answer): void {
    this.judged.push({ key, answer });
    if (answer.kind === "done") this.sawVersion(answer.version);
    const first = this.answers.get(key);
    // who lost the right to ask is not told again what was done
    if (first?.kind === "done" && answer.kind === "refused" && DENIALS.has(answer.code)) return;
    if (first?.kind !== "done") this.answers.set(key, answer);
    else if (answer.kind !== "done" || first.version !== answer.version || first.seq !== answer.seq) {
      this.#violate(
        "S8 IDEM-1",
        `request ${key} was answered ${JSON.stringify(first)} and then ${JSON.stringify(answer)}`,
      );
    }
  }
}

const DENIALS: ReadonlySet<string> = new Set(["FORBIDDEN", "CONTEXT_NOT_FOUND"]);

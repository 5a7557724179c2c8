/**
 * The audit log: who did or was denied what, kept beside the contexts.
 *
 * Invariants (AUDIT):
 *  1. `record` never throws and never waits. What it takes is written in batches, in order, and again after a failed write.
 *  2. Denials alike (actor, address, action, code, rule, context, paths) within `auditWindowMs` are one entry, whose count is written when that
 *     time is over. Deeds are never joined.
 *  3. Entries a second, entries that wait, and counts under way are bounded, of deeds and denials each; what is beyond is
 *     counted in an entry `audit.suppress`.
 *  4. What was recorded before `list` is in its answer, counts under way too.
 *
 * Not here: keys and bounds of what is kept (audit-store.ts), who may read it (server/use-cases/audit.ts).
 */
import type { AuditEntry, AuditEvent, AuditFilter, AuditOutcome, AuditQuery } from "../../shared/audit.ts";
import type { JsonObject } from "../../shared/json.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { Limits } from "../../shared/limits.ts";
import type { Clock } from "../clock.ts";
import { TokenBucket } from "../state/token-bucket.ts";
import type { Peers } from "../storage/peers.ts";
import { AuditStore, auditId, entryOf, firstIdAt } from "./audit-store.ts";
import type { AuditRecord, AuditRecords, AuditWrite } from "./audit-store.ts";

/** What those who have something to record need. */
export interface AuditRecorder {
  record(event: AuditEvent): void;
}

/** For what nobody waits for. */
interface AuditLogger {
  warn(message: string, fields: Readonly<Record<string, unknown>>): void;
}

interface AuditLogOptions {
  readonly records: AuditRecords;
  /** Other servers of the same data, and the place of this one among them. */
  readonly nodes?: { readonly peers: Pick<Peers, "lead">; readonly slot: () => number } | undefined;
  readonly clock: Clock;
  readonly logger?: AuditLogger;
  readonly limits?: Limits;
}

/** Denials alike that are being counted. */
interface Window {
  readonly entry: AuditEntry;
  readonly endsAtMs: number;
  count: number;
  lastAtMs: number;
}

/** Longest text of an entry that has no limit of its own. */
const TEXT_CHARS_MAX = 200;
const BATCH = 500;
const NOTHING: AsyncIterator<AuditRecord> = { next: async () => ({ done: true, value: undefined }) };

export class AuditLog implements AuditRecorder {
  readonly #store: AuditStore;
  readonly #clock: Clock;
  readonly #logger: AuditLogger | undefined;
  readonly #limits: Limits;
  readonly #run: number;
  #number = 0;
  readonly #queue: AuditWrite[] = [];
  /** New entries in the queue. */
  readonly #waiting: Record<AuditOutcome, number> = { done: 0, denied: 0 };
  /** By what makes denials alike, oldest first. */
  readonly #windows = new Map<string, Window>();
  readonly #budgets: Readonly<Record<AuditOutcome, TokenBucket>>;
  readonly #suppressed: Record<AuditOutcome, number> = { done: 0, denied: 0 };
  #cancelFlush: (() => void) | undefined;
  #cancelTick: (() => void) | undefined;
  #writing: Promise<void> | undefined;
  #isClosed = false;
  readonly #peers: Pick<Peers, "lead"> | undefined;
  /** One server drops what is too old or too many. */
  #isTrimming: boolean;

  constructor({ records, nodes, clock, logger, limits = LIMITS }: AuditLogOptions) {
    this.#store = new AuditStore(records, limits, nodes?.slot);
    this.#peers = nodes?.peers;
    this.#isTrimming = nodes === undefined;
    this.#clock = clock;
    this.#logger = logger;
    this.#limits = limits;
    this.#run = clock.randomUint32();
    const rate = { perS: limits.auditEntriesPerS, burst: limits.auditBurst };
    const newBudget = () => new TokenBucket(rate, clock.monotonicMs());
    this.#budgets = { done: newBudget(), denied: newBudget() };
  }

  start(): void {
    this.#tickLater();
    // given back when the log is closed
    this.#peers?.lead("audit", {
      gained: () => void (this.#isTrimming = true),
      lost: () => void (this.#isTrimming = false),
    });
  }

  #tickLater(): void {
    this.#cancelTick = this.#clock.setTimer(this.#limits.auditWindowMs / 4, () => {
      this.#tick();
      this.#tickLater();
    });
  }

  record(event: AuditEvent): void {
    if (this.#isClosed) return;
    const { outcome } = event;
    const nowMs = this.#clock.monotonicMs();
    const alike = outcome === "denied" ? likenessOf(event) : undefined;
    const window = alike === undefined ? undefined : this.#windows.get(alike);
    if (window !== undefined && nowMs < window.endsAtMs) {
      window.count++;
      window.lastAtMs = this.#clock.nowMs();
      return;
    }
    if (this.#waiting[outcome] >= this.#limits.auditQueueMax || this.#budgets[outcome].take(1, nowMs) > 0) {
      this.#suppressed[outcome]++;
      return;
    }
    const entry = this.#entryOf(event);
    this.#enqueue(entry, true);
    if (alike === undefined) return;
    this.#closeWindow(alike);
    if (this.#windows.size >= this.#limits.auditWindowsMax) {
      const [oldest] = this.#windows.keys();
      if (oldest !== undefined) this.#closeWindow(oldest);
    }
    const endsAtMs = nowMs + this.#limits.auditWindowMs;
    this.#windows.set(alike, { entry, endsAtMs, count: 1, lastAtMs: entry.atMs });
  }

  /**
   * Newest first. Looks at a bounded number of records: `next` says where to go on when there may be more.
   * @throws {ServiceError} STORE_UNAVAILABLE
   */
  async list(query: AuditQuery): Promise<{ readonly items: readonly AuditEntry[]; readonly next?: string }> {
    await this.#flush();
    const items: AuditEntry[] = [];
    const counted = new Map([...this.#windows.values()].map((window) => [window.entry.id, window]));
    const since = query.sinceMs === undefined ? "" : firstIdAt(query.sinceMs);
    let scanned = 0;
    let last = "";
    for await (const record of this.#backwards(query)) {
      if (record.id < since) break;
      if (items.length >= query.limit || scanned >= this.#limits.auditScanMax) return { items, next: last };
      scanned++;
      last = record.id;
      if (fits(record.value, query)) items.push(withCount(entryOf(record), counted.get(record.id)));
    }
    return { items };
  }

  /** Writes what it has, once; what cannot be written is told in the server's log. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#cancelTick?.();
    this.#closeWindows(Infinity);
    this.#tellSuppressed();
    await this.#flush().catch((error: unknown) => {
      this.#logger?.warn("Entries of the audit log could not be written.", { error, entries: this.#queue.length });
    });
    this.#cancelFlush?.();
  }

  #tick(): void {
    this.#closeWindows(this.#clock.monotonicMs());
    this.#tellSuppressed();
    // beside nothing else that writes
    if (this.#isTrimming && this.#writing === undefined)
      this.#inTurn(() => this.#store.trim(this.#clock.nowMs())).catch(() => {});
  }

  #entryOf(event: AuditEvent): AuditEntry {
    const atMs = this.#clock.nowMs();
    return { id: auditId(atMs, ++this.#number, this.#run), atMs, ...bounded(event, this.#limits) };
  }

  #enqueue(entry: AuditEntry, isNew: boolean): void {
    this.#queue.push({ entry, isNew });
    if (isNew) this.#waiting[entry.outcome]++;
    this.#flushIn(this.#limits.auditFlushMs);
  }

  #closeWindows(nowMs: number): void {
    for (const [alike, { endsAtMs }] of this.#windows) {
      if (endsAtMs > nowMs) return;
      this.#closeWindow(alike);
    }
  }

  #closeWindow(alike: string): void {
    const window = this.#windows.get(alike);
    if (window === undefined) return;
    this.#windows.delete(alike);
    if (window.count > 1) this.#enqueue(withCount(window.entry, window), false);
  }

  #tellSuppressed(): void {
    for (const outcome of ["done", "denied"] as const) {
      const count = this.#suppressed[outcome];
      if (count === 0) continue;
      this.#suppressed[outcome] = 0;
      this.#enqueue({ ...this.#entryOf({ action: "audit.suppress", outcome }), count }, true);
    }
  }

  #flushIn(delayMs: number): void {
    this.#cancelFlush ??= this.#clock.setTimer(delayMs, () => {
      this.#cancelFlush = undefined;
      this.#flush().catch((error: unknown) => {
        this.#logger?.warn("The audit log cannot be written; its entries wait.", {
          error,
          entries: this.#queue.length,
        });
        if (!this.#isClosed) this.#flushIn(this.#limits.auditRetryMs);
      });
    });
  }

  #flush(): Promise<void> {
    return this.#inTurn(async () => {
      while (this.#queue.length > 0) {
        const batch = this.#queue.slice(0, BATCH);
        await this.#store.append(batch);
        this.#queue.splice(0, batch.length);
        for (const { entry, isNew } of batch) if (isNew) this.#waiting[entry.outcome]--;
      }
      if (this.#isTrimming) await this.#store.trim();
    });
  }

  /** The store takes one call at a time. */
  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = (this.#writing ?? Promise.resolve()).catch(() => {}).then(work);
    this.#writing = done;
    const forget = (): void => {
      if (this.#writing === done) this.#writing = undefined;
    };
    done.then(forget, forget);
    return done;
  }

  async *#backwards({ outcome, untilMs, after }: AuditQuery): AsyncGenerator<AuditRecord> {
    const until = untilMs === undefined ? undefined : firstIdAt(untilMs + 1);
    const before = after !== undefined && (until === undefined || after < until) ? after : until;
    const streamOf = (it: AuditOutcome): AsyncIterator<AuditRecord> =>
      outcome === undefined || outcome === it ? this.#store.backwards(it, before) : NOTHING;
    const [done, denied] = [streamOf("done"), streamOf("denied")];
    let [deed, denial] = [await done.next(), await denied.next()];
    while (deed.done !== true || denial.done !== true) {
      if (deed.done !== true && (denial.done === true || deed.value.id > denial.value.id)) {
        yield deed.value;
        deed = await done.next();
      } else if (denial.done !== true) {
        yield denial.value;
        denial = await denied.next();
      }
    }
  }
}

function withCount(entry: AuditEntry, window: Window | undefined): AuditEntry {
  if (window === undefined || window.count === 1) return entry;
  const { count, lastAtMs } = window;
  return { ...entry, count, lastAtMs };
}

function likenessOf({ actor, address, action, code, rule, contextId, paths }: AuditEvent): string {
  return JSON.stringify([actor, address, action, code, rule, contextId, paths]);
}

function fits(value: JsonObject, { actor, action, contextId }: AuditFilter): boolean {
  return (
    (actor === undefined || value["actor"] === actor) &&
    (action === undefined || value["action"] === action) &&
    (contextId === undefined || value["contextId"] === contextId)
  );
}

/** No caller makes an entry large, whatever a client sent. */
function bounded(event: AuditEvent, limits: Limits): AuditEvent {
  const { paths, rule, address, detail } = event;
  const isLong = detail !== undefined && JSON.stringify(detail).length > limits.auditDetailCharsMax;
  return {
    ...event,
    ...(paths === undefined ? {} : { paths: paths.slice(0, limits.auditPathsMax) }),
    ...(rule === undefined ? {} : { rule: rule.slice(0, TEXT_CHARS_MAX) }),
    ...(address === undefined ? {} : { address: address.slice(0, TEXT_CHARS_MAX) }),
    ...(isLong ? { detail: { omitted: true } } : {}),
  };
}

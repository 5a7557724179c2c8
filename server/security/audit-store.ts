/**
 * Audit entries as side records of the server: two streams, deeds and denials, each in order of time and bounded by itself.
 *
 *     done/0199c5d2a800-00000007-5d1e88f0     time, number in this run of the server, chance: no two runs share a key
 *     denied/0199c5d2a803-00000008-5d1e88f0
 *     !counts                                 {"done": 1, "denied": 1}, written together with the entries
 *     !counts-3                               of the server in the fourth place: together they count what is there
 *
 * Invariants (AUDIT):
 *  1. An entry is never changed but for its count, and goes only by number (`auditEntriesMax` of its stream) or age.
 *  2. A server writes its own counts only, which are less than nothing when it dropped what others wrote.
 *  3. A write that is repeated after an unknown outcome changes nothing: keys and counts are the same.
 *
 * Not here: what is recorded and when it is written (audit-log.ts).
 */
import { z } from "zod";
import { AUDIT_OUTCOMES } from "../../shared/audit.ts";
import type { AuditEntry, AuditOutcome } from "../../shared/audit.ts";
import { CHANGE_ORIGINS } from "../../shared/change.ts";
import { ServiceError } from "../../shared/errors.ts";
import { parseActor, parseContextId } from "../../shared/ids.ts";
import { isJsonObject } from "../../shared/json.ts";
import type { JsonObject } from "../../shared/json.ts";
import type { Limits } from "../../shared/limits.ts";
import { NODE_SLOTS } from "../state/author-id.ts";
import type { ChangeLog, RecordWrite, SideRecord } from "../storage/change-log.ts";

/** Where entries are kept; StorageManager and every ChangeLog fit. */
export type AuditRecords = Pick<ChangeLog, "listRecords" | "readRecord" | "writeRecords">;

/** An entry on its way to the store. `isNew` is false for one that is there and gets a higher count. */
export interface AuditWrite {
  readonly entry: AuditEntry;
  readonly isNew: boolean;
}

/** As it lies in the store. */
export interface AuditRecord extends SideRecord {
  readonly id: string;
}

type Counts = Readonly<Record<AuditOutcome, number>>;

const COLLECTION = "audit";
const COUNTS_KEY = "!counts";
const NONE: Counts = { done: 0, denied: 0 };
/** Behind all hexadecimal digits. */
const END = "g";
const TIME_DIGITS = 12;
const PAGE = 200;
/** Pages of too old entries that go in one call. */
const OLD_PAGES_MAX = 20;

/** Ids order by time, those of one millisecond by number. */
export function auditId(atMs: number, number: number, run: number): string {
  return `${hex(atMs, TIME_DIGITS)}-${hex(number, 8)}-${hex(run, 8)}`;
}

/** The smallest id that can be of this time. */
export function firstIdAt(atMs: number): string {
  return hex(Math.max(0, atMs), TIME_DIGITS);
}

export class AuditStore {
  readonly #records: AuditRecords;
  readonly #limits: Pick<Limits, "auditEntriesMax" | "auditAgeMsMax">;
  readonly #nodeSlot: (() => number) | undefined;
  #counts: Counts | undefined;
  /** Under which the counts lie: a server that lost its place counts on in another. */
  #countedAs = "";
  #others: Counts = NONE;
  #dropping: { readonly outcome: AuditOutcome; readonly keys: readonly string[] } | undefined;

  /** @param nodeSlot where other servers write too: the place of this one among them */
  constructor(
    records: AuditRecords,
    limits: Pick<Limits, "auditEntriesMax" | "auditAgeMsMax">,
    nodeSlot?: () => number,
  ) {
    this.#records = records;
    this.#limits = limits;
    this.#nodeSlot = nodeSlot;
  }

  /** Calls of this and `trim` follow each other. @throws {ServiceError} STORE_UNAVAILABLE */
  async append(writes: readonly AuditWrite[]): Promise<void> {
    const counts = { ...(await this.#load()) };
    for (const { entry, isNew } of writes) if (isNew) counts[entry.outcome]++;
    await this.#write(
      writes.map(({ entry: { id, ...value } }) => ({ key: keyOf(value.outcome, id), value: plain(value) })),
      counts,
    );
  }

  /** Drops what is too many, and with `nowMs` what is too old, of that a bounded number. */
  async trim(nowMs?: number): Promise<void> {
    await this.#load();
    if (this.#nodeSlot !== undefined) this.#others = await this.#countsOfOthers();
    await this.#dropAgain();
    for (const outcome of AUDIT_OUTCOMES) {
      for (let surplus = this.#surplus(outcome); surplus > 0; surplus = this.#surplus(outcome)) {
        await this.#drop(outcome, await this.#oldest(outcome, Math.min(surplus, PAGE)));
      }
      if (nowMs !== undefined) await this.#dropOld(outcome, firstIdAt(nowMs - this.#limits.auditAgeMsMax));
    }
  }

  async #dropOld(outcome: AuditOutcome, before: string): Promise<void> {
    for (let page = 0; page < OLD_PAGES_MAX; page++) {
      const keys = await this.#oldest(outcome, PAGE);
      const old = keys.filter((key) => key < keyOf(outcome, before));
      if (old.length > 0) await this.#drop(outcome, old);
      if (old.length < PAGE) return;
    }
  }

  /** Records of a stream with ids before `before`, newest first. */
  async *backwards(outcome: AuditOutcome, before: string | undefined): AsyncGenerator<AuditRecord> {
    for (let border = keyOf(outcome, before ?? END); ;) {
      const records = await this.#records.listRecords(undefined, COLLECTION, {
        after: border,
        limit: PAGE,
        reverse: true,
      });
      for (const { key, value } of records) {
        if (!key.startsWith(keyOf(outcome, ""))) return;
        yield { key, id: key.slice(keyOf(outcome, "").length), value };
      }
      const last = records.at(-1);
      if (last === undefined || records.length < PAGE) return;
      border = last.key;
    }
  }

  #surplus(outcome: AuditOutcome): number {
    return (this.#counts?.[outcome] ?? 0) + this.#others[outcome] - this.#limits.auditEntriesMax;
  }

  async #oldest(outcome: AuditOutcome, limit: number): Promise<readonly string[]> {
    const records = await this.#records.listRecords(undefined, COLLECTION, { after: keyOf(outcome, ""), limit });
    return records.map(({ key }) => key).filter((key) => key.startsWith(keyOf(outcome, "")));
  }

  async #drop(outcome: AuditOutcome, keys: readonly string[]): Promise<void> {
    this.#dropping = { outcome, keys };
    await this.#dropAgain();
  }

  /** After a write that failed these keys may be gone and not counted: they are dropped before others are looked for. */
  async #dropAgain(): Promise<void> {
    if (this.#dropping === undefined) return;
    const { outcome, keys } = this.#dropping;
    const counts = await this.#load();
    // without a record to drop the count is wrong, and set right
    const none = 0 - this.#others[outcome];
    const left = keys.length === 0 ? none : Math.max(none, counts[outcome] - keys.length);
    await this.#write(
      keys.map((key) => ({ key, value: null })),
      { ...counts, [outcome]: left },
    );
    this.#dropping = undefined;
  }

  async #load(): Promise<Counts> {
    const key = this.#countsKey;
    if (this.#counts !== undefined && this.#countedAs === key) return this.#counts;
    const { done, denied } = (await this.#records.readRecord(undefined, COLLECTION, key)) ?? {};
    this.#countedAs = key;
    this.#counts = { done: countOf(done), denied: countOf(denied) };
    return this.#counts;
  }

  get #countsKey(): string {
    const slot = this.#nodeSlot?.() ?? 0;
    return slot === 0 ? COUNTS_KEY : `${COUNTS_KEY}-${slot}`;
  }

  async #countsOfOthers(): Promise<Counts> {
    const query = { after: "!", limit: NODE_SLOTS };
    const records = await this.#records.listRecords(undefined, COLLECTION, query);
    const sum = { ...NONE };
    for (const { key, value } of records) {
      if (!key.startsWith(COUNTS_KEY) || key === this.#countsKey) continue;
      for (const outcome of AUDIT_OUTCOMES) sum[outcome] += countOf(value[outcome]);
    }
    return sum;
  }

  async #write(writes: readonly Omit<RecordWrite, "collection">[], counts: Counts): Promise<void> {
    const all = [...writes, { key: this.#countedAs, value: { ...counts } }];
    await this.#records.writeRecords(
      undefined,
      all.map((write) => ({ collection: COLLECTION, ...write })),
    );
    this.#counts = counts;
  }
}

function keyOf(outcome: AuditOutcome, id: string): string {
  return `${outcome}/${id}`;
}

function hex(value: number, digits: number): string {
  return Math.floor(value).toString(16).padStart(digits, "0");
}

function countOf(value: unknown): number {
  return typeof value === "number" ? value : 0;
}

/** What it holds is JSON already; what is undefined is left out. */
function plain(value: Omit<AuditEntry, "id">): JsonObject {
  return JSON.parse(JSON.stringify(value)) as JsonObject;
}

const name = z.string();
const recordSchema = z.object({
  atMs: z.number(),
  action: name,
  outcome: z.enum(AUDIT_OUTCOMES),
  actor: name.transform(parseActor).exactOptional(),
  code: name.exactOptional(),
  contextId: name.transform(parseContextId).exactOptional(),
  paths: z.array(name).exactOptional(),
  rule: name.exactOptional(),
  address: name.exactOptional(),
  origin: z.enum(CHANGE_ORIGINS).exactOptional(),
  requestId: name.exactOptional(),
  sessionId: name.exactOptional(),
  detail: z.custom<JsonObject>(isJsonObject).exactOptional(),
  count: z.number().exactOptional(),
  lastAtMs: z.number().exactOptional(),
});

/** @throws {ServiceError} DATA_DAMAGED */
export function entryOf({ key, id, value }: AuditRecord): AuditEntry {
  const parsed = recordSchema.safeParse(value);
  if (parsed.success) return { id, ...parsed.data };
  throw new ServiceError(
    "DATA_DAMAGED",
    `The audit entry ${key} in the data folder cannot be read by this release. Start the release that wrote it.`,
  );
}

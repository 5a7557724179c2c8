/**
 * What a transaction begins with: its locks, if it writes, and what will most likely be read, in one round trip.
 *
 * The statements are planned once for a connection, however many locks and ranges there are: planned for each of them, a turn at a
 * hundred contexts took longer than its disk.
 *
 * Not here: what is read besides (foreseen-reads.ts).
 */
import type { ClientBase } from "pg";
import type { StoreItem, StoreRange } from "../store/store.ts";
import { isLockRefusal } from "./engine-errors.ts";
import { itemOf, rowsOf } from "./transaction-reads.ts";

const TRIES_MAX = 3;

/** Of a range, unless it wants fewer; where there are as many there may be more. */
const ITEMS_MAX = 64;

const RANGES = "unnest($2, $3, $4, $5) WITH ORDINALITY AS range (gte, lt, items, is_reverse, place)";
const WITHIN = "SELECT key, value FROM mcm.record WHERE key >= range.gte AND key < range.lt";

/** For connections that begin such transactions. Every read is by key; a plan that is made once does not know how few they are. */
export const PREPARE = `
  SET enable_seqscan = off; SET jit = off; SET plan_cache_mode = force_generic_plan;
  PREPARE mcm_lock (bigint[]) AS SELECT count(pg_advisory_xact_lock(lock)) FROM unnest($1) AS lock;
  PREPARE mcm_read (bytea[], bytea[], bytea[], int[], boolean[]) AS
    SELECT 0 AS place, key, value FROM mcm.record WHERE key = ANY($1)
    UNION ALL SELECT place::int, item.* FROM ${RANGES}, LATERAL (${WITHIN} ORDER BY key LIMIT items) AS item
      WHERE NOT is_reverse
    UNION ALL SELECT place::int, item.* FROM ${RANGES}, LATERAL (${WITHIN} ORDER BY key DESC LIMIT items) AS item
      WHERE is_reverse`;

/** What will most likely be read. */
export interface Foreseen {
  readonly keys: readonly Uint8Array[];
  readonly ranges: readonly StoreRange[];
}

export interface Locked extends Foreseen {
  readonly locks: readonly string[];
}

/** What of it there is. */
export interface FoundItems {
  readonly ofKeys: readonly StoreItem[];
  /** In the order of the ranges. */
  readonly ofRanges: readonly RangeItems[];
}

export interface RangeItems {
  readonly range: StoreRange;
  readonly items: readonly StoreItem[];
  /** Behind the last item there may be more. */
  readonly isCut: boolean;
}

/**
 * The locks are taken in one order, so that two never wait for each other.
 * @param onRefusal told why they were not had, when they are asked for once more
 */
export async function begin(
  client: ClientBase,
  locked: Locked,
  onRefusal: (error: unknown) => void,
): Promise<FoundItems> {
  const locks = [...new Set(locked.locks)].sort();
  // a statement sees what was committed when it began: this one begins when the locks are ours
  const text = `BEGIN; EXECUTE mcm_lock(${arrayOf(locks)}); ${readText(locked)}`;
  for (let tries = 1; ; tries++) {
    try {
      return foundIn(await client.query(text), locked);
    } catch (error) {
      // nothing has happened yet
      if (!isLockRefusal(error) || tries === TRIES_MAX) throw error;
      onRefusal(error);
      await client.query("ROLLBACK");
    }
  }
}

export function readText({ keys, ranges }: Foreseen): string {
  const reads = [
    bytesOf(keys),
    bytesOf(ranges.map(({ gte }) => gte)),
    bytesOf(ranges.map(({ lt }) => lt)),
    arrayOf(ranges.map((range) => String(itemsOf(range)))),
    arrayOf(ranges.map(({ reverse = false }) => String(reverse))),
  ];
  return `EXECUTE mcm_read(${reads.join()})`;
}

/** In the answer to a text that ends with `readText`. */
export function foundIn(result: unknown, { ranges }: Foreseen): FoundItems {
  const [ofKeys = [], ...others] = Array.from({ length: ranges.length + 1 }, (): StoreItem[] => []);
  for (const row of rowsOf(result)) {
    const place = typeof row === "object" && row !== null && "place" in row ? Number(row.place) : 0;
    (others[place - 1] ?? ofKeys).push(itemOf(row));
  }
  const ofRanges = ranges.map((range, at) => {
    const items = others[at] ?? [];
    return { range, items, isCut: items.length === itemsOf(range) };
  });
  return { ofKeys, ofRanges };
}

function itemsOf({ limit = Infinity }: StoreRange): number {
  return Math.min(limit, ITEMS_MAX);
}

/** As a literal; the values stand for themselves. */
function arrayOf(values: readonly string[]): string {
  return `'{${values.join()}}'`;
}

function bytesOf(values: readonly Uint8Array[]): string {
  return arrayOf(values.map((bytes) => `"\\\\x${Buffer.from(bytes).toString("hex")}"`));
}

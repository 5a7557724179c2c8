/**
 * Reads of one transaction: a connection answers one question at a time, so what is asked meanwhile is asked together.
 *
 * Every question throws EngineLost when it is not answered.
 *
 * Not here: transactions (postgres-store.ts).
 */
import type { ClientBase } from "pg";
import type { StoreItem, StoreRange, StoreView } from "../store/store.ts";
import { askEngine } from "./engine-errors.ts";

/** One read of a range: so many items, or a little more than so many bytes. */
const PAGE_ITEMS = 256;
const PAGE_BYTES = 1024 * 1024;

interface Asked {
  readonly key: Uint8Array;
  resolve(value: Uint8Array | undefined): void;
  reject(error: unknown): void;
}

export class TransactionReads implements StoreView {
  readonly #client: ClientBase;
  /** Settles with the newest question; never rejects. */
  #answered: Promise<unknown> = Promise.resolve();
  readonly #asked: Asked[] = [];

  constructor(client: ClientBase) {
    this.#client = client;
  }

  get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return new Promise((resolve, reject) => {
      this.#asked.push({ key, resolve, reject });
      if (this.#asked.length === 1) void this.#answerAll();
    });
  }

  async *pages(range: StoreRange): AsyncIterable<readonly StoreItem[]> {
    const { reverse = false, limit = Infinity } = range;
    let { gte, lt } = range;
    for (let left = limit; left > 0;) {
      const values = [gte, lt, Math.min(PAGE_ITEMS, left)];
      const page = await this.#inTurn(async () => itemsOf(await this.#client.query(pageQuery(reverse), values)));
      const last = page.at(-1);
      if (last === undefined) return;
      yield page;
      left -= page.length;
      // the smallest key after a key is that key with a zero byte behind it
      if (reverse) [lt] = last;
      else gte = Buffer.concat([last[0], Uint8Array.of(0)]);
    }
  }

  async #answerAll(): Promise<void> {
    let asked: readonly Asked[] = [];
    try {
      await this.#inTurn(async () => {
        asked = this.#asked.splice(0);
        const keys = asked.map(({ key }) => Buffer.from(key));
        const text = "SELECT key, value FROM mcm.record WHERE key = ANY($1)";
        const found = byKey(itemsOf(await this.#client.query(text, [keys])));
        for (const one of asked) one.resolve(found.get(textOf(one.key)));
      });
    } catch (error) {
      for (const one of asked) one.reject(error);
    }
  }

  #inTurn<T>(ask: () => Promise<T>): Promise<T> {
    const answer = this.#answered.then(() => askEngine(ask));
    this.#answered = answer.catch(() => undefined);
    return answer;
  }
}

/** The bytes before a row decide whether it is still of the page: the first one always is. */
function pageQuery(isReverse: boolean): string {
  const order = `ORDER BY key ${isReverse ? "DESC" : "ASC"}`;
  return `SELECT key, value FROM (
      SELECT key, value, sum(octet_length(value)) OVER (${order}) - octet_length(value) AS before FROM (
        SELECT key, value FROM mcm.record WHERE key >= $1 AND key < $2 ${order} LIMIT $3) AS items) AS page
    WHERE before < ${PAGE_BYTES} ${order}`;
}

/** Rows of key and value. */
export function itemsOf(result: unknown): readonly StoreItem[] {
  return rowsOf(result).map(itemOf);
}

/** Those of the last statement when there are several. */
export function rowsOf(result: unknown): readonly unknown[] {
  const last: unknown = Array.isArray(result) ? result.at(-1) : result;
  const rows: unknown = typeof last === "object" && last !== null && "rows" in last ? last.rows : undefined;
  return Array.isArray(rows) ? rows : [];
}

export function itemOf(row: unknown): StoreItem {
  if (typeof row === "object" && row !== null && "key" in row && "value" in row) {
    const { key, value } = row;
    if (key instanceof Uint8Array && value instanceof Uint8Array) return [key, value];
  }
  throw new Error("a row without key and value");
}

function byKey(items: readonly StoreItem[]): ReadonlyMap<string, Uint8Array> {
  return new Map(items.map(([key, value]) => [textOf(key), value]));
}

export function textOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1");
}

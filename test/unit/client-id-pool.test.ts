/** Released client ids: rules REUSE-1 and REUSE-2. */
import { beforeEach, describe, expect, test } from "vitest";
import { parseActor, parseContextId } from "../../shared/ids.ts";
import type { JsonObject } from "../../shared/json.ts";
import type { RecordQuery, RecordWrite, SideRecord } from "../../server/storage/change-log.ts";
import { ClientIdPool } from "../../server/sync/client-id-pool.ts";

const PLAN = parseContextId("plan");
const holder = (name: string, epoch = 1) => ({ contextId: PLAN, epoch, actor: parseActor(name) });

/** Records of one context; writes wait until the test lets them through. */
class Records {
  isShared = false;
  nodeSlot = 0;
  readonly kept = new Map<string, JsonObject>();
  gate: Promise<void> = Promise.resolve();

  async writeRecords(_id: unknown, writes: readonly RecordWrite[]): Promise<void> {
    await this.gate;
    for (const { key, value } of writes) {
      if (value === null) this.kept.delete(key);
      else this.kept.set(key, value);
    }
  }

  async listRecords(_id: unknown, _collection: unknown, { after = "", limit }: RecordQuery): Promise<SideRecord[]> {
    const keys = [...this.kept.keys()].filter((key) => key > after).sort();
    return keys.slice(0, limit).map((key) => ({ key, value: this.kept.get(key) ?? {} }));
  }
}

let records: Records;
let pool: ClientIdPool;
beforeEach(() => {
  records = new Records();
  pool = new ClientIdPool(records);
});

describe("[REUSE-1]", () => {
  test("[NODE-41] a node offers what was released at it; a server alone what was released at any", async () => {
    records.isShared = true;
    await pool.release(holder("ada"), 7);
    records.nodeSlot = 1;
    expect(await pool.take(holder("ada"))).toBeUndefined();
    records.nodeSlot = 0;
    expect(await pool.take(holder("ada"))).toBe(7);
    await pool.release(holder("ada"), 7);
    records.isShared = false;
    expect(await pool.take(holder("ada"))).toBe(7);
  });

  test("what an actor released is offered to it, once", async () => {
    expect(await pool.take(holder("ada"))).toBeUndefined();
    await pool.release(holder("ada"), 7);
    expect(await pool.take(holder("bob"))).toBeUndefined();
    expect(await pool.take(holder("ada"))).toBe(7);
    expect(await pool.take(holder("ada"))).toBeUndefined();
  });

  test("those who ask at once get different ids", async () => {
    for (const id of [7, 8]) await pool.release(holder("ada"), id);
    const taken = await Promise.all([1, 2, 3].map(() => pool.take(holder("ada"))));
    expect(taken).toEqual([7, 8, undefined]);
  });

  test("names that begin alike, or hold a slash, are different actors", async () => {
    const long = "é".repeat(100);
    await pool.release(holder(`${long}1`), 1);
    await pool.release(holder("ada/5"), 2);
    expect(await pool.take(holder(`${long}2`))).toBeUndefined();
    expect(await pool.take(holder("ada"))).toBeUndefined();
    expect(await pool.take(holder(`${long}1`))).toBe(1);
    expect(await pool.take(holder("ada/5"))).toBe(2);
    for (const key of records.kept.keys()) expect(Buffer.byteLength(key)).toBeLessThanOrEqual(256);
  });

  test("ids of an earlier epoch are never offered, and forgotten", async () => {
    await pool.release(holder("ada", 1), 7);
    await pool.release(holder("ada", 2), 8);
    expect(await pool.take(holder("ada", 2))).toBe(8);
    expect(records.kept.size).toBe(0);
  });
});

test("[REUSE-2] the record is gone before the id is offered, and stays when it cannot be deleted", async () => {
  await pool.release(holder("ada"), 7);
  let open = (): void => undefined;
  records.gate = new Promise((resolve) => (open = resolve));
  let isOffered = false;
  const taken = pool.take(holder("ada")).then((id) => {
    isOffered = true;
    return id;
  });
  await new Promise((resolve) => void setImmediate(resolve));
  expect(isOffered).toBe(false);
  open();
  expect(await taken).toBe(7);
  await pool.release(holder("ada"), 7);
  records.gate = Promise.reject(new Error("disk"));
  await expect(pool.take(holder("ada"))).rejects.toThrow("disk");
  records.gate = Promise.resolve();
  expect(await pool.take(holder("ada"))).toBe(7);
});

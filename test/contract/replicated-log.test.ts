/**
 * A log over an engine with a synchronous standby: what the engine does when it is interrupted while it waits for the
 * standby, and that none of it is taken for durable (notes/engine.md §4, hazards 1 to 6).
 */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { ChangeLog } from "../../server/storage/change-log.ts";
import { PostgresChangeLog } from "../../server/storage/postgres/postgres-change-log.ts";
import { emptyCheckpoint, entryOf, idOf, metaOf, numberIn } from "../support/log-fixtures.ts";
import { FaultyProxy } from "../support/faulty-proxy.ts";
import { ReplicatedEngine } from "../support/replicated-engine.ts";

const plan = idOf("plan");
const WAITERS = "FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND datname = current_database()";

let engine: ReplicatedEngine;
let database: string;
let one: ChangeLog;
let two: ChangeLog;

beforeAll(async () => {
  engine = await ReplicatedEngine.start({ isSynchronous: true });
});
afterAll(() => engine.stop());

beforeEach(async () => {
  database = await engine.primary.newDatabase();
  one = logHere();
  two = logHere();
  await one.open();
  await two.open();
  await one.create(metaOf("plan"), emptyCheckpoint());
  await one.append(plan, { seq: 0 }, [entryOf(1)]);
});
afterEach(async () => {
  engine.link.heal();
  await Promise.all([one.close(), two.close()]);
});

function logHere(): ChangeLog {
  return new PostgresChangeLog({ url: engine.primary.address(database) });
}

async function numbersIn(log: ChangeLog): Promise<readonly number[] | undefined> {
  return (await log.load(plan))?.tail.map(({ update }) => numberIn(update));
}

/** As anybody sees them who does not know better. */
function rows(): Promise<readonly unknown[]> {
  return engine.primary.query(database, "SELECT 1 FROM mcm.record");
}

/** The standby hears nothing any more, and an append waits for it. */
async function appendWaiting(): Promise<{ readonly outcome: Promise<unknown> }> {
  engine.link.stall();
  const outcome = two.append(plan, { seq: 1 }, [entryOf(2)]);
  outcome.catch(() => undefined);
  await expect.poll(() => engine.primary.query(database, `SELECT 1 ${WAITERS}`)).toHaveLength(1);
  return { outcome };
}

test("[LOG-30] what no standby has is shown to nobody", async () => {
  const { outcome } = await appendWaiting();
  expect(await numbersIn(one)).toEqual([1]);
  engine.link.heal();
  await outcome.catch(() => undefined);
  await expect.poll(() => numbersIn(one)).toEqual([1, 2]);
});

test("[LOG-30] a wait for the standby that somebody cancels is no commit, though the engine says so", async () => {
  const { outcome } = await appendWaiting();
  await engine.primary.query(database, `SELECT pg_cancel_backend(pid) ${WAITERS}`);
  await expect(outcome).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  expect(two.hasFailed).toBe(true);
});

test("[LOG-30] nor is one whose connection somebody ends", async () => {
  const { outcome } = await appendWaiting();
  await engine.primary.query(database, `SELECT pg_terminate_backend(pid) ${WAITERS}`);
  await expect(outcome).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
});

test("[LOG-30] whatever the database is set to, a commit waits for the standby", async () => {
  await engine.primary.query(database, `ALTER DATABASE ${database} SET synchronous_commit = off`);
  await two.close();
  await two.open();
  const { outcome } = await appendWaiting();
  engine.link.heal();
  await outcome.catch(() => undefined);
});

test("[LOG-30] an engine that was started anew shows what no standby has: it is not believed before one has all", async () => {
  const line = await FaultyProxy.start(engine.primary.folder);
  const unaware = new PostgresChangeLog({ url: line.address(database) });
  await unaware.open();
  // so that what waits is the append itself, not the taking of numbers before it
  await two.writeRecords(undefined, [{ collection: "stamps", key: "k", value: {} }]);
  const { length } = await rows();
  await appendWaiting();
  expect(await rows()).toHaveLength(length);
  // of its connection that writes it does not hear that it ended
  line.hush("advisory_lock");
  await engine.primary.kill();
  await engine.primary.restart();
  expect((await rows()).length).toBeGreaterThan(length);
  for (const log of [one, unaware]) await expect(numbersIn(log)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  await line.close();
  await unaware.close();
  await one.close();
  await expect(one.open()).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  await expect(numbersIn(one)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  engine.link.heal();
  await expect
    .poll(() =>
      one.open().then(
        () => true,
        () => false,
      ),
    )
    .toBe(true);
  expect(await numbersIn(one)).toEqual([1, 2]);
});

test("[LOG-31] a standby is refused, with the reason; when it is the primary it is taken, and has all that was acknowledged", async () => {
  const url = engine.standby.address(database);
  const there = new PostgresChangeLog({ url });
  await expect(there.open()).rejects.toMatchObject({
    code: "STORE_UNAVAILABLE",
    message: expect.stringContaining("standby"),
  });
  await appendWaiting();
  await engine.failOver([]);
  await engine.attachStandby();
  await there.open();
  expect(await numbersIn(there)).toEqual([1]);
  await there.close();
});

test("[LOG-32] of several hosts the first that is a primary is used, also after it is another one", async () => {
  const [a, b] = [await FaultyProxy.start(engine.standby.folder), await FaultyProxy.start(engine.primary.folder)];
  const there = new PostgresChangeLog({ url: `postgres://mcm@127.0.0.1:${a.port},127.0.0.1:${b.port}/${database}` });
  await there.open();
  expect(await numbersIn(there)).toEqual([1]);
  await engine.failOver([]);
  await engine.attachStandby();
  await expect(there.append(plan, { seq: 1 }, [entryOf(2)])).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  await there.close();
  await there.open();
  expect(await numbersIn(there)).toEqual([1]);
  expect(await there.append(plan, { seq: 1 }, [entryOf(2)])).toMatchObject({ kind: "appended" });
  await there.close();
  await Promise.all([a.close(), b.close()]);
});

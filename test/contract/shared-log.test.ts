/** Two logs over one database, as two nodes have them: turns, news, hints, places, and an engine that dies. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import pg from "pg";
import { systemClock } from "../../server/clock.ts";
import type { ChangeLog, Hint, News } from "../../server/storage/change-log.ts";
import * as keys from "../../server/storage/log/log-keys.ts";
import { lockKeyOf } from "../../server/storage/postgres/lock-key.ts";
import { NAMES_QUERY, nodesIn } from "../../server/storage/postgres/node-name.ts";
import { PostgresChangeLog } from "../../server/storage/postgres/postgres-change-log.ts";
import type { ContextId } from "../../shared/ids.ts";
import { LIMITS } from "../../shared/limits.ts";
import { emptyCheckpoint, entryOf, idOf, metaOf, numberIn } from "../support/log-fixtures.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { PostgresServer } from "../support/postgres-server.ts";

const plan = idOf("plan");

let postgres: PostgresServer;
let url: string;
let one: ChangeLog;
let two: ChangeLog;

beforeAll(async () => {
  postgres = await PostgresServer.start();
});
afterAll(() => postgres.stop());

beforeEach(async () => {
  url = await postgres.database();
  one = new PostgresChangeLog({ url });
  two = new PostgresChangeLog({ url });
  await one.open();
  await two.open();
  await one.create(metaOf("plan"), emptyCheckpoint());
});
afterEach(async () => {
  await Promise.all([one.close(), two.close()]);
});

/** A node's view of a context, as far as this test needs one. */
class Follower {
  readonly seen: number[] = [];
  known = 0;
  news: News | undefined;
  readonly #log: ChangeLog;

  constructor(log: ChangeLog) {
    this.#log = log;
  }

  /** Takes in what others did, then appends one entry behind it. */
  async write(n: number): Promise<void> {
    let appending: Promise<unknown> = Promise.resolve();
    let at = 0;
    await this.#log.turn(plan, {
      knownSeq: () => this.known,
      keys: [],
      take: (news) => {
        this.news = news;
        for (const { seq, update } of news?.entries ?? []) {
          expect(seq).toBe(++this.known);
          this.seen.push(numberIn(update));
        }
        appending = this.#log.append(plan, { seq: this.known }, [entryOf(n)]);
        at = ++this.known;
        this.seen.push(n);
      },
    });
    expect(await appending).toMatchObject({ kind: "appended", entries: [{ seq: at }] });
  }
}

test("[LOG-22] a turn learns first of all that others appended, and what it appends stands behind that", async () => {
  await one.append(plan, { seq: 0 }, [entryOf(1), entryOf(2)]);
  const follower = new Follower(two);
  await follower.write(3);
  expect(follower.news?.meta).toEqual({ ...metaOf("plan"), epoch: 1, firstEpoch: 1 });
  expect(follower.seen).toEqual([1, 2, 3]);
  expect((await one.load(plan))?.tail.map(({ update }) => numberIn(update))).toEqual([1, 2, 3]);
});

test("[LOG-22] turns of both at the same time: one order, in which nobody's guess was wrong", async () => {
  const followers = [new Follower(one), new Follower(two)];
  await Promise.all(
    followers.map(async (follower, node) => {
      for (let n = 0; n < 30; n++) {
        // several wait together now and then
        await Promise.all([
          follower.write(node * 1000 + n),
          ...(n % 5 === 0 ? [follower.write(node * 1000 + n + 500)] : []),
        ]);
      }
    }),
  );
  for (const follower of followers) await follower.write(9999);
  const order = (await one.load(plan))?.tail.map(({ update }) => numberIn(update)) ?? [];
  expect(order).toHaveLength(74);
  const [first, second] = followers;
  expect(second?.seen).toEqual(order);
  expect(first?.seen).toEqual(order.slice(0, -1));
});

test("[LOG-22] a context that was deleted has no turns; one that was made anew says so", async () => {
  await two.remove(plan);
  const take = (): never => expect.fail("a turn at nothing");
  await expect(one.turn(plan, { knownSeq: () => 0, keys: [], take })).rejects.toMatchObject({
    code: "CONTEXT_NOT_FOUND",
  });
  await two.create(metaOf("plan"), emptyCheckpoint());
  const follower = new Follower(one);
  await follower.write(1);
  expect(follower.news?.meta).toMatchObject({ firstEpoch: 2 });
});

test("[LOG-22] a turn learns which of its requests were answered meanwhile", async () => {
  const idempotency = { key: "k", fingerprint: "f" };
  await one.append(plan, { seq: 0 }, [entryOf(1)], { idempotency });
  const answered = new Promise((resolve) => {
    void two.turn(plan, { knownSeq: () => 0, keys: ["j", "k"], take: (news) => resolve(news?.answered) });
  });
  expect(await answered).toMatchObject([{ ...idempotency, seq: 1, version: 1 }]);
});

test("[LOG-27] turns at many contexts, with keyed requests, others' entries and answers, are two questions to the engine", async () => {
  const ids = Array.from({ length: 20 }, (_, n) => idOf(`many-${n}`));
  await Promise.all(ids.map((id) => one.create(metaOf(id), emptyCheckpoint())));
  // two knows the contexts, and not what comes next
  await Promise.all(ids.map((id) => two.append(id, { seq: 0 }, [entryOf(1)])));
  const idempotency = { key: "k", fingerprint: "f" };
  await Promise.all(ids.map((id) => one.append(id, { seq: 1 }, [entryOf(2), entryOf(3)], { idempotency })));
  const asked = vi.spyOn(pg.Client.prototype, "query");
  const appending: Promise<unknown>[] = [];
  const take = (id: ContextId, news: News | undefined): void => {
    expect(news).toMatchObject({ entries: [{ seq: 2 }, { seq: 3 }], answered: [{ key: "k", version: 3 }] });
    appending.push(two.append(id, { seq: 3 }, [entryOf(4)]));
  };
  await Promise.all(
    ids.map((id) => two.turn(id, { knownSeq: () => 1, keys: ["j", "k"], take: (news) => take(id, news) })),
  );
  await Promise.all(appending);
  const statements = asked.mock.calls
    .map(([query]) => JSON.stringify(query))
    .filter((text) => !text.includes("notify") && !text.includes("pg_stat_activity"));
  asked.mockRestore();
  expect(statements).toEqual([
    expect.stringContaining("BEGIN"),
    expect.stringContaining("mcm_put"),
    expect.stringContaining("COMMIT"),
  ]);
});

test("[LOG-22] a wait for locks that the engine cancels begins anew: nothing has happened yet", async () => {
  const holder = new pg.Client({ connectionString: url });
  await holder.connect();
  await holder.query(`BEGIN; SELECT pg_advisory_xact_lock(${lockKeyOf("context plan")})`);
  const waiting = two.append(plan, { seq: 0 }, [entryOf(1)]);
  const cancel =
    "SELECT pg_cancel_backend(pid) FROM pg_locks JOIN pg_database ON oid = database AND datname = current_database() WHERE NOT granted";
  let cancelled = 0;
  for (let tries = 0; cancelled === 0 && tries < 10_000; tries++)
    cancelled = (await holder.query(cancel)).rowCount ?? 0;
  expect(cancelled).toBe(1);
  await holder.end();
  expect(await waiting).toMatchObject({ kind: "appended" });
});

test("[LOG-23] [LOG-29] the other one hears of an append, what it was if it is small, and can compare heads in any case", async () => {
  const heard: Hint[] = [];
  two.onHint((hint) => hint.seq > 0 && heard.push(hint));
  await one.append(plan, { seq: 0 }, [entryOf(1), entryOf(2)]);
  await vi.waitFor(() => expect(heard).toHaveLength(1));
  await one.append(plan, { seq: 2 }, [{ ...entryOf(3), update: new Uint8Array(LIMITS.hintRunBytesMax) }]);
  await vi.waitFor(() => expect(heard).toHaveLength(2));
  await one.remove(plan);
  await vi.waitFor(() => expect(heard).toHaveLength(3));
  expect(heard.map(({ contextId, seq }) => [contextId, seq])).toEqual([
    [plan, 2],
    [plan, 3],
    [plan, Number.MAX_SAFE_INTEGER],
  ]);
  expect(heard.map((hint) => hint.brought()?.entries.map(({ seq }) => seq))).toEqual([[1, 2], undefined, undefined]);
  expect(await two.heads([plan, idOf("other")])).toEqual(new Map());
});

test("[LOG-29] what came with a hint is what the log has", async () => {
  await one.remove(plan);
  const { meta } = await one.create(metaOf("plan"), emptyCheckpoint());
  const heard = new Promise<Hint>((resolve) => two.onHint((hint) => hint.brought() !== undefined && resolve(hint)));
  await one.append(plan, { seq: 0 }, [entryOf(1), { ...entryOf(2), message: "why" }]);
  const { firstEpoch } = meta;
  expect((await heard).brought()).toEqual({ meta: { firstEpoch }, entries: await two.read(plan, 0, 10) });
});

test("[NODE-44] [EVENT-5] a node answers what others ask while it is there; killed, it is a gap to them, and stopped, none", async () => {
  const gaps: string[] = [];
  one.peers?.onGap(() => gaps.push("one"));
  // it does not come again by itself
  const third = new PostgresChangeLog({ url, clock: new ManualClock() });
  await third.open();
  two.peers?.answer("sessions", (question) => ["two", question]);
  third.peers.answer("sessions", (question) => ["third", question, "\u00fc".repeat(5000)]);
  const told = await one.peers?.ask("sessions", { limit: 1 });
  expect(told?.silent).toBe(0);
  expect(told?.answers).toEqual(
    expect.arrayContaining([
      ["two", { limit: 1 }],
      ["third", { limit: 1 }, "\u00fc".repeat(5000)],
    ]),
  );
  const ends =
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '%00000000-0000-4000-8000-%'";
  const name = new URL(url).pathname.slice(1);
  await postgres.query(name, ends);
  const connected = async () => {
    const [row] = await postgres.query(name, NAMES_QUERY);
    return nodesIn(String(row?.["names"])).connected.size;
  };
  await expect.poll(connected).toBe(2);
  expect(await one.peers?.ask("sessions", 2)).toEqual({ answers: [["two", 2]], silent: 0 });
  expect(gaps).toHaveLength(1);
  await two.close();
  await expect.poll(connected).toBe(1);
  expect(await one.peers?.ask("sessions", 3)).toEqual({ answers: [], silent: 0 });
  expect(gaps).toHaveLength(1);
  await third.close();
});

test("[LOG-24] each has a place of its own, and keeps it when it opens again; the data has one id", async () => {
  expect(two.nodeClientId).toBe(one.nodeClientId);
  expect(new Set([one.nodeSlot, two.nodeSlot])).toEqual(new Set([0, 1]));
  const { nodeSlot } = two;
  await two.close();
  await two.open();
  expect(two.nodeSlot).toBe(nodeSlot);
  await one.close();
  const third = new PostgresChangeLog({ url });
  await third.open();
  expect(third.nodeSlot).toBe(1 - nodeSlot);
  await third.close();
});

test("[LOG-24] after the engine died, who finds its place taken by another process gets one that is free", async () => {
  await postgres.kill();
  await postgres.restart();
  const third = new PostgresChangeLog({ url });
  await third.open();
  for (const log of [one, two]) {
    await log.close();
    await log.open();
  }
  expect(new Set([one.nodeSlot, two.nodeSlot, third.nodeSlot])).toEqual(new Set([0, 1, 2]));
  await third.close();
});

test("[LOG-24] an opening that comes to nothing does not cost the place", async () => {
  const { nodeSlot } = two;
  await two.close();
  const other = new pg.Client({ connectionString: url });
  await other.connect();
  // as a lost connection of its own, whose commit waits for a standby
  await other.query(`SELECT pg_advisory_lock(${lockKeyOf(`node ${nodeSlot}`)})`);
  await other.query("BEGIN; SELECT 1 FROM mcm.record FOR UPDATE");
  const outcome = two.open().then(
    () => "opened",
    () => "refused",
  );
  await expect
    .poll(async () => {
      await other.query("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'");
      return Promise.race([outcome, Promise.resolve("waiting")]);
    })
    .toBe("refused");
  await other.end();
  await two.open();
  expect(two.nodeSlot).toBe(nodeSlot);
});

test("[LOG-25] who stands still with a context holds up its writers, and them only, until the engine ends it", async () => {
  await one.create(metaOf("other"), emptyCheckpoint());
  const still = new pg.Client({ connectionString: url, idle_in_transaction_session_timeout: 500 });
  const ended = new Promise((resolve) => still.on("error", resolve));
  await still.connect();
  await still.query(`BEGIN; SELECT pg_advisory_xact_lock(${lockKeyOf("context plan")})`);
  const waiting = two.append(plan, { seq: 0 }, [entryOf(1)]);
  await one.append(idOf("other"), { seq: 0 }, [entryOf(1)]);
  await ended;
  expect(await waiting).toMatchObject({ kind: "appended" });
  expect(two.hasFailed).toBe(false);
});

test("[LOG-26] an engine that dies is a failed log; opened again, all that it acknowledged is there", async () => {
  await one.append(plan, { seq: 0 }, [entryOf(1)]);
  await postgres.kill();
  await expect(one.append(plan, { seq: 1 }, [entryOf(2)])).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  expect(one.hasFailed).toBe(true);
  await expect(two.load(plan)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  expect(two.hasFailed).toBe(true);
  await one.close();
  await expect(one.open()).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  await postgres.restart();
  await one.open();
  expect((await one.load(plan))?.tail.map(({ update }) => numberIn(update))[0]).toBe(1);
  expect(one.hasFailed).toBe(false);
});

test("[LOG-26] a process whose writing connection ends is a failed log though it only reads", async () => {
  const places = [one.nodeSlot, two.nodeSlot];
  await postgres.query(
    databaseOf(url),
    "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()",
  );
  for (const log of [one, two]) {
    await expect.poll(() => codeOf(log.heads([plan]))).toBe("STORE_UNAVAILABLE");
    expect(log.hasFailed).toBe(true);
    await log.close();
    await log.open();
  }
  expect([one.nodeSlot, two.nodeSlot]).toEqual(places);
});

test("[LOG-26] a read that is cut off after the log was opened again says nothing of that", async () => {
  const hurried = {
    ...systemClock,
    setTimer: (delayMs: number, task: () => void) => systemClock.setTimer(delayMs / 100, task),
  };
  const log = new PostgresChangeLog({ url, clock: hurried });
  await log.open();
  const held = await heldRead(log);
  await postgres.query(
    "postgres",
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${databaseOf(url)}'`,
  );
  await log.close();
  await log.open();
  held.goOn();
  await expect(held.done).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  expect(log.hasFailed).toBe(false);
  await log.close();
});

test("[LOG-26] who waits too long for others that read is refused, and the log is sound", async () => {
  const held = await Promise.all(Array.from({ length: LIMITS.engineReadersMax }, () => heldRead(one)));
  vi.useFakeTimers({ toFake: ["setTimeout"] });
  const refused = codeOf(one.heads([plan]));
  await expect.poll(() => one.engine?.connections.waiting).toBe(1);
  vi.advanceTimersByTime(LIMITS.engineQueryMs);
  vi.useRealTimers();
  expect(await refused).toBe("STORE_UNAVAILABLE");
  for (const read of held) read.goOn();
  await Promise.all(held.map(({ done }) => done));
  expect(one.hasFailed).toBe(false);
  expect(await one.heads([plan])).toEqual(new Map([[plan, 0]]));
});

test("[LOG-33] nobody who opens the log waits for what is being deleted", async () => {
  const [range] = keys.ownedBy(7);
  const [key, mark] = [range?.gte, keys.purgeKey(7)].map(
    (bytes) => `'\\x${Buffer.from(bytes ?? []).toString("hex")}'::bytea`,
  );
  await postgres.query(databaseOf(url), `INSERT INTO mcm.record VALUES (${key}, ''), (${mark}, '')`);
  const left = (): Promise<readonly unknown[]> =>
    postgres.query(databaseOf(url), `SELECT 1 FROM mcm.record WHERE key IN (${key}, ${mark})`);
  const deleting = new pg.Client({ connectionString: url });
  await deleting.connect();
  await deleting.query(`BEGIN; SELECT 1 FROM mcm.record WHERE key = ${key} FOR UPDATE`);
  await two.close();
  await two.open();
  expect(await left()).toHaveLength(2);
  await deleting.end();
  await expect
    .poll(async () => {
      // it may have waited for too long
      if (two.hasFailed) await two.close().then(() => two.open());
      return left();
    })
    .toEqual([]);
});

/** A read that has begun, and goes on when it is told to. */
function heldRead(log: ChangeLog): Promise<{ readonly goOn: () => void; readonly done: Promise<void> }> {
  return new Promise((resolve) => {
    const done: Promise<void> = log.dump({
      begin: () => new Promise((goOn) => resolve({ goOn, done })),
      page: async () => undefined,
    });
    done.catch(() => undefined);
  });
}

function databaseOf(address: string): string {
  return new URL(address).pathname.slice(1);
}

/** Of the refusal; undefined when there is none. */
function codeOf(asked: Promise<unknown>): Promise<unknown> {
  return asked.then(
    () => undefined,
    ({ code }: { readonly code: unknown }) => code,
  );
}

/**
 * The lock desk and its queue against a naive model, over random histories: rules LOCK-1, LOCK-2, LOCK-4…7. 100,000 short
 * ones and 500 long ones in each check; `npx vitest run --project property test/property/locks.test.ts` runs them alone.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ServiceError } from "../../shared/errors.ts";
import { parseActor } from "../../shared/ids.ts";
import type { Actor } from "../../shared/ids.ts";
import type { LockEvent, LockMode } from "../../shared/lock.ts";
import { LockDesk } from "../../server/state/locks/lock-desk.ts";
import { LockQueue } from "../../server/state/locks/lock-queue.ts";
import type { Waiting } from "../../server/state/locks/lock-queue.ts";
import { LockTable } from "../../server/state/locks/lock-table.ts";
import type { Lease } from "../../server/state/writes.ts";
import { SessionLeases } from "../../server/sync/session-leases.ts";
import { LockModel, meets } from "../support/lock-model.ts";
import type { ModelLease } from "../support/lock-model.ts";
import { same } from "../support/same.ts";

const ACTORS = ["ada", "bob"].map(parseActor);
const PATHS = ["", "/a", "/a/b", "/a/b/c", "/a/d", "/ab", "/b", "/b/a~1b", "@note", "@note/0", "/long/way/down/to/it"];

const paths = fc.uniqueArray(fc.constantFrom(...PATHS), { minLength: 1, maxLength: 3 });
const mode = fc.constantFrom<LockMode>("exclusive", "exclusive", "shared");
/** Whose turn it is: two sessions of ada's, one of bob's. */
const who = fc.nat(2);
/** Which of the locks there ever were, from the newest. */
const back = fc.nat(5);
const ms = fc.constantFrom(0, 1, 9, 10, 30, 100);
const ttlMs = fc.constantFrom(10, 30, 100);

const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("acquire" as const),
      who,
      paths,
      mode,
      ttlMs,
      as: fc.option(back, { freq: 9 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("renew" as const), who, back, ttlMs }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("release" as const), who, back }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("expire" as const), back }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("wait" as const), ms }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("reload" as const) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("write" as const), who, paths, tokens: fc.array(back) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("edit" as const), who, paths }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("claim" as const), who, back, token: back, paths }) },
);
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

class History {
  readonly model = new LockModel();
  readonly sessions = [0, 0, 1].map((actor) => ({
    actor: ACTORS[actor] ?? parseActor("nobody"),
    book: new SessionLeases(),
    leases: new Map<string, ModelLease>(),
  }));
  /** Every lock there ever was. */
  readonly ever: { readonly lockId: string; readonly token: number }[] = [];
  desk = new LockDesk([], 0);
  nowMs = 0;
  seq = 0;

  take(next: Step): void {
    switch (next.do) {
      case "acquire":
        return this.#acquire(next);
      case "renew":
      case "release":
        return this.#ownerDoes(next.do, next);
      case "expire":
        return this.#expire(this.#lockAt(next.back).lockId);
      case "wait":
        this.nowMs += next.ms;
        return;
      case "reload":
        return this.#reload();
      case "write":
        return this.#write(next);
      case "edit":
        return this.#edit(next);
      case "claim":
        return this.#claim(next);
    }
  }

  /** What is true after every step. */
  check(): void {
    const locks = this.desk.table.list();
    same(
      locks.map(({ lockId, fencingToken }) => [lockId, fencingToken]),
      this.model.locks.map(({ lockId, token }) => [lockId, token]),
    );
    for (const [at, lock] of locks.entries()) {
      for (const other of locks.slice(at + 1)) {
        if (lock.mode === "exclusive" || other.mode === "exclusive") same(meets(lock.paths, other.paths), false);
        same(other.fencingToken > lock.fencingToken, true);
      }
    }
    const ends = this.model.locks.map(({ endsAtMs }) => endsAtMs);
    same(this.desk.nextEndMs(), ends.length === 0 ? undefined : Math.min(...ends));
    const over = this.model.locks.filter(({ endsAtMs }) => endsAtMs <= this.nowMs).map(({ lockId }) => lockId);
    same([...this.desk.overdue(this.nowMs)].sort(), over.sort());
  }

  #session(index: number) {
    const session = this.sessions[index];
    if (session === undefined) throw new Error("there are three");
    return session;
  }

  #lockAt(fromNewest: number): { readonly lockId: string; readonly token: number } {
    return this.ever.at(-1 - fromNewest) ?? { lockId: "none", token: 99_999 };
  }

  /** As admission does it. */
  #admit(event: LockEvent, actor: Actor, book?: SessionLeases): string {
    if (event.op === "release") book?.remove(event.lockId);
    try {
      const judged = this.desk.judge(event, { actor }, this.nowMs);
      if (judged !== undefined) this.desk.apply(judged, { seq: ++this.seq, actor, atMs: this.nowMs }, this.nowMs);
      const held = this.desk.table.get(event.lockId);
      if (held !== undefined) book?.add(held);
      return judged === undefined ? "unchanged" : "done";
    } catch (error) {
      return codeOf(error);
    }
  }

  #acquire({ who: index, paths: asked, mode: wanted, ttlMs: ttl, as }: Extract<Step, { do: "acquire" }>): void {
    const { actor, book, leases } = this.#session(index);
    const lockId = as === null ? `lock-${this.ever.length}` : this.#lockAt(as).lockId;
    const isThere = this.model.locks.some((lock) => lock.lockId === lockId);
    const isFree = this.model.mayLock(asked, wanted);
    const told = this.#admit({ op: "acquire", lockId, paths: asked, mode: wanted, ttlMs: ttl }, actor, book);
    if (isThere) return same(told, "ALREADY_EXISTS");
    same(told, isFree ? "done" : "LOCKED");
    if (!isFree) return;
    const endsAtMs = this.nowMs + ttl;
    this.model.locks.push({ lockId, paths: asked, mode: wanted, holder: actor, token: this.seq, ttlMs: ttl, endsAtMs });
    leases.set(lockId, { lockId, token: this.seq, paths: asked });
    this.ever.push({ lockId, token: this.seq });
  }

  #ownerDoes(op: "renew" | "release", next: { who: number; back: number; ttlMs?: number }): void {
    const { actor, book, leases } = this.#session(next.who);
    const { lockId } = this.#lockAt(next.back);
    const lock = this.model.held(lockId, this.nowMs);
    const ttl = next.ttlMs ?? 0;
    const told = this.#admit(op === "renew" ? { op, lockId, ttlMs: ttl } : { op, lockId }, actor, book);
    if (op === "release") leases.delete(lockId);
    if (lock === undefined) return same(told, "LOCK_NOT_FOUND");
    if (lock.holder !== actor) return same(told, "FORBIDDEN");
    if (op === "release") {
      same(told, "done");
      this.model.locks = this.model.locks.filter((it) => it !== lock);
      return;
    }
    same(told, lock.ttlMs === ttl ? "unchanged" : "done");
    lock.ttlMs = ttl;
    lock.endsAtMs = this.nowMs + ttl;
    // a session that comes again takes over the lock of the one before
    leases.set(lockId, { lockId, token: lock.token, paths: lock.paths });
  }

  #expire(lockId: string): void {
    const lock = this.model.locks.find((it) => it.lockId === lockId && it.endsAtMs <= this.nowMs);
    same(this.#admit({ op: "expire", lockId }, parseActor("server")), lock === undefined ? "unchanged" : "done");
    if (lock !== undefined) this.model.locks = this.model.locks.filter((it) => it !== lock);
  }

  /** Sessions end with it in life; here they go on, which must do no harm. */
  #reload(): void {
    this.desk = new LockDesk(JSON.parse(JSON.stringify(this.desk.table.list())), this.nowMs);
    for (const lock of this.model.locks) lock.endsAtMs = this.nowMs + lock.ttlMs;
  }

  #write({ who: index, paths: touched, tokens }: Extract<Step, { do: "write" }>): void {
    const { actor } = this.#session(index);
    const shown = tokens.map((at) => this.#lockAt(at).token);
    const told = codeOf(() => this.desk.checkWrite(touched, { actor, tokens: shown }, this.nowMs));
    same(told, this.model.write(touched, { actor, tokens: shown }, this.nowMs));
  }

  /** A client says which lock it has, and may say anything. */
  #claim({ who: index, back: named, token: shown, paths: said }: Extract<Step, { do: "claim" }>): void {
    const { book, leases } = this.#session(index);
    const { lockId } = this.#lockAt(named);
    const { token } = this.#lockAt(shown);
    book.add({ lockId, fencingToken: token, paths: said });
    leases.set(lockId, { lockId, token, paths: said });
  }

  #edit({ who: index, paths: touched }: Extract<Step, { do: "edit" }>): void {
    const { actor, book, leases } = this.#session(index);
    const told = codeOf(() => this.desk.checkEdit(touched, { actor, leases: book }, this.nowMs));
    same(told, this.model.edit(touched, { actor, leases: [...leases.values()] }, this.nowMs));
  }
}

function codeOf(failed: unknown): string {
  try {
    if (typeof failed !== "function") throw failed;
    failed();
    return "free";
  } catch (error) {
    if (error instanceof ServiceError) return error.code;
    throw error;
  }
}

const SEEDS = [20_261_123, 20_261_124, 20_261_125, 20_261_126];
const PER_SEED = 25_000;

describe("[LOCK-1] [LOCK-2] [LOCK-4] [LOCK-5] [LOCK-6] the lock desk does what the plainest model does", () => {
  test.each(SEEDS)(`${PER_SEED} random histories (seed %i)`, (seed) => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 3, maxLength: 12 }), (steps) => {
        const history = new History();
        for (const next of steps) {
          history.take(next);
          history.check();
        }
      }),
      { seed, numRuns: PER_SEED },
    );
  });

  test("500 long ones", () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 100, maxLength: 300 }), (steps) => {
        const history = new History();
        for (const next of steps) history.take(next);
        history.check();
      }),
      { seed: 20_261_127, numRuns: 500 },
    );
  });
});

const many = fc.array(fc.record({ paths, mode }), { minLength: 1, maxLength: 12 });

describe("[LOCK-7] the queue", () => {
  const excludes = (a: Waiting, b: Waiting): boolean =>
    (a.mode === "exclusive" || b.mode === "exclusive") && meets(a.paths, b.paths);

  test("calls exactly those whom no lock and nobody earlier excludes, 5000 times", () => {
    fc.assert(
      fc.property(many, many, fc.array(fc.nat(11)), (locks, requests, leaving) => {
        const table = new LockTable();
        for (const [at, lock] of locks.entries()) {
          const isFree = table.obstacleToLock(lock.paths, lock.mode) === undefined;
          const event = { op: "acquire", lockId: `lock-${at}`, ttlMs: 10, ...lock } as const;
          if (isFree) table.apply(event, { seq: at + 1, actor: parseActor("ada"), atMs: 0 });
        }
        const queue = new LockQueue<Waiting>();
        for (const [at, request] of requests.entries()) {
          same(queue.add(request), !requests.slice(0, at).some((other) => excludes(other, request)));
          queue.recall(request);
        }
        const gone = new Set(leaving.map((at) => requests[at]));
        for (const request of requests) if (gone.has(request)) queue.remove(request);
        const waiting = requests.filter((request) => !gone.has(request));
        const free = waiting.filter(
          (request, at) =>
            !table.list().some((lock) => excludes(lock, request)) &&
            !waiting.slice(0, at).some((other) => excludes(other, request)),
        );
        expect(queue.call(table)).toEqual(free);
        expect(queue.call(table)).toEqual([]);
        for (const request of free) queue.recall(request);
        expect(queue.call(table)).toEqual(free);
      }),
      { seed: 20_261_128, numRuns: 5000 },
    );
  });

  test("serves everybody in the end, all paths at once, and conflicting ones in order of arrival, 5000 times", () => {
    fc.assert(
      fc.property(many, fc.infiniteStream(fc.nat(11)), (requests, pick) => {
        const table = new LockTable();
        const queue = new LockQueue<Waiting>();
        for (const request of requests) {
          queue.add(request);
          queue.recall(request);
        }
        const served: Waiting[] = [];
        let seq = 0;
        while (queue.length > 0) {
          const called = queue.call(table);
          for (const request of called) {
            const event = { op: "acquire", lockId: `lock-${++seq}`, ttlMs: 10, ...request } as const;
            same(table.obstacleToLock(request.paths, request.mode), undefined);
            table.apply(event, { seq, actor: parseActor("ada"), atMs: 0 });
            queue.remove(request);
            served.push(request);
          }
          const held = table.list();
          if (called.length === 0) same(held.length > 0, true);
          const { value } = pick.next();
          const released = held[value % held.length];
          if (released !== undefined) {
            const { lockId } = released;
            table.apply({ op: "release", lockId }, { seq: ++seq, actor: parseActor("ada"), atMs: 0 });
          }
        }
        for (const [at, request] of requests.entries()) {
          for (const later of requests.slice(at + 1)) {
            if (excludes(request, later)) same(served.indexOf(later) > served.indexOf(request), true);
          }
        }
        expect(served).toHaveLength(requests.length);
      }),
      { seed: 20_261_129, numRuns: 5000 },
    );
  });
});

test("[LOCK-5] what a session lost bars it until it gives it back or takes the place again", () => {
  const ada = parseActor("ada");
  const desk = new LockDesk([], 0);
  const book = new SessionLeases();
  const take = (seq: number, at: string, nowMs: number): Lease => {
    const event = { op: "acquire", lockId: `lock-${seq}`, paths: [at], mode: "exclusive", ttlMs: 10 } as const;
    desk.apply(event, { seq, actor: ada, atMs: 0 }, nowMs);
    const lease = { lockId: event.lockId, fencingToken: seq, paths: [at] };
    book.add(lease);
    return lease;
  };
  const edit = (at: string, nowMs: number): string =>
    codeOf(() => desk.checkEdit([at], { actor: ada, leases: book }, nowMs));
  const first = take(1, "/a", 0);
  expect(edit("/a/x", 9)).toBe("free");
  desk.apply({ op: "expire", lockId: first.lockId }, { seq: 2, actor: ada, atMs: 0 }, 10);
  expect([edit("/a/x", 10), edit("", 10), edit("/b", 10)]).toEqual(["FENCE_STALE", "FENCE_STALE", "free"]);
  take(3, "/a/x", 10);
  expect([edit("/a/x/y", 10), edit("/a/z", 10)]).toEqual(["free", "FENCE_STALE"]);
  book.remove(first.lockId);
  expect(edit("/a/z", 10)).toBe("free");
});

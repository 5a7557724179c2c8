/** Taking, waiting for and losing locks through the whole service, on a gated log and a clock that stands still: rules LOCK-6 to LOCK-14. */
import { describe, expect, test } from "vitest";
import { ServiceError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { GrantedLock } from "../../shared/lock.ts";
import type { LockRequest } from "../../server/context-service.ts";
import { InlineHistory } from "../../server/history/history-runner.ts";
import type { AppendOptions, AppendResult, Guard, NewEntry } from "../../server/storage/change-log.ts";
import { InlineRecreator } from "../../server/use-cases/compaction.ts";
import { GatedLog } from "../support/gated-log.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { PLAN, caller, openEditor, startService, turns } from "../support/service-rig.ts";
import type { ServiceRig } from "../support/service-rig.ts";

const ann = caller("ann");
const bob = caller("bob");
const eve = caller("eve");

interface LockRig extends ServiceRig {
  readonly clock: ManualClock;
  /** Those that have to do with locks. */
  readonly timers: () => number;
  /** Asks for an exclusive lock. */
  readonly take: (who: typeof ann, path: string, more?: Partial<LockRequest>) => Promise<GrantedLock>;
  readonly held: () => Promise<readonly string[]>;
  /** Lets time pass and what follows from it happen. */
  readonly pass: (ms: number) => Promise<void>;
}

async function start(
  log = new GatedLog(),
  recreator = new InlineRecreator(),
  clock = new ManualClock(),
): Promise<LockRig> {
  const rig = await startService(log, new InlineHistory(), recreator, clock);
  await rig.service.create(ann, { id: PLAN, data: { a: 0 } }).catch(() => undefined);
  const { locks } = rig.service;
  const others = clock.timerCount;
  return {
    ...rig,
    clock,
    timers: () => clock.timerCount - others,
    take: (who, path, more = {}) => locks.acquire(who, PLAN, { paths: [path], ttlMs: 1000, ...more }),
    held: async () => (await locks.list(eve, PLAN)).map(({ holder, paths }) => `${holder} ${paths.join(" ")}`),
    pass: async (ms) => {
      clock.advance(ms);
      await turns();
    },
  };
}

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "resolved",
    (error: unknown) => (error instanceof ServiceError ? error.code : String(error)),
  );

/** What became of a promise so far. */
function watch(promise: Promise<unknown>): { outcome: string } {
  const seen = { outcome: "waits" };
  void codeOf(promise).then((code) => (seen.outcome = code));
  return seen;
}

const kindsOf = async ({ log }: ServiceRig): Promise<string[]> =>
  (await log.read(PLAN, 0, 100)).map(({ kind, lock }) => lock?.op ?? kind);

describe("[LOCK-6] [LOCK-14] time", () => {
  test("a lock ends when its time is over, by an entry, and everybody is told", async () => {
    const rig = await start();
    const watcher = await openEditor(rig, "eve");
    const { lockId, fencingToken, expiresAtMs } = await rig.take(ann, "/a");
    expect(expiresAtMs).toBe(rig.clock.nowMs() + 1000);
    await rig.pass(999);
    expect(await rig.held()).toEqual(["ann /a"]);
    await rig.pass(1);
    expect(await rig.held()).toEqual([]);
    expect(await kindsOf(rig)).toEqual(["acquire", "expire"]);
    expect(
      watcher.connection.take().map((message) => (message.type === "event" ? message.event : message)),
    ).toMatchObject([
      { type: "lock", op: "acquire", seq: fencingToken, actor: "ann", lockId, paths: ["/a"] },
      { type: "lock", op: "expire", seq: 2, lockId },
    ]);
    expect(rig.timers()).toBe(0);
  });

  test("one that is renewed in time stays; only a new time to live is an entry", async () => {
    const rig = await start();
    const { lockId } = await rig.take(ann, "/a");
    await rig.pass(900);
    await rig.service.locks.renew(ann, PLAN, lockId, {});
    await rig.pass(900);
    expect(await rig.held()).toEqual(["ann /a"]);
    expect(await rig.service.locks.renew(ann, PLAN, lockId, { ttlMs: 5000 })).toMatchObject({ ttlMs: 5000 });
    await rig.pass(4999);
    expect(await rig.held()).toEqual(["ann /a"]);
    await rig.pass(1);
    expect(await kindsOf(rig)).toEqual(["acquire", "renew", "expire"]);
  });

  test("one that is renewed for a shorter time ends earlier", async () => {
    const rig = await start();
    const { lockId } = await rig.take(ann, "/a", { ttlMs: 60_000 });
    await rig.service.locks.renew(ann, PLAN, lockId, { ttlMs: 1000 });
    await rig.pass(1000);
    expect(await rig.held()).toEqual([]);
  });

  test.each([-3_600_000, 3_600_000])("a jump of the wall clock by %i ms changes nothing", async (jump) => {
    const rig = await start();
    await rig.take(ann, "/a");
    rig.clock.jump(jump);
    await rig.pass(999);
    expect(await rig.service.locks.list(ann, PLAN)).toMatchObject([{ expiresAtMs: rig.clock.nowMs() + 1 }]);
    await rig.pass(1);
    expect(await rig.held()).toEqual([]);
  });

  test("a renewal that comes in the same turn as the end comes too late or in time, never half", async () => {
    const rig = await start();
    const { lockId } = await rig.take(ann, "/a");
    rig.clock.advance(1000);
    const renewing = codeOf(rig.service.locks.renew(ann, PLAN, lockId, {}));
    await turns();
    expect([await renewing, await rig.held()]).toEqual(["LOCK_NOT_FOUND", []]);
  });

  test("while turns are held up, a lock that is over is asked to end once, and ends after", async () => {
    const recreator = new (class extends InlineRecreator {
      go: () => void = () => undefined;
      override async recreate(old: Parameters<InlineRecreator["recreate"]>[0]) {
        await new Promise<void>((resolve) => {
          this.go = resolve;
        });
        return super.recreate(old);
      }
    })();
    const rig = await start(new GatedLog(), recreator);
    await rig.take(ann, "/a");
    const compacting = rig.service.history.compact(ann, PLAN);
    await turns();
    const timers = rig.timers();
    await rig.pass(1000);
    await rig.pass(1000);
    expect(rig.timers()).toBeLessThan(timers);
    recreator.go();
    await compacting;
    expect(await rig.held()).toEqual(["ann /a"]);
    await rig.pass(1000);
    expect(await rig.held()).toEqual([]);
  });
});

describe("[LOCK-7] who waits", () => {
  test("is served in order of arrival, when all of its paths are free, and holds up nobody else", async () => {
    const rig = await start();
    const { lockId } = await rig.take(ann, "/a");
    const both = rig.take(bob, "/a", { paths: ["/a", "/b"], waitMs: 5000 });
    await turns();
    const [behind, beside] = [
      watch(rig.take(eve, "/b", { waitMs: 5000 })),
      watch(rig.take(eve, "/c", { waitMs: 5000 })),
    ];
    await turns();
    expect([behind.outcome, beside.outcome]).toEqual(["waits", "resolved"]);
    expect(await codeOf(rig.take(eve, "/b"))).toBe("LOCKED");
    await rig.service.locks.release(ann, PLAN, lockId);
    const granted = await both;
    expect(await rig.held()).toEqual(["eve /c", "bob /a /b"]);
    await rig.service.locks.release(bob, PLAN, granted.lockId);
    await turns();
    expect(behind.outcome).toBe("resolved");
  });

  test("is served when the lock before it runs out", async () => {
    const rig = await start();
    const first = await rig.take(ann, "/a");
    const next = rig.take(bob, "/a/b", { waitMs: 5000 });
    await turns();
    await rig.pass(1000);
    expect((await next).fencingToken).toBeGreaterThan(first.fencingToken);
    const late = { ops: [{ op: "add" as const, path: "/x", value: 1 }], lockTokens: [first.fencingToken] };
    expect(await codeOf(rig.service.change(ann, PLAN, late))).toBe("FENCE_STALE");
  });

  test("is not overtaken while its first try is on its way to the log", async () => {
    const rig = await start();
    const { lockId } = await rig.take(ann, "/a");
    rig.log.hold();
    void rig.service.change(eve, PLAN, { ops: [{ op: "add", path: "/x", value: 1 }] });
    const first = watch(rig.take(bob, "/a", { waitMs: 5000 }));
    await turns();
    const releasing = rig.service.locks.release(ann, PLAN, lockId);
    const second = watch(rig.take(eve, "/a", { waitMs: 5000 }));
    await turns();
    rig.log.release();
    await releasing;
    await turns();
    expect([first.outcome, second.outcome, await rig.held()]).toEqual(["resolved", "waits", ["bob /a"]]);
  });

  test("all of many go one after the other", async () => {
    const rig = await start();
    const served: number[] = [];
    const one = async (n: number): Promise<void> => {
      const lock = await rig.take(n % 2 === 0 ? ann : bob, "/a", { waitMs: 60_000 });
      served.push(n);
      await rig.service.locks.release(n % 2 === 0 ? ann : bob, PLAN, lock.lockId);
    };
    await Promise.all(Array.from({ length: 50 }, (_, n) => one(n)));
    expect(served).toEqual(Array.from({ length: 50 }, (_, n) => n));
  });
});

describe("[LOCK-19] who waits is told", () => {
  const queue = async ({ service }: LockRig) =>
    (await service.locks.waiting(eve, PLAN)).map(({ actor, position }) => `${position} ${actor}`);

  test("with since and until when, and the place among those in the way", async () => {
    const rig = await start();
    const { lockId } = await rig.take(ann, "/a", { ttlMs: 60_000 });
    const beganMs = rig.clock.nowMs();
    const session: typeof bob = { ...bob, via: { sessionId: "s1" } };
    const first = watch(rig.take(session, "/a/b", { waitMs: 5000, purpose: "rewriting", mode: "shared" }));
    await rig.pass(100);
    // what both of them want is shared, and what the next wants is not
    const others = ["/a/b/c", "/a"].map((path, at) =>
      watch(rig.take(eve, path, { waitMs: 9000, mode: at === 0 ? "shared" : "exclusive" })),
    );
    await turns();
    const waiting = await rig.service.locks.waiting(eve, PLAN);
    expect(waiting[0]).toEqual({
      lockId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      paths: ["/a/b"],
      mode: "shared",
      actor: "bob",
      sessionId: "s1",
      purpose: "rewriting",
      sinceMs: beganMs,
      untilMs: beganMs + 5000,
      position: 1,
    });
    expect(waiting[1]).toMatchObject({ sinceMs: beganMs + 100, untilMs: beganMs + 9100 });
    expect(waiting[1]).not.toHaveProperty("sessionId");
    expect(await queue(rig)).toEqual(["1 bob", "1 eve", "3 eve"]);
    await rig.pass(4900);
    expect([first.outcome, await queue(rig)]).toEqual(["LOCKED", ["1 eve", "2 eve"]]);
    await rig.service.locks.release(ann, PLAN, lockId);
    await turns();
    expect([others.map(({ outcome }) => outcome), await queue(rig)]).toEqual([["resolved", "waits"], ["1 eve"]]);
  });

  test("one whose paths overlap an earlier one's several times stands one place behind it", async () => {
    const rig = await start();
    await rig.take(ann, "/a", { ttlMs: 60_000 });
    void rig.take(bob, "", { paths: ["/a", "/b", "/c"], waitMs: 5000 }).catch(() => undefined);
    void rig.take(eve, "", { paths: ["/c", "/b"], waitMs: 5000 }).catch(() => undefined);
    await turns();
    expect(await queue(rig)).toEqual(["1 bob", "2 eve"]);
  });

  test("and not who is at the first try, or is refused or granted at once", async () => {
    const rig = await start();
    const watcher = await openEditor(rig, "eve");
    rig.log.hold();
    const granted = rig.take(ann, "/a", { waitMs: 5000 });
    await turns();
    const asked = rig.service.locks.waiting(eve, PLAN);
    rig.log.release();
    await granted;
    expect([await asked, await codeOf(rig.take(bob, "/a"))]).toEqual([[], "LOCKED"]);
    await turns();
    expect(queueEvents(watcher)).toEqual([]);
  });

  test("[WIRE-27] an event says how many wait, when others do than before", async () => {
    const rig = await start();
    const watcher = await openEditor(rig, "eve");
    const { lockId } = await rig.take(ann, "/a", { ttlMs: 60_000 });
    await turns();
    expect(queueEvents(watcher)).toEqual([]);
    const [late, next] = [{ waitMs: 500 }, { waitMs: 5000 }].map((more) => watch(rig.take(bob, "/a", more)));
    await turns();
    expect(queueEvents(watcher).at(-1)).toBe(2);
    await rig.pass(500);
    expect([late?.outcome, queueEvents(watcher)]).toEqual(["LOCKED", [1]]);
    await rig.service.locks.release(ann, PLAN, lockId);
    await turns();
    expect([next?.outcome, queueEvents(watcher)]).toEqual(["resolved", [0]]);
  });
});

const queueEvents = ({ connection }: Awaited<ReturnType<typeof openEditor>>) =>
  connection
    .take()
    .flatMap((message) => (message.type === "event" && message.event["type"] === "lock-queue" ? [message.event] : []))
    .map(({ waiting }) => waiting);

describe("[LOCK-8] a wait ends", () => {
  test("with its time, and says who is in the way; the next one is served after it", async () => {
    const rig = await start();
    const { lockId } = await rig.take(ann, "/a", { ttlMs: 60_000, purpose: "rewriting" });
    const late = rig.take(bob, "/a", { waitMs: 500 }).catch((error: unknown) => error);
    await turns();
    const next = watch(rig.take(eve, "/a", { waitMs: 5000 }));
    await rig.pass(500);
    expect(await late).toMatchObject({ code: "LOCKED", details: { holder: "ann", purpose: "rewriting" } });
    await rig.service.locks.release(ann, PLAN, lockId);
    await turns();
    expect(next.outcome).toBe("resolved");
    expect(rig.timers()).toBe(1);
  });

  test("with the caller, before, while and after it asks", async () => {
    const rig = await start();
    const { lockId } = await rig.take(ann, "/a", { ttlMs: 60_000 });
    expect(await codeOf(rig.take(bob, "/a", { waitMs: 500, signal: AbortSignal.abort() }))).toBe("CLOSED");
    const controller = new AbortController();
    const waiting = codeOf(rig.take(bob, "/a", { waitMs: 500, signal: controller.signal }));
    await turns();
    controller.abort();
    expect(await waiting).toBe("CLOSED");
    expect(rig.timers()).toBe(1);
    await rig.service.locks.release(ann, PLAN, lockId);
    const tooLate = new AbortController();
    rig.log.hold();
    const granted = codeOf(rig.take(bob, "/a", { signal: tooLate.signal }));
    await turns();
    tooLate.abort();
    rig.log.release();
    expect([await granted, await rig.held()]).toEqual(["CLOSED", []]);
  });

  test("with the context, when what is in memory is lost; whoever asks again finds what the log has", async () => {
    const rig = await start();
    const { fencingToken } = await rig.take(ann, "/a", { ttlMs: 60_000 });
    const waiting = codeOf(rig.take(bob, "/a", { waitMs: 5000 }));
    await turns();
    rig.log.hold();
    const lost = codeOf(rig.take(eve, "/b"));
    await turns();
    rig.log.fail(new ServiceError("STORE_UNAVAILABLE", "the disk is gone"));
    expect([await lost, await waiting]).toEqual(["STORE_UNAVAILABLE", "STORE_UNAVAILABLE"]);
    rig.log.hold();
    rig.log.release();
    expect(await rig.service.locks.list(ann, PLAN)).toMatchObject([{ holder: "ann", fencingToken }]);
  });

  test("with its deletion, which leaves no timer", async () => {
    const rig = await start();
    await rig.take(ann, "/a");
    const waiting = codeOf(rig.take(bob, "/a", { waitMs: 5000 }));
    await turns();
    await rig.service.delete(ann, PLAN);
    expect([await waiting, rig.timers()]).toEqual(["CONTEXT_NOT_FOUND", 0]);
  });

  test("with the server, whose locks stay for the next one", async () => {
    const rig = await start();
    await rig.take(ann, "/a");
    const waiting = codeOf(rig.take(bob, "/a", { waitMs: 5000 }));
    await turns();
    await rig.service.close();
    expect([await waiting, rig.timers()]).toEqual(["SHUTTING_DOWN", 0]);
  });

  test("not with a compaction, which gives it no more time either", async () => {
    const rig = await start();
    const { lockId } = await rig.take(ann, "/a", { ttlMs: 60_000 });
    const [served, late] = [watch(rig.take(bob, "/a", { waitMs: 5000 })), watch(rig.take(eve, "/a", { waitMs: 900 }))];
    await rig.pass(500);
    await rig.service.history.compact(ann, PLAN);
    await turns();
    await rig.pass(400);
    expect([served.outcome, late.outcome]).toEqual(["waits", "LOCKED"]);
    await rig.service.locks.release(ann, PLAN, lockId);
    await turns();
    expect([served.outcome, await rig.held()]).toEqual(["resolved", ["bob /a"]]);
  });
});

describe("[LOCK-9] what is told is durable", () => {
  test("a grant, a list, a refusal and an event wait for the log", async () => {
    const rig = await start();
    const watcher = await openEditor(rig, "eve");
    rig.log.hold();
    const grant = watch(rig.take(ann, "/a"));
    await turns();
    const change = { ops: [{ op: "replace" as const, path: "/a", value: 1 }] };
    const [refusal, list] = [rig.service.change(bob, PLAN, change), rig.service.locks.list(eve, PLAN)].map(watch);
    await turns();
    expect([grant?.outcome, refusal?.outcome, list?.outcome]).toEqual(["waits", "waits", "waits"]);
    expect(watcher.connection.take()).toEqual([]);
    rig.log.release();
    await turns();
    expect([grant?.outcome, refusal?.outcome, list?.outcome]).toEqual(["resolved", "LOCKED", "resolved"]);
    expect(watcher.connection.take()).toHaveLength(1);
  });
});

describe("[LOCK-10] restarts", () => {
  test("a lock is there after one, with its token and a new time; nobody else gets it before it ends", async () => {
    const before = await start();
    const { lockId, fencingToken } = await before.take(ann, "/a");
    before.clock.advance(900);
    await before.service.close();
    await before.storage.close();
    const after = await start(before.log, new InlineRecreator(), before.clock);
    expect(await codeOf(after.take(bob, "/a"))).toBe("LOCKED");
    await after.pass(900);
    const ops = [{ op: "replace" as const, path: "/a", value: 1 }];
    expect(await codeOf(after.service.change(ann, PLAN, { ops, lockTokens: [fencingToken] }))).toBe("resolved");
    expect(await after.service.locks.renew(ann, PLAN, lockId, {})).toMatchObject({ fencingToken });
    await after.pass(1000);
    expect(await after.held()).toEqual([]);
  });

  test("one whose end was not durable is held again: there are never two holders", async () => {
    const before = await start();
    const first = await before.take(ann, "/a");
    const waiting = codeOf(before.take(bob, "/a", { waitMs: 5000 }));
    await turns();
    before.log.hold();
    await before.pass(1000);
    before.log.fail(new ServiceError("STORE_UNAVAILABLE", "the disk is gone"));
    expect(await waiting).toBe("STORE_UNAVAILABLE");
    before.log.hold();
    before.log.release();
    expect(await before.held()).toEqual(["ann /a"]);
    expect(await codeOf(before.take(bob, "/a"))).toBe("LOCKED");
    const ops = [{ op: "replace" as const, path: "/a", value: 1 }];
    expect(await codeOf(before.service.change(ann, PLAN, { ops, lockTokens: [first.fencingToken] }))).toBe("resolved");
    await before.pass(1000);
    const next = await before.take(bob, "/a");
    expect(next.fencingToken).toBeGreaterThan(first.fencingToken);
    expect(await codeOf(before.service.change(ann, PLAN, { ops, lockTokens: [first.fencingToken] }))).toBe(
      "FENCE_STALE",
    );
  });

  test("a context with locks is not unloaded: its locks end in time though nobody uses it", async () => {
    const rig = await start();
    rig.service.start();
    await rig.take(ann, "/a", { ttlMs: 3 * LIMITS.idleUnloadMs });
    for (let step = 0; step < 30; step++) await rig.pass(LIMITS.idleUnloadMs / 10);
    expect(await kindsOf(rig)).toEqual(["acquire", "expire"]);
    await rig.service.close();
  });
});

/** Remembers on what each append was conditional. */
class GuardedLog extends GatedLog {
  readonly guards: (readonly [Guard, string])[] = [];

  override append(
    id: typeof PLAN,
    guard: Guard,
    entries: readonly NewEntry[],
    options?: AppendOptions,
  ): Promise<AppendResult> {
    this.guards.push([guard, entries.map(({ kind }) => kind).join(" ")]);
    return super.append(id, guard, entries, options);
  }
}

test("[LOCK-12] what comes after a lock entry is appended under it, what came before is not", async () => {
  const log = new GuardedLog();
  const rig = await start(log);
  const editor = await openEditor(rig, "eve");
  editor.edit((data) => data.set("x", 1));
  const taken = rig.take(ann, "/a");
  editor.edit((data) => data.set("y", 1));
  editor.edit((data) => data.set("z", 1));
  await taken;
  editor.edit((data) => data.set("later", 1));
  await turns();
  expect(log.guards).toEqual([
    [{ lockSeq: 0 }, "change"],
    [{ seq: 1 }, "lock"],
    [{ lockSeq: 2 }, "change change"],
    [{ lockSeq: 2 }, "change"],
  ]);
});

describe("[LOCK-13] bounds and owners", () => {
  test("only the holder renews and releases", async () => {
    const rig = await start();
    const { lockId } = await rig.take(ann, "/a");
    expect(await codeOf(rig.service.locks.renew(bob, PLAN, lockId, {}))).toBe("FORBIDDEN");
    expect(await codeOf(rig.service.locks.release(bob, PLAN, lockId))).toBe("FORBIDDEN");
    await rig.service.locks.release(ann, PLAN, lockId);
    expect(await codeOf(rig.service.locks.release(ann, PLAN, lockId))).toBe("LOCK_NOT_FOUND");
    expect(await codeOf(rig.service.locks.renew(ann, PLAN, lockId, {}))).toBe("LOCK_NOT_FOUND");
  });

  test("locks and those who wait for them are bounded; all that end together end together", async () => {
    const rig = await start();
    const { locksMax, actorLocksMax, lockWaitersMax, actorLockWaitersMax } = LIMITS;
    const holders = [ann, bob];
    await Promise.all(
      Array.from({ length: locksMax }, (_, n) => rig.take(holders[n % 2] ?? ann, `/k${n}`, { ttlMs: 1000 })),
    );
    expect([locksMax, lockWaitersMax]).toEqual([2 * actorLocksMax, 2 * actorLockWaitersMax]);
    expect(await codeOf(rig.take(eve, "/one-more"))).toBe("LIMIT_EXCEEDED");
    // each waits for what it has had itself
    const waiting = Array.from({ length: lockWaitersMax }, (_, n) =>
      codeOf(rig.take(holders[n % 2] ?? ann, `/k${n}`, { waitMs: 5000 })),
    );
    await turns();
    expect(await codeOf(rig.take(eve, "/k0", { waitMs: 5000 }))).toBe("RATE_LIMITED");
    await rig.pass(1000);
    expect(new Set(await Promise.all(waiting))).toEqual(new Set(["resolved"]));
    expect(await rig.held()).toHaveLength(LIMITS.locksMax);
  });

  test("one actor has so many locks and waits for so many, and leaves room for others", async () => {
    const rig = await start();
    const { actorLocksMax, actorLockWaitersMax } = LIMITS;
    const first = await rig.take(ann, "/first");
    await Promise.all(Array.from({ length: actorLocksMax - 1 }, (_, n) => rig.take(ann, `/k${n}`, { ttlMs: 5000 })));
    expect(await codeOf(rig.take(ann, "/one-more"))).toBe("LIMIT_EXCEEDED");
    const waiting = Array.from({ length: actorLockWaitersMax }, (_, n) =>
      codeOf(rig.take(ann, `/k${n % 100}/x`, { waitMs: 1000 })),
    );
    await turns();
    expect(await codeOf(rig.take(ann, "/k0", { waitMs: 1000 }))).toBe("RATE_LIMITED");
    expect(await codeOf(rig.take(bob, "/one-more", { ttlMs: 5000 }))).toBe("resolved");
    const bobs = codeOf(rig.take(bob, "/k0", { waitMs: 900 }));
    await rig.service.locks.release(ann, PLAN, first.lockId);
    expect(await codeOf(rig.take(ann, "/first"))).toBe("RATE_LIMITED");
    await rig.pass(1000);
    expect(await bobs).toBe("LOCKED");
    expect(new Set(await Promise.all(waiting))).toEqual(new Set(["LOCKED"]));
    expect(await codeOf(rig.take(ann, "/first"))).toBe("resolved");
  });

  test("a lock's id is taken once; who asks again for it gets the lock", async () => {
    const rig = await start();
    const lockId = "7d9c0a51-5d0c-4b52-8a3e-0f0b1c2d3e4f";
    const [first, again] = await Promise.all([rig.take(ann, "/a", { lockId }), rig.take(ann, "/a", { lockId })]);
    expect(again).toEqual(first);
    expect(await codeOf(rig.take(bob, "/b", { lockId }))).toBe("FORBIDDEN");
    expect(await rig.held()).toEqual(["ann /a"]);
  });
});

/**
 * What REST promises of locks (server/SPEC.md, "REST"), over any ContextService whose clock stands still.
 */
import { describe, expect, test } from "vitest";
import type { ManualClock } from "../support/manual-clock.ts";
import { LIMITS } from "../../shared/limits.ts";
import { lockListSchema, lockSchema } from "../../shared/protocol/rest-locks.ts";
import type { LockView } from "../../shared/protocol/rest-locks.ts";
import { RestHarness } from "./rest-harness.ts";
import type { NodesUnderTest, ServiceUnderTest } from "./rest-harness.ts";

const by = (actor: string) => ({ "mcm-actor": actor });
type Headers = Readonly<Record<string, string>>;

const [ada, bob]: [Headers, Headers] = [by("ada"), by("bob")];
const showing = (...locks: LockView[]) => ({ "lock-token": locks.map(({ fencingToken }) => fencingToken).join(", ") });

type UnderTest = (ServiceUnderTest | NodesUnderTest) & { readonly clock: ManualClock };

export function restLocksSuite(name: string, start: () => Promise<UnderTest>): void {
  describe(`REST over ${name}: locks`, () => {
    let clock: ManualClock;
    /** Requests for locks that are not answered; of nodes it is their lists that say so. */
    let askingCount = 0;
    let urls: readonly string[] = [];
    const { call, send, set, put, addressOf, dataAt, expectProblem, raw } = new RestHarness(async () => {
      const underTest = await start();
      clock = underTest.clock;
      if ("urls" in underTest) {
        ({ urls } = underTest);
        return underTest;
      }
      const { locks } = underTest.service;
      const acquire = locks.acquire.bind(locks);
      locks.acquire = (...request) => {
        askingCount += 1;
        return acquire(...request).finally(() => (askingCount -= 1));
      };
      return underTest;
    });

    const ask = (address: string, body: object, headers = ada) => send("POST", `${address}/locks`, body, headers);

    const take = async (address: string, body: object = { paths: ["/title"] }, headers = ada): Promise<LockView> => {
      const response = await ask(address, body, headers);
      expect(response.status).toBe(201);
      // every node counts its time from now on
      for (const url of urls) await waitingAt(url, address);
      return lockSchema.parse(await response.json());
    };

    const list = async (address: string) =>
      lockListSchema.parse(await (await call(`${address}/locks`)).json()).locks.map(({ lockId }) => lockId);

    const waitingAt = async (url: string, address: string): Promise<number> => {
      const board = await (await fetch(`${url}${address}/locks`)).json();
      return lockListSchema.parse(board).waiting.length;
    };

    const release = (address: string, { lockId }: LockView, headers = ada) =>
      call(`${address}/locks/${lockId}`, { method: "DELETE", headers });

    /** So many wait: their requests have arrived, and what can happen at once has happened. */
    const waiting = async (address: string, count: number): Promise<void> => {
      if (urls.length === 0) await expect.poll(() => askingCount).toBe(count);
      for (const url of urls) await expect.poll(() => waitingAt(url, address)).toBe(count);
      await list(address);
    };

    test("[REST-37] a lock is taken, listed, renewed and released", async () => {
      const address = await addressOf();
      const body = { paths: ["/tasks/t1/title", "/notes", "/tasks/t1"], ttlMs: 5000, purpose: "rewriting" };
      const response = await ask(address, body);
      const lock = lockSchema.parse(await response.json());
      const expiresAt = new Date(clock.nowMs() + 5000).toISOString();
      expect(response.headers.get("location")).toBe(`${address}/locks/${lock.lockId}`);
      expect(lock).toEqual({
        lockId: expect.stringMatching(/^[0-9a-f-]{36}$/),
        paths: ["/notes", "/tasks/t1"],
        mode: "exclusive",
        holder: "ada",
        purpose: "rewriting",
        fencingToken: expect.any(Number),
        ttlMs: 5000,
        expiresAt,
      });
      const second = await take(address, { paths: ["/src/main.ts"], mode: "shared" }, bob);
      expect(second).toMatchObject({ mode: "shared", holder: "bob", ttlMs: LIMITS.lockTtlMsDefault });
      expect(second.fencingToken).toBeGreaterThan(lock.fencingToken);
      expect(lockListSchema.parse(await (await call(`${address}/locks`)).json())).toEqual({
        locks: [lock, second],
        waiting: [],
      });
      clock.advance(4000);
      const renew = (options: object) => send("PUT", `${address}/locks/${lock.lockId}`, options, ada);
      const renewed = lockSchema.parse(await (await renew({})).json());
      expect(renewed).toEqual({ ...lock, expiresAt: new Date(clock.nowMs() + 5000).toISOString() });
      expect(lockSchema.parse(await (await renew({ ttlMs: 9000 })).json())).toMatchObject({ ttlMs: 9000 });
      const gone = await release(address, lock);
      expect([gone.status, await gone.text()]).toEqual([204, ""]);
      expect(await list(address)).toEqual([second.lockId]);
      await expectProblem(await renew({}), "LOCK_NOT_FOUND");
      await expectProblem(await release(address, lock), "LOCK_NOT_FOUND");
    });

    test("[REST-37] whoever asks again by the lock's id, as the answer got lost, gets that lock", async () => {
      const address = await addressOf();
      const body = { lockId: "0f3c9a52-6f0c-4f7e-9a55-7a4d3c1b2e10", paths: ["/title"] };
      const lock = await take(address, body);
      expect([lock.lockId, await take(address, body)]).toEqual([body.lockId, lock]);
      await expectProblem(await ask(address, body, bob), "FORBIDDEN");
      await expectProblem(await ask(address, { ...body, lockId: "mine" }), "INVALID_REQUEST", /\/lockId/);
    });

    test("[REST-37] a lock of another is refused with what is known of it, and is not touched", async () => {
      const address = await addressOf();
      const lock = await take(address, { paths: ["/title"], ttlMs: 5000, purpose: "rewriting" });
      clock.advance(2000);
      const { details } = await expectProblem(await ask(address, { paths: ["/other", ""] }, bob), "LOCKED", /^ada /);
      expect(details).toEqual({
        lockId: lock.lockId,
        holder: "ada",
        paths: ["/title"],
        mode: "exclusive",
        leftMs: 3000,
        purpose: "rewriting",
      });
      await expectProblem(await release(address, lock, bob), "FORBIDDEN");
      await expectProblem(await send("PUT", `${address}/locks/${lock.lockId}`, {}, bob), "FORBIDDEN");
      expect(await list(address)).toEqual([lock.lockId]);
    });

    test.each<[object, RegExp]>([
      [{}, /\/paths/],
      [{ paths: [] }, /\/paths/],
      [{ paths: ["title"] }, /JSON Pointer/],
      [{ paths: Array.from({ length: LIMITS.lockPathsMax + 1 }, (_, i) => `/${i}`) }, /\/paths/],
      [{ paths: ["/a"], mode: "read" }, /\/mode/],
      [{ paths: ["/a"], ttlMs: LIMITS.lockTtlMsMin - 1 }, /\/ttlMs/],
      [{ paths: ["/a"], ttlMs: LIMITS.lockTtlMsMax + 1 }, /\/ttlMs/],
      [{ paths: ["/a"], waitMs: LIMITS.lockWaitMsMax + 1 }, /\/waitMs/],
      [{ paths: ["/a"], purpose: "" }, /\/purpose/],
      [{ paths: ["/a"], wait: 1 }, /wait/],
    ])("[REST-37] POST …/locks with %j is refused with the place", async (body, says) => {
      const address = await addressOf();
      await expectProblem(await ask(address, body), "INVALID_REQUEST", says);
      expect(await list(address)).toEqual([]);
    });

    test("[REST-37] unknown contexts, queries and other people's headers are refused", async () => {
      const address = await addressOf();
      const body = { paths: ["/a"] };
      await expectProblem(await ask("/v1/contexts/none", body), "CONTEXT_NOT_FOUND");
      await expectProblem(await call("/v1/contexts/none/locks"), "CONTEXT_NOT_FOUND");
      await expectProblem(await call(`${address}/locks?path=/a`), "INVALID_REQUEST", /path/);
      for (const header of ["idempotency-key", "if-match", "lock-token"]) {
        await expectProblem(await ask(address, body, { ...ada, [header]: "1" }), "INVALID_REQUEST", /takes no/);
      }
      await expectProblem(await ask(address, body, { ...ada, "content-type": "text/plain" }), "UNSUPPORTED_MEDIA_TYPE");
      await expectProblem(await send("PUT", `${address}/locks/x`, { ttl: 1 }, ada), "INVALID_REQUEST", /ttl/);
      await expectProblem(await send("PUT", `${address}/locks/x`, {}, ada), "LOCK_NOT_FOUND");
    });

    test("[REST-39] who holds a lock writes with its token; nobody else does, also not under the same name", async () => {
      const address = await addressOf();
      const lock = await take(address);
      await expectProblem(await set(address, "Two", bob), "LOCKED", /^ada holds a lock on \/title/);
      await expectProblem(await set(address, "Two", { ...bob, ...showing(lock) }), "FENCE_STALE");
      await expectProblem(await set(address, "Two", ada), "LOCKED");
      expect((await set(address, "Two", { ...ada, ...showing(lock) })).status).toBe(200);
      expect((await put(address, "/extra", 1, bob)).status).toBe(200);
      expect(await dataAt(address)).toMatchObject({ title: "Two", extra: 1 });
      const notes = await take(address, { paths: ["/notes"] });
      const both = [
        { op: "add", path: "/title", value: "Three" },
        { op: "add", path: "/notes", value: "" },
      ];
      const write = (...locks: LockView[]) =>
        send("PATCH", address, { changes: both }, { ...ada, ...showing(...locks) });
      await expectProblem(await write(notes), "LOCKED");
      expect((await write(lock, notes)).status).toBe(200);
    });

    test("[REST-39] a shared lock lets nobody write, its holder neither", async () => {
      const address = await addressOf();
      const lock = await take(address, { paths: ["/title"], mode: "shared" });
      await take(address, { paths: [""], mode: "shared" }, bob);
      await expectProblem(await set(address, "Two", { ...ada, ...showing(lock) }), "LOCKED");
      await expectProblem(await ask(address, { paths: ["/title"] }, ada), "LOCKED");
    });

    test("[REST-39] restoring, undoing and resolving show tokens too", async () => {
      const address = await addressOf();
      await set(address, "Two", bob);
      const lock = await take(address);
      const restore = (headers: object) =>
        send("POST", `${address}/restore`, { version: 0, path: "/title" }, { ...ada, ...headers });
      await expectProblem(await restore({}), "LOCKED");
      expect((await restore(showing(lock))).status).toBe(200);
      const undo = (headers: object) =>
        send("POST", `${address}/undo`, { actor: "ada", from: 0 }, { ...ada, ...headers });
      await expectProblem(await undo({}), "LOCKED");
      expect((await undo(showing(lock))).status).toBe(200);
      expect(await dataAt(address)).toMatchObject({ title: "Two" });
      const bad = await send("POST", `${address}/conflicts/1.0/resolve`, { take: "winner" }, { "lock-token": "x" });
      await expectProblem(bad, "INVALID_REQUEST", /Lock-Token/);
    });

    test.each(["", "x", "0", "-1", "1.5", "1;2", "1,", ",1", "1 2", "01", '"1"', "1e3", "9".repeat(16)])(
      "[REST-39] Lock-Token: %s is refused",
      async (token) => {
        const address = await addressOf();
        const response = await set(address, "Two", { "lock-token": token });
        await expectProblem(response, "INVALID_REQUEST", /Lock-Token/);
        expect(await dataAt(address)).toMatchObject({ title: "One" });
      },
    );

    test("[REST-39] a Lock-Token is refused where it would be ignored", async () => {
      const address = await addressOf();
      const token = { "lock-token": "1" };
      for (const [method, path, body] of [
        ["POST", "/v1/contexts", { data: {} }],
        ["POST", `${address}/checkpoints`, { name: "a" }],
        ["POST", `${address}/compact`, {}],
        ["PUT", "/v1/types/t", { schema: { type: "object" } }],
        ["DELETE", address, {}],
      ] as const) {
        await expectProblem(await send(method, path, body, token), "INVALID_REQUEST", /no Lock-Token header/);
      }
    });

    test("[REST-16] pages of this machine may send a Lock-Token", async () => {
      const asking = { origin: "http://localhost:5173", "access-control-request-method": "PATCH" };
      const answer = await raw("OPTIONS", "/v1/contexts/plan", asking);
      expect(answer.headers["access-control-allow-headers"]).toContain("lock-token");
    });

    test("[REST-39] a request sent again under its key may show another token", async () => {
      const address = await addressOf();
      const first = await take(address);
      const key = { ...ada, "idempotency-key": "k" };
      expect(await (await set(address, "Two", { ...key, ...showing(first) })).json()).toMatchObject({
        replayed: false,
      });
      await release(address, first);
      const second = await take(address);
      expect(await (await set(address, "Two", { ...key, ...showing(second) })).json()).toMatchObject({
        replayed: true,
      });
    });

    test("[REST-39] after its time a token is stale, also when nobody else wants the place", async () => {
      const address = await addressOf();
      const lock = await take(address, { paths: ["/title"], ttlMs: 2000 });
      clock.advance(1999);
      expect((await set(address, "Two", { ...ada, ...showing(lock) })).status).toBe(200);
      clock.advance(1);
      const late = await expectProblem(await set(address, "Late", { ...ada, ...showing(lock) }), "FENCE_STALE");
      expect(late.details).toEqual({ fencingToken: lock.fencingToken });
      await expect.poll(() => list(address)).toEqual([]);
      const next = await take(address, { paths: ["/title"] }, bob);
      expect(next.fencingToken).toBeGreaterThan(lock.fencingToken);
      await expectProblem(await set(address, "Late", { ...ada, ...showing(lock) }), "FENCE_STALE");
      await expectProblem(await send("PUT", `${address}/locks/${lock.lockId}`, {}, ada), "LOCK_NOT_FOUND");
      expect(await dataAt(address)).toMatchObject({ title: "Two" });
    });

    describe("waiting", () => {
      const wait = { paths: ["/title"], waitMs: 10_000 };

      test("[REST-41] who waits is listed beside the locks, with its place", async () => {
        const address = await addressOf();
        const lock = await take(address, { paths: ["/title"], ttlMs: 60_000 });
        const second = ask(address, { ...wait, purpose: "next" }, bob);
        await waiting(address, 1);
        const [since, until] = [clock.nowMs(), clock.nowMs() + 10_000].map((ms) => new Date(ms).toISOString());
        // several nodes know by the time who came first
        clock.advance(1);
        const third = ask(address, { ...wait, mode: "shared" }, by("eve"));
        await waiting(address, 2);
        const board = lockListSchema.parse(await (await call(`${address}/locks`)).json());
        expect(board.locks).toEqual([lock]);
        expect(board.waiting).toEqual([
          {
            lockId: expect.stringMatching(/^[0-9a-f-]{36}$/),
            paths: ["/title"],
            mode: "exclusive",
            actor: "bob",
            purpose: "next",
            since,
            until,
            position: 1,
          },
          expect.objectContaining({ actor: "eve", mode: "shared", position: 2 }),
        ]);
        await release(address, lock);
        await release(address, lockSchema.parse(await (await second).json()), bob);
        expect((await third).status).toBe(201);
        expect(lockListSchema.parse(await (await call(`${address}/locks`)).json()).waiting).toEqual([]);
      });

      test("[REST-38] whoever waits is served when the lock is released, first come, first served", async () => {
        const address = await addressOf();
        const lock = await take(address);
        const second = ask(address, wait, bob);
        await waiting(address, 1);
        clock.advance(1);
        const third = ask(address, wait, by("eve"));
        await waiting(address, 2);
        // nobody overtakes, also not the holder before
        await release(address, lock);
        const granted = lockSchema.parse(await (await second).json());
        expect([granted.holder, granted.fencingToken > lock.fencingToken]).toEqual(["bob", true]);
        await expectProblem(await ask(address, { paths: ["/title"] }, ada), "LOCKED");
        await release(address, granted, bob);
        expect((await third).status).toBe(201);
      });

      test("[REST-38] whoever waits is served when the lock's time is over", async () => {
        const address = await addressOf();
        await take(address, { paths: ["/title"], ttlMs: 2000 });
        const second = ask(address, wait, bob);
        await waiting(address, 1);
        clock.advance(2000);
        expect(lockSchema.parse(await (await second).json())).toMatchObject({ holder: "bob" });
      });

      test("[REST-38] the waiting ends after waitMs with what stands in the way", async () => {
        const address = await addressOf();
        const lock = await take(address);
        const second = ask(address, wait, bob);
        await waiting(address, 1);
        clock.advance(10_000);
        const { details } = await expectProblem(await second, "LOCKED");
        expect(details).toMatchObject({ lockId: lock.lockId, holder: "ada" });
        await waiting(address, 0);
      });

      test("[REST-38] a client that goes away waits no more: the place is free when the lock is", async () => {
        const address = await addressOf();
        const lock = await take(address);
        const left = new AbortController();
        const abandoned = call(`${address}/locks`, {
          method: "POST",
          body: JSON.stringify(wait),
          headers: { "content-type": "application/json", ...bob },
          signal: left.signal,
        });
        await waiting(address, 1);
        const timers = clock.timerCount;
        left.abort();
        await expect(abandoned).rejects.toThrow(/abort/);
        await waiting(address, 0);
        // several nodes have more to do than this
        if (urls.length === 0) expect(clock.timerCount).toBe(timers - 1);
        await release(address, lock);
        expect(await list(address)).toEqual([]);
        expect((await set(address, "Two", by("eve"))).status).toBe(200);
      });
    });
  });
}

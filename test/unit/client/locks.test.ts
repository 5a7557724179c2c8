/** Locks of a replica without a server: what is asked when, and what the holder is told. Time is the test's. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import * as Y from "yjs";
import type { Lease, LockOptions } from "../../../client/index.ts";
import type { OutgoingRequest } from "../../../client/pending-requests.ts";
import { Replica } from "../../../client/replica.ts";
import { platformWebSocket } from "../../../client/socket.ts";
import { ServiceError } from "../../../shared/errors.ts";
import type { ErrorCode } from "../../../shared/errors.ts";
import { isJsonObject } from "../../../shared/json.ts";
import type { Json, JsonObject } from "../../../shared/json.ts";

const TTL = 30_000;
const CLOSED = new ServiceError("CLOSED", "The test is over.");

const WebSocket = await platformWebSocket();
let replica: Replica;
let asked: OutgoingRequest[];
const take = (request: OutgoingRequest): void => void asked.push(request);

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date", "performance"] });
  asked = [];
  replica = new Replica({
    url: "ws://mcm.test/sync",
    contextId: "plan",
    params: {},
    WebSocket,
  });
  replica.requests.connected(take);
});

afterEach(async () => {
  replica.close(CLOSED);
  await replica.dispose();
  vi.useRealTimers();
});

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

function paramsOf(request: OutgoingRequest | undefined): JsonObject {
  if (request === undefined || !isJsonObject(request.params)) throw new Error("no such request");
  return request.params;
}

const methods = (): string[] => asked.map(({ method }) => method);

/** Answers the newest request of a method. */
function answer(method: string, result: JsonObject | ErrorCode): void {
  const request = asked.findLast((candidate) => candidate.method === method);
  const id = request?.id ?? 0;
  if (typeof result !== "string") return replica.requests.answered({ id, ok: true, result });
  const error = { code: result, message: "no", details: {} };
  replica.requests.answered({ id, ok: false, error });
}

const view = (lockId: Json | undefined, fencingToken = 7): JsonObject => ({
  lockId: lockId ?? "",
  paths: ["/a"],
  mode: "exclusive",
  holder: "ada",
  fencingToken,
  ttlMs: TTL,
  expiresAt: "2026-01-01T00:00:00.000Z",
});

async function held(options?: LockOptions): Promise<Lease> {
  const lease = replica.locks.take("/a", options);
  answer("lock", view(paramsOf(asked.at(-1))["lockId"]));
  return lease;
}

/** What happened to a lease, in words. */
function watched(lease: Lease): string[] {
  const heard: string[] = [];
  lease.onLost(({ code }) => heard.push(code));
  return heard;
}

function edit(key = "x"): void {
  replica.doc.getMap("data").set(key, 1);
}

test("[SDK-40] a lease tells what was granted, and for how long", async () => {
  const lease = await held({ ttlMs: TTL, waitMs: 5, mode: "exclusive", purpose: "rewriting" });
  const { lockId, ...params } = paramsOf(asked[0]);
  expect(params).toEqual({ paths: ["/a"], ttlMs: TTL, waitMs: 5, mode: "exclusive", purpose: "rewriting" });
  expect(lockId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(lease).toMatchObject({ lockId, paths: ["/a"], mode: "exclusive", fencingToken: 7, isHeld: true });
  expect(lease.expiresAtMs).toBe(Date.now() + TTL);
  expect(lease.signal.aborted).toBe(false);
});

test("[SDK-40] several paths are one lock", async () => {
  void replica.locks.take(["/a", "/b"]).catch(() => {});
  expect(paramsOf(asked[0])).toMatchObject({ paths: ["/a", "/b"] });
});

test("[SDK-40] an answer that is no lock is none", async () => {
  const lease = replica.locks.take("/a");
  answer("lock", { lockId: "x" });
  await expect(lease).rejects.toMatchObject({ code: "INTERNAL" });
});

test.each(["LOCKED", "LIMIT_EXCEEDED"] as const)("[SDK-40] %s is told", async (code) => {
  const lease = replica.locks.take("/a");
  answer("lock", code);
  await expect(lease).rejects.toMatchObject({ code });
  expect(methods()).toEqual(["lock"]);
});

test("[SDK-40] a wall clock that was set on ends the trust in a lease, not the lease", async () => {
  const lease = await held();
  const heard = watched(lease);
  vi.setSystemTime(Date.now() + TTL);
  expect(lease.isHeld).toBe(false);
  await vi.advanceTimersByTimeAsync(TTL / 3);
  answer("renew-lock", view(lease.lockId));
  await turn();
  expect(lease.isHeld).toBe(true);
  expect(heard).toEqual([]);
});

test("[SDK-42] the time of a lease counts from when it was asked for", async () => {
  const taking = replica.locks.take("/a");
  await vi.advanceTimersByTimeAsync(2000);
  answer("lock", view(paramsOf(asked[0])["lockId"]));
  const lease = await taking;
  expect(lease.expiresAtMs).toBe(Date.now() - 2000 + TTL);
});

test("[SDK-42] one that was waited for is renewed before it is handed out, as nobody here knows when it began", async () => {
  const taking = replica.locks.take("/a", { waitMs: 60_000 });
  const taken: Lease[] = [];
  void taking.then((lease) => taken.push(lease));
  await vi.advanceTimersByTimeAsync(TTL);
  const { lockId } = paramsOf(asked[0]);
  answer("lock", view(lockId));
  await turn();
  expect([methods(), taken]).toEqual([["lock", "renew-lock"], []]);
  answer("renew-lock", view(lockId));
  await turn();
  expect(taken).toMatchObject([{ isHeld: true, expiresAtMs: Date.now() + TTL }]);
});

test("[SDK-42] and is none when it is over by then", async () => {
  const taking = replica.locks.take("/a", { waitMs: 60_000 });
  await vi.advanceTimersByTimeAsync(TTL);
  answer("lock", view(paramsOf(asked[0])["lockId"]));
  await turn();
  answer("renew-lock", "LOCK_NOT_FOUND");
  await expect(taking).rejects.toMatchObject({ code: "LOCK_NOT_FOUND" });
});

test("[SDK-41] a request that is repeated names the same lock; it goes before edits", async () => {
  const lease = replica.locks.take("/a");
  void replica.requests.request("change", {}).catch(() => {});
  replica.requests.connectionLost();
  asked = [];
  replica.requests.begin(take);
  expect(methods()).toEqual(["lock"]);
  const { lockId } = paramsOf(asked[0]);
  replica.requests.connected(take);
  expect(methods()).toEqual(["lock", "change"]);
  answer("lock", view(lockId));
  expect((await lease).lockId).toBe(lockId);
});

test("[SDK-41] a request that is given up gives back what it may have got", async () => {
  const controller = new AbortController();
  const lease = replica.locks.take("/a", { signal: controller.signal });
  controller.abort(new Error("enough"));
  await expect(lease).rejects.toThrow("enough");
  await turn();
  expect(methods()).toEqual(["lock", "unlock"]);
  expect(paramsOf(asked[1])).toEqual({ lockId: paramsOf(asked[0])["lockId"] });
});

test("[SDK-41] closing ends requests and gives leases back", async () => {
  const lease = await held();
  const heard = watched(lease);
  const waiting = replica.locks.take("/b");
  waiting.catch(() => {});
  const closing = replica.locks.close(CLOSED);
  await turn();
  const given = asked.filter(({ method }) => method === "unlock").map((request) => paramsOf(request)["lockId"]);
  expect(new Set(given)).toEqual(new Set([lease.lockId, paramsOf(asked[1])["lockId"]]));
  for (const { id, method } of asked) if (method === "unlock") replica.requests.answered({ id, ok: true, result: {} });
  await closing;
  await expect(waiting).rejects.toBe(CLOSED);
  replica.close(CLOSED);
  expect(heard).toEqual([]);
  expect(lease.isHeld).toBe(false);
});

test("[SDK-41] a context that ends with leases loses them", async () => {
  const lease = await held();
  const heard = watched(lease);
  replica.close(new ServiceError("UNAUTHENTICATED", "revoked"));
  expect(heard).toEqual(["UNAUTHENTICATED"]);
  await expect(lease.release()).resolves.toBeUndefined();
});

test("[SDK-42] a lease is renewed at a third of its time, again and again, and counts from the question", async () => {
  const lease = await held();
  const since = Date.now();
  await vi.advanceTimersByTimeAsync(TTL / 3 - 1);
  expect(methods()).toEqual(["lock"]);
  await vi.advanceTimersByTimeAsync(1);
  expect(paramsOf(asked[1])).toEqual({ lockId: lease.lockId, fencingToken: 7, paths: ["/a"], ttlMs: TTL });
  await vi.advanceTimersByTimeAsync(500);
  answer("renew-lock", view(lease.lockId));
  await turn();
  expect(lease.expiresAtMs).toBe(since + TTL / 3 + TTL);
  await vi.advanceTimersByTimeAsync(TTL / 3 - 500);
  expect(methods()).toEqual(["lock", "renew-lock", "renew-lock"]);
});

test("[SDK-42] on a new connection it is renewed before anything else", async () => {
  const lease = await held();
  void replica.requests.request("change", {}).catch(() => {});
  replica.requests.connectionLost();
  asked = [];
  await vi.advanceTimersByTimeAsync(1000);
  replica.requests.begin(take);
  replica.locks.resume();
  replica.requests.connected(take);
  expect(methods()).toEqual(["renew-lock", "change"]);
  expect(paramsOf(asked[0])).toMatchObject({ lockId: lease.lockId, fencingToken: 7, paths: ["/a"] });
  answer("renew-lock", view(lease.lockId));
  await turn();
  expect(lease.expiresAtMs).toBe(Date.now() + TTL);
});

test("[SDK-42] trouble of the server does not end a lease; it is asked again", async () => {
  const lease = await held();
  const heard = watched(lease);
  await vi.advanceTimersByTimeAsync(TTL / 3);
  answer("renew-lock", "STORE_UNAVAILABLE");
  await vi.advanceTimersByTimeAsync(TTL / 6);
  expect(methods()).toEqual(["lock", "renew-lock", "renew-lock"]);
  answer("renew-lock", view(lease.lockId));
  await turn();
  await vi.advanceTimersByTimeAsync(TTL / 3);
  expect(heard).toEqual([]);
  expect(lease.isHeld).toBe(true);
});

test.each([
  { what: "its time is over", lose: () => vi.advanceTimersByTimeAsync(TTL), code: "LOCK_NOT_FOUND" },
  {
    what: "renewal is refused",
    lose: async () => {
      await vi.advanceTimersByTimeAsync(TTL / 3);
      answer("renew-lock", "LOCK_NOT_FOUND");
    },
    code: "LOCK_NOT_FOUND",
  },
  {
    what: "the server says that it expired",
    lose: async (lockId: string) =>
      replica.received({ type: "event", event: { type: "lock", op: "expire", lockId, seq: 9, actor: "ada" } }),
    code: "LOCK_NOT_FOUND",
  },
  {
    what: "somebody released it by its id",
    lose: async (lockId: string) =>
      replica.received({ type: "event", event: { type: "lock", op: "release", lockId, seq: 9, actor: "ada" } }),
    code: "LOCK_NOT_FOUND",
  },
])("[SDK-43] a lease is lost once when $what, and given back", async ({ lose, code }) => {
  const lease = await held();
  const heard = watched(lease);
  await lose(lease.lockId);
  await turn();
  expect(heard).toEqual([code]);
  expect(lease.isHeld).toBe(false);
  expect(lease.signal.reason).toMatchObject({ code });
  expect(asked.filter(({ method }) => method === "unlock").map(({ params }) => params)).toEqual([
    { lockId: lease.lockId },
  ]);
  replica.received({
    type: "event",
    event: { type: "lock", op: "expire", lockId: lease.lockId, seq: 9, actor: "ada" },
  });
  const renewals = methods().filter((method) => method === "renew-lock").length;
  await vi.advanceTimersByTimeAsync(3 * TTL);
  expect(heard).toEqual([code]);
  expect(methods().filter((method) => method === "renew-lock")).toHaveLength(renewals);
  await expect(lease.release()).resolves.toBeUndefined();
});

test("[SDK-43] who listens late hears it too; who stopped listening does not", async () => {
  const lease = await held();
  const stopped: string[] = [];
  lease.onLost(({ code }) => stopped.push(code))();
  replica.locks.ended(lease.lockId, "expire");
  const heard = watched(lease);
  expect(heard).toEqual([]);
  await turn();
  expect(heard).toEqual(["LOCK_NOT_FOUND"]);
  expect(stopped).toEqual([]);
});

test("[SDK-43] a lost lease bars its paths until the edits made under it are settled, on a new connection too", async () => {
  const lease = await held();
  edit();
  replica.locks.ended(lease.lockId, "expire");
  await turn();
  expect(methods()).toEqual(["lock"]);
  replica.requests.connectionLost();
  asked = [];
  replica.requests.begin(take);
  replica.locks.resume();
  expect(methods()).toEqual(["renew-lock"]);
  answer("renew-lock", "LOCK_NOT_FOUND");
  replica.requests.connected(take);
  await turn();
  expect(methods()).toEqual(["renew-lock"]);
  const [entry] = replica.pending.entries;
  if (entry !== undefined) replica.pending.refuse(entry, CLOSED);
  await turn();
  expect(methods()).toEqual(["renew-lock", "unlock"]);
});

test("[SDK-44] releasing waits for the edits made so far, and ends renewal", async () => {
  const lease = await held();
  const heard = watched(lease);
  edit();
  const released = lease.release();
  edit("y");
  await turn();
  expect(methods()).toEqual(["lock"]);
  expect(lease.isHeld).toBe(false);
  const [first] = replica.pending.entries;
  if (first !== undefined) replica.pending.done(first);
  await turn();
  expect(methods()).toEqual(["lock", "unlock"]);
  expect(lease.release()).toBe(released);
  answer("unlock", {});
  await released;
  replica.locks.ended(lease.lockId, "release");
  await vi.advanceTimersByTimeAsync(3 * TTL);
  expect(methods()).toEqual(["lock", "unlock"]);
  expect(heard).toEqual([]);
});

test("[SDK-44] `await using` gives it back", async () => {
  const work = async (): Promise<void> => {
    await using lease = await held();
    expect(lease.isHeld).toBe(true);
  };
  const done = work();
  await turn();
  expect(methods()).toEqual(["lock", "unlock"]);
  answer("unlock", "LOCK_NOT_FOUND");
  await done;
});

test("[SDK-44] a release that cannot be told ends with the lease's time", async () => {
  const lease = await held();
  edit();
  replica.requests.connectionLost();
  const released = lease.release();
  await vi.advanceTimersByTimeAsync(TTL);
  await released;
  expect(lease.signal.aborted).toBe(true);
});

test("[SDK-45] an update shows the tokens of the locks where it writes, and those it is given", async () => {
  const lease = await held();
  const other = replica.locks.take("/other");
  answer("lock", { ...view(paramsOf(asked[1])["lockId"], 9), paths: ["/other/x"] });
  await other;
  asked = [];
  const change = (changes: readonly { op: "remove"; path: string }[], tokens?: readonly number[]): Json | undefined => {
    replica.change({ changes }, { tokens: tokens ?? [] }).catch(() => {});
    return paramsOf(asked.at(-1))["lockTokens"];
  };
  expect(change([{ op: "remove", path: "/a/b" }])).toEqual([7]);
  expect(change([{ op: "remove", path: "/other" }])).toEqual([9]);
  expect(change([{ op: "remove", path: "" }])).toEqual([7, 9]);
  expect(change([{ op: "remove", path: "/b" }])).toBeUndefined();
  expect(change([{ op: "remove", path: "/b" }], [3])).toEqual([3]);
  expect(change([{ op: "remove", path: "/a" }], [7])).toEqual([7]);
  replica.change({ changes: [{ op: "move", path: "/b", from: "/a/c" }] }).catch(() => {});
  expect(paramsOf(asked.at(-1))["lockTokens"]).toEqual([7]);
  replica.locks.ended(lease.lockId, "expire");
  expect(change([{ op: "remove", path: "/a/b" }])).toBeUndefined();
});

test("[SDK-46] what happens to locks is told", () => {
  const heard: unknown[] = [];
  replica.events.on("lock", (notice) => heard.push(notice));
  const acquired = { op: "acquire", lockId: "l", paths: ["/a"], mode: "shared", ttlMs: 1, seq: 3, actor: "bob" };
  replica.received({ type: "event", event: { type: "lock", ...acquired } });
  replica.received({ type: "event", event: { type: "lock", what: "ever" } });
  expect(heard).toEqual([acquired]);
});

test("who waits for locks keeps neither renewals nor changes waiting", async () => {
  const lease = await held();
  for (let i = 0; i < 40; i++) replica.locks.take(`/w${i}`).catch(() => {});
  asked = [];
  await vi.advanceTimersByTimeAsync(TTL / 3);
  replica.change({ changes: [] }).catch(() => {});
  expect(methods()).toEqual(["renew-lock", "change"]);
  expect(Y.getState(replica.doc.store, 0)).toBe(0);
  expect(lease.isHeld).toBe(true);
});

/** Locks that live sessions ask for, lose their line with, and ask for again; and refused edits that come twice. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import * as Y from "yjs";
import { encodeRequest, encodeStep2, encodeUpdate } from "../../shared/protocol/frames.ts";
import type { Json, JsonObject } from "../../shared/json.ts";
import { LIMITS } from "../../shared/limits.ts";
import { PLAN, caller, openEditor, startPlan, turns } from "../support/service-rig.ts";
import type { Editor, ServiceRig } from "../support/service-rig.ts";

const LOCK = "11111111-1111-4111-8111-111111111111";
const OTHER = "22222222-2222-4222-8222-222222222222";

let rig: ServiceRig;
let ada: Editor;

beforeEach(async () => {
  rig = await startPlan({ a: 1, b: 1 });
  ada = await openEditor(rig, "ada");
});

afterEach(async () => {
  await rig.service.close();
});

let requests = 0;

/** What it is answered later. */
function ask({ session }: Editor, method: string, params: Json): number {
  session.receive(encodeRequest(++requests, method, params));
  return requests;
}

function answerOf({ connection }: Editor, id: number): JsonObject | string | undefined {
  for (const message of connection.take()) {
    if (message.type !== "response" || message.response.id !== id) continue;
    return message.response.ok ? Object(message.response.result) : message.response.error.code;
  }
  return undefined;
}

async function answered(editor: Editor, method: string, params: Json): Promise<JsonObject | string | undefined> {
  const id = ask(editor, method, params);
  await turns();
  return answerOf(editor, id);
}

/** The code of the refusal of what the editor did last; undefined when it was taken. */
function refusalOf({ connection }: Editor): string | undefined {
  for (const message of connection.take()) if (message.type === "rejected") return message.rejected.code;
  return undefined;
}

async function lockIds(): Promise<string[]> {
  return (await rig.service.locks.list(caller("ada"), PLAN)).map(({ lockId }) => lockId);
}

describe("[LOCK-15] a lock that is named by who asks for it", () => {
  test("has that name, and is the same when it is asked for again, by its actor", async () => {
    const first = await answered(ada, "lock", { paths: ["/a"], lockId: LOCK });
    expect(first).toMatchObject({ lockId: LOCK, paths: ["/a"] });
    const again = await openEditor(rig, "ada");
    expect(await answered(again, "lock", { paths: ["/a"], lockId: LOCK })).toMatchObject({
      lockId: LOCK,
      fencingToken: Object(first).fencingToken,
    });
    again.edit((data) => data.set("a", 2));
    await turns();
    expect(refusalOf(again)).toBeUndefined();
    expect(await lockIds()).toEqual([LOCK]);
    const bob = await openEditor(rig, "bob");
    expect(await answered(bob, "lock", { paths: ["/b"], lockId: LOCK })).toBe("FORBIDDEN");
  });

  test("is granted once when both requests wait for it", async () => {
    const lock = await rig.service.locks.acquire(caller("eve"), PLAN, { paths: ["/a"] });
    const again = await openEditor(rig, "ada");
    const params = { paths: ["/a"], lockId: LOCK, waitMs: 60_000 };
    const ids = [ask(ada, "lock", params), ask(again, "lock", params)];
    await turns();
    await rig.service.locks.release(caller("eve"), PLAN, lock.lockId);
    await turns(6);
    const answers = [ada, again].map((editor, index) => answerOf(editor, ids[index] ?? 0));
    expect(answers).toEqual([expect.objectContaining({ lockId: LOCK }), expect.objectContaining({ lockId: LOCK })]);
    expect(await lockIds()).toEqual([LOCK]);
  });

  test("is got by the second request when the line of the first ends", async () => {
    const lock = await rig.service.locks.acquire(caller("eve"), PLAN, { paths: ["/a"] });
    const again = await openEditor(rig, "ada");
    const params = { paths: ["/a"], lockId: LOCK, waitMs: 60_000 };
    ask(ada, "lock", params);
    const id = ask(again, "lock", params);
    await turns();
    ada.session.closed();
    await turns();
    await rig.service.locks.release(caller("eve"), PLAN, lock.lockId);
    await turns(6);
    expect(answerOf(again, id)).toMatchObject({ lockId: LOCK });
    expect(await lockIds()).toEqual([LOCK]);
  });

  test("must have a UUID for a name", async () => {
    expect(await answered(ada, "lock", { paths: ["/a"], lockId: "mine" })).toBe("INVALID_REQUEST");
    expect(await answered(ada, "lock", { paths: ["a"], lockId: LOCK })).toBe("INVALID_REQUEST");
  });
});

describe("[LOCK-16] who does not want a lock any more", () => {
  test.each([
    ["and says so", () => void ask(ada, "unlock", { lockId: LOCK })],
    ["and went away", () => ada.session.closed()],
  ])("does not get it: %s", async (_how, leave) => {
    const lock = await rig.service.locks.acquire(caller("eve"), PLAN, { paths: ["/a"] });
    ask(ada, "lock", { paths: ["/a"], lockId: LOCK, waitMs: 60_000 });
    await turns();
    leave();
    await turns();
    await rig.service.locks.release(caller("eve"), PLAN, lock.lockId);
    await turns(6);
    expect(await lockIds()).toEqual([]);
  });
});

describe("[LOCK-17] a session that renews a lock with its token and paths", () => {
  test("edits under it, from that request on", async () => {
    const lock = await rig.service.locks.acquire(caller("ada"), PLAN, { paths: ["/a"], lockId: LOCK });
    const { fencingToken } = lock;
    const id = ask(ada, "renew-lock", { lockId: LOCK, fencingToken, paths: ["/a"] });
    ada.edit((data) => data.set("a", 2));
    await turns();
    const messages = ada.connection.take();
    expect(messages.filter(({ type }) => type === "rejected")).toEqual([]);
    expect(messages).toContainEqual(
      expect.objectContaining({ type: "response", response: expect.objectContaining({ id, ok: true }) }),
    );
    // its sibling does not
    const sibling = await openEditor(rig, "ada");
    sibling.edit((data) => data.set("a", 3));
    await turns();
    expect(refusalOf(sibling)).toBe("LOCKED");
  });

  test("is barred from there when it is over, until it gives it back", async () => {
    const claim = { lockId: LOCK, fencingToken: 1, paths: ["/a"] };
    expect(await answered(ada, "renew-lock", claim)).toBe("LOCK_NOT_FOUND");
    ada.edit((data) => data.set("b", 2));
    await turns();
    expect(refusalOf(ada)).toBeUndefined();
    ada.edit((data) => data.set("a", 2));
    await turns();
    expect(refusalOf(ada)).toBe("FENCE_STALE");

    const again = await openEditor(rig, "ada");
    ask(again, "renew-lock", claim);
    ask(again, "unlock", { lockId: LOCK });
    again.edit((data) => data.set("a", 3));
    await turns();
    expect(refusalOf(again)).toBeUndefined();
  });

  test("gets nobody's lock by its id alone, nor a path that is none", async () => {
    await rig.service.locks.acquire(caller("eve"), PLAN, { paths: ["/a"], lockId: OTHER });
    expect(await answered(ada, "renew-lock", { lockId: OTHER, fencingToken: 1, paths: ["/a"] })).toBe("FORBIDDEN");
    ada.edit((data) => data.set("a", 2));
    await turns();
    expect(refusalOf(ada)).toBe("FENCE_STALE");
    const again = await openEditor(rig, "ada");
    expect(await answered(again, "renew-lock", { lockId: LOCK, fencingToken: 1, paths: ["a"] })).toBe(
      "INVALID_REQUEST",
    );
    expect(await answered(again, "renew-lock", { lockId: LOCK, fencingToken: 0, paths: ["/a"] })).toBe(
      "INVALID_REQUEST",
    );
  });
});

test("[LOCK-18] a session has so many locks, held, lost or asked for", async () => {
  const uuid = (n: number): string => `33333333-3333-4333-8333-${String(n).padStart(12, "0")}`;
  for (let n = 0; n < LIMITS.sessionLeasesMax - 1; n++) ask(ada, "lock", { paths: [`/x${n}`], lockId: uuid(n) });
  ask(ada, "renew-lock", { lockId: LOCK, fencingToken: 1, paths: ["/a"] });
  await turns(6);
  ada.connection.take();
  expect(await answered(ada, "lock", { paths: ["/y"] })).toBe("LIMIT_EXCEEDED");
  expect(await answered(ada, "renew-lock", { lockId: OTHER, fencingToken: 1, paths: ["/a"] })).toBe("LIMIT_EXCEEDED");
  expect(await answered(ada, "renew-lock", { lockId: uuid(0) })).toMatchObject({ lockId: uuid(0) });
  expect(await answered(ada, "unlock", { lockId: LOCK })).toBe("LOCK_NOT_FOUND");
  expect(await answered(ada, "lock", { paths: ["/y"] })).toMatchObject({ paths: ["/y"] });
});

describe("[VOID-5] a refused edit that comes again, because nobody heard of the refusal", () => {
  function made(change: (data: Y.Map<unknown>) => void): Uint8Array {
    const { doc } = ada;
    const updates: Uint8Array[] = [];
    doc.once("update", (update: Uint8Array) => updates.push(update));
    doc.transact(() => change(doc.getMap("data")));
    return updates[0] ?? new Uint8Array();
  }

  const dataOf = async (): Promise<unknown> => (await rig.service.read(caller("x"), PLAN, { path: "" })).data;

  test.each([
    ["an edit", (data: Y.Map<unknown>) => void data.set("a", 2)],
    ["an edit elsewhere too", (data: Y.Map<unknown>) => [data.set("a", 2), data.set("b", 2)]],
    ["a tree", (data: Y.Map<unknown>) => void data.set("a", new Y.Map([["deep", new Y.Text("x")]]))],
    ["an edit that also deletes", (data: Y.Map<unknown>) => [data.delete("b"), data.set("a", 2)]],
  ])("is refused again, though the lock is gone: %s", async (_what, change) => {
    const lock = await rig.service.locks.acquire(caller("eve"), PLAN, { paths: ["/a"] });
    // what the server has, for deletions
    Y.applyUpdate(ada.doc, Y.encodeStateAsUpdate(await stateOf()));
    const refused = made((data) => void change(data));
    const fine = made((data) => void data.set("c", 1));
    ada.session.receive(encodeUpdate(refused));
    await turns();
    expect(refusalOf(ada)).toBe("LOCKED");
    await rig.service.locks.release(caller("eve"), PLAN, lock.lockId);

    const again = await openEditor(rig, "ada");
    again.session.receive(encodeUpdate(refused));
    await turns();
    expect(refusalOf(again)).toBe("FORBIDDEN");
    const later = await openEditor(rig, "ada");
    later.session.receive(encodeUpdate(fine));
    await turns();
    expect(refusalOf(later)).toBeUndefined();
    expect(await dataOf()).toEqual({ a: 1, b: 1, c: 1 });
  });

  test("is not mistaken for one that was taken, and deleted since", async () => {
    const taken = [made((data) => void data.set("m", new Y.Map([["x", 1]]))), made((data) => void data.set("n", 1))];
    for (const update of taken) ada.session.receive(encodeUpdate(update));
    await turns();
    await rig.service.change(caller("eve"), PLAN, {
      ops: [
        { op: "remove", path: "/m" },
        { op: "remove", path: "/n" },
      ],
    });
    const again = await openEditor(rig, "ada");
    for (const update of taken) again.session.receive(encodeUpdate(update));
    again.session.receive(encodeStep2(Y.encodeStateAsUpdate(ada.doc)));
    await turns();
    expect(refusalOf(again)).toBeUndefined();
    expect(again.connection.closedWith).toBeUndefined();
  });

  test("what it brings along is refused whole when a part of it has no place any more", async () => {
    await rig.service.locks.acquire(caller("eve"), PLAN, { paths: ["/a"] });
    const refused = made((data) => void data.set("a", new Y.Map()));
    const builds = made((data) => {
      const map = data.get("a");
      if (map instanceof Y.Map) map.set("x", 1);
      data.set("c", 1);
    });
    for (const update of [refused, builds]) ada.session.receive(encodeUpdate(update));
    await turns();
    expect(await dataOf()).toEqual({ a: 1, b: 1 });
  });

  async function stateOf(): Promise<Y.Doc> {
    const editor = await openEditor(rig, "reader");
    editor.session.receive(new Uint8Array([0, 0, 1, 0]));
    await turns();
    for (const message of editor.connection.take())
      if (message.type === "sync" && message.step === 1) Y.applyUpdate(editor.doc, message.bytes);
    return editor.doc;
  }
});

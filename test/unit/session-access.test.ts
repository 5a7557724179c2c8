/** Sessions and the rights of who holds them: rules ACL-5, ACL-8, ACL-9, ACL-10, WIRE-26. */
import { beforeEach, describe, expect, test } from "vitest";
import { encodeAwareness, encodeStep1, encodeToken, encodeUpdate } from "../../shared/protocol/frames.ts";
import type { Grant } from "../../shared/permission.ts";
import { ServiceError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { Identity } from "../../server/state/access/identity.ts";
import { bearer } from "../support/callers.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { RecordingConnection } from "../support/recording-connection.ts";
import { PLAN, caller, openEditor, startService, turns } from "../support/service-rig.ts";
import type { Editor, ServiceRig } from "../support/service-rig.ts";

const HOUR = 3_600_000;

let clock: ManualClock;
let rig: ServiceRig;

beforeEach(async () => {
  clock = new ManualClock();
  rig = await startService(undefined, undefined, undefined, clock);
  await rig.service.create(caller("ann"), { id: PLAN, data: { a: 1, b: 1 } });
});

const grant = (...grants: readonly Grant[]) => rig.service.access.setAcl(caller("ann"), PLAN, { grants });
const closeOf = ({ connection }: Editor): string | undefined => {
  const { closedWith } = connection;
  return closedWith && `${closedWith.code} ${closedWith.reason.split(":")[0]}`;
};
const typesOf = ({ connection }: Editor): string[] => connection.take().map(({ type }) => type);

describe("[ACL-2] a session", () => {
  test("does not begin for who may not read, and keeps nothing in memory", async () => {
    await grant({ principal: "bob", role: "reader" });
    await expect(openEditor(rig, bearer("eve"))).rejects.toMatchObject({ code: "CONTEXT_NOT_FOUND" });
    const before = clock.timerCount;
    clock.advance(HOUR);
    expect(clock.timerCount).toBeLessThanOrEqual(before);
  });
});

describe("[ACL-8] a new list", () => {
  test.each([true, false])("ends the sessions of who may not read any more (mcm.v1: %s)", async (isExtended) => {
    await grant({ principal: "*", role: "reader" });
    const [bob, eve] = [await openEditor(rig, bearer("bob"), isExtended), await openEditor(rig, bearer("eve"))];
    await grant({ principal: "eve", role: "reader" });
    await turns();
    expect([closeOf(bob), closeOf(eve)]).toEqual(["4404 CONTEXT_NOT_FOUND", undefined]);
  });

  test("lets who may only read go on reading, and be seen", async () => {
    await grant({ principal: "bob", role: "writer" });
    const bob = await openEditor(rig, bearer("bob"));
    const ann = await openEditor(rig, bearer("ann"));
    await grant({ principal: "bob", role: "reader" });
    bob.session.receive(encodeStep1(new Uint8Array([0])));
    bob.session.receive(encodeAwareness([{ yjsClientId: 5, clock: 1, state: "{}" }]));
    await rig.service.change(caller("ann"), PLAN, { ops: [{ op: "add", path: "/a", value: 2 }] });
    await turns();
    expect(typesOf(bob)).toEqual(expect.arrayContaining(["sync", "awareness", "commit"]));
    expect(typesOf(ann)).toContain("awareness");
    expect(closeOf(bob)).toBeUndefined();
  });

  test("judges what was sent before it was heard of: a reader's edit goes to nobody, and its author is told", async () => {
    await grant({ principal: "bob", role: "writer" });
    const [bob, ann] = [await openEditor(rig, bearer("bob")), await openEditor(rig, bearer("ann"))];
    const narrowed = grant({ principal: "bob", role: "reader" });
    bob.edit((data) => data.set("secret", "of bob"));
    await narrowed;
    await turns();
    expect(typesOf(bob)).toEqual(["event", "rejected"]);
    expect([closeOf(bob), closeOf(ann)]).toEqual(["4403 FORBIDDEN", undefined]);
    expect(JSON.stringify(ann.connection.take())).not.toContain("secret");
    expect((await rig.service.changes(caller("ann"), PLAN, { since: 0, limit: 9 })).items).toEqual([]);
  });
});

describe("[ACL-9] a token", () => {
  const until = (expiresAtMs: number): Identity => bearer("ann", { expiresAtMs });

  test("that is over ends what is open under it, at its time and not before; far ones too", async () => {
    const soon = await openEditor(rig, until(clock.nowMs() + HOUR));
    const late = await openEditor(rig, until(clock.nowMs() + 1000 * HOUR));
    clock.advance(HOUR - 1);
    expect(closeOf(soon)).toBeUndefined();
    clock.advance(1);
    expect([closeOf(soon), closeOf(late)]).toEqual(["4401 UNAUTHENTICATED", undefined]);
    clock.advance(999 * HOUR - 1);
    expect(closeOf(late)).toBeUndefined();
    clock.advance(1);
    expect(closeOf(late)).toBe("4401 UNAUTHENTICATED");
  });

  test("is over by the wall clock, wherever it jumps", async () => {
    const editor = await openEditor(rig, until(clock.nowMs() + HOUR));
    clock.jump(-HOUR / 2);
    clock.advance(HOUR);
    expect(closeOf(editor)).toBeUndefined();
    clock.advance(HOUR / 2);
    expect(closeOf(editor)).toBe("4401 UNAUTHENTICATED");
  });

  test("that is revoked ends what is open under it, and nothing else", async () => {
    const [one, other] = [
      await openEditor(rig, bearer("ann", { tokenId: "t1" })),
      await openEditor(rig, bearer("ann", { tokenId: "t2" })),
    ];
    rig.service.readers.revoke(({ tokenId }) => tokenId === "t1");
    expect([closeOf(one), closeOf(other)]).toEqual(["4401 UNAUTHENTICATED", undefined]);
  });

  test("that is revoked while its session is made lets nobody in", async () => {
    const opening = openEditor(rig, bearer("ann", { tokenId: "t1" }));
    rig.service.readers.revoke(({ tokenId }) => tokenId === "t1");
    const editor = await opening;
    expect(closeOf(editor)).toBe("4401 UNAUTHENTICATED");
    expect(typesOf(editor)).toEqual([]);
  });

  test("that ends while its session is made lets nobody in, and keeps nothing in memory", async () => {
    const editor = await openEditor(rig, until(clock.nowMs()));
    expect(closeOf(editor)).toBe("4401 UNAUTHENTICATED");
    await rig.service.change(caller("ann"), PLAN, { ops: [{ op: "add", path: "/a", value: 2 }] });
    await turns();
    expect(typesOf(editor)).toEqual([]);
    rig.service.start();
    clock.advance(HOUR);
    expect(rig.service.guarded(PLAN), "not in memory any more").toBeInstanceOf(Promise);
  });

  test("leaves no timer when its session is closed", async () => {
    const before = clock.timerCount;
    const editor = await openEditor(rig, until(clock.nowMs() + HOUR));
    expect(clock.timerCount).toBe(before + 1);
    editor.session.closed();
    expect(clock.timerCount).toBe(before);
  });
});

describe("[ACL-10] a new token in a session", () => {
  const tokens: Record<string, Identity> = {};
  const verify = async (token: string): Promise<Identity> => {
    const identity = tokens[token];
    if (identity === undefined) throw new ServiceError("UNAUTHENTICATED", "No.");
    return identity;
  };

  test("gives it its time and its rights", async () => {
    tokens["next"] = bearer("bob", {
      expiresAtMs: clock.nowMs() + 2 * HOUR,
      grants: [{ id: "*", role: "writer", paths: ["/b"] }],
    });
    await grant({ principal: "bob", role: "reader" });
    const editor = await openEditor(rig, bearer("bob", { expiresAtMs: clock.nowMs() + HOUR }), true, verify);
    editor.session.receive(encodeToken("next"));
    await turns();
    clock.advance(HOUR);
    expect(closeOf(editor)).toBeUndefined();
    editor.edit((data) => data.set("b", 2));
    await turns();
    expect(typesOf(editor)).toContain("ack");
    clock.advance(HOUR);
    expect(closeOf(editor)).toBe("4401 UNAUTHENTICATED");
  });

  test.each([
    ["somebody else's", "eve's"],
    ["one that is not valid", "nonsense"],
  ])("%s ends the session", async (_what, token) => {
    tokens["eve's"] = bearer("eve");
    const editor = await openEditor(rig, bearer("ann"), true, verify);
    editor.session.receive(encodeToken(token));
    await turns();
    expect(closeOf(editor)).toBe("4401 UNAUTHENTICATED");
  });

  test("with fewer rights takes them away", async () => {
    await grant();
    tokens["narrow"] = bearer("bob");
    const grants = [{ id: "plan", role: "writer" }] as const;
    const editor = await openEditor(rig, bearer("bob", { grants }), true, verify);
    editor.session.receive(encodeToken("narrow"));
    await turns();
    expect(closeOf(editor)).toBe("4404 CONTEXT_NOT_FOUND");
  });

  test("is ignored where words are taken", async () => {
    const editor = await openEditor(rig, "ann");
    editor.session.receive(encodeToken("anything"));
    await turns();
    expect(closeOf(editor)).toBeUndefined();
  });
});

describe("[WIRE-26] an mcm.v1 session is told its rights", () => {
  const rightsOf = ({ connection }: { readonly connection: RecordingConnection }): unknown[] =>
    connection.take().flatMap((message) => (message.type === "event" ? [message.event] : []));
  const hearing = async (who: Identity, isExtended = true, verify?: (token: string) => Promise<Identity>) => {
    const connection = new RecordingConnection();
    const options = { connection, isExtended, create: false, ...(verify === undefined ? {} : { verify }) };
    const session = await rig.service.openSession({ identity: who, origin: "sdk" }, PLAN, options);
    return { connection, session };
  };

  test("after hello, before anything else", async () => {
    await grant(
      { principal: "bob", role: "writer", paths: ["/b", "/a/1", "/a"] },
      { principal: "eve", role: "reader" },
    );
    const [ann, bob, eve] = [await hearing(bearer("ann")), await hearing(bearer("bob")), await hearing(bearer("eve"))];
    const first = [ann, bob, eve].map(({ connection }) => connection.take().slice(0, 2));
    expect(first).toMatchObject([
      [{ type: "hello" }, { event: { type: "access", mayWrite: true, isAdmin: true } }],
      [{ type: "hello" }, { event: { type: "access", mayWrite: true, isAdmin: false, paths: ["/a", "/b"] } }],
      [{ type: "hello" }, { event: { type: "access", mayWrite: false, isAdmin: false } }],
    ]);
    expect(first[0]?.[1]).not.toHaveProperty("event.paths");
  });

  test("when a list changes them, and not when it does not", async () => {
    await grant({ principal: "bob", role: "writer" });
    const bob = await hearing(bearer("bob"));
    bob.connection.take();
    await grant({ principal: "bob", role: "reader" });
    await grant({ principal: "bob", role: "reader" }, { principal: "eve", role: "reader" });
    await grant({ principal: "bob", role: "admin" });
    expect(rightsOf(bob)).toEqual([
      { type: "access", mayWrite: false, isAdmin: false },
      { type: "access", mayWrite: true, isAdmin: true },
    ]);
  });

  test("when a token changes them", async () => {
    const scopes = new Set(["contexts:read", "contexts:write"] as const);
    const ann = await hearing(bearer("ann"), true, async () => bearer("ann", { scopes }));
    ann.connection.take();
    ann.session.receive(encodeToken("next"));
    await turns();
    expect(rightsOf(ann)).toEqual([{ type: "access", mayWrite: true, isAdmin: false }]);
  });

  test("after it fell behind", async () => {
    await grant({ principal: "bob", role: "writer" });
    const bob = await hearing(bearer("bob"));
    bob.session.receive(encodeStep1(new Uint8Array([0])));
    await turns();
    bob.connection.take();
    bob.connection.bufferedBytes = 2 * LIMITS.outboundBytesMax;
    await rig.service.change(caller("ann"), PLAN, { ops: [{ op: "add", path: "/a", value: 2 }] });
    await grant({ principal: "bob", role: "reader" });
    await turns();
    expect(bob.connection.take()).toEqual([]);
    bob.connection.drain();
    await turns();
    expect(rightsOf(bob)).toContainEqual({ type: "access", mayWrite: false, isAdmin: false });
  });

  test("and a stock client is not", async () => {
    const ann = await hearing(bearer("ann"), false);
    await grant({ principal: "bob", role: "reader" });
    await turns();
    expect(ann.connection.take().map(({ type }) => type)).toEqual(["sync"]);
  });
});

test("[ACL-5] a stock client that may only read is closed with 4403 when it writes, and may send what is known", async () => {
  await grant({ principal: "bob", role: "reader" });
  const editor = await openEditor(rig, bearer("bob"), false);
  editor.session.receive(encodeUpdate(Uint8Array.of(0, 0)));
  await turns();
  expect(closeOf(editor)).toBeUndefined();
  editor.edit((data) => data.set("x", 1));
  await turns();
  expect(closeOf(editor)).toBe("4403 FORBIDDEN");
});

test("[LOG-21] [LOG-20] a context that was unloaded after its rules changed takes writes again", async () => {
  const { locks } = rig.service;
  const { lockId } = await locks.acquire(caller("ann"), PLAN, { paths: ["/a"] });
  await locks.release(caller("ann"), PLAN, lockId);
  await grant({ principal: "bob", role: "writer" });
  rig.service.start();
  clock.advance(HOUR);
  await turns();
  const write = () => rig.service.change(caller("bob"), PLAN, { ops: [{ op: "increment", path: "/a", by: 1 }] });
  expect([(await write()).version, (await write()).version]).toEqual([1, 2]);
});

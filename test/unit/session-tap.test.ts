/** Looking on at a session, on the service itself: rules TAP-1, TAP-3 to TAP-5. */
import { describe, expect, test } from "vitest";
import { encodeRequest, encodeUpdate } from "../../shared/protocol/frames.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { TrafficEvent } from "../../shared/traffic.ts";
import { SessionDesk } from "../../server/context/session-desk.ts";
import { bearer, verifiedCaller } from "../support/callers.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { caller, openEditor, startPlan, turns } from "../support/service-rig.ts";
import type { Editor, ServiceRig } from "../support/service-rig.ts";

const { tapQueueMax, sessionTapsMax } = LIMITS;
const NOOP = encodeUpdate(Uint8Array.of(0, 0));

interface Stage extends ServiceRig {
  readonly clock: ManualClock;
  readonly desk: SessionDesk;
  readonly ada: Editor;
}

async function stage(): Promise<Stage> {
  const clock = new ManualClock();
  const rig = await startPlan({ title: "A" }, clock);
  return { ...rig, clock, desk: new SessionDesk(clock, rig.service.sessions), ada: await openEditor(rig, "ada") };
}

/** Reads what there is to read, as a feed does whose reader comes to it. */
class Reader {
  readonly #stop = new AbortController();
  readonly #events: AsyncIterator<TrafficEvent>;

  constructor(desk: SessionDesk, { session }: Editor) {
    this.#events = desk.follow(session.info.id, this.#stop.signal).events[Symbol.asyncIterator]();
  }

  async take(count: number): Promise<TrafficEvent[]> {
    const taken: TrafficEvent[] = [];
    for (let i = 0; i < count; i++) {
      const next = await this.#events.next();
      if (next.done === true) break;
      taken.push(next.value);
    }
    return taken;
  }

  async says(count: number): Promise<unknown[]> {
    return (await this.take(count)).map((event) =>
      event.kind === "frame" ? `${event.frame.direction} ${event.frame.type}` : event,
    );
  }

  stop(): void {
    this.#stop.abort();
  }
}

describe("[TAP-1] who follows a session", () => {
  test("is told what it hears and says, in order, with the numbers that acks speak of", async () => {
    const { desk, ada, clock } = await stage();
    ada.edit((data) => data.set("before", 1));
    await turns();
    const reader = new Reader(desk, ada);
    ada.edit((data) => data.set("after", 2));
    ada.session.receive(encodeRequest(1, "ping", {}));
    await turns();
    const events = await reader.take(5);
    const told = events.map((event) => (event.kind === "frame" ? event.frame : undefined));
    expect(told.map((frame) => [frame?.direction, frame?.type])).toEqual([
      ["in", "update"],
      ["in", "request"],
      ["out", "response"],
      ["out", "commit"],
      ["out", "ack"],
    ]);
    expect(told[0]).toMatchObject({ atMs: clock.nowMs(), facts: { frame: 2, structs: 1, paths: ["/after"] } });
    expect(told[4]).toMatchObject({ bytes: 3, facts: { frames: 2, version: 2 } });
  });

  test("hears of what breaks off before it is understood, and of the end that it is", async () => {
    const { desk, ada } = await stage();
    const reader = new Reader(desk, ada);
    ada.session.receive(Uint8Array.of(0, 2, 9));
    expect(await reader.take(3)).toMatchObject([
      { kind: "frame", frame: { type: "update", facts: { isMalformed: true } } },
      { kind: "ended", end: { by: "server", closeCode: 4400, reason: expect.stringMatching(/^MALFORMED_/) } },
    ]);
  });
});

describe("[TAP-3] a session whose traffic is followed", () => {
  test("is sent and closed as any other", async () => {
    const { desk, ada, service } = await stage();
    const [bob, eve] = [await openEditor({ service }, "bob"), await openEditor({ service }, "eve")];
    const reader = new Reader(desk, bob);
    ada.edit((data) => data.set("n", 1));
    await turns();
    expect(bob.connection.batches).toEqual(eve.connection.batches);
    expect(bob.connection.batches[0]).toBe(eve.connection.batches[0]);
    expect(await reader.says(1)).toEqual(["out commit"]);
  });

  test("keeps so many frames for a slow reader, and then tells how many are missing, and where", async () => {
    const { desk, service } = await stage();
    // which is sent no acks
    const ada = await openEditor({ service }, "ada", false);
    const [slow, quick] = [new Reader(desk, ada), new Reader(desk, ada)];
    for (let i = 0; i < tapQueueMax; i++) ada.session.receive(NOOP);
    expect(await quick.says(tapQueueMax)).toHaveLength(tapQueueMax);
    ada.session.receive(NOOP);
    ada.session.receive(NOOP);
    expect(await quick.says(2)).toEqual(["in update", "in update"]);
    const kept = await slow.says(tapQueueMax);
    expect(new Set(kept)).toEqual(new Set(["in update"]));
    // room there is, but the gap is told first
    ada.session.receive(NOOP);
    expect(await slow.take(1)).toEqual([{ kind: "missed", frames: 3 }]);
    ada.session.receive(NOOP);
    const [next] = await slow.take(1);
    expect(next).toMatchObject({ frame: { facts: { frame: tapQueueMax + 4 } } });
  });

  test("reads frames only while somebody follows who has room", async () => {
    const { ada } = await stage();
    let looks = 0;
    const tools = { nowMs: () => 0, placesOf: () => (looks++, []) };
    const stop = new AbortController();
    ada.session.receive(NOOP);
    ada.session.follow(tools, stop.signal);
    ada.session.follow(tools, stop.signal);
    for (let i = 0; i < tapQueueMax + 10; i++) ada.session.receive(NOOP);
    expect(looks).toBe(tapQueueMax);
    stop.abort();
    ada.session.receive(NOOP);
    expect(looks).toBe(tapQueueMax);
    ada.session.follow(tools, stop.signal);
    ada.session.receive(NOOP);
    expect(looks).toBe(tapQueueMax);
  });

  test("is one of at most sessionTapsMax", async () => {
    const { desk, ada } = await stage();
    const readers = Array.from({ length: sessionTapsMax }, () => new Reader(desk, ada));
    expect(() => new Reader(desk, ada)).toThrow(expect.objectContaining({ code: "RATE_LIMITED" }));
    readers[0]?.stop();
    readers[0]?.stop();
    expect(await readers[0]?.take(1)).toEqual([]);
    const again = new Reader(desk, ada);
    expect(() => new Reader(desk, ada)).toThrow(expect.objectContaining({ code: "RATE_LIMITED" }));
    again.stop();
  });
});

describe("[TAP-4] the feed ends", () => {
  test("with the session, after all that was said, with code and reason", async () => {
    const { desk, ada, service } = await stage();
    const reader = new Reader(desk, ada);
    ada.session.receive(NOOP);
    await service.delete(caller("creator"), ada.session.info.contextId);
    const reason = "CONTEXT_NOT_FOUND: The context was deleted.";
    expect((await reader.take(9)).at(-1)).toMatchObject({
      kind: "ended",
      end: { by: "server", closeCode: 4404, reason },
    });
    expect(() => new Reader(desk, ada)).toThrow(expect.objectContaining({ code: "SESSION_NOT_FOUND" }));
  });

  test.each([
    ["with its code", 1001],
    ["or without", undefined],
  ])("when the client leaves, %s", async (_how, closeCode) => {
    const { desk, ada, clock } = await stage();
    const reader = new Reader(desk, ada);
    clock.advance(5);
    ada.session.closed(closeCode);
    const code = closeCode === undefined ? {} : { closeCode };
    expect(await reader.take(2)).toEqual([{ kind: "ended", end: { atMs: clock.nowMs(), by: "client", ...code } }]);
  });

  test("with the follower's right, which the audit log is told, as it is of the beginning", async () => {
    const { guard, audit, clock, ada } = await stage();
    const grants = [{ id: "*", role: "admin" }] as const;
    const expiresAtMs = clock.nowMs() + 1000;
    const ops = { identity: bearer("ops", { grants, expiresAtMs }), origin: "rest" } as const;
    const { id } = ada.session.info;
    const { signal } = new AbortController();
    const { events } = await guard.server.monitor.followSession(ops, id, { signal });
    const feed = events[Symbol.asyncIterator]();
    const waiting = feed.next();
    ada.session.receive(NOOP);
    expect(await waiting).toMatchObject({ value: { kind: "frame" } });
    const next = feed.next();
    clock.advance(1000);
    await expect(next).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
    const { items } = await audit.list({ limit: 5 });
    expect(items.map(({ action, outcome, actor, contextId }) => [action, outcome, actor, contextId])).toEqual([
      ["server.enter", "denied", "ops", undefined],
      ["session.follow", "done", "ops", "plan"],
    ]);
    expect(items[1]?.detail).toEqual({ session: id, of: "ada" });
  });
});

describe("[TAP-5] closing a session", () => {
  test("ends it so that it may come again, and is told to the audit log", async () => {
    const { guard, audit, ada } = await stage();
    const ops = verifiedCaller("ops", { grants: [{ id: "*", role: "admin" }] });
    const { id } = ada.session.info;
    await guard.server.monitor.closeSession(ops, id);
    expect(ada.connection.closedWith).toMatchObject({ code: 4503, reason: expect.stringMatching(/^SESSION_CLOSED: /) });
    const again = guard.server.monitor.closeSession(ops, id);
    await expect(again).rejects.toMatchObject({ code: "SESSION_NOT_FOUND" });
    const { items } = await audit.list({ limit: 5 });
    expect(items).toMatchObject([
      { action: "session.close", outcome: "done", actor: "ops", contextId: "plan", detail: { session: id, of: "ada" } },
    ]);
  });
});

/** What each server of the data knows by itself, as it is told at any of them: sessions, refused writes, figures. */
import { expect, test } from "vitest";
import { RefusalRing } from "../../server/context/refusal-ring.ts";
import { FigureDesk } from "../../server/context/context-figures.ts";
import { AllRefusals } from "../../server/use-cases/all-refusals.ts";
import { AllSessions } from "../../server/use-cases/all-sessions.ts";
import { ServiceError } from "../../shared/errors.ts";
import { parseActor, parseContextId } from "../../shared/ids.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { SessionStats } from "../../shared/monitoring.ts";
import { turns } from "../support/event-loop.ts";
import { joinedPeers } from "../support/fake-lines.ts";
import type { JoinedPeers } from "../support/fake-lines.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { caller } from "../support/service-rig.ts";
import type { StoredWebhook } from "../../server/webhooks/webhook-records.ts";
import type { ReportedHook } from "../../server/webhooks/webhook-reports.ts";
import { WebhookReports } from "../../server/webhooks/webhook-reports.ts";

const PLAN = parseContextId("plan");
const ACTOR = parseActor("ada");

function statsOf(id: string, contextId = "plan"): SessionStats {
  const counts = { queueBytes: 0, lagMs: 0.5, framesIn: 1, bytesIn: 2, framesOut: 3, bytesOut: 4 };
  return { id, contextId: parseContextId(contextId), actor: ACTOR, protocol: "mcm.v1", openedAtMs: 5, ...counts };
}

function noSession(): ServiceError {
  return new ServiceError("SESSION_NOT_FOUND", "There is no such session.");
}

/** Sessions of a server; those that are closed are gone. */
function serverOf({ peers }: JoinedPeers, slot: number, ids: readonly string[]) {
  const sessions = new Map(ids.map((id) => [id, statsOf(id, id.startsWith("x") ? "other" : "plan")]));
  const take = (id: string): SessionStats => {
    const found = sessions.get(id);
    if (found === undefined) throw noSession();
    return found;
  };
  const here = {
    follow: (id: string) => ({ stats: take(id), events: (async function* () {})() }),
    close: (id: string) => {
      const closed = take(id);
      sessions.delete(id);
      return closed;
    },
  };
  const list = (): readonly SessionStats[] => [...sessions.values()];
  return new AllSessions({ here, list, nodes: { peers, slot: () => slot } });
}

async function threeServers(): Promise<{
  nodes: readonly JoinedPeers[];
  servers: readonly AllSessions[];
  clock: ManualClock;
}> {
  const clock = new ManualClock();
  const nodes = await joinedPeers(3, clock);
  const ids = [
    ["a", "d"],
    ["b", "x1"],
    ["c", "e"],
  ];
  return { nodes, clock, servers: nodes.map((node, slot) => serverOf(node, slot, ids[slot] ?? [])) };
}

test("[NODE-45] sessions are listed in order of id, page by page, whichever server is asked", async () => {
  const { servers } = await threeServers();
  for (const server of servers) {
    const told: (readonly [string, number | undefined])[] = [];
    for (let after: string | undefined = ""; after !== undefined;) {
      const page = await server.page({ limit: 2, after });
      expect(page.items.length).toBeLessThanOrEqual(2);
      for (const { id, node } of page.items) told.push([id, node]);
      after = page.next;
    }
    expect(told).toEqual([
      ["a", 0],
      ["b", 1],
      ["c", 2],
      ["d", 0],
      ["e", 2],
      ["x1", 1],
    ]);
  }
  const [first] = servers;
  const ofOne = await first?.page({ limit: 9, contextId: parseContextId("other") });
  expect(ofOne).toEqual({ items: [{ ...statsOf("x1", "other"), node: 1 }] });
});

test("[NODE-45] a session is closed at whichever server, once; what nobody has is not found", async () => {
  const { servers } = await threeServers();
  const [first, second] = servers;
  expect(await first?.close("b")).toMatchObject({ id: "b", node: 1 });
  expect(await second?.close("x1")).toMatchObject({ id: "x1" });
  for (const server of servers) {
    await expect(server.close("b")).rejects.toMatchObject({ code: "SESSION_NOT_FOUND", details: {} });
    expect((await server.page({ limit: 9 })).items.map(({ id }) => id)).toEqual(["a", "c", "d", "e"]);
  }
});

test("[NODE-45] traffic is told where the session is; elsewhere it is said where that is", async () => {
  const { servers } = await threeServers();
  const [first, , third] = servers;
  const { signal } = new AbortController();
  expect((await third?.follow("c", signal))?.stats.id).toBe("c");
  await expect(first?.follow("c", signal)).rejects.toMatchObject({ code: "SESSION_ELSEWHERE", details: { node: 2 } });
  await expect(first?.follow("nobody", signal)).rejects.toMatchObject({ code: "SESSION_NOT_FOUND" });
});

test("[NODE-44] [NODE-45] a server that stands still is not waited for longer than peerAnswerMs, and the answer says so", async () => {
  const { nodes, servers, clock } = await threeServers();
  const [first] = servers;
  nodes[1]?.peers.answer("sessions", () => new Promise(() => undefined));
  nodes[2]?.peers.answer("sessions", () => [{ id: 7 }]);
  const page = first?.page({ limit: 9 });
  await turns(20);
  clock.advance(LIMITS.peerAnswerMs);
  expect(await page).toEqual({
    items: [
      { ...statsOf("a"), node: 0 },
      { ...statsOf("d"), node: 0 },
    ],
    silent: 2,
  });
  nodes[1]?.peers.answer("session.close", () => "nonsense");
  await expect(first?.close("b")).rejects.toMatchObject({ code: "SESSION_NOT_FOUND", details: { silentNodes: 1 } });
});

test("sessions of a server that is alone bear no node", async () => {
  const here = { follow: () => expect.fail("nobody follows"), close: () => expect.fail("nobody closes") };
  const alone = new AllSessions({ here, list: () => [statsOf("a")], nodes: undefined });
  expect(await alone.page({ limit: 1 })).toEqual({ items: [statsOf("a")] });
});

test("[NODE-46] refused writes of all servers are told newest first, each with an id of its own, and no more than one remembers", async () => {
  const clock = new ManualClock();
  const nodes = await joinedPeers(2, clock);
  const rings = nodes.map(() => new RefusalRing(clock));
  const [one, two] = nodes.map(({ peers }, slot) => {
    const ring = rings[slot];
    if (ring === undefined) throw new Error("each has a ring");
    return new AllRefusals(ring, { peers, slot: () => slot });
  });
  const refuse = (slot: number, code: "LOCKED" | "FORBIDDEN"): void => {
    clock.advance(1);
    rings[slot]?.record(caller("ada"), PLAN, new ServiceError(code, "No.", { details: { path: "/é" } }));
  };
  refuse(0, "LOCKED");
  refuse(1, "FORBIDDEN");
  refuse(0, "FORBIDDEN");
  const told = await one?.list(PLAN, 0);
  expect(told?.items.map(({ id, code, paths }) => [id, code, paths])).toEqual([
    [128, "FORBIDDEN", ["/é"]],
    [65, "FORBIDDEN", ["/é"]],
    [64, "LOCKED", ["/é"]],
  ]);
  expect(await two?.list(PLAN, 0)).toEqual(told);
  expect((await two?.list(PLAN, clock.nowMs()))?.items).toHaveLength(1);
  for (let n = 0; n < LIMITS.refusalsMax; n++) refuse(1, "LOCKED");
  expect((await one?.list(PLAN, 0))?.items).toHaveLength(LIMITS.refusalsMax);
  nodes[1]?.peers.answer("refusals", () => "nonsense");
  expect(await one?.list(PLAN, 0)).toMatchObject({ items: [{ id: 128 }, { id: 64 }], silent: 1 });
});

test("[NODE-47] a listing's figures count the sessions of all servers", async () => {
  const clock = new ManualClock();
  const nodes = await joinedPeers(3, clock);
  const desks = nodes.map(
    ({ peers }, slot) =>
      new FigureDesk({
        storage: { isShared: true, listRecords: async () => [] },
        sync: { sessionsOf: (id) => (id === PLAN ? slot : 0) },
        state: { get: () => undefined },
        peers,
      }),
  );
  const listed = ["idle", "plan"].map((id) => ({
    meta: {
      id: parseContextId(id),
      tags: [],
      createdAtMs: 0,
      createdBy: ACTOR,
      epoch: 1,
      firstEpoch: 1,
      authorSalt: 0,
    },
    head: { seq: 0, version: 0, lockSeq: 0, updatedAtMs: 0 },
    bytes: 9,
  }));
  for (const desk of desks)
    expect((await desk.of(listed)).map(({ figures }) => figures?.sessions)).toEqual([0, 0 + 1 + 2]);
  nodes[1]?.peers.answer("session.counts", () => ["nonsense"]);
  expect((await desks[0]?.of(listed))?.map(({ figures }) => figures?.sessions)).toEqual([0, 2]);
});

const FAILING: Omit<ReturnType<ReportedHook["line"]["status"]>, "deadLetters"> = {
  state: "retrying",
  failures: 3,
  nextAttemptAtMs: 7,
  lastDeliveryAtMs: 5,
  lastError: { atMs: 6, contextId: PLAN, message: "it answered 500" },
  behind: 1,
};

/** A webhook as a server knows it: how far it is knows who delivers. */
function hookOf(isOurs: boolean, halt?: StoredWebhook["halt"]): ReportedHook {
  const words = { url: "https://a.example/", contexts: ["*"], keyId: "k", secret: "s" };
  const stored = { ...words, createdAtMs: 1, createdBy: ACTOR, ...(halt === undefined ? {} : { halt }) };
  const resting = { state: halt?.state ?? "active", failures: 0, behind: 0 } as const;
  return {
    stored,
    line: {
      status: () => ({ ...(isOurs ? FAILING : resting), deadLetters: 2 }),
      behind: () => (isOurs ? [{ contextId: PLAN, failures: 3, nextAttemptAtMs: 7 }] : []),
    },
  };
}

function reportsOf({ peers }: JoinedPeers, isOurs: boolean, hook = hookOf(isOurs)): WebhookReports {
  const outbox = {
    position: async () => ({ version: 4, currentVersion: 9 }),
    letters: async function* () {},
  };
  return new WebhookReports({ hooks: new Map([["h1", hook]]), lead: { isOurs }, outbox, peers, limits: LIMITS });
}

test("[NODE-48] how far a webhook is, and its last error, is told at every server by the one that delivers", async () => {
  const [leading, other, third] = await joinedPeers(3, new ManualClock());
  if (leading === undefined || other === undefined || third === undefined) throw new Error("three nodes");
  const [first, second] = [reportsOf(leading, true), reportsOf(other, false)];
  const [status] = await first.list();
  expect(status).toMatchObject({ ...FAILING, deadLetters: 2 });
  expect(await second.list()).toEqual([status]);
  const positions = [{ contextId: PLAN, failures: 3, nextAttemptAtMs: 7, version: 4, currentVersion: 9 }];
  expect(await second.get("h1", hookOf(false))).toEqual({ ...status, positions, oldestDeadLetters: [] });
  // that somebody paused it is known here before who delivers has heard of it
  const [halted] = await reportsOf(third, false, hookOf(false, { state: "paused" })).list();
  expect([halted?.state, halted?.nextAttemptAtMs, halted?.behind]).toEqual(["paused", undefined, 1]);
  // nobody says how far it is
  leading.peers.answer("webhooks", () => ["nonsense"]);
  expect((await second.list())[0]).toMatchObject({ state: "active", behind: 0, deadLetters: 2 });
});

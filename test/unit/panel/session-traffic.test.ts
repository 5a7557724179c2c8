/** The traffic of a session in the panel's store: bounds, standing still, filters, and how it ends. */
import { expect, test } from "vitest";
import { sayingOf } from "../../../client/panel/store/frame-saying.ts";
import { SessionTraffic } from "../../../client/panel/store/session-traffic.ts";
import type { JsonObject } from "../../../shared/json.ts";
import type { FrameName } from "../../../shared/traffic.ts";
import { ServiceError } from "../../../shared/errors.ts";
import { PanelMachine, settled } from "../../support/panel-machine.ts";

const AT = "2026-11-30T12:00:00.000Z";

interface Feed {
  readonly send: (event: string, data: unknown) => void;
  readonly close: () => void;
  readonly signal: AbortSignal;
}

/** A server that the test plays: each opening is a feed. */
function stage() {
  const machine = new PanelMachine("http://panel.test");
  const feeds: Feed[] = [];
  let refusal: ServiceError | undefined;
  const open = async (steps: readonly string[], signal: AbortSignal): Promise<Response> => {
    expect(steps).toEqual(["sessions", "s1", "traffic"]);
    if (refusal !== undefined) throw refusal;
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>(undefined, undefined, {
      highWaterMark: 10_000,
    });
    const writer = writable.getWriter();
    const send = (event: string, data: unknown): void =>
      void writer.write(new TextEncoder().encode(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`));
    feeds.push({ send, signal, close: () => void writer.close() });
    return new Response(readable);
  };
  const traffic = new SessionTraffic(machine, { open }, "s1");
  const stop = traffic.start();
  const refuse = (error: ServiceError | undefined): void => {
    refusal = error;
  };
  return { machine, traffic, stop, feeds, refuse };
}

const frame = (direction: "in" | "out", type: FrameName) => ({ direction, at: AT, type, bytes: 3, facts: {} });

/** What was sent is read, and drawn. */
async function drawn(machine: PanelMachine): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await settled();
  machine.draw();
}

async function following() {
  const it = stage();
  await settled();
  const [feed] = it.feeds;
  if (feed === undefined) throw new Error("nothing was opened");
  feed.send("session", { id: "s1", actor: "ada", contextId: "plan" });
  await drawn(it.machine);
  return { ...it, feed };
}

const typesOf = ({ lines }: SessionTraffic) =>
  lines.value.map((line) => ("missed" in line ? `missed ${line.missed}` : line.frame.type));

test("[PANEL-30] frames show as they come, the newest first, once a picture, by direction and type", async () => {
  const { machine, traffic, feed, stop } = await following();
  expect([traffic.following.value.is, traffic.session.value?.actor]).toEqual(["live", "ada"]);
  feed.send("frame", frame("in", "update"));
  feed.send("frame", frame("out", "commit"));
  feed.send("missed", { frames: 7 });
  feed.send("frame", frame("out", "ack"));
  for (let turn = 0; turn < 20; turn++) await settled();
  expect([typesOf(traffic), machine.frames]).toEqual([[], 1]);
  machine.draw();
  expect(typesOf(traffic)).toEqual(["ack", "missed 7", "commit", "update"]);
  expect(traffic.types.value).toEqual(["ack", "commit", "update"]);
  traffic.filter.value = { direction: "out", type: "" };
  expect(typesOf(traffic)).toEqual(["ack", "missed 7", "commit"]);
  traffic.filter.value = { direction: "out", type: "commit" };
  expect(typesOf(traffic)).toEqual(["missed 7", "commit"]);
  stop();
  expect([feed.signal.aborted, machine.frames]).toEqual([true, 0]);
});

test("[PANEL-30] what is read stands still while it is paused, and what came meanwhile shows afterwards", async () => {
  const { machine, traffic, feed } = await following();
  feed.send("frame", frame("in", "update"));
  await drawn(machine);
  const [line] = traffic.lines.value;
  if (line === undefined) throw new Error("no frame is shown");
  traffic.choose(line);
  feed.send("frame", frame("out", "ack"));
  await drawn(machine);
  expect([traffic.isPaused.value, typesOf(traffic), traffic.count.value]).toEqual([
    true,
    ["update"],
    { all: 2, waiting: 1 },
  ]);
  traffic.goOn();
  expect([typesOf(traffic), traffic.count.value.waiting, traffic.chosen.value]).toEqual([["ack", "update"], 0, line]);
  traffic.clear();
  expect([typesOf(traffic), traffic.chosen.value]).toEqual([[], undefined]);
});

test("[PANEL-30] of all that came the newest 5,000 are kept", async () => {
  const { machine, traffic, feed } = await following();
  for (let n = 0; n < 5000; n++) feed.send("frame", frame("in", "update"));
  await drawn(machine);
  expect(typesOf(traffic)).toHaveLength(5000);
  feed.send("frame", frame("out", "ack"));
  await drawn(machine);
  expect([typesOf(traffic).length, typesOf(traffic)[0], traffic.lines.value.at(-1)?.n]).toEqual([5000, "ack", 2]);
  expect(traffic.count.value.all).toBe(5001);
});

test("[PANEL-30] the end of the session, of the right to it and of the feed is said, and what came stays", async () => {
  const { machine, traffic, feed, feeds, refuse } = await following();
  feed.send("frame", frame("in", "update"));
  feed.send("problem", { code: "UNAUTHENTICATED", detail: "The token's time is over." });
  feed.close();
  await drawn(machine);
  expect(traffic.following.value).toMatchObject({ is: "broken", problem: { code: "UNAUTHENTICATED" } });
  traffic.again();
  await settled();
  feeds[1]?.send("session", { id: "s1", actor: "ada" });
  feeds[1]?.close();
  await drawn(machine);
  expect(traffic.following.value).toMatchObject({ is: "broken", problem: { text: "The server ended the feed." } });
  traffic.again();
  await settled();
  const end = { at: AT, by: "server", closeCode: 4503, reason: "SESSION_CLOSED: …" };
  feeds[2]?.send("session", { id: "s1", actor: "ada" });
  feeds[2]?.send("ended", end);
  feeds[2]?.close();
  await drawn(machine);
  expect([traffic.following.value, typesOf(traffic)]).toEqual([{ is: "ended", end }, ["update"]]);
  refuse(new ServiceError("SESSION_NOT_FOUND", "gone"));
  traffic.again();
  await drawn(machine);
  expect(traffic.following.value).toMatchObject({ is: "broken", problem: { code: "SESSION_NOT_FOUND" } });
});

const SAYINGS: readonly (readonly [FrameName, JsonObject, string])[] = [
  ["step1", { clients: [{ id: 7, clock: 3 }], clientsCount: 9 }, "what is there beyond 7:3, +8?"],
  ["step1", { clients: [] }, "what is there beyond nothing?"],
  [
    "update",
    { frame: 3, structs: 3, deletes: 1, kinds: { text: 2 }, clients: [{ id: 7, from: 2, to: 5 }], paths: ["/a", ""] },
    "#3 · /a  everything · 2 text · 1 deleted range · 7:2–4",
  ],
  ["step2", { structs: 0, deletes: 2 }, "2 deleted ranges"],
  [
    "awareness",
    {
      clients: [
        { id: 7, clock: 2, chars: 9, actor: "ada", keys: ["at"] },
        { id: 8, clock: 3, hasLeft: true },
      ],
    },
    "ada 7:2, 8 left",
  ],
  ["awareness", { clients: [] }, "nobody: a sign of life"],
  ["ack", { frames: 3, version: 8 }, "up to #3 · v8"],
  ["rejected", { frame: 3, code: "LOCKED", rule: "lock", paths: ["/a"] }, "#3 · LOCKED · lock · /a"],
  [
    "commit",
    { changes: 2, version: 8, updateBytes: 40, actors: ["ada", "bob"], origins: ["sdk"], paths: ["/a"], pathsCount: 4 },
    "v8 · ada, bob · /a  +3 · 2 changes · 40 B",
  ],
  ["commit", { changes: 1, version: 8, updateBytes: 0, actors: ["ada"], origins: ["sdk"] }, "v8 · ada"],
  ["request", { id: 4, method: "lock", paths: ["/a"], mode: "shared" }, "lock (4) · /a · shared"],
  ["response", { id: 4, ok: true, version: 8 }, "ok (4) · v8"],
  ["response", { id: 4, ok: false, code: "TEST_FAILED", path: "/a" }, "TEST_FAILED (4) · /a"],
  ["event", { event: "lock", op: "acquire", actor: "ada", paths: ["/a"] }, "lock acquire · ada · /a"],
  ["hello", { epoch: 2, version: 8 }, "epoch 2 · v8"],
  ["base", { version: 8 }, "made on v8"],
  ["token", {}, "a new token"],
  ["auth", {}, ""],
  ["query-awareness", {}, "who is here?"],
  ["unknown", {}, "no frame of the protocol"],
  ["update", { isTooLarge: true }, "too large to be read here"],
  ["update", { isMalformed: true, rule: "truncated" }, "cannot be read: truncated"],
];

test.each(SAYINGS)("[PANEL-30] %s with %j is said in a line", (type, facts, line) => {
  expect(sayingOf({ type, facts })).toBe(line);
});

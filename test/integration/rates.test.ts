/** Who does too much, over real sockets and on a manual clock: rules EDGE-9 to EDGE-11 and EDGE-13. */
import { once } from "node:events";
import { connect } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import * as Y from "yjs";
import { problemSchema } from "../../shared/protocol/rest.ts";
import { encodeRequest, encodeUpdate } from "../../shared/protocol/frames.ts";
import { LIMITS } from "../../shared/limits.ts";
import { SUBPROTOCOL } from "../../shared/protocol/version.ts";
import { RateLimiter, UNLIMITED } from "../../server/security/rate-limiter.ts";
import type { RateSettings } from "../../server/security/rate-limiter.ts";
import type { GateOptions } from "../../server/transport/gate.ts";
import { peerAddresses } from "../../server/transport/peer-address.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { frame, openRawSocket } from "../support/raw-socket.ts";
import type { RawSocket } from "../support/raw-socket.ts";
import { startRestServer } from "../support/rest-server.ts";
import { PLAN, caller, startService } from "../support/service-rig.ts";

let end: () => Promise<void> = async () => {};
afterEach(() => end());

async function start(settings: Partial<RateSettings>, more: Partial<GateOptions> = {}) {
  const clock = new ManualClock();
  const rig = await startService(undefined, undefined, undefined, clock);
  await rig.service.create(caller("creator"), { id: PLAN, data: { text: { $text: "" } } });
  const gate = { limiter: new RateLimiter({ ...UNLIMITED, ...settings }), ...more };
  const server = await startRestServer(rig.guard, clock, { gate, opener: rig.guard });
  end = async () => {
    await server.close();
    await rig.storage.close();
  };
  const call = (path: string, headers: Record<string, string> = {}, init: RequestInit = {}) =>
    fetch(`${server.url}${path}`, { ...init, headers: { "mcm-actor": "ada", ...headers } });
  return { ...server, clock, call, rig };
}

type Started = Awaited<ReturnType<typeof start>>;

/** Statuses of so many requests, one after the other. */
async function statuses(count: number, ask: () => Promise<Response>): Promise<number[]> {
  const all: number[] = [];
  for (let i = 0; i < count; i++) {
    const response = await ask();
    await response.arrayBuffer();
    all.push(response.status);
  }
  return all;
}
/** Between looks the server gets a request, and so its turn. */
async function eventually(started: Started, isTrue: () => boolean | Promise<boolean>): Promise<void> {
  for (let look = 0; look < 300; look++) {
    if (await isTrue()) return;
    await statuses(1, () => started.call("/healthz"));
  }
  throw new Error("It did not happen.");
}
const times = (count: number, status: number): number[] => Array<number>(count).fill(status);

describe("[EDGE-9] requests", () => {
  const { rateBurstS, addressActors, heavyOpCost } = LIMITS;

  test("of an actor beyond its rate are told when to come again, and that is right; others go on", async () => {
    const { call, clock, recorded } = await start({ actorOpsPerS: 1 });
    const ada = () => call("/v1/contexts/plan");
    expect(await statuses(rateBurstS, ada)).toEqual(times(rateBurstS, 200));
    const refused = await ada();
    expect(refused.headers.get("retry-after")).toBe("1");
    const problem = problemSchema.parse(await refused.json());
    expect(problem).toMatchObject({
      status: 429,
      code: "RATE_LIMITED",
      retry: "later",
      details: { retryAfterMs: 1000 },
    });
    expect(await statuses(1, () => call("/v1/contexts/plan", { "mcm-actor": "bob" }))).toEqual([200]);
    clock.advance(999);
    expect(await statuses(1, ada)).toEqual([429]);
    clock.advance(1);
    expect(await statuses(2, ada)).toEqual([200, 429]);
    expect(recorded.filter(({ action }) => action === "request.rate")).toEqual(
      times(3, 0).map(() => ({
        action: "request.rate",
        outcome: "denied",
        code: "RATE_LIMITED",
        actor: "ada",
        address: "127.0.0.1",
        origin: "rest",
        requestId: expect.any(String),
      })),
    );
  });

  test("of an address are counted under whatever names, and where nobody says who they are", async () => {
    const { call, clock } = await start({ actorOpsPerS: 1 });
    const allowed = rateBurstS * addressActors;
    const each = Array.from({ length: allowed }, (_, i) => `actor-${i}`);
    for (const name of each) expect(await statuses(1, () => call("/v1/types", { "mcm-actor": name }))).toEqual([200]);
    expect(await statuses(1, () => call("/v1/types", { "mcm-actor": "new" }))).toEqual([429]);
    expect(await statuses(1, () => call("/nowhere"))).toEqual([429]);
    expect(await statuses(2, () => call("/healthz"))).toEqual([200, 200]);
    clock.advance(100);
    expect(await statuses(2, () => call("/nowhere"))).toEqual([404, 429]);
  });

  test("that are heavy count for several", async () => {
    const { call } = await start({ actorOpsPerS: 1 });
    expect(await statuses(1, () => call("/v1/contexts/plan/blame"))).toEqual([200]);
    expect(rateBurstS).toBe(heavyOpCost);
    expect(await statuses(1, () => call("/v1/contexts/plan"))).toEqual([429]);
  });

  test("count with the bytes that they bring and are answered", async () => {
    const { call, clock } = await start({ actorBytesPerS: 100 });
    const body = JSON.stringify({ changes: [{ op: "add", path: "/x", value: "x".repeat(5000) }] });
    const patch = () => call("/v1/contexts/plan", { "content-type": "application/json" }, { method: "PATCH", body });
    expect(await statuses(2, patch)).toEqual([200, 429]);
    clock.advance(60_000);
    const read = () => call("/v1/contexts/plan");
    expect(await statuses(2, read)).toEqual([200, 429]);
    clock.advance(60_000);
    expect(await statuses(1, read)).toEqual([200]);
  });

  test("behind a trusted proxy are those of the client that it names", async () => {
    const { call, recorded } = await start({ actorOpsPerS: 1 }, { peers: peerAddresses(["127.0.0.1"]) });
    const allowed = rateBurstS * addressActors;
    const from = (address: string) => () => call("/nowhere", { "x-forwarded-for": `1.2.3.4, ${address}` });
    expect(await statuses(allowed + 1, from("203.0.113.9"))).toEqual([...times(allowed, 404), 429]);
    expect(await statuses(1, from("203.0.113.10"))).toEqual([404]);
    expect(recorded.at(-1)).toMatchObject({ action: "request.rate", address: "203.0.113.9" });
  });
});

describe("[EDGE-10] live sessions", () => {
  const { rateBurstS } = LIMITS;

  async function openSession({ url }: Started, actor = "ada"): Promise<RawSocket> {
    return openRawSocket(url, `/sync/plan?actor=${actor}`, { "Sec-WebSocket-Protocol": SUBPROTOCOL });
  }

  /** Edits that follow each other. */
  function edits(count: number): Uint8Array[] {
    const doc = new Y.Doc();
    const updates: Uint8Array[] = [];
    doc.on("update", (update: Uint8Array) => void updates.push(frame(encodeUpdate(update))));
    for (let i = 0; i < count; i++) doc.getMap("data").set("n", i);
    return updates;
  }

  const dataOf = async ({ rig }: Started) =>
    (await rig.service.read(caller("eve"), PLAN, { path: "" })).data as { readonly n?: number; readonly by?: string };
  const untilValue = (started: Started, value: unknown) =>
    eventually(started, async () => (await dataOf(started)).n === value);

  test("beyond their rate are not read for a while, lose nothing, and hold up nobody", async () => {
    const started = await start({ actorFramesPerS: 1 });
    const { clock, recorded } = started;
    const [ada, bob] = [await openSession(started), await openSession(started, "bob")];
    const all = edits(rateBurstS + 30);
    ada.write(Buffer.concat(all.slice(0, -1)));
    await untilValue(started, all.length - 2);
    ada.write(all.at(-1) ?? new Uint8Array());
    const other = new Y.Doc();
    other.getMap("data").set("by", "bob");
    bob.write(frame(encodeUpdate(Y.encodeStateAsUpdate(other))));
    await eventually(started, async () => (await dataOf(started)).by === "bob");
    // its debt is that of 29 frames: pings come meanwhile, and cut nobody who was not read from
    clock.advance(28_999);
    await statuses(3, () => started.call("/healthz"));
    expect((await dataOf(started)).n).toBe(all.length - 2);
    clock.advance(1);
    await untilValue(started, all.length - 1);
    expect(recorded).toEqual([]);
    ada.destroy();
    bob.destroy();
  });

  test("are not cut for the pings that they could not answer", async () => {
    const started = await start({ actorBytesPerS: 100 });
    const { clock } = started;
    const ada = await openSession(started);
    const [first = new Uint8Array(), second = new Uint8Array()] = edits(2);
    const doc = new Y.Doc();
    doc.getMap("data").set("x", "x".repeat(30_000));
    ada.write(frame(encodeUpdate(Y.encodeStateAsUpdate(doc))));
    ada.write(first);
    await eventually(started, async () => "x" in (await dataOf(started)));
    for (let at = 0; at < 11; at++) {
      clock.advance(LIMITS.pingMs);
      await statuses(1, () => started.call("/healthz"));
    }
    await untilValue(started, 0);
    ada.write(second);
    await untilValue(started, 1);
    ada.destroy();
  });

  test("have their pings counted as messages", async () => {
    const started = await start({ actorFramesPerS: 1 });
    const ada = await openSession(started);
    const [edit = new Uint8Array()] = edits(1);
    for (let i = 0; i < rateBurstS + 5; i++) ada.write(frame(new Uint8Array(0), { opcode: 9 }));
    await eventually(started, () => ada.socket.bytesRead > 0);
    await statuses(5, () => started.call("/healthz"));
    ada.write(edit);
    await statuses(5, () => started.call("/healthz"));
    expect((await dataOf(started)).n).toBeUndefined();
    started.clock.advance(6000);
    await untilValue(started, 0);
    ada.destroy();
  });

  test("have their requests counted as requests", async () => {
    const started = await start({ actorOpsPerS: 1 });
    const ada = await openSession(started);
    const answered: number[] = [];
    void ada.until((message) => {
      if (message[0] === 105) answered.push(message[1] ?? 0);
      return false;
    });
    const ping = (id: number) => frame(encodeRequest(id, "ping", {}));
    ada.write(Buffer.concat(Array.from({ length: rateBurstS + 2 }, (_, i) => ping(i + 1))));
    await eventually(started, () => answered.length === rateBurstS + 2);
    expect(await statuses(1, () => started.call("/v1/contexts/plan"))).toEqual([429]);
    ada.write(ping(99));
    await statuses(3, () => started.call("/healthz"));
    expect(answered).not.toContain(99);
    started.clock.advance(2000);
    await eventually(started, () => answered.includes(99));
    ada.destroy();
  });
});

describe("[EDGE-11] too many connections", () => {
  const live = (url: string, actor: string) =>
    new WebSocket(`${url.replace("http", "ws")}/sync/plan?actor=${actor}`, { headers: { "x-forwarded-for": actor } });

  /** The first message, or the close code and reason. */
  async function outcome(socket: WebSocket): Promise<string> {
    return new Promise((resolve) => {
      socket.once("message", () => resolve("open"));
      socket.once("close", (code, reason) => resolve(`${code} ${reason.toString()}`));
      socket.once("error", (error) => resolve(error.message));
    });
  }
  async function closed(socket: WebSocket): Promise<void> {
    socket.close();
    await once(socket, "close");
  }

  test("of an actor are closed with 4429 and the reason, as long as it has the others", async () => {
    const started = await start({ actorConnectionsMax: 2 });
    const { url, recorded, call } = started;
    const open = [live(url, "ada"), live(url, "ada")];
    expect(await Promise.all(open.map(outcome))).toEqual(["open", "open"]);
    expect(await outcome(live(url, "ada"))).toMatch(/^4429 RATE_LIMITED: Your actor has 2 open connections/);
    const feed = () => call("/v1/contexts/plan/changes", { accept: "text/event-stream" });
    expect((await feed()).status).toBe(429);
    expect(recorded).toMatchObject([
      { action: "connection.open", actor: "ada", code: "RATE_LIMITED" },
      { action: "connection.open", actor: "ada", code: "RATE_LIMITED" },
    ]);
    const other = live(url, "bob");
    expect(await outcome(other)).toBe("open");
    for (const socket of [...open, other]) await closed(socket);
    const aborts = [new AbortController(), new AbortController()];
    for (const { signal } of aborts) {
      const init = { signal };
      expect((await call("/v1/contexts/plan/changes", { accept: "text/event-stream" }, init)).status).toBe(200);
    }
    expect(await outcome(live(url, "ada"))).toMatch(/^4429/);
    for (const abort of aborts) abort.abort();
    await eventually(started, async () => {
      const socket = live(url, "ada");
      const isOpen = (await outcome(socket)) === "open";
      socket.terminate();
      return isOpen;
    });
  });

  test("of an address, too, and twice as many sockets are not even read from", async () => {
    const { url, recorded } = await start({ addressConnectionsMax: 2 });
    const open = [live(url, "a"), live(url, "b")];
    expect(await Promise.all(open.map(outcome))).toEqual(["open", "open"]);
    const third = live(url, "c");
    expect(await outcome(third)).toMatch(/^4429 RATE_LIMITED: Your address has 2 open connections/);
    third.terminate();
    const { hostname, port } = new URL(url);
    const idle = () => connect({ host: hostname, port: Number(port) });
    const silent = [idle(), idle()];
    await Promise.all(silent.map((socket) => once(socket, "connect")));
    const cut = idle();
    await once(cut, "close");
    expect(cut.bytesRead).toBe(0);
    // one was told, and one cut; the third socket may have been on its way out when the others came
    expect(recorded.length).toBeGreaterThanOrEqual(2);
    for (const entry of recorded) expect(entry).toMatchObject({ action: "connection.open", address: "127.0.0.1" });
    for (const socket of silent) socket.destroy();
    for (const socket of open) await closed(socket);
  });

  test("in a short time are cut at once, and a proxy's told when to come again", async () => {
    const direct = await start({ addressConnectionsMax: 3 });
    const { hostname, port } = new URL(direct.url);
    const visit = async (): Promise<boolean> => {
      const socket = connect({ host: hostname, port: Number(port) });
      socket.on("error", () => {}).resume();
      await once(socket, "connect");
      socket.write("GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
      await once(socket, "close");
      return socket.bytesRead > 0;
    };
    const visits: boolean[] = [];
    for (let i = 0; i < 8; i++) visits.push(await visit());
    expect(visits).toEqual([true, true, true, true, true, true, false, false]);
    direct.clock.advance(1000 / LIMITS.addressConnectsPerS);
    expect([await visit(), await visit()]).toEqual([true, false]);
    await end();

    const proxied = await start({ addressConnectionsMax: 3 }, { peers: peerAddresses(["127.0.0.1"]) });
    const outcomes: string[] = [];
    for (let i = 0; i < 8; i++) {
      const socket = live(proxied.url, "203.0.113.9");
      outcomes.push(await outcome(socket));
      if (outcomes.at(-1) === "open") await closed(socket);
    }
    expect(outcomes.slice(5)).toEqual(["open", "Unexpected server response: 429", "Unexpected server response: 429"]);
    expect(await outcome(live(proxied.url, "203.0.113.10"))).toBe("open");
  });
});

/** The way over a bridge: what is sent again is done once, feeds go on where they were, and what will stay wrong is said. */
import { beforeEach, describe, expect, test } from "vitest";
import { RestClient } from "../../../server/cli/rest-client.ts";
import type { Line } from "../../../server/cli/mcp/line.ts";
import { RemoteContexts } from "../../../server/cli/mcp/remote-contexts.ts";
import { UrlLine } from "../../../server/cli/mcp/url-line.ts";
import { systemClock } from "../../../server/clock.ts";
import { NO_MONITOR } from "../../../server/monitor-port.ts";
import { authenticateOpen } from "../../../server/security/authenticate.ts";
import { createRestApp } from "../../../server/transport/rest/app.ts";
import { ServiceError } from "../../../shared/errors.ts";
import { SCOPES } from "../../../shared/permission.ts";
import { openGate } from "../../support/open-gate.ts";
import { startService, turns } from "../../support/service-rig.ts";
import type { ServiceRig } from "../../support/service-rig.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

/** What becomes of the requests that are made next; of the others, what should. */
type Fate = "lost on the way" | "answer lost";

let rig: ServiceRig;
let fates: Fate[];
let requests: string[];
let recoveries: number[];
let ada: RemoteContexts;
let bob: RemoteContexts;
let cuts: (() => void)[];

beforeEach(begin);

async function begin(): Promise<void> {
  rig = await startService();
  fates = [];
  requests = [];
  recoveries = [];
  cuts = [];
  ada = contextsOf("ada");
  bob = contextsOf("bob");
  await ada.create({ id: "plan", data: { list: [] } });
  await ada.change("plan", add(0));
  requests.length = 0;
}

function contextsOf(actor: string): RemoteContexts {
  const { gate } = openGate();
  const app = createRestApp({
    service: rig.guard,
    clock: systemClock,
    logger: new RecordingLogger(),
    monitor: NO_MONITOR,
    authenticate: authenticateOpen,
    gate,
  });
  const send = async (url: string, init: RequestInit): Promise<Response> => {
    requests.push(`${init.method ?? "GET"} ${new URL(url).pathname}`);
    const fate = fates.shift();
    if (fate === "lost on the way") throw new TypeError("fetch failed");
    const headers = { ...Object.fromEntries(new Headers(init.headers)), host: "localhost" };
    const response = await app.request(url, { ...init, headers });
    if (fate === "answer lost") throw new TypeError("fetch failed");
    return cuttable(response, init.signal);
  };
  const line: Line = {
    client: new RestClient(
      { url: "http://localhost", actor, token: { read: async () => undefined, environment: {} }, door: "mcp" },
      send,
    ),
    recover: async (failures) => void recoveries.push(failures),
  };
  return new RemoteContexts(line, { actor, scopes: SCOPES });
}

/** A stream that breaks when `cuts` are called, and as fetch's when its caller gives it up. */
function cuttable(response: Response, signal: RequestInit["signal"]): Response {
  if (response.headers.get("content-type") !== "text/event-stream" || response.body === null) return response;
  const reader = response.body.getReader();
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => {
      const cut = (): void => {
        controller.error(new TypeError("terminated"));
        reader.cancel().catch(() => undefined);
      };
      cuts.push(cut);
      signal?.addEventListener("abort", cut);
    },
    pull: async (controller) => {
      const { value, done } = await reader.read();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel: () => reader.cancel(),
  });
  return new Response(body, response);
}

const add = (value: number) => ({ changes: [{ op: "add" as const, path: "/list/-", value }] });
const isRefused = (attempt: Promise<unknown>) =>
  attempt.then(
    () => "done",
    (error: unknown) => (error instanceof ServiceError ? error.code : String(error)),
  );

const forever = new AbortController().signal;
const WRITES: Readonly<Record<string, () => Promise<unknown>>> = {
  "a change": () => ada.change("plan", add(1)),
  "a context": () => ada.create({ data: { made: true } }),
  "a context with an id": () => ada.create({ id: "named", data: { made: true } }),
  "a lock": () => ada.acquireLock("plan", { path: "/list", ttlMs: 60_000, waitMs: 0, signal: forever }),
  "the end of a lock": async () => ada.releaseLock("plan", (await ada.locks("plan"))[0]?.lockId ?? ""),
  "a restored version": () => ada.restore("plan", { version: 0, path: "" }),
  "an access list": () => ada.share("plan", [{ principal: "bob", role: "reader" }]),
  "a deletion": () => ada.delete("plan"),
};

/** What there is afterwards, without what is by chance. */
async function outcomeOf(write: () => Promise<unknown>, fate: readonly Fate[]): Promise<unknown> {
  await begin();
  if (write === WRITES["the end of a lock"]) await WRITES["a lock"]?.();
  // reads before it are not meant
  await ada.locks("plan");
  fates = [...fate];
  await write();
  const { contexts } = await ada.find({ limit: 100 });
  const id = contexts.find((one) => one.id === "plan")?.id;
  if (id === undefined) return contexts.length;
  const [{ data, version, yourRole }, locks] = await Promise.all([ada.read(id, { path: "" }), ada.locks(id)]);
  return {
    contexts: contexts.length,
    data,
    version,
    yourRole,
    locks: locks.map(({ paths, holder }) => [paths, holder]),
  };
}

describe("[HUB-3] a write of which nobody knows whether it was done is sent again, and done once:", () => {
  test.each(Object.entries(WRITES))("%s", async (_name, write) => {
    const expected = await outcomeOf(write, []);
    expect(recoveries).toEqual([]);
    for (const fate of [
      ["lost on the way"],
      ["answer lost"],
      ["answer lost", "lost on the way", "answer lost"],
    ] as const) {
      expect([fate, await outcomeOf(write, fate)]).toEqual([fate, expected]);
      expect(recoveries).toEqual(fate.map((_, index) => index + 1));
    }
  });

  test("but a context of that id that is another one is refused, and so is what is refused at once", async () => {
    await bob.create({ id: "theirs", data: {} });
    fates = ["answer lost"];
    expect(await isRefused(ada.create({ id: "theirs", data: {} }))).toBe("ALREADY_EXISTS");
    fates = ["answer lost"];
    expect(await isRefused(ada.create({ id: "plan", data: { other: true } }))).toBe("ALREADY_EXISTS");
    recoveries.length = 0;
    expect(await isRefused(ada.change("plan", { ...add(1), ifVersion: 0 }))).toBe("VERSION_CONFLICT");
    expect(await isRefused(ada.delete("nowhere"))).toBe("CONTEXT_NOT_FOUND");
    expect(recoveries).toEqual([]);
  });
});

describe("[HUB-3] a feed whose connection breaks", () => {
  test("goes on where it was: each change once, in order", async () => {
    const stop = new AbortController();
    const seen: number[] = [];
    const following = (async () => {
      for await (const { version } of ada.follow("plan", { since: 0, path: "", signal: stop.signal }))
        seen.push(version);
    })();
    const seenTo = (version: number) => expect.poll(() => seen.at(-1)).toBe(version);
    await seenTo(1);
    for (let n = 2; n <= 6; n++) {
      await bob.change("plan", add(n));
      if (n % 2 === 0) cuts.splice(0).forEach((cut) => cut());
    }
    await seenTo(6);
    expect(seen).toEqual([1, 2, 3, 4, 5, 6]);
    stop.abort();
    await following;
    expect(recoveries.length).toBeGreaterThan(0);
  });

  test("of everything says that something was missed, once it is told again", async () => {
    const told: string[] = [];
    let stop = (): void => undefined;
    await new Promise<void>((began) => {
      stop = ada.watch({
        began,
        tell: (event) => void told.push(event.kind),
        ended: () => void told.push("ended"),
      });
    });
    await bob.change("plan", add(1));
    await expect.poll(() => told).toEqual(["changed"]);
    fates = ["lost on the way"];
    cuts.splice(0).forEach((cut) => cut());
    await expect.poll(() => told).toEqual(["changed", "missed"]);
    await bob.change("plan", add(2));
    await expect.poll(() => told).toEqual(["changed", "missed", "changed"]);
    stop();
    await turns();
    expect(told).toHaveLength(3);
  });

  test("ends when it is refused for good", async () => {
    const following = async () => {
      for await (const _change of ada.follow("nowhere", { since: 0, path: "", signal: forever })) return "told";
      return "ended";
    };
    expect(await isRefused(following())).toBe("CONTEXT_NOT_FOUND");
    expect(recoveries).toEqual([]);
  });
});

describe("a server at an address that does not answer", () => {
  const nowhere = (pauses: number[]) =>
    new UrlLine(
      { url: "http://127.0.0.1:1", actor: "ada", token: { read: async () => undefined, environment: {} } },
      {
        fetch: async () => {
          throw new TypeError("fetch failed");
        },
        sleep: async (ms) => void pauses.push(ms),
        random: () => 1,
      },
    );

  test("[HUB-7] is tried again for a while, with pauses that grow, and then named", async () => {
    const pauses: number[] = [];
    const contexts = new RemoteContexts(nowhere(pauses), { actor: "ada", scopes: SCOPES });
    await expect(contexts.find({ limit: 1 })).rejects.toThrow(/^The server at http:\/\/127\.0\.0\.1:1 does not answer/);
    expect(pauses.slice(0, 4)).toEqual([50, 100, 200, 400]);
    expect(pauses.reduce((sum, pause) => sum + pause, 0)).toBeGreaterThan(4000);
  });

  test("[HUB-7] is not tried again once nobody waits", async () => {
    const pauses: number[] = [];
    const gone = new AbortController();
    gone.abort();
    const contexts = new RemoteContexts(nowhere(pauses), { actor: "ada", scopes: SCOPES });
    const lock = contexts.acquireLock("plan", { path: "", ttlMs: 1000, waitMs: 0, signal: gone.signal });
    expect(await isRefused(lock)).toBe("UNREACHABLE");
    expect(pauses).toEqual([]);
  });
});

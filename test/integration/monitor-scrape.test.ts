/**
 * A scrape against the books of whoever made the load: REST callers and live sessions of both protocols on the real server,
 * every request, edit, refusal, lock, conflict and message counted by those who sent and got them.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { CountingClient } from "../support/counting-client.ts";
import { turns } from "../support/event-loop.ts";
import { metricsIn } from "../support/metrics-text.ts";
import { startTestServer } from "../support/running-server.ts";
import type { TestServer } from "../support/running-server.ts";

const EDITS = 40;
const SCRAPES_MIN = 4;
const PATCHES = 30;

let dataDir: string;
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "mcm-scrape-"));
});
afterAll(() => rm(dataDir, { recursive: true, force: true }));

/** What the load generator knows that it did: series and how often. */
class Books {
  readonly counts = new Map<string, number>();

  add(series: string, count = 1): void {
    this.counts.set(series, (this.counts.get(series) ?? 0) + count);
  }
}

let server: TestServer;
let books: Books;

beforeEach(async () => {
  server = await startTestServer(dataDir);
  books = new Books();
});
afterEach(() => server.close());

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** The pattern of the address. */
  readonly route: string;
  /** The use case it asks for; none when the request itself is refused. */
  readonly operation?: string;
}

/** One request, entered into the books by its answer. */
async function call({ method, path, body, headers = {}, route, operation }: Asked): Promise<unknown> {
  const response = await fetch(`${server.url}${path}`, {
    method,
    headers: { "content-type": "application/json", "mcm-actor": "rest", ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  const answer: unknown = text === "" ? undefined : JSON.parse(text);
  books.add(`mcm_http_requests_total{method="${method}",route="${route}",status="${response.status}"}`);
  const outcome = response.ok ? "ok" : Object(answer).code;
  if (operation !== undefined) books.add(`mcm_operations_total{operation="${operation}",outcome="${outcome}"}`);
  return answer;
}

const CONTEXT = "/v1/contexts/:id";

function create(id: string): Promise<unknown> {
  return call({
    method: "POST",
    path: "/v1/contexts",
    body: { id, data: { n: 0 } },
    route: "/v1/contexts",
    operation: "create",
  });
}

/** Entered as a write, too, unless it is refused before it comes to one. */
async function patch(id: string, body: object, headers: Readonly<Record<string, string>> = {}): Promise<unknown> {
  const answer = await call({
    method: "PATCH",
    path: `/v1/contexts/${id}`,
    body,
    headers,
    route: CONTEXT,
    operation: "change",
  });
  const { code, replayed, seq } = Object(answer);
  if (replayed === true) return answer;
  if (code !== undefined) books.add(`mcm_writes_refused_total{kind="json",code="${code}",rule=""}`);
  else {
    books.add(`mcm_writes_total{kind="json",outcome="${seq === 0 ? "unchanged" : "changed"}"}`);
    books.add("mcm_ack_seconds_count");
  }
  return answer;
}

async function scrape(): Promise<ReadonlyMap<string, number>> {
  const response = await fetch(`${server.url}/metrics`);
  const found = metricsIn(await response.text());
  // the scrape that is under way is in no scrape
  books.add('mcm_http_requests_total{method="GET",route="/metrics",status="200"}');
  books.add('mcm_operations_total{operation="server.monitor.metrics",outcome="ok"}');
  return found;
}

const FAMILIES = [
  "mcm_operations_total",
  "mcm_http_requests_total",
  "mcm_writes_total",
  "mcm_writes_refused_total",
  "mcm_conflicts_total",
  "mcm_lock_requests_total",
  "mcm_sessions",
  "mcm_sessions_opened_total",
  "mcm_sessions_ended_total",
  "mcm_frames_in_total",
  "mcm_frames_out_total",
  "mcm_frame_bytes_in_total",
  "mcm_frame_bytes_out_total",
  "mcm_ack_seconds_count",
  "mcm_propagation_seconds_count",
];

/** Series of those families that are not 0. */
function counted(found: ReadonlyMap<string, number>): Record<string, number> {
  const family = (series: string): string => series.replace(/\{.*/, "");
  return Object.fromEntries([...found].filter(([series, value]) => value !== 0 && FAMILIES.includes(family(series))));
}

function isCounter(series: string): boolean {
  return /(_total|_count|_sum|_bucket)(\{|$)/.test(series);
}

const protocolOf = ({ isExtended }: CountingClient): string => (isExtended ? "mcm.v1" : "y-websocket");

/** What sessions have sent and got so far. */
function enterTraffic(clients: readonly CountingClient[]): void {
  for (const client of clients) {
    const labels = `{protocol="${protocolOf(client)}"}`;
    books.add(`mcm_sessions_opened_total${labels}`);
    books.add(`mcm_frames_in_total${labels}`, client.sent);
    books.add(`mcm_frame_bytes_in_total${labels}`, client.sentBytes);
    books.add(`mcm_frames_out_total${labels}`, client.got);
    books.add(`mcm_frame_bytes_out_total${labels}`, client.gotBytes);
    if (client.closeCode === undefined) books.add(`mcm_sessions${labels}`);
  }
}

/** What live edits came to: all of these clients' were taken. */
function enterEdits(clients: readonly CountingClient[]): void {
  for (const { edits, idle } of clients) {
    books.add('mcm_writes_total{kind="update",outcome="changed"}', edits);
    books.add('mcm_writes_total{kind="update",outcome="unchanged"}', idle);
    books.add("mcm_ack_seconds_count", edits + idle);
    books.add("mcm_propagation_seconds_count", edits);
  }
}

async function versionOf(id: string): Promise<number> {
  const answer = await call({ method: "GET", path: `/v1/contexts/${id}?depth=1`, route: CONTEXT, operation: "read" });
  return Object(answer).version;
}

async function openClients(): Promise<readonly CountingClient[]> {
  const clients: CountingClient[] = [];
  for (const contextId of ["a", "b"]) {
    for (const isExtended of [true, false]) {
      for (const n of [1, 2]) {
        const actor = `${contextId}${n}${isExtended}`;
        clients.push(await CountingClient.open({ url: server.url, contextId, actor, isExtended }));
        books.add('mcm_operations_total{operation="openSession",outcome="ok"}');
      }
    }
  }
  return clients;
}

async function restLoad(): Promise<void> {
  for (let n = 0; n < PATCHES; n++) await patch("c", { changes: [{ op: "add", path: `/k${n}`, value: n }] });
  await patch("c", { changes: [{ op: "test", path: "/n", value: 0 }] });
  await patch("c", { changes: [{ op: "test", path: "/n", value: 1 }] });
  await patch("c", { changes: [{ op: "remove", path: "/none" }] });
  await patch("c", { changes: [{ op: "add", path: "/k0", value: 2 }], ifVersion: 0 });
  const key = { "idempotency-key": "once" };
  for (let n = 0; n < 3; n++) await patch("c", { changes: [{ op: "add", path: "/once", value: 1 }] }, key);
  await call({ method: "PATCH", path: "/v1/contexts/c", body: { nothing: 1 }, route: CONTEXT });
  await call({ method: "GET", path: "/v1/contexts/none", route: CONTEXT, operation: "read" });
  await call({ method: "GET", path: "/v1/contexts/c/changes", route: `${CONTEXT}/changes`, operation: "changes" });
  const diff = { path: "/v1/contexts/c/diff?from=0", route: `${CONTEXT}/diff`, operation: "history.diff" };
  for (let n = 0; n < 2; n++) await call({ method: "GET", ...diff });
  await call({ method: "GET", path: "/nowhere", route: "/*" });
  await call({ method: "PUT", path: "/v1/types", body: {}, route: "/v1/types" });
}

async function lockLoad(): Promise<void> {
  const locks = { path: "/v1/contexts/c/locks", route: `${CONTEXT}/locks` };
  const ask = async (body: object, outcome: string): Promise<string> => {
    const answer = await call({ method: "POST", ...locks, body, operation: "locks.acquire" });
    books.add(`mcm_lock_requests_total{outcome="${outcome}"}`);
    return String(Object(answer).lockId);
  };
  const taken = [await ask({ paths: ["/x"] }, "granted"), await ask({ paths: ["/y", "/z"] }, "granted")];
  await ask({ paths: ["/x/deep"] }, "refused");
  await ask({ paths: ["/y"], waitMs: 60 }, "timeout");
  await patch("c", { changes: [{ op: "add", path: "/x", value: 1 }] });
  await call({ method: "GET", ...locks, operation: "locks.list" });
  // the list tells who waits, too
  books.add('mcm_operations_total{operation="locks.waiting",outcome="ok"}');
  for (const lockId of taken) {
    await call({
      method: "DELETE",
      path: `${locks.path}/${lockId}`,
      route: `${locks.route}/:lockId`,
      operation: "locks.release",
    });
  }
  // two taken, two given back
  books.add('mcm_writes_total{kind="lock",outcome="changed"}', 4);
}

test("[MON-2] [MON-3] a scrape under load equals its callers' own counts, series by series; no counter ever shrinks", async () => {
  for (const id of ["a", "b", "c"]) await create(id);
  await create("c");
  const clients = await openClients();

  // scrapes come while the load does
  const scrapes: ReadonlyMap<string, number>[] = [];
  const load = { isUnderWay: true };
  const watching = (async () => {
    while (load.isUnderWay || scrapes.length < SCRAPES_MIN) scrapes.push(await scrape());
  })();
  const live = (async () => {
    for (let n = 0; n < EDITS; n++) {
      for (const [nth, client] of clients.entries()) client.set(`k${nth}`, n);
      if (n % 10 === 0) await new Promise((resolve) => void setImmediate(resolve));
    }
    for (const client of clients) client.repeat();
  })();
  await Promise.all([live, restLoad(), lockLoad()]);
  load.isUnderWay = false;
  await watching;

  // two who have not seen each other set one key: one conflict in each context, told to those who speak mcm.v1
  for (const offset of [0, 4]) for (const nth of [0, 1]) clients[offset + nth]?.set("clash", `by ${nth}`);
  books.add('mcm_conflicts_total{kind="set-set",policy="record"}', 2);

  // a session that takes a lock, and one that edits under it
  const [holder] = clients;
  expect(await holder?.request("lock", { paths: ["/locked"] })).toBe(true);
  books.add('mcm_operations_total{operation="locks.acquire",outcome="ok"}');
  books.add('mcm_lock_requests_total{outcome="granted"}');
  books.add('mcm_writes_total{kind="lock",outcome="changed"}');
  const intruder = await CountingClient.open({ url: server.url, contextId: "a", actor: "intruder", isExtended: true });
  intruder.set("locked", 1);
  expect(await intruder.closed()).toBe(4403);
  books.add('mcm_sessions_ended_total{protocol="mcm.v1",code="LOCKED"}');
  books.add('mcm_writes_refused_total{kind="update",code="LOCKED",rule=""}');
  books.add('mcm_writes_total{kind="update",outcome="void"}');
  const vandal = await CountingClient.open({ url: server.url, contextId: "b", actor: "vandal", isExtended: false });
  vandal.sendUpdate(Uint8Array.of(1, 2, 3));
  expect(await vandal.closed()).toBe(4400);
  books.add('mcm_sessions_ended_total{protocol="y-websocket",code="MALFORMED_UPDATE"}');
  books.add('mcm_writes_refused_total{kind="update",code="MALFORMED_UPDATE",rule="truncated"}');
  books.add('mcm_operations_total{operation="openSession",outcome="ok"}', 2);
  for (const { idle } of [intruder, vandal]) {
    books.add('mcm_writes_total{kind="update",outcome="unchanged"}', idle);
    books.add("mcm_ack_seconds_count", idle);
  }
  const stranger = await CountingClient.open({ url: server.url, contextId: "none", actor: "x", isExtended: true });
  expect(await stranger.closed()).toBe(4404);
  books.add('mcm_operations_total{operation="openSession",outcome="CONTEXT_NOT_FOUND"}');

  // one leaves by itself
  const leaver = clients[7];
  await expect.poll(async () => [await versionOf("a"), await versionOf("b")]).toEqual([4 * EDITS + 2, 4 * EDITS + 2]);
  // a void tells the others its clocks
  await expect
    .poll(() => clients.filter(({ isExtended }) => isExtended).map(({ acked, edits, idle }) => acked - edits - idle))
    .toEqual([0, 0, 0, 0]);
  await settled(clients);
  await leaver?.close();
  await expect.poll(async () => (await scrape()).get('mcm_sessions{protocol="y-websocket"}')).toBe(3);
  books.add('mcm_sessions_ended_total{protocol="y-websocket",code=""}');

  enterTraffic([...clients, intruder, vandal]);
  enterEdits(clients);
  const expected = Object.fromEntries([...books.counts].filter(([, count]) => count !== 0));
  const last = await scrape();
  expect(counted(last)).toEqual(expected);

  const shrunk = [...scrapes, last].flatMap((later, n) =>
    [...(scrapes[n - 1] ?? [])].filter(([series, value]) => isCounter(series) && (later.get(series) ?? -1) < value),
  );
  expect(shrunk).toEqual([]);
  for (const client of clients) await client.close();
});

/** Until nothing more comes. */
async function settled(clients: readonly CountingClient[]): Promise<void> {
  const total = (): number => clients.reduce((sum, { got }) => sum + got, 0);
  let before = -1;
  while (before !== total()) {
    before = total();
    await turns(200);
  }
}

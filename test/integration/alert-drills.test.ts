/**
 * Fault drills: each fault is made for real, the right alert is raised at the right level, readiness says why, and both are
 * over when the fault is. Time is driven: the monitor's rounds, the log's recovery and the webhook's pauses.
 */
import { execFileSync } from "node:child_process";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { mkdir, open, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getHeapStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { ClassicLevel } from "classic-level";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { parseConfig } from "../../server/config.ts";
import type { Environment, Flags } from "../../server/config.ts";
import { ContextMonitor } from "../../server/monitor/context-monitor.ts";
import { ALERT_RULES } from "../../server/monitor/alerts/alert-rules.ts";
import { withOverrides } from "../../server/monitor/alerts/alert-overrides.ts";
import { OwnProcess } from "../../server/monitor/process-watch.ts";
import type { ProcessWatch } from "../../server/monitor/process-watch.ts";
import { startServer } from "../support/start-server.ts";
import type { RunningServer } from "../../server/server.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { AlertList } from "../../shared/protocol/rest-monitoring.ts";
import { alertEventSchema, alertListSchema, healthSchema } from "../../shared/protocol/rest-monitoring.ts";
import { holdEventLoop, turning } from "../support/event-loop.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { RecordingLogger } from "../support/recording-logger.ts";
import { PLAN, caller, startPlan, turns } from "../support/service-rig.ts";

const MINUTE_MS = 60_000;
const base = mkdtempSync(join(tmpdir(), "mcm-drill-"));
const stops: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});
afterAll(() => rmSync(base, { recursive: true, force: true }));

interface Drill {
  readonly server: RunningServer;
  readonly clock: ManualClock;
  readonly logger: RecordingLogger;
}

async function start(flags: Flags, environment: Environment = {}): Promise<Drill> {
  const [clock, logger] = [new ManualClock(), new RecordingLogger()];
  const server = await startServer(parseConfig({ port: "0", ...flags }, environment), { clock, logger });
  stops.push(() => server.close());
  return { server, clock, logger };
}

async function alertsOf({ server }: Drill): Promise<AlertList> {
  return alertListSchema.parse(await (await fetch(`${server.url}/v1/alerts`)).json());
}

async function readiness({ server }: Drill) {
  const response = await fetch(`${server.url}/readyz`);
  const { status, reasons } = healthSchema.parse(await response.json());
  return { http: response.status, status, reasons };
}

/** A busy machine holds the event loop by itself. */
async function expectWell(drill: Drill): Promise<void> {
  const { http, reasons } = await readiness(drill);
  expect([http, reasons.filter((reason) => !reason.startsWith("The event loop"))]).toEqual([200, []]);
}

/** A round of the monitor, after what waits for the disk has had a turn; the alerts that there are. A busy machine may add its own. */
async function round(drill: Drill): Promise<readonly string[]> {
  drill.clock.advance(LIMITS.monitorSampleMs);
  return (await alertsOf(drill)).alerts.map(({ name, level }) => `${name} ${level}`);
}

const POLL = { interval: 30, timeout: 30_000 };

async function untilRaised(drill: Drill, ...expected: readonly string[]): Promise<void> {
  await expect.poll(() => round(drill), POLL).toEqual(expect.arrayContaining([...expected]));
}

async function untilCleared(drill: Drill, ...names: readonly string[]): Promise<void> {
  const left = async () => (await round(drill)).filter((alert) => names.some((name) => alert.startsWith(name)));
  await expect.poll(left, POLL).toEqual([]);
}

async function create({ server }: Drill, id: string, data: object = {}): Promise<number> {
  return (await send(server, "POST", "/v1/contexts", { id, data })).status;
}

function send({ url }: RunningServer, method: string, path: string, body?: object): Promise<Response> {
  const content = { body: JSON.stringify(body), headers: { "content-type": "application/json" } };
  return fetch(`${url}${path}`, { method, ...(body === undefined ? {} : content) });
}

const mountPoint = join(base, "small");
const isMounted = await mountSmall();
afterAll(() => {
  if (isMounted) execFileSync("umount", ["-l", mountPoint]);
});

/** False where mounting is not permitted. */
async function mountSmall(): Promise<boolean> {
  await mkdir(mountPoint);
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=16m", "tmpfs", mountPoint], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

test("[ALERT-9] a full disk: space and the log are critical, writes are told, readiness is 503 with the disk's own words", async (context) => {
  if (!isMounted) context.skip("a small file system cannot be mounted here: run as root on Linux");
  const [ballast, filler] = [join(mountPoint, "ballast"), join(mountPoint, "filler")];
  // to open again LevelDB writes once more what its log holds: as much as was free
  await writeFile(ballast, Buffer.alloc(12_000_000));
  const drill = await start({ dataDir: join(mountPoint, "data") });
  const { server, clock } = drill;
  await create(drill, "plan");
  await round(drill);
  await expectWell(drill);

  let status = 200;
  for (let n = 0; n < 200 && status === 200; n++) {
    const change = { op: "add", path: `/k${n}`, value: Array.from({ length: 4000 }, () => Math.random()) };
    status = (await send(server, "PATCH", "/v1/contexts/plan", { changes: [change] })).status;
  }
  expect(status).toBe(503);
  await fillUp(filler);
  await untilRaised(drill, "log-unavailable critical", "disk-space critical", "failed-writes warning");
  expect(await readiness(drill)).toMatchObject({
    http: 503,
    status: "down",
    reasons: expect.arrayContaining([
      expect.stringMatching(/^The log cannot be written: .*No space left/),
      "The disk under the data folder is nearly full: 0 MB are left.",
    ]),
  });
  expect((await fetch(`${server.url}/healthz`)).status).toBe(200);

  await Promise.all([rm(ballast), rm(filler)]);
  await untilCleared(drill, "log-unavailable", "disk-space");
  expect((await readiness(drill)).http).toBe(200);
  expect(
    (await send(server, "PATCH", "/v1/contexts/plan", { changes: [{ op: "add", path: "/after", value: 1 }] })).status,
  ).toBe(200);
  clock.advance(5 * MINUTE_MS);
  await untilCleared(drill, "failed-writes");
  await expectWell(drill);
  const cleared = (await alertsOf(drill)).cleared.map(({ name }) => name);
  expect(cleared).toEqual(expect.arrayContaining(["disk-space", "failed-writes", "log-unavailable"]));
});

/** Somebody else takes what is left. */
async function fillUp(path: string): Promise<void> {
  const file = await open(path, "w");
  try {
    for (let n = 0; n < 10_000; n++) await file.write(Buffer.alloc(4096));
  } catch (error) {
    expect(error).toMatchObject({ code: "ENOSPC" });
  } finally {
    await file.close();
  }
}

test("[ALERT-9] a slow disk: late is a warning, very late is critical; the server is degraded, not down", async () => {
  const clock = new ManualClock();
  const rig = await startPlan({}, clock);
  rig.monitor.start();
  stops.push(async () => rig.monitor.stop());
  const active = (): readonly string[] => rig.monitor.alerts().active.map(({ name, level }) => `${name} ${level}`);
  rig.log.hold();
  const change = rig.service.change(caller("ada"), PLAN, { ops: [{ op: "add", path: "/a", value: 1 }] });
  await turns();
  clock.advance(5000);
  expect([active(), rig.service.health()]).toMatchObject([
    [],
    { status: "degraded", reasons: ["Changes wait 5.0 s for the disk."] },
  ]);
  clock.advance(5000);
  expect(active()).toEqual(["log-lag critical"]);
  rig.log.release();
  await change;
  await turns();
  expect(rig.service.health()).toMatchObject({ status: "ok", reasons: [] });
  clock.advance(35_000);
  expect(active()).toEqual([]);

  // for two seconds at a time, again and again
  rig.log.hold();
  const slow = rig.service.change(caller("ada"), PLAN, { ops: [{ op: "add", path: "/a", value: 2 }] });
  await turns();
  for (let n = 0; n < 2; n++) clock.advance(5000 - 1);
  expect(active()).toEqual([]);
  rig.log.release();
  await slow;
  await rig.service.close();
});

test("[ALERT-9] an unreadable record: critical, readiness names the context and stays 200; others are served", async () => {
  const dataDir = join(base, "damaged");
  const first = await start({ dataDir });
  for (const id of ["plan", "fine"]) await create(first, id, { text: `of ${id}` });
  await send(first.server, "PATCH", "/v1/contexts/plan", { changes: [{ op: "add", path: "/a", value: 1 }] });
  await stops.pop()?.();
  await spoilChanges(join(dataDir, "log"));

  const drill = await start({ dataDir });
  const { server, clock } = drill;
  const read = async (id: string): Promise<number> => (await fetch(`${server.url}/v1/contexts/${id}`)).status;
  expect([await read("plan"), await read("fine")]).toEqual([503, 200]);
  await untilRaised(drill, "damaged-data critical");
  const damage = "The log of plan cannot be read: it is damaged.";
  const { http, status, reasons } = await readiness(drill);
  expect([http, status, reasons.includes(damage)]).toEqual([200, "degraded", true]);
  expect((await send(server, "DELETE", "/v1/contexts/plan")).status).toBe(204);
  expect((await readiness(drill)).reasons).not.toContain(damage);
  clock.advance(15 * MINUTE_MS);
  await untilCleared(drill, "damaged-data");
});

/** Turns a bit in each record of a run of changes, as a failing disk might, past LevelDB's own checksums. */
async function spoilChanges(folder: string): Promise<void> {
  const database = new ClassicLevel<Uint8Array, Uint8Array>(folder, { keyEncoding: "view", valueEncoding: "view" });
  await database.open();
  let spoilt = 0;
  for await (const [key, value] of database.iterator()) {
    if (!Buffer.from(value).includes("/a")) continue;
    const last = value.length - 1;
    await database.put(
      key,
      value.map((byte, at) => (at === last ? byte ^ 1 : byte)),
    );
    spoilt++;
  }
  await database.close();
  expect(spoilt).toBe(1);
}

test("[ALERT-9] an event loop that is held: a warning, or critical when it is long; degraded for a minute", async () => {
  const drill = await start({ storage: "memory" });
  const { clock } = drill;
  await turning(60);
  clock.advance(LIMITS.monitorSampleMs);
  holdEventLoop(2300);
  await turning(60);
  clock.advance(LIMITS.monitorSampleMs);
  const [alert] = (await alertsOf(drill)).alerts.filter(({ name }) => name === "event-loop");
  expect(alert).toMatchObject({ level: "critical", unit: "s", threshold: 2 });
  const { http, status, reasons } = await readiness(drill);
  expect([http, status, reasons]).toEqual([
    200,
    "degraded",
    [expect.stringMatching(/^The event loop was held for [23]\.\d s within the last minute\.$/)],
  ]);
  await turning(60);
  clock.advance(MINUTE_MS + 2 * LIMITS.monitorSampleMs);
  await untilCleared(drill, "event-loop");
});

test("[ALERT-9] memory that runs out: a warning while it is used, over when it is given back", async () => {
  const [clock, logger] = [new ManualClock(), new RecordingLogger()];
  const own = new OwnProcess();
  // this process' own heap; what the test runner around it takes, or holds up, is not what is drilled
  const watch: ProcessWatch = {
    start: () => own.start(),
    stop: () => own.stop(),
    take: (nowMs) => ({ ...own.take(nowMs), rssBytes: 0, eventLoopDelayMsMax: 0 }),
    collections: () => own.collections(),
    resources: () => own.resources(),
    cpuMs: () => own.cpuMs(),
    loop: () => own.loop(),
  };
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("gc");
  if (typeof collect !== "function") throw new Error("no garbage collector to call");
  collect();
  const { used_heap_size: usedBytes, heap_size_limit: limitBytes } = getHeapStatistics();
  const at = (usedBytes + 80 * 1024 * 1024) / limitBytes;
  const clearAt = (usedBytes + 40 * 1024 * 1024) / limitBytes;
  const rules = withOverrides(ALERT_RULES, { memory: { warning: { at, clearAt, forS: 0 }, critical: false } });
  const monitor = new ContextMonitor({ clock, logger, rules, process: watch });
  monitor.start();
  stops.push(async () => monitor.stop());
  const names = (): readonly string[] => {
    clock.advance(LIMITS.monitorSampleMs);
    return monitor.alerts().active.map(({ name, level }) => `${name} ${level}`);
  };
  expect(names()).toEqual([]);
  let ballast: number[][] = Array.from({ length: 200 }, () => Array.from({ length: 131_072 }, Math.random));
  expect([names(), ballast.length]).toEqual([["memory warning"], 200]);
  ballast = [];
  collect();
  expect(names()).toEqual(["memory warning"]); // it must be good for half a minute
  clock.advance(30_000);
  expect(names()).toEqual([]);
  expect(
    logger.entries
      .filter(({ message }) => message.startsWith("alert"))
      .map(({ level, message }) => `${level} ${message}`),
  ).toEqual(["warn alert raised", "info alert cleared"]);
});

describe("a webhook's target", () => {
  test("[ALERT-6] [ALERT-9] that is down for five minutes gets every alert afterwards, signed, once and in order", async () => {
    const secret = "a-secret-of-the-operators";
    let isUp = false;
    const heard: { readonly id: string; readonly type: string }[] = [];
    const target = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        const body = Buffer.concat(chunks).toString();
        const {
          "webhook-id": id = "",
          "webhook-timestamp": time = "",
          "webhook-signature": signature,
        } = request.headers;
        const expected = createHmac("sha256", secret)
          .update(`${String(id)}.${String(time)}.${body}`)
          .digest("base64");
        if (isUp && signature === `v1,${expected}`) {
          const { type, alert } = alertEventSchema.parse(JSON.parse(body));
          heard.push({ id: String(id), type: `${type} ${alert.name}` });
        }
        response.writeHead(isUp ? 204 : 503).end();
      });
    });
    target.listen({ host: "127.0.0.1", port: 0 });
    await once(target, "listening");
    stops.push(async () => {
      target.closeAllConnections();
      target.close();
      await once(target, "close");
    });
    const address = target.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    const rules = join(base, "rules.json");
    // memory is always used to some extent
    await writeFile(rules, '{"memory": {"warning": {"at": 0.0002, "clearAt": 0.0001, "forS": 0}, "critical": false}}');
    const url = `http://127.0.0.1:${address.port}/alerts`;
    const flags = { storage: "memory", alertRules: rules, alertWebhook: url };
    const drill = await start(flags, { MCM_ALERT_WEBHOOK_SECRET: secret });
    await untilRaised(drill, "memory warning");
    const refused = (): number =>
      drill.logger.at("warn").filter(({ message }) => message === "an alert could not be delivered").length;
    for (let n = 0; n < 60; n++) {
      const before = refused();
      drill.clock.advance(5000);
      if (n < 3) await expect.poll(refused).toBeGreaterThan(before);
    }
    expect([heard, refused() > 3]).toEqual([[], true]);
    isUp = true;
    await expect
      .poll(() => {
        drill.clock.advance(5000);
        return heard.map(({ type }) => type).filter((type) => type.endsWith(" memory"));
      })
      .toEqual(["alert.raised memory"]);
    expect(new Set(heard.map(({ id }) => id)).size).toBe(heard.length);
  });
});

/** The live feed of a context whose history was thinned: rule HIST-17, and what a filtered feed has passed. */
import { describe, expect, test } from "vitest";
import type { ChangeRecord } from "../../shared/change.ts";
import { createRestApp } from "../../server/transport/rest/app.ts";
import { systemClock } from "../../server/clock.ts";
import { NO_MONITOR } from "../../server/monitor-port.ts";
import { authenticateOpen } from "../../server/security/authenticate.ts";
import { openGate } from "../support/open-gate.ts";
import { PLAN, caller, startPlan, turns } from "../support/service-rig.ts";
import type { ServiceRig } from "../support/service-rig.ts";

const ada = caller("ada");

async function write({ service }: ServiceRig, path: string, count: number): Promise<void> {
  for (let n = 0; n < count; n++) await service.change(ada, PLAN, { ops: [{ op: "increment", path, by: 1 }] });
}

/** A context at version 6 whose log begins after the given one. */
async function thinnedTo(version: number): Promise<ServiceRig> {
  const rig = await startPlan({ a: 0, b: 0 });
  await write(rig, "/a", version);
  await thin(rig);
  await write(rig, "/a", 6 - version);
  return rig;
}

/** Drops all history that there is now. */
async function thin({ service, storage }: ServiceRig): Promise<void> {
  await service.history.nameCheckpoint(ada, PLAN, { name: "now" });
  const base = await storage.checkpointBefore(PLAN, Infinity);
  if (base !== undefined) await storage.trim(PLAN, base);
  await service.history.forgetCheckpoint(ada, PLAN, "now");
}

describe("[HIST-17] of a thinned history", () => {
  test("a feed behind what is kept is refused, one from there on has every change", async () => {
    const { service } = await thinnedTo(4);
    const { signal } = new AbortController();
    const behind = service.follow(ada, PLAN, { since: 3, signal })[Symbol.asyncIterator]();
    await expect(behind.next()).rejects.toMatchObject({ code: "VERSION_NOT_FOUND", details: { oldestVersion: 4 } });
    const feed = service.follow(ada, PLAN, { since: 4, signal })[Symbol.asyncIterator]();
    expect([(await feed.next()).value?.version, (await feed.next()).value?.version]).toEqual([5, 6]);
  });

  test("a feed that waits for a path does not fall behind while the others' changes are thinned away", async () => {
    const rig = await startPlan({ a: 0, b: 0 });
    const stop = new AbortController();
    const seen: ChangeRecord[] = [];
    const reading = (async () => {
      for await (const change of rig.service.follow(ada, PLAN, { since: 0, path: "/b", signal: stop.signal })) {
        seen.push(change);
        stop.abort();
      }
    })();
    await write(rig, "/a", 5);
    await turns(10);
    await thin(rig);
    await write(rig, "/b", 1);
    await reading;
    expect(seen.map(({ version }) => version)).toEqual([6]);
  });

  test("REST lists from the oldest change that is kept, and refuses a page or feed that would have a gap", async () => {
    const { guard: service, logger } = await thinnedTo(4);
    const { gate } = openGate();
    const app = createRestApp({
      service,
      clock: systemClock,
      logger,
      monitor: NO_MONITOR,
      authenticate: authenticateOpen,
      gate,
    });
    const ask = (query: string, headers = {}) =>
      app.request(`http://127.0.0.1/v1/contexts/${PLAN}/changes${query}`, {
        headers: { host: "127.0.0.1", ...headers },
      });
    const all: unknown = await (await ask("")).json();
    expect(all).toMatchObject({ changes: [{ version: 5 }, { version: 6 }] });
    const events = { accept: "text/event-stream" };
    for (const refused of [ask("?since=3"), ask("?since=3", events), ask("", { ...events, "last-event-id": "3" })]) {
      const answer = await refused;
      const problem: unknown = await answer.json();
      expect([answer.status, problem]).toMatchObject([
        404,
        { code: "VERSION_NOT_FOUND", details: { oldestVersion: 4 } },
      ]);
    }
  });
});

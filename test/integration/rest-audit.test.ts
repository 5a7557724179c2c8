/** The audit log over REST, on the real service: rule REST-40. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { AuditEvent } from "../../shared/audit.ts";
import { parseActor, parseContextId } from "../../shared/ids.ts";
import { auditListSchema } from "../../shared/protocol/rest-audit.ts";
import { bearer } from "../support/callers.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { startRestServer } from "../support/rest-server.ts";
import { startService } from "../support/service-rig.ts";
import type { ServiceRig } from "../support/service-rig.ts";

const clock = new ManualClock();
const START = clock.nowMs();
let rig: ServiceRig;
let url: string;
let close: () => Promise<void>;

const timeAt = (ms: number): string => new Date(START + ms).toISOString();
const ask = async (query: string) => fetch(`${url}/v1/audit${query}`);
const list = async (query: string) => auditListSchema.parse(await (await ask(query)).json());

const DENIAL: AuditEvent = {
  action: "request.authenticate",
  outcome: "denied",
  code: "UNAUTHENTICATED",
  address: "10.0.0.1",
  origin: "cli",
  rule: "expired",
  requestId: "r-1",
};

beforeAll(async () => {
  rig = await startService(undefined, undefined, undefined, clock);
  const server = await startRestServer(rig.guard, clock);
  ({ url } = server);
  close = async () => {
    await server.close();
    await rig.audit.close();
    await rig.storage.close();
  };
  const { audit } = rig;
  audit.start();
  audit.record({ action: "server.start", outcome: "done", detail: { version: "0" } });
  clock.advance(1000);
  for (let i = 0; i < 3; i++) audit.record(DENIAL);
  clock.advance(60_000);
  const contextId = parseContextId("plan");
  audit.record({ ...DENIAL, action: "request.size", actor: parseActor("ada"), contextId, paths: ["/a"] });
});
afterAll(() => close());

test("[REST-40] entries are listed newest first, with all that is known of each", async () => {
  const { entries, next } = await list("");
  expect(next).toBeUndefined();
  expect(entries).toMatchObject([
    { action: "request.size", at: timeAt(61_000), actor: "ada", context: "plan", paths: ["/a"] },
    {
      action: "request.authenticate",
      outcome: "denied",
      code: "UNAUTHENTICATED",
      at: timeAt(1000),
      address: "10.0.0.1",
      origin: "cli",
      rule: "expired",
      requestId: "r-1",
      count: 3,
      lastAt: timeAt(1000),
    },
    { action: "server.start", outcome: "done", at: timeAt(0), detail: { version: "0" } },
  ]);
});

test.each([
  ["?limit=1", ["request.size"]],
  ["?outcome=done", ["server.start"]],
  ["?action=request.authenticate", ["request.authenticate"]],
  ["?actor=ada", ["request.size"]],
  ["?context=plan", ["request.size"]],
  [`?since=${timeAt(1000)}`, ["request.size", "request.authenticate"]],
  [`?since=${timeAt(1)}&until=${timeAt(1000)}`, ["request.authenticate"]],
])("[REST-40] %s", async (query, actions) => {
  expect((await list(query)).entries.map(({ action }) => action)).toEqual(actions);
});

test("[REST-40] pages follow each other", async () => {
  const seen: string[] = [];
  let cursor = "";
  for (let page = 0; page < 10; page++) {
    const { entries, next } = await list(`?limit=1${cursor}`);
    seen.push(...entries.map(({ action }) => action));
    if (next === undefined) break;
    cursor = `&cursor=${next}`;
  }
  expect(seen).toEqual(["request.size", "request.authenticate", "server.start"]);
});

test.each([
  "?since=yesterday",
  "?action=moon.land",
  "?outcome=maybe",
  "?cursor=x",
  "?limit=0",
  "?context=a/b",
  "?what=1",
])("[REST-40] %s is refused", async (query) => {
  expect((await ask(query)).status).toBe(400);
});

test("[REST-40] it is for admins of the server alone", async () => {
  const ofAll = [{ id: "*", role: "admin" as const }];
  const as = (grants: typeof ofAll) =>
    rig.guard.server.audit.list({ identity: bearer("eve", { grants }), origin: "rest" }, { limit: 1 });
  await expect(as([])).rejects.toMatchObject({ code: "FORBIDDEN" });
  expect((await as(ofAll)).items).toHaveLength(1);
});

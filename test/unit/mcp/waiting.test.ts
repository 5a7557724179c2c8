/** context_wait: what wakes it, what ends it, and that nothing stays behind. */
import { beforeEach, expect, test } from "vitest";
import { followUris } from "../../../server/transport/mcp/subscriptions.ts";
import { ANONYMOUS } from "../../../shared/ids.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { FakeContextService } from "../../support/fake-context-service.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { ToolCaller } from "../../support/mcp-tools.ts";
import { turns } from "../../support/service-rig.ts";

let clock: ManualClock;
let service: FakeContextService;
let ada: ToolCaller;
let bob: ToolCaller;

beforeEach(async () => {
  clock = new ManualClock();
  service = new FakeContextService(clock);
  ada = new ToolCaller(service, "ada", clock);
  bob = new ToolCaller(service, "bob", clock);
  for (const id of ["plan", "other"]) await ada.call("context_create", { id, data: { title: "One" } });
});

const edit = (who: ToolCaller, id = "plan", key = "title") =>
  who.call("context_update", { id, ops: [{ op: "add", path: `/${key}`, value: `${key} by somebody` }] });
const since = (version: number, id = "plan", path = "") => ({ targets: [{ id, since_version: version, path }] });

/** So many feeds are followed. */
const followed = (count: number) => expect.poll(() => service.followerCount).toBe(count);

test("[MCP-8] it returns for a change that came before the call", async () => {
  await edit(bob);
  expect(await ada.call("context_wait", since(0))).toEqual({
    changed: [
      {
        id: "plan",
        since_version: 0,
        version: 1,
        by: ["bob"],
        patch: [{ op: "replace", path: "/title", value: "title by somebody" }],
        truncated: false,
      },
    ],
    timed_out: false,
  });
  expect([service.followerCount, clock.timerCount]).toEqual([0, 0]);
});

test("[MCP-8] it returns for a change of somebody else in any of its contexts, at the path", async () => {
  const targets = [
    { id: "plan", since_version: 0, path: "/title" },
    { id: "other", since_version: 0 },
  ];
  const answer = ada.call("context_wait", { targets });
  await followed(2);
  await edit(bob, "plan", "elsewhere");
  await edit(ada, "other");
  await turns();
  expect(service.followerCount).toBe(2);
  await edit(bob, "other", "more");
  expect(await answer).toMatchObject({ changed: [{ id: "other", version: 2, by: ["bob"] }], timed_out: false });
  await turns();
  expect([service.followerCount, clock.timerCount]).toEqual([0, 0]);
});

test("[MCP-8] one's own changes are told when that is wanted, and to whoever has no name", async () => {
  const nameless = new ToolCaller(service, ANONYMOUS, clock);
  await edit(nameless);
  expect(await nameless.call("context_wait", since(0))).toMatchObject({ changed: [{ by: [ANONYMOUS] }] });
  await edit(ada);
  expect(await ada.call("context_wait", { ...since(1), ignore_own: false })).toMatchObject({
    changed: [{ by: ["ada"] }],
  });
});

test("[MCP-8] at its time it says so, and meanwhile that it is alive", async () => {
  const told: string[] = [];
  const progress = (message: string): void => void told.push(message);
  const answer = ada.call("context_wait", { ...since(0), timeout_seconds: 12 }, { progress });
  await followed(1);
  clock.advance(11_999);
  await turns();
  expect(told).toEqual(["waiting for changes, 5 s", "waiting for changes, 10 s"]);
  clock.advance(1);
  expect(await answer).toEqual({ changed: [], timed_out: true });
  expect([service.followerCount, clock.timerCount]).toEqual([0, 0]);
});

test("[MCP-8] cancelled, or of a context that goes, it ends and leaves nothing", async () => {
  const cancel = new AbortController();
  const cancelled = ada.refusal("context_wait", since(0), { signal: cancel.signal });
  await followed(1);
  cancel.abort();
  expect(await cancelled).toMatch(/^CLOSED: /);
  const gone = ada.refusal("context_wait", since(0, "other"));
  await followed(1);
  await ada.call("context_delete", { id: "other", confirm: "other" });
  expect(await gone).toMatch(/^CONTEXT_NOT_FOUND: /);
  expect(await ada.refusal("context_wait", since(7))).toMatch(/^EPOCH_CHANGED: /);
  await turns();
  expect([service.followerCount, clock.timerCount]).toEqual([0, 0]);
});

test("[MCP-8] 200 who wait all wake with one change, and are all freed when they are cancelled", async () => {
  const all = Array.from({ length: 200 }, () => ada.call("context_wait", { ...since(0), timeout_seconds: 50 }));
  await followed(200);
  await edit(bob);
  const answers = await Promise.all(all);
  expect(answers.filter(({ timed_out: isLate }) => isLate === false)).toHaveLength(200);
  const cancels = Array.from({ length: 200 }, () => new AbortController());
  const more = cancels.map(({ signal }) => ada.result("context_wait", since(1), { signal }));
  await followed(200);
  for (const cancel of cancels) cancel.abort();
  expect((await Promise.all(more)).every(({ isError }) => isError === true)).toBe(true);
  await turns();
  expect([service.followerCount, clock.timerCount]).toEqual([0, 0]);
});

test.each([
  [LIMITS.mcpWaitTargetsMax, true],
  [LIMITS.mcpWaitTargetsMax + 1, false],
])("[MCP-8] waiting for %s contexts at once: %s", async (count, isTaken) => {
  await edit(bob);
  const targets = Array.from({ length: count }, () => ({ id: "plan", since_version: 0 }));
  const { isError = false } = await ada.result("context_wait", { targets });
  expect(isError).toBe(!isTaken);
});

test("[MCP-9] what happens within a moment is told once for each URI, and lists once", async () => {
  const told: string[] = [];
  const { stop } = followUris({
    contexts: ada.contexts,
    clock,
    tell: (event) => told.push(event.kind === "resource_updated" ? event.uri : event.kind),
  });
  for (let n = 0; n < 80; n++) await edit(bob);
  await edit(bob, "other");
  await ada.call("context_lock", { id: "plan", path: "/notes" });
  for (const id of ["x", "y"]) await ada.call("context_create", { id });
  await ada.call("context_delete", { id: "x", confirm: "x" });
  clock.advance(LIMITS.mcpNotifyMs - 1);
  expect(told).toEqual([]);
  clock.advance(1);
  expect(told.sort()).toEqual([
    "context://contexts/other",
    "context://contexts/plan",
    "context://contexts/plan/locks",
    "context://contexts/x",
    "context://contexts/x/locks",
    "context://index/all",
    "resources_list_changed",
  ]);
  await edit(bob);
  stop();
  clock.advance(1000);
  expect(told).toHaveLength(7);
});

test("[MCP-9] who missed something is told of everything it subscribed to", () => {
  const told: string[] = [];
  const { contexts } = ada;
  let tellAll = (): void => undefined;
  contexts.watch = (watcher) => {
    tellAll = () => watcher.tell({ kind: "missed" });
    return () => undefined;
  };
  followUris({
    contexts,
    clock,
    subscribed: () => ["context://contexts/plan"],
    tell: (event) => told.push(event.kind === "resource_updated" ? event.uri : event.kind),
  });
  tellAll();
  clock.advance(LIMITS.mcpNotifyMs);
  expect(told).toEqual(["context://contexts/plan", "resources_list_changed"]);
});

/** Who may ask for what: rules ACL-2, ACL-3, ACL-8, ACL-12, for every use case that there is. */
import { describe, expect, test } from "vitest";
import { AccessGuard } from "../../server/access-guard.ts";
import type { ContextManager } from "../../server/context-manager.ts";
import type { Caller } from "../../server/context-service.ts";
import { ServiceError, toServiceError } from "../../shared/errors.ts";
import { parseContextId } from "../../shared/ids.ts";
import type { Grant } from "../../shared/permission.ts";
import { verifiedCaller } from "../support/callers.ts";
import { RecordingAudit } from "../support/recording-audit.ts";
import { PLAN, caller, openEditor, startService, turns } from "../support/service-rig.ts";

/** What each use case asks for. One that is missing here fails the first test. */
const NEEDS: Readonly<Record<string, "nothing" | "scope" | "read" | "write" | "admin" | "server">> = {
  create: "scope",
  find: "scope",
  read: "read",
  summary: "read",
  watch: "scope",
  change: "write",
  delete: "admin",
  changes: "read",
  follow: "read",
  health: "nothing",
  openSession: "read",
  "history.diff": "read",
  "history.blame": "read",
  "history.checkpoints": "read",
  "history.restore": "write",
  "history.undo": "write",
  "history.nameCheckpoint": "write",
  "history.forgetCheckpoint": "admin",
  "history.compact": "admin",
  "conflicts.list": "read",
  "conflicts.resolve": "write",
  "types.list": "scope",
  "types.get": "scope",
  "types.put": "server",
  "types.delete": "server",
  "locks.list": "read",
  "locks.waiting": "read",
  "locks.acquire": "write",
  "locks.renew": "write",
  "locks.held": "scope",
  "locks.release": "read",
  "access.acl": "admin",
  "access.setAcl": "admin",
  "access.share": "admin",
  "data.exportJson": "read",
  "data.exportYjs": "read",
  "data.import": "scope",
  "data.backup": "server",
  "server.tokens.revoke": "server",
  "server.tokens.revocations": "server",
  "server.audit.list": "server",
  "server.webhooks.list": "server",
  "server.webhooks.get": "server",
  "server.webhooks.add": "server",
  "server.webhooks.change": "server",
  "server.webhooks.remove": "server",
  "server.webhooks.pause": "server",
  "server.webhooks.resume": "server",
  "server.webhooks.redeliver": "server",
  "server.webhooks.test": "server",
  "server.refusals.list": "read",
  "server.monitor.metrics": "server",
  "server.monitor.stats": "server",
  "server.monitor.alerts": "server",
  "server.monitor.followAlerts": "server",
  "server.monitor.sessions": "server",
  "server.monitor.followSession": "server",
  "server.monitor.closeSession": "server",
};

const WEBHOOK = { id: "w", url: "https://x.example:8443/secret", keyId: "5be0c2f1", state: "active" };

const GROUPS = ["history", "conflicts", "types", "locks", "access", "data"] as const;
/** Use cases whose first argument after the caller is no context. */
const OF_THE_SERVER = new Set(["scope", "server", "nothing"]);

type UseCase = (...args: unknown[]) => unknown;

function useCasesOf(guard: AccessGuard): Map<string, UseCase> {
  const own = Object.getOwnPropertyNames(AccessGuard.prototype).filter((name) => name !== "constructor");
  const found = new Map(own.map((name) => [name, bound(guard, name)]));
  for (const group of GROUPS)
    for (const name of Object.keys(guard[group])) found.set(`${group}.${name}`, bound(guard[group], name));
  for (const [group, useCases] of Object.entries(guard.server))
    for (const name of Object.keys(useCases)) found.set(`server.${group}.${name}`, bound(useCases, name));
  return found;
}

function bound(target: object, name: string): UseCase {
  const method: unknown = Reflect.get(target, name);
  if (typeof method !== "function") throw new Error(`${name} is no method`);
  return (...args) => Reflect.apply(method, target, args);
}

/** Refused with this code, or `reached` when the guard let it pass (what then becomes of it does not matter here). */
async function outcomeOf(useCase: UseCase, name: string, by: Caller): Promise<string> {
  const options = {
    ops: [],
    data: {},
    path: "",
    limit: 1,
    since: 0,
    take: [],
    signal: AbortSignal.timeout(1),
    create: false,
  };
  try {
    const result = useCase(by, ...(OF_THE_SERVER.has(NEEDS[name] ?? "") ? [options] : [PLAN, options]));
    if (isAsyncIterable(result)) await result[Symbol.asyncIterator]().next();
    else await result;
    return "reached";
  } catch (error) {
    const { code } = toServiceError(error);
    return code === "CONTEXT_NOT_FOUND" || code === "FORBIDDEN" ? code : "reached";
  }
}

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value;
}

/** The guard before a service whose use cases all do nothing, so that only the guard can refuse. */
async function guarded(...grants: readonly Grant[]): Promise<AccessGuard> {
  return (await audited(...grants)).guard;
}

async function audited(...grants: readonly Grant[]): Promise<{ guard: AccessGuard; audit: RecordingAudit }> {
  const rig = await startService();
  await rig.service.create(caller("creator"), { id: PLAN });
  await rig.service.access.setAcl(caller("creator"), PLAN, { grants });
  const audit = new RecordingAudit();
  return {
    guard: new AccessGuard(
      doingNothing(rig.service),
      { tokens: idle(), audit: idle(), webhooks: idle(WEBHOOK), monitor: idle() },
      audit,
    ),
    audit,
  };
}

/** A group of use cases that do nothing. */
function idle(answer?: unknown) {
  return new Proxy(Object.create(null), { get: (): unknown => async () => answer });
}

function doingNothing(service: ContextManager): ContextManager {
  const groups = Object.fromEntries(GROUPS.map((name) => [name, idle()]));
  const kept = new Set(["readers", "guarded", "openSession"]);
  return new Proxy(service, {
    get: (target, name) => {
      if (typeof name === "string" && Object.hasOwn(groups, name)) return groups[name];
      const value: unknown = Reflect.get(target, name, target);
      if (kept.has(String(name))) return typeof value === "function" ? value.bind(target) : value;
      return name === "follow" ? async function* () {} : async () => undefined;
    },
  });
}

const expected: Readonly<Record<string, (need: string) => string>> = {
  nobody: (need) => (need === "server" ? "FORBIDDEN" : OF_THE_SERVER.has(need) ? "reached" : "CONTEXT_NOT_FOUND"),
  reader: (need) => (["write", "admin", "server"].includes(need) ? "FORBIDDEN" : "reached"),
  writer: (need) => (["admin", "server"].includes(need) ? "FORBIDDEN" : "reached"),
  admin: (need) => (need === "server" ? "FORBIDDEN" : "reached"),
};

test("every use case is told here with what it asks for", async () => {
  const guard = await guarded();
  expect([...useCasesOf(guard).keys()].sort()).toEqual(Object.keys(NEEDS).sort());
});

describe.each(Object.keys(expected))("[ACL-2] [ACL-3] [ACL-12] %s", (who) => {
  test.each(Object.entries(NEEDS))("%s asks for %s", async (name, need) => {
    const role = who === "reader" || who === "writer" || who === "admin" ? who : undefined;
    const grants: readonly Grant[] = role === undefined ? [] : [{ principal: "bob", role }];
    const guard = await guarded(...grants);
    const useCase = useCasesOf(guard).get(name);
    if (useCase === undefined) throw new Error(`there is no ${name}`);
    expect(await outcomeOf(useCase, name, verifiedCaller("bob"))).toBe(expected[who]?.(need));
  });
});

test("[DATA-20] importing needs the scope to write, replacing an admin of what is replaced; a backup is in the audit log", async () => {
  const content = async () => ({ kind: "json", data: {}, roots: {} }) as const;
  const { guard, audit } = await audited({ principal: "ada", role: "admin" }, { principal: "bob", role: "writer" });
  const importing = (by: Caller, id = PLAN, replace = true): Promise<unknown> =>
    guard.data.import(by, { id, replace, content });
  await expect(importing(verifiedCaller("bob"))).rejects.toMatchObject({ code: "FORBIDDEN" });
  await expect(importing(verifiedCaller("eve"))).rejects.toMatchObject({ code: "CONTEXT_NOT_FOUND" });
  await importing(verifiedCaller("eve"), parseContextId("new"));
  await importing(verifiedCaller("ada"));
  const reading = verifiedCaller("ada", { scopes: new Set(["contexts:read", "contexts:admin"]) });
  await expect(importing(reading)).rejects.toMatchObject({ code: "FORBIDDEN", details: { scope: "contexts:write" } });
  await guard.data.backup(verifiedCaller("ops", { grants: [{ id: "*", role: "admin" }] }), async () => {});
  expect(audit.events.filter(({ outcome }) => outcome === "done").map(({ action, actor }) => [action, actor])).toEqual([
    ["context.delete", "ada"],
    ["server.backup", "ops"],
  ]);
});

describe("[AUDIT-20] the audit log is told", () => {
  const told = ({ events }: RecordingAudit) =>
    events.map(({ action, outcome, actor, contextId, code, rule }) =>
      [action, outcome, actor, contextId, code, rule].filter((it) => it !== undefined).join(" "),
    );

  test("of every denial at the door, with who, where and why", async () => {
    const { guard, audit } = await audited({ principal: "bob", role: "reader" });
    const asked = [
      guard.read(verifiedCaller("eve"), PLAN, { path: "" }),
      guard.change(verifiedCaller("bob"), PLAN, { ops: [] }),
      guard.delete(verifiedCaller("bob"), PLAN),
      guard.types.delete(verifiedCaller("bob"), "task"),
      guard.find(verifiedCaller("bob", { scopes: new Set() }), { limit: 1 }),
      guard.read(verifiedCaller("bob"), parseContextId("nowhere"), { path: "" }),
    ];
    await Promise.allSettled(asked);
    expect(told(audit).sort()).toEqual([
      "context.enter denied bob plan FORBIDDEN role",
      "context.enter denied bob plan FORBIDDEN role",
      "context.enter denied eve plan CONTEXT_NOT_FOUND",
      "server.enter denied bob FORBIDDEN role",
      "server.enter denied bob FORBIDDEN scope",
    ]);
  });

  test("of what admins did, when it is done", async () => {
    const { guard, audit } = await audited({ principal: "ada", role: "admin" });
    const ada = { ...verifiedCaller("ada"), via: { address: "192.0.2.7", requestId: "r1" } };
    await guard.access.setAcl(ada, PLAN, { grants: [] });
    await guard.locks.release(ada, PLAN, "l", { isForced: true });
    await guard.locks.release(ada, PLAN, "l");
    await guard.history.compact(ada, PLAN);
    await guard.delete(ada, PLAN);
    const ops = verifiedCaller("ops", { grants: [{ id: "*", role: "admin" }] });
    await guard.server.tokens.revoke(ops, { subject: "eve" });
    await guard.server.webhooks.add(ops, {
      url: "https://x.example/",
      contexts: ["*"],
      secret: "of nobody's business",
    });
    await guard.server.webhooks.change(ops, "w", { secret: "of nobody's business" });
    await guard.server.webhooks.resume(ops, "w");
    await guard.server.webhooks.remove(ops, "w");
    expect(told(audit)).toEqual([
      "context.acl done ada plan",
      "lock.force done ada plan",
      "context.compact done ada plan",
      "context.delete done ada plan",
      "token.revoke done ops",
      "webhook.add done ops",
      "webhook.change done ops",
      "webhook.change done ops",
      "webhook.remove done ops",
    ]);
    expect(audit.events[0]).toMatchObject({ origin: "rest", address: "192.0.2.7", requestId: "r1" });
    const facts = { webhook: "w", host: "x.example:8443", keyId: "5be0c2f1", state: "active" };
    expect(audit.events.slice(-4).map(({ detail }) => detail)).toEqual([facts, facts, facts, { webhook: "w" }]);
  });

  test("of what was written where one may not, by request and live, with the path and nothing of the content", async () => {
    const { service, guard, audit } = await startService();
    const ann = verifiedCaller("ann");
    await guard.create(ann, { id: PLAN, data: { a: {} } });
    await guard.access.setAcl(ann, PLAN, { grants: [{ principal: "bob", role: "writer", paths: ["/a"] }] });
    const bob = verifiedCaller("bob");
    const ops = [{ op: "add", path: "/secret", value: "of bob" }] as const;
    await expect(guard.change(bob, PLAN, { ops })).rejects.toMatchObject({ code: "FORBIDDEN" });
    const editor = await openEditor({ service }, bob.identity);
    editor.edit((data) => data.set("hidden", "of bob"));
    await turns();
    const eve = openEditor({ service }, verifiedCaller("eve").identity);
    await expect(eve).rejects.toMatchObject({ code: "CONTEXT_NOT_FOUND" });
    const leaving = await openEditor({ service }, bob.identity);
    await guard.access.setAcl(ann, PLAN, { grants: [] });
    await turns();
    const { items } = await audit.list({ limit: 20 });
    expect(
      items
        .map(({ action, actor, paths = [], sessionId = "" }) => [action, actor, ...paths, sessionId !== ""])
        .reverse(),
    ).toEqual([
      ["context.acl", "ann", false],
      ["context.write", "bob", "/secret", false],
      ["context.write", "bob", "/hidden", true],
      ["context.enter", "eve", false],
      ["context.leave", "bob", true],
      ["context.acl", "ann", false],
    ]);
    expect(leaving.connection.closedWith?.code).toBe(4404);
    expect(JSON.stringify(items)).not.toContain("of bob");
  });
});

test("[ACL-12] an admin of the server may change types; without the scope nobody creates or finds", async () => {
  const guard = await guarded();
  const ops = verifiedCaller("ops", { grants: [{ id: "*", role: "admin" }] });
  await expect(guard.types.delete(ops, "task")).resolves.toBeUndefined();
  const scopeless = verifiedCaller("bob", { scopes: new Set() });
  for (const refused of [guard.create(scopeless, {}), guard.find(scopeless, { limit: 1 }), guard.types.list(scopeless)])
    await expect(refused).rejects.toMatchObject({ code: "FORBIDDEN", details: { rule: "scope" } });
});

test("[ACL-12] a lock is released by force only by who may", async () => {
  const guard = await guarded({ principal: "bob", role: "writer" }, { principal: "ada", role: "admin" });
  const force = (name: string) => guard.locks.release(verifiedCaller(name), PLAN, "l", { isForced: true });
  await expect(force("bob")).rejects.toMatchObject({ code: "FORBIDDEN" });
  await expect(force("ada")).resolves.toBeUndefined();
});

test("[ACL-2] a list shows what one may read, and goes on behind what one may not", async () => {
  const { guard } = await startService();
  for (const [id, name] of [
    ["a", "eve"],
    ["b", "bob"],
    ["c", "eve"],
    ["d", "bob"],
  ] as const)
    await guard.create(verifiedCaller(name), { id: parseContextId(id) });
  const page = await guard.find(verifiedCaller("bob"), { limit: 1 });
  expect(page.items.map(({ meta }) => meta.id)).toEqual(["b"]);
  const rest = await guard.find(verifiedCaller("bob"), { limit: 5, after: parseContextId("b") });
  expect(rest.items.map(({ meta }) => meta.id)).toEqual(["d"]);
});

test("[ACL-8] a feed ends with the right to read, also while it waits for news", async () => {
  const { guard } = await startService();
  const ann = verifiedCaller("ann");
  await guard.create(ann, { id: PLAN });
  await guard.access.setAcl(ann, PLAN, { grants: [{ principal: "bob", role: "reader" }] });
  const feed = guard.follow(verifiedCaller("bob"), PLAN, { since: 0, signal: new AbortController().signal });
  const told: number[] = [];
  const ended = (async () => {
    for await (const { version } of feed) told.push(version);
  })();
  ended.catch(() => undefined);
  await guard.change(ann, PLAN, { ops: [{ op: "add", path: "/x", value: 1 }] });
  await turns();
  await guard.access.setAcl(ann, PLAN, { grants: [] });
  await guard.change(ann, PLAN, { ops: [{ op: "add", path: "/x", value: 2 }] });
  await expect(ended).rejects.toMatchObject({ code: "CONTEXT_NOT_FOUND" });
  await expect(ended).rejects.toBeInstanceOf(ServiceError);
  expect(told).toEqual([1]);
});

/** Who may ask for what: rules ACL-2, ACL-3, ACL-8, ACL-12, for every use case that there is. */
import { describe, expect, test } from "vitest";
import { AccessGuard } from "../../server/access-guard.ts";
import type { ContextManager } from "../../server/context-manager.ts";
import type { Caller } from "../../server/context-service.ts";
import { ServiceError, toServiceError } from "../../shared/errors.ts";
import { parseContextId } from "../../shared/ids.ts";
import type { Grant } from "../../shared/permission.ts";
import { verifiedCaller } from "../support/callers.ts";
import { PLAN, caller, startService, turns } from "../support/service-rig.ts";

/** What each use case asks for. One that is missing here fails the first test. */
const NEEDS: Readonly<Record<string, "nothing" | "scope" | "read" | "write" | "admin" | "server">> = {
  create: "scope",
  find: "scope",
  read: "read",
  change: "write",
  delete: "admin",
  changes: "read",
  follow: "read",
  readiness: "nothing",
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
  "locks.acquire": "write",
  "locks.renew": "write",
  "locks.release": "read",
  "access.acl": "admin",
  "access.setAcl": "admin",
  "server.tokens.revoke": "server",
  "server.tokens.revocations": "server",
};

const GROUPS = ["history", "conflicts", "types", "locks", "access"] as const;
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
  const rig = await startService();
  await rig.service.create(caller("creator"), { id: PLAN });
  await rig.service.access.setAcl(caller("creator"), PLAN, { grants });
  return new AccessGuard(doingNothing(rig.service), { tokens: idle(), audit: idle() });
}

function idle<Group extends object>(): Group {
  return new Proxy<Group>(Object.create(null), { get: (): unknown => async () => undefined });
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

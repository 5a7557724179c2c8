/** What follows from roles, scopes and paths: rules ACL-1, ACL-3, ACL-11. */
import { describe, expect, test } from "vitest";
import { ServiceError } from "../../shared/errors.ts";
import { matchesGlob } from "../../shared/glob.ts";
import { parseActor, parseContextId } from "../../shared/ids.ts";
import type { Grant, Scope } from "../../shared/permission.ts";
import { accessTo, isServerAdmin } from "../../server/state/access/access-policy.ts";
import type { Guarded } from "../../server/state/access/access-policy.ts";
import { unverified } from "../../server/state/access/identity.ts";
import { bearer } from "../support/callers.ts";

const context = (...grants: readonly Grant[]): Guarded => ({
  id: parseContextId("team-plan"),
  createdBy: parseActor("ann"),
  ...(grants.length === 0 ? {} : { acl: { grants } }),
});
const scopes = (...names: readonly Scope[]) => ({ scopes: new Set(names) });

describe("[ACL-1] roles", () => {
  test.each([
    ["nobody in particular", [], "none"],
    ["a reader", [{ principal: "bob", role: "reader" }], "read"],
    ["a writer", [{ principal: "bob", role: "writer" }], "write"],
    ["an admin", [{ principal: "bob", role: "admin" }], "admin"],
    ["everybody", [{ principal: "*", role: "reader" }], "read"],
    ["somebody else", [{ principal: "bobby", role: "admin" }], "none"],
    [
      "the sum of lines",
      [
        { principal: "*", role: "reader" },
        { principal: "bob", role: "writer", paths: ["/a"] },
      ],
      "write",
    ],
  ] satisfies [string, Grant[], string][])("%s", (_who, grants, expected) => {
    const { mayRead, mayWrite, isAdmin } = accessTo(context(...grants), bearer("bob"));
    const found = isAdmin ? "admin" : mayWrite ? "write" : mayRead ? "read" : "none";
    expect(found).toBe(expected);
  });

  test("its creator is an admin, whatever the list says", () => {
    expect(accessTo(context({ principal: "ann", role: "reader" }), bearer("ann")).isAdmin).toBe(true);
  });

  test("a token brings its own, for ids that its pattern matches", () => {
    const grants = [{ id: "team-*", role: "writer", paths: ["/notes"] }] as const;
    expect(accessTo(context(), bearer("bob", { grants })).mayWriteAt("/notes/1")).toBe(true);
    expect(accessTo({ ...context(), id: parseContextId("plan") }, bearer("bob", { grants })).mayRead).toBe(false);
  });

  test.each<[Scope[], string, boolean[]]>([
    [["contexts:read"], "reads", [true, false, false]],
    [["contexts:read", "contexts:write"], "reads and writes", [true, true, false]],
    [["contexts:read", "contexts:admin"], "does not write", [true, false, true]],
    [["contexts:write", "contexts:admin"], "does nothing, for it may not read", [false, false, false]],
    [[], "does nothing", [false, false, false]],
  ])("an admin whose token has %j %s", (names, _what, expected) => {
    const { mayRead, mayWrite, isAdmin } = accessTo(context(), bearer("ann", scopes(...names)));
    expect([mayRead, mayWrite, isAdmin]).toEqual(expected);
  });
});

describe("[ACL-1] a writer's paths", () => {
  const writer = (...paths: readonly string[]) =>
    accessTo(context({ principal: "bob", role: "writer", paths }), bearer("bob"));

  test.each([
    ["/a", true],
    ["/a/b/c", true],
    ["/ab", false],
    ["", false],
    ["/b", false],
    ["@page", true],
    ["@page/1", true],
    ["@pages", false],
    ["/x~1y", true],
    ["/x", false],
    ["/x~1y/z", true],
  ])("cover %s: %s", (path, expected) => {
    expect(writer("/a", "@page", "/x~1y").mayWriteAt(path)).toBe(expected);
  });

  test('"" is everything, other roots too; no path at all is nothing', () => {
    expect(writer("").mayWriteAt("@page")).toBe(true);
    expect(writer().mayWriteAt("/a")).toBe(false);
  });

  test("[ACL-3] a refusal says where it may write, and what to do", () => {
    const error = refusal(() => writer("/a", "/c").checkWrite(["/a/1", "/b"]));
    expect(error).toMatchObject({
      code: "FORBIDDEN",
      details: { rule: "grant", path: "/b", writablePaths: ["/a", "/c"] },
    });
    expect(error.message).toMatch(/at \/b\..*at \/a, \/c and below.*ask an admin/i);
    expect(refusal(() => accessTo(context(), bearer("eve")).checkWrite(["/a"])).details).toMatchObject({
      rule: "role",
    });
    const scopeless = accessTo(context(), bearer("ann", scopes("contexts:read")));
    expect(refusal(() => scopeless.checkWrite([])).details).toEqual({ rule: "scope", scope: "contexts:write" });
  });
});

test("[ACL-11] words taken for true: without a list everybody is an admin, with one it holds", () => {
  expect(accessTo(context(), unverified(parseActor("bob"))).isAdmin).toBe(true);
  const listed = context({ principal: "bob", role: "reader" });
  expect(accessTo(listed, unverified(parseActor("bob"))).mayWrite).toBe(false);
  expect(accessTo(listed, unverified(parseActor("eve"))).mayRead).toBe(false);
});

test("[ACL-12] an admin of the server has all contexts in its token, and the scope", () => {
  const all = [{ id: "*", role: "admin" }] as const;
  expect(isServerAdmin(bearer("ops", { grants: all }))).toBe(true);
  expect(isServerAdmin(bearer("ops", { grants: all, ...scopes("contexts:read", "contexts:write") }))).toBe(false);
  expect(isServerAdmin(bearer("ops", { grants: [{ id: "team-*", role: "admin" }] }))).toBe(false);
  expect(isServerAdmin(bearer("ops", { grants: [{ id: "*", role: "writer" }] }))).toBe(false);
  expect(isServerAdmin(bearer("ann"))).toBe(false);
  expect(isServerAdmin(unverified(parseActor("anybody")))).toBe(true);
});

test.each([
  ["plan", "plan", true],
  ["plan", "plan2", false],
  ["*", "anything", true],
  ["*", "", true],
  ["team-*", "team-", true],
  ["team-*", "tea", false],
  ["*-plan", "team-plan", true],
  ["*-plan", "plan", false],
  ["a*b*c", "a1b2c", true],
  ["a*b*c", "acb", false],
  ["a*bc*c", "abc", false],
  ["ab*ba", "aba", false],
  ["a**b", "ab", true],
  ["a.b", "axb", false],
])("[ACL-1] the pattern %s and %s: %s", (pattern, text, expected) => {
  expect(matchesGlob(pattern, text)).toBe(expected);
});

function refusal(task: () => void): ServiceError {
  try {
    task();
  } catch (error) {
    if (error instanceof ServiceError) return error;
  }
  throw new Error("it was not refused");
}

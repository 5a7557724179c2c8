/** What we may do with a context, as an event of the server says it. */
import { expect, test } from "vitest";
import { accessOf, mayWriteAt } from "../../../client/context-access.ts";

test("[SDK-54] is what the event says; one that does not say is none", () => {
  const paths = ["/a", "@page"];
  expect(accessOf({ type: "access", mayWrite: true, isAdmin: false, paths })).toEqual({
    mayWrite: true,
    isAdmin: false,
    writablePaths: paths,
  });
  expect(accessOf({ type: "access", mayWrite: false, isAdmin: true, since: 1 })).toEqual({
    mayWrite: false,
    isAdmin: true,
  });
  for (const event of [{}, { mayWrite: true }, { isAdmin: true }, { mayWrite: 1, isAdmin: true }])
    expect(accessOf(event)).toBeUndefined();
});

test.each([
  ["nothing is known", undefined, ["", "/a", "@page"], []],
  ["all may be written", { mayWrite: true, isAdmin: false }, ["", "/a", "@page"], []],
  ["nothing may be", { mayWrite: false, isAdmin: true }, [], ["", "/a", "@page"]],
  [
    "some may be",
    { mayWrite: true, isAdmin: false, writablePaths: ["/a/b", "@page", "/c~1d"] },
    ["/a/b", "/a/b/c", "@page", "@page/0", "/c~1d/e"],
    ["", "/", "/a", "/a/bc", "/a/c", "@pages", "/page", "/c", "/c/d"],
  ],
  ["no place may be", { mayWrite: true, isAdmin: false, writablePaths: [] }, [], ["", "/a"]],
])("[SDK-54] where %s", (_what, access, yes, no) => {
  for (const path of yes) expect([path, mayWriteAt(access, path)]).toEqual([path, true]);
  for (const path of no) expect([path, mayWriteAt(access, path)]).toEqual([path, false]);
  expect(() => mayWriteAt(access, "a")).toThrow(expect.objectContaining({ code: "INVALID_REQUEST" }));
});

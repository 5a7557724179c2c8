/** Addresses of the panel: people and other pages link to them. */
import { describe, expect, test } from "vitest";
import { hrefOf, routeOf } from "../../../client/panel/store/route.ts";
import type { Route } from "../../../client/panel/store/route.ts";

describe("[PANEL-4] an address of the panel", () => {
  test.each<[string, Route]>([
    ["#/contexts", { view: "contexts" }],
    ["#/health", { view: "health" }],
    ["#/sessions", { view: "sessions" }],
    ["#/sessions/0f3c9a52", { view: "session", id: "0f3c9a52" }],
    ["#/contexts/plan", { view: "context", id: "plan", tab: "document" }],
    ["#/contexts/plan/timeline", { view: "context", id: "plan", tab: "timeline" }],
    ["#/contexts/a%3Ab?path=%2Fa%2520b", { view: "context", id: "a:b", tab: "document", path: "/a%20b" }],
    ["#/contexts/p/timeline?actor=Ada+L.", { view: "context", id: "p", tab: "timeline", actor: "Ada L." }],
  ])("%s says its view, and is said by it", (hash, route) => {
    expect(routeOf(hash)).toEqual(route);
    expect(hrefOf(route)).toBe(hash);
  });

  test.each(["", "#", "#/", "#/nothing", "#/contexts/", "#//"])("%j leads to the contexts", (hash) => {
    expect(routeOf(hash)).toEqual({ view: "contexts" });
  });

  test("with a tab that there is not, or a name that is badly written, leads to the document", () => {
    expect(routeOf("#/contexts/plan/x")).toEqual({ view: "context", id: "plan", tab: "document" });
    expect(routeOf("#/sessions/")).toEqual({ view: "sessions" });
    expect(routeOf("#/contexts/50%/timeline")).toEqual({ view: "context", id: "50%", tab: "timeline" });
  });
});

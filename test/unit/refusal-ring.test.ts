/** The writes that were refused lately: what is remembered of each, and how many. */
import { describe, expect, test } from "vitest";
import { RefusalRing } from "../../server/context/refusal-ring.ts";
import { ServiceError } from "../../shared/errors.ts";
import type { ErrorCode } from "../../shared/errors.ts";
import { parseContextId } from "../../shared/ids.ts";
import type { JsonObject } from "../../shared/json.ts";
import { LIMITS } from "../../shared/limits.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { callerOf } from "../support/callers.ts";

const PLAN = parseContextId("plan");
const ada = callerOf("ada");

const refusal = (code: ErrorCode, details: JsonObject = {}): ServiceError =>
  new ServiceError(code, "secret", { details });

describe("[REFUSE-1] of a refused write is remembered", () => {
  test.each<[ErrorCode, JsonObject, object]>([
    ["LOCKED", { holder: "bob", paths: ["/a"], purpose: "p" }, { paths: ["/a"], by: "bob" }],
    ["FORBIDDEN", { rule: "grant", path: "/b", writablePaths: ["/c"] }, { paths: ["/b"], rule: "grant" }],
    ["VERSION_CONFLICT", { path: "/d", value: "secret", changedBy: { actor: "eve" } }, { paths: ["/d"], by: "eve" }],
    ["SCHEMA_VIOLATION", { violations: [{ path: "/e", message: "m" }, { path: "/e" }, 7] }, { paths: ["/e"] }],
    ["FENCE_STALE", { fencingToken: 3 }, { paths: [] }],
  ])("%s with who, where and why, and no content", (code, details, told) => {
    const clock = new ManualClock();
    const ring = new RefusalRing(clock);
    ring.record(ada, PLAN, refusal(code, details));
    const common = { id: 1, atMs: clock.nowMs(), actor: "ada", origin: ada.origin, code };
    expect(ring.list(PLAN)).toEqual([{ ...common, ...told }]);
    expect(JSON.stringify(ring.list(PLAN))).not.toContain("secret");
  });

  test("nothing when it only went wrong", () => {
    const ring = new RefusalRing(new ManualClock());
    for (const code of ["STORE_UNAVAILABLE", "RATE_LIMITED", "CONTEXT_NOT_FOUND"] as const)
      ring.record(ada, PLAN, refusal(code));
    expect(ring.list(PLAN)).toEqual([]);
  });
});

describe("[REFUSE-2] bounded", () => {
  test("of a context, the last ones, newest first", () => {
    const ring = new RefusalRing(new ManualClock());
    for (let count = 0; count < LIMITS.refusalsMax; count++) ring.record(ada, PLAN, refusal("LOCKED"));
    expect(ring.list(PLAN).at(-1)?.id).toBe(1);
    ring.record(ada, PLAN, refusal("LOCKED"));
    expect([ring.list(PLAN).length, ring.list(PLAN)[0]?.id, ring.list(PLAN).at(-1)?.id]).toEqual([
      LIMITS.refusalsMax,
      LIMITS.refusalsMax + 1,
      2,
    ]);
  });

  test("of contexts, those refused in last", () => {
    const ring = new RefusalRing(new ManualClock());
    ring.record(ada, PLAN, refusal("LOCKED"));
    const others = Array.from({ length: LIMITS.refusalContextsMax }, (_, index) => parseContextId(`c${index}`));
    for (const id of others.slice(1)) ring.record(ada, id, refusal("LOCKED"));
    expect(ring.list(PLAN)).toHaveLength(1);
    for (const id of others.slice(0, 1)) ring.record(ada, id, refusal("LOCKED"));
    expect(ring.list(PLAN)).toHaveLength(0);
  });

  test("none of a context that was deleted", () => {
    const ring = new RefusalRing(new ManualClock());
    ring.record(ada, PLAN, refusal("LOCKED"));
    ring.forget(PLAN);
    expect(ring.list(PLAN)).toEqual([]);
  });

  test("none from before the context was made, as it may have been deleted at another node", () => {
    const clock = new ManualClock();
    const ring = new RefusalRing(clock);
    for (const code of ["LOCKED", "FORBIDDEN"] as const) {
      ring.record(ada, PLAN, refusal(code));
      clock.advance(1);
    }
    expect(ring.list(PLAN, clock.nowMs() - 1).map(({ code }) => code)).toEqual(["FORBIDDEN"]);
    expect(ring.list(PLAN, clock.nowMs())).toEqual([]);
  });
});

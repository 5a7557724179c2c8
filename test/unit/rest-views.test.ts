/** Views and problems: exact shapes. */
import { expect, test } from "vitest";
import { ServiceError } from "../../shared/errors.ts";
import { parseActor, parseContextId } from "../../shared/ids.ts";
import { problemOf, problemResponse } from "../../server/transport/rest/problem.ts";
import { changeList, changeView, contextList, contextView } from "../../server/transport/rest/views.ts";

const actor = parseActor("ada");
const meta = { id: parseContextId("plan"), tags: ["x"], createdAtMs: 0, createdBy: actor, epoch: 2 };
const head = { seq: 9, version: 7, lockSeq: 3, updatedAtMs: 1_000 };
const info = {
  id: "plan",
  tags: ["x"],
  createdAt: "1970-01-01T00:00:00.000Z",
  createdBy: "ada",
  updatedAt: "1970-01-01T00:00:01.000Z",
  version: 7,
  epoch: 2,
};
const record = { version: 7, seq: 9, actor, origin: "mcp", atMs: 1_000, paths: ["/a"] } as const;

test("[REST-3] a context's view: flat, ISO times, no inner positions, absent names left out", () => {
  expect(contextView({ meta, head, data: { a: 1 } })).toStrictEqual({ ...info, data: { a: 1 } });
  const named = { ...meta, name: "N", type: "T", description: "D" };
  expect(contextView({ meta: named, head, data: null })).toStrictEqual({
    ...info,
    name: "N",
    type: "T",
    description: "D",
    data: null,
  });
});

test("[REST-2] a list's view carries the cursor only if there is more", () => {
  expect(contextList({ items: [{ meta, head }] })).toStrictEqual({ contexts: [info] });
  expect(contextList({ items: [], next: "plan" })).toStrictEqual({ contexts: [], next: "plan" });
});

test("[REST-17] a change's view", () => {
  const view = { version: 7, seq: 9, actor: "ada", origin: "mcp", at: "1970-01-01T00:00:01.000Z", paths: ["/a"] };
  expect(changeView(record)).toStrictEqual(view);
  expect(changeList({ items: [{ ...record, message: "why" }], next: "7" })).toStrictEqual({
    changes: [{ ...view, message: "why" }],
    next: 7,
  });
});

test("[REST-15] a problem says code, retry and facts", () => {
  const error = new ServiceError("VERSION_CONFLICT", "It moved on.", { details: { currentVersion: 9 } });
  expect(problemOf(error, "r1")).toStrictEqual({
    type: "about:blank",
    title: "Precondition Failed",
    status: 412,
    detail: "It moved on.",
    code: "VERSION_CONFLICT",
    retry: "changed",
    details: { currentVersion: 9 },
    requestId: "r1",
  });
});

test("[REST-15] anything else is INTERNAL with a fixed sentence; only what may be repeated has Retry-After", () => {
  expect(problemOf(new Error("password")).detail).not.toContain("password");
  expect(problemResponse("boom").status).toBe(500);
  const retryAfter = (code: "DATA_DAMAGED" | "RATE_LIMITED" | "LOCKED") =>
    problemResponse(new ServiceError(code, "x")).headers.get("retry-after");
  expect([retryAfter("RATE_LIMITED"), retryAfter("LOCKED"), retryAfter("DATA_DAMAGED")]).toEqual(["1", null, null]);
});

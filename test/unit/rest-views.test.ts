/** Views and problems: exact shapes. */
import { expect, test } from "vitest";
import type { Conflict } from "../../shared/conflict.ts";
import { ServiceError } from "../../shared/errors.ts";
import { parseActor, parseContextId } from "../../shared/ids.ts";
import { changeView } from "../../shared/protocol/change-view.ts";
import { conflictList } from "../../server/transport/rest/conflict-views.ts";
import { blameView, revertResult } from "../../server/transport/rest/history-views.ts";
import { problemOf, problemResponse } from "../../server/transport/rest/problem.ts";
import { changeList, contextList, contextView } from "../../server/transport/rest/views.ts";

const actor = parseActor("ada");
const meta = {
  id: parseContextId("plan"),
  tags: ["x"],
  createdAtMs: 0,
  createdBy: actor,
  epoch: 2,
  firstEpoch: 1,
  authorSalt: 7,
};
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
  expect(changeView({ ...record, resolves: "5.0" })).toStrictEqual({ ...view, resolves: "5.0" });
  expect(changeView({ ...record, bytes: 23 })).toStrictEqual({ ...view, bytes: 23 });
});

test("[REST-29] a line of blame: what is not known is left out", () => {
  const by = { version: 3, actor, atMs: 1_000, message: "why" };
  const lines = [
    { path: "/text", start: 0, text: "He", ...by },
    { path: "/list", index: 2 },
  ];
  expect(blameView({ version: 4, lines })).toStrictEqual({
    version: 4,
    lines: [
      { path: "/text", start: 0, text: "He", version: 3, actor: "ada", at: "1970-01-01T00:00:01.000Z", message: "why" },
      { path: "/list", index: 2 },
    ],
  });
});

test("[REST-31] what an undo kept, and by whom it was changed", () => {
  const kept = [
    { path: "/a", reason: "changed-since", by: { version: 3, actor, atMs: 1_000 } },
    { path: "@xml", reason: "not-json" },
  ] as const;
  expect(revertResult({ version: 4, changes: [], kept, dryRun: true })).toStrictEqual({
    version: 4,
    changes: [],
    kept: [
      { path: "/a", reason: "changed-since", by: { version: 3, actor: "ada", at: "1970-01-01T00:00:01.000Z" } },
      { path: "@xml", reason: "not-json" },
    ],
    dryRun: true,
  });
});

test("[REST-34] a conflict: a side's null is a value, its absence a deletion", () => {
  const conflict: Conflict = {
    id: "2.0",
    path: "/a",
    kind: "set-delete",
    policy: "record",
    winner: { actor, version: 2, value: null },
    loser: { actor },
    status: "resolved",
    atMs: 0,
    version: 2,
    resolution: { version: 3, actor, atMs: 1_000 },
  };
  const { atMs: _, ...rest } = conflict;
  expect(conflictList({ items: [conflict], next: "2.0" })).toStrictEqual({
    conflicts: [
      {
        ...rest,
        at: "1970-01-01T00:00:00.000Z",
        resolution: { version: 3, actor: "ada", at: "1970-01-01T00:00:01.000Z" },
      },
    ],
    next: "2.0",
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

/** The past, conflicts and types over REST: what is asked, and what becomes of the answers. */
import { describe, expect, test } from "vitest";
import { Conflicts } from "../../../client/conflicts.ts";
import { History } from "../../../client/history.ts";
import { Rest } from "../../../client/rest.ts";
import { ContextTypes } from "../../../client/context-types.ts";
import type { ConflictView } from "../../../shared/protocol/rest-conflicts.ts";
import type { BlameView, CheckpointView, RevertResult } from "../../../shared/protocol/rest-history.ts";
import type { TypeResult, TypeView } from "../../../shared/protocol/rest-types.ts";
import type { ChangeView } from "../../../shared/protocol/rest.ts";
import { RecordingFetch } from "../../support/recording-fetch.ts";

const AT = "2026-01-02T03:04:05.678Z";
const AT_MS = Date.parse(AT);

const server = new RecordingFetch();
const rest = new Rest({
  baseUrl: "http://mcm.test",
  tokens: undefined,
  actor: "ada",
  timeoutMs: 1000,
  fetch: server.fetch,
});
const NO_LOCKS = { tokensFor: () => [] };
const history = new History(rest, "plan", NO_LOCKS);
const conflicts = new Conflicts(rest, "plan", NO_LOCKS);
const types = new ContextTypes(rest);

const asked = (): string => `${server.last?.method} ${server.last?.path}`;
const changed = (version: number): ChangeView => ({
  version,
  seq: version,
  actor: "ada",
  at: AT,
  origin: "sdk",
  paths: ["/a"],
});

describe("[SDK-25] the past", () => {
  test("a version", async () => {
    server.answer({ id: "plan", version: 3, epoch: 1, updatedAt: AT, data: { a: 1 } });
    expect(await history.at(3, "/a")).toEqual({ version: 3, atMs: AT_MS, data: { a: 1 } });
    expect(asked()).toBe("GET /v1/contexts/plan?version=3&path=%2Fa");
  });

  test("a page of changes", async () => {
    server.answer({ changes: [{ ...changed(2), message: "why", resolves: "1.0" }], next: 2 });
    const { at: _at, ...record } = changed(2);
    expect(await history.page({ since: 1, path: "/a", actor: "ada", limit: 1 })).toEqual({
      changes: [{ ...record, message: "why", resolves: "1.0", atMs: AT_MS }],
      next: 2,
    });
    expect(asked()).toBe("GET /v1/contexts/plan/changes?since=1&path=%2Fa&actor=ada&limit=1");
  });

  test.each([
    { query: { since: 1, path: "/a" }, pages: ["since=1&path=%2Fa&limit=500", "since=5&path=%2Fa&limit=500"] },
    { query: { order: "newest" as const }, pages: ["order=newest&limit=500", "order=newest&before=5&limit=500"] },
  ])("all changes, page by page: $pages.0", async ({ query, pages }) => {
    const before = server.asked.length;
    server.answer({ changes: [changed(4), changed(5)], next: 5 }).answer({ changes: [changed(6)] });
    const versions: number[] = [];
    for await (const { version, atMs } of history.changes(query)) {
      expect(atMs).toBe(AT_MS);
      versions.push(version);
    }
    expect(versions).toEqual([4, 5, 6]);
    expect(server.asked.slice(before).map(({ path }) => path.split("?")[1])).toEqual(pages);
  });

  test("of all changes asks no more than is read", async () => {
    const before = server.asked.length;
    server.answer({ changes: [changed(1)], next: 1 });
    for await (const { version } of history.changes({})) if (version === 1) break;
    expect(server.asked).toHaveLength(before + 1);
  });

  test("a diff", async () => {
    const diff = { from: 1, to: 4, path: "", changes: [{ op: "remove", path: "/a" }] };
    server.answer(diff).answer(diff);
    expect(await history.diff(1, undefined, "")).toEqual(diff);
    expect(asked()).toBe("GET /v1/contexts/plan/diff?from=1&path=");
    await history.diff(4, 1, "/a");
    expect(asked()).toBe("GET /v1/contexts/plan/diff?from=4&to=1&path=%2Fa");
  });

  test("blame", async () => {
    const lines = [{ path: "/a", version: 2, actor: "ada", at: AT, message: "why" }, { path: "/b" }];
    server.answer({ version: 3, lines } satisfies BlameView);
    expect(await history.blame("/a")).toEqual({
      version: 3,
      lines: [{ path: "/a", version: 2, actor: "ada", atMs: AT_MS, message: "why" }, { path: "/b" }],
    });
    expect(asked()).toBe("GET /v1/contexts/plan/blame?path=%2Fa");
  });

  test("restoring and undoing", async () => {
    const kept: RevertResult["kept"] = [
      { path: "/b", reason: "changed-since", by: { version: 4, actor: "bob", at: AT } },
      { path: "/c", reason: "not-json" },
    ];
    const done: RevertResult = { version: 5, changes: [{ op: "remove", path: "/a" }], kept, dryRun: true };
    server.answer(done).answer(done);
    const restored = await history.restore(2, { path: "/a", dryRun: true, message: "back" });
    expect(restored).toEqual({
      ...done,
      kept: [{ path: "/b", reason: "changed-since", by: { version: 4, actor: "bob", atMs: AT_MS } }, kept[1]],
    });
    expect(asked()).toBe("POST /v1/contexts/plan/restore");
    expect(server.last?.body).toEqual({ version: 2, path: "/a", dryRun: true, message: "back" });
    expect(await history.undo("bob", { from: 1, to: 4 })).toEqual(restored);
    expect(asked()).toBe("POST /v1/contexts/plan/undo");
    expect(server.last?.body).toEqual({ actor: "bob", from: 1, to: 4 });
  });

  test("checkpoints", async () => {
    const view: CheckpointView = { name: "v1 / final", version: 3, seq: 4, actor: "ada", at: AT };
    const { at: _at, ...named } = view;
    const checkpoint = { ...named, atMs: AT_MS };
    server
      .answer({ checkpoints: [view] })
      .answer(view, 201)
      .answer();
    expect(await history.checkpoints()).toEqual([checkpoint]);
    expect(asked()).toBe("GET /v1/contexts/plan/checkpoints");
    expect(await history.checkpoint("v1 / final", { version: 3 })).toEqual(checkpoint);
    expect(asked()).toBe("POST /v1/contexts/plan/checkpoints");
    expect(server.last?.body).toEqual({ name: "v1 / final", version: 3 });
    await history.forgetCheckpoint("v1 / final");
    expect(asked()).toBe("DELETE /v1/contexts/plan/checkpoints/v1%20%2F%20final");
  });

  test("compaction", async () => {
    const outcome = { version: 3, epoch: 2, bytesBefore: 100, bytesAfter: 10 };
    server.answer(outcome);
    expect(await history.compact()).toEqual(outcome);
    expect(asked()).toBe("POST /v1/contexts/plan/compact");
    expect(server.last?.body).toEqual({});
  });
});

describe("[SDK-25] conflicts", () => {
  const view: ConflictView = {
    id: "17.0",
    path: "/a",
    kind: "set-set",
    policy: "manual",
    winner: { actor: "bob", version: 17, value: 2 },
    loser: { actor: "ada", version: 16, value: 1 },
    status: "open",
    at: AT,
    version: 17,
  };
  const { at: _at, ...known } = view;
  const conflict = { ...known, atMs: AT_MS };
  const resolution = { version: 18, actor: "eve" };

  test("are listed", async () => {
    server.answer({ conflicts: [view], next: "17.0" });
    expect(await conflicts.page({ status: "open", path: "/a", limit: 1, cursor: "18.2" })).toEqual({
      conflicts: [conflict],
      next: "17.0",
    });
    expect(asked()).toBe("GET /v1/contexts/plan/conflicts?status=open&path=%2Fa&limit=1&cursor=18.2");
  });

  test.each([
    { by: "loser" as const, body: { take: "loser", message: "ada was right" } },
    { by: [], body: { changes: [], message: "ada was right" } },
  ])("are resolved: $body", async ({ by, body }) => {
    server.answer({ version: 18, conflict: { ...view, resolution: { ...resolution, at: AT } } });
    expect(await conflicts.resolve("17.0", by, { message: "ada was right" })).toEqual({
      version: 18,
      conflict: { ...conflict, resolution: { ...resolution, atMs: AT_MS } },
    });
    expect(asked()).toBe("POST /v1/contexts/plan/conflicts/17.0/resolve");
    expect(server.last?.body).toEqual(body);
  });
});

describe("[SDK-25] types", () => {
  const view: TypeView = { name: "plan", schema: { type: "object" }, revision: 1, updatedAt: AT, updatedBy: "ada" };
  const type = { name: "plan", schema: { type: "object" }, revision: 1, updatedAtMs: AT_MS, updatedBy: "ada" };

  test("are listed, read, registered and deleted", async () => {
    const result: TypeResult = { type: view, report: { checked: 2, invalid: [] } };
    server
      .answer({ types: [view] })
      .answer(view)
      .answer(result)
      .answer(result)
      .answer();
    expect(await types.list()).toEqual([type]);
    expect(asked()).toBe("GET /v1/types");
    expect(await types.get("plan")).toEqual(type);
    expect(asked()).toBe("GET /v1/types/plan");
    expect(await types.put("plan", { type: "object" })).toEqual({ type, report: { checked: 2, invalid: [] } });
    expect([asked(), server.last?.body]).toEqual(["PUT /v1/types/plan", { schema: { type: "object" } }]);
    await types.put("plan", { type: "object" }, { dryRun: true });
    expect(asked()).toBe("PUT /v1/types/plan?dryRun=true");
    await types.delete("plan");
    expect(asked()).toBe("DELETE /v1/types/plan");
  });
});

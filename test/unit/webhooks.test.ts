/** What targets are told, without failures: rules HOOK-1 to HOOK-7, HOOK-12 and HOOK-18. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { excerptOf, wantedAt } from "../../server/webhooks/log-excerpt.ts";
import { LIMITS } from "../../shared/limits.ts";
import { epochOf, entryOf, idOf, SALT } from "../support/log-fixtures.ts";
import { silence } from "../support/fake-target.ts";
import { admin, WebhookRig } from "../support/webhook-rig.ts";

let rig: WebhookRig;

beforeEach(async () => {
  rig = await WebhookRig.start();
});
afterEach(() => rig.close());

const versions = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

describe("changes", () => {
  test("[HOOK-1] a delivery tells who changed what, as the list of changes does", async () => {
    await rig.create("plan");
    const webhookId = await rig.add();
    await rig.change("plan", 1, { message: "why", origin: "rest", paths: ["/a"], resolves: "5.0", atMs: 0 });
    await rig.settle();
    expect(rig.target.taken).toEqual([
      {
        deliveryId: expect.any(String),
        webhookId,
        contextId: "plan",
        version: 1,
        changes: [
          {
            version: 1,
            seq: 1,
            actor: "alice",
            at: "1970-01-01T00:00:00.000Z",
            origin: "rest",
            message: "why",
            paths: ["/a"],
            resolves: "5.0",
          },
        ],
      },
    ]);
    expect(rig.target.requests[0]).toMatchObject({
      url: "https://a.example/hook",
      headers: {
        "content-type": "application/json",
        "user-agent": expect.stringMatching(/^mcp-context-manager\/\d/),
        "webhook-id": rig.target.taken[0]?.deliveryId,
      },
    });
  });

  test("[HOOK-1] what comes while a delivery is under way is told by the next one, none left out", async () => {
    await rig.create("plan");
    await rig.add();
    let take = (): void => {};
    rig.target.answer = () => new Promise((resolve) => (take = () => resolve(204)));
    await rig.change("plan");
    await rig.settle();
    await rig.change("plan", 3);
    await rig.settle();
    expect(rig.target.requests).toHaveLength(1);
    for (let i = 0; i < 2; i++) {
      take();
      await rig.settle();
    }
    expect(rig.target.taken.map(({ changes }) => changes.map(({ version }) => version))).toEqual([[1], [2, 3, 4]]);
    expect(new Set(rig.target.taken.map(({ deliveryId }) => deliveryId)).size).toBe(2);
  });

  test("[HOOK-1] entries that are no changes are passed over, and their places are not read again", async () => {
    await rig.create("plan");
    const id = await rig.add();
    await rig.append("plan", [epochOf(1, SALT + 1), { ...entryOf(2), kind: "void" }]);
    await rig.settle();
    expect(rig.target.requests).toEqual([]);
    await rig.change("plan");
    await rig.settle();
    expect(rig.target.taken.map(({ changes }) => changes.map(({ seq, version }) => [seq, version]))).toEqual([
      [[3, 1]],
    ]);
    expect(await rig.log.readRecord(undefined, "webhook-cursors", `${id} plan`)).toMatchObject({ seq: 3, version: 1 });
  });

  test("[HOOK-3] a new webhook is told of what happens from then on", async () => {
    await rig.create("plan");
    await rig.change("plan", 5);
    await rig.add();
    expect(rig.target.requests).toEqual([]);
    await rig.change("plan");
    await rig.settle();
    expect(rig.target.versionsOf("plan")).toEqual([6]);
    expect(rig.target.taken[0]).not.toHaveProperty("created");
  });

  test("[HOOK-3] a context that is made later is told from its beginning, also one that nobody changes", async () => {
    await rig.add();
    await rig.create("quiet", "busy");
    await rig.change("busy", 2);
    await rig.settle();
    expect(
      rig.target.taken
        .filter(({ created }) => created === true)
        .map(({ contextId }) => contextId)
        .sort(),
    ).toEqual(["busy", "quiet"]);
    expect(rig.target.versionsOf("busy")).toEqual([1, 2]);
    await rig.change("quiet");
    await rig.settle();
    expect(rig.target.taken.at(-1)).toMatchObject({ contextId: "quiet", version: 1 });
    expect(rig.target.taken.at(-1)).not.toHaveProperty("created");
  });

  test("[HOOK-3] after a restart it goes on where it was, and finds what was made meanwhile", async () => {
    await rig.create("old", "gone");
    await rig.add();
    await rig.change("old", 2);
    await rig.settle();
    await rig.manager.close();
    await rig.change("old", 2);
    await rig.create("new");
    await rig.restart();
    await rig.settle();
    expect(rig.target.versionsOf("old")).toEqual([1, 2, 3, 4]);
    expect(rig.target.taken.filter(({ created }) => created).map(({ contextId }) => contextId)).toEqual(["new"]);
  });

  test("[HOOK-4] only contexts that match one of its patterns", async () => {
    await rig.add(["plan", "team-*", "*.md"]);
    await rig.create("plan", "plan2", "team-a", "team-", "ateam-a", "x.md", "x.mdx");
    await rig.settle();
    expect(rig.target.taken.map(({ contextId }) => contextId).sort()).toEqual(["plan", "team-", "team-a", "x.md"]);
  });

  test("[HOOK-4] only changes at, above or below one of its paths; the others are not read again", async () => {
    await rig.create("plan");
    const id = await rig.add(["*"], { paths: ["/tasks/t1", "@notes"] });
    const paths = ["/tasks/t1", "/tasks/t1/title", "/tasks", "", "/tasks/t2", "/tasks/t10", "@notes/0", "/notes"];
    for (const path of paths) await rig.change("plan", 1, { paths: [path] });
    await rig.settle();
    expect(rig.target.versionsOf("plan")).toEqual([1, 2, 3, 4, 7]);
    await rig.change("plan", 3, { paths: ["/other"] });
    await rig.settle();
    expect(rig.target.versionsOf("plan")).toEqual([1, 2, 3, 4, 7]);
    expect(await rig.log.readRecord(undefined, "webhook-cursors", `${id} plan`)).toMatchObject({ seq: 11 });
  });

  test("[HOOK-4] a webhook with paths looks through a long log in parts", async () => {
    await rig.create("plan");
    await rig.add(["*"], { paths: ["/rare"] });
    await rig.manager.pause(admin, (await rig.manager.list(admin))[0]?.id ?? "");
    await rig.append(
      "plan",
      versions(1, 4999).map((n) => entryOf(n)),
    );
    await rig.change("plan", 1, { paths: ["/rare/x"] });
    await rig.manager.resume(admin, (await rig.manager.list(admin))[0]?.id ?? "");
    await rig.settle();
    expect(rig.target.versionsOf("plan")).toEqual([5000]);
  });
});

describe("bounds", () => {
  test("[HOOK-7] a delivery has as many changes as the limit, and not one more", async () => {
    await rig.create("plan");
    const id = await rig.add();
    await rig.manager.pause(admin, id);
    await rig.change("plan", LIMITS.webhookBatchChangesMax + 1);
    await rig.manager.resume(admin, id);
    await rig.settle();
    expect(rig.target.taken.map(({ changes }) => changes.length)).toEqual([LIMITS.webhookBatchChangesMax, 1]);
  });

  test("[HOOK-7] a delivery has as many bytes of changes as the limit; a larger change goes alone", async () => {
    await rig.create("plan");
    const id = await rig.add();
    await rig.manager.pause(admin, id);
    const large = versions(1, 64).map((n) => `/${"x".repeat(1000)}${n}`);
    await rig.change("plan", 3, { paths: large });
    const huge = versions(1, 64).map((n) => `/${"\u0001".repeat(1000)}${n}`);
    await rig.change("plan", 2, { paths: huge });
    await rig.manager.resume(admin, id);
    await rig.settle();
    const told = rig.target.taken.map(({ changes }) => changes.map(({ version }) => version));
    expect(told).toEqual([[1, 2], [3], [4], [5]]);
    const sizes = rig.target.requests.map(({ body }) => Buffer.byteLength(body));
    expect(sizes.slice(0, 2).every((bytes) => bytes <= LIMITS.webhookBatchBytesMax + 1000)).toBe(true);
  });

  test("[HOOK-12] so many requests to one target are under way at once, and not one more", async () => {
    const ids = versions(1, LIMITS.webhookRequestsMax + 3).map((n) => `c${n}`);
    await rig.create(...ids);
    await rig.add();
    const open: (() => void)[] = [];
    rig.target.answer = () => new Promise((resolve) => open.push(() => resolve(204)));
    for (const id of ids) await rig.change(id);
    await rig.settle();
    expect(open).toHaveLength(LIMITS.webhookRequestsMax);
    for (let done = 0; done < ids.length; done++) {
      open[done]?.();
      await rig.settle();
    }
    expect(rig.target.peak).toBe(LIMITS.webhookRequestsMax);
    for (const id of ids) expect(rig.target.versionsOf(id)).toEqual([1]);
  });

  test("[HOOK-12] a target that does not answer delays no other", async () => {
    await rig.create("plan");
    await rig.add(["*"], { url: "https://slow.example/" });
    await rig.add(["*"], { url: "https://quick.example/" });
    rig.target.answer = (request) => (request.url.includes("slow") ? silence(request) : 204);
    for (let i = 0; i < 5; i++) {
      await rig.change("plan");
      await rig.settle();
    }
    expect(rig.target.versionsOf("plan")).toEqual([1, 2, 3, 4, 5]);
  });

  test("[HOOK-12] contexts take turns: a busy one lets the others go in between", async () => {
    await rig.create("busy", "b", "c");
    const id = await rig.add();
    await rig.manager.pause(admin, id);
    await rig.append(
      "busy",
      versions(1, LIMITS.webhookBatchChangesMax * 20).map((n) => entryOf(n)),
    );
    await rig.change("b");
    await rig.change("c");
    await rig.manager.resume(admin, id);
    await rig.settle();
    const order = rig.target.taken.map(({ contextId }) => contextId);
    expect(order).toHaveLength(22);
    expect(Math.max(order.indexOf("b"), order.indexOf("c"))).toBeLessThan(6);
    expect(rig.target.versionsOf("busy")).toEqual(versions(1, LIMITS.webhookBatchChangesMax * 20));
  });

  test("[HOOK-18] more contexts behind than a line holds are all told of in the end", async () => {
    await rig.close();
    rig = await WebhookRig.start({ webhookBacklogMax: 10 });
    const id = await rig.add();
    await rig.manager.pause(admin, id);
    const ids = versions(1, 45).map((n) => `c${n}`);
    await rig.create(...ids);
    let most = 0;
    rig.target.answer = async () => {
      const [status] = await rig.manager.list(admin);
      most = Math.max(most, status?.behind ?? 0);
      return 204;
    };
    await rig.manager.resume(admin, id);
    await rig.settle();
    expect(rig.target.taken.map(({ contextId }) => contextId).sort()).toEqual(ids.sort());
    expect(most).toBe(10);
    expect(await rig.manager.list(admin)).toMatchObject([{ behind: 0 }]);
  });

  test("[HOOK-18] news of contexts beyond that are not lost", async () => {
    await rig.close();
    rig = await WebhookRig.start({ webhookBacklogMax: 10 });
    const ids = versions(1, 25).map((n) => `c${n}`);
    await rig.create(...ids);
    await rig.add();
    let open = (): void => {};
    const opened = new Promise<void>((resolve) => (open = resolve));
    rig.target.answer = () => opened.then(() => 204);
    for (const id of ids) await rig.change(id);
    await rig.settle();
    expect(await rig.manager.list(admin)).toMatchObject([{ behind: 10 }]);
    open();
    await rig.settle();
    for (const id of ids) expect(rig.target.versionsOf(id)).toEqual([1]);
  });
});

describe("what cannot be told", () => {
  test("[HOOK-5] that a context is deleted is told after its changes", async () => {
    await rig.create("plan");
    await rig.add();
    await rig.change("plan", 2);
    await rig.settle();
    await rig.remove("plan");
    await rig.settle();
    expect(rig.target.taken.at(-1)).toMatchObject({ contextId: "plan", version: 2, deleted: true, changes: [] });
    expect(rig.target.taken.at(-1)).not.toHaveProperty("gaps");
    await rig.restart();
    await rig.settle();
    expect(rig.target.taken).toHaveLength(2);
    expect(await rig.log.listRecords(undefined, "webhook-cursors", { limit: 9 })).toEqual([]);
    expect(await rig.log.listRecords(undefined, "webhook-endings", { limit: 9 })).toEqual([]);
  });

  test("[HOOK-5] changes that went with their context are named, and so is one that was never told of", async () => {
    await rig.create("plan");
    const id = await rig.add();
    await rig.change("plan");
    await rig.settle();
    await rig.manager.pause(admin, id);
    await rig.change("plan", 2);
    await rig.remove("plan");
    await rig.create("brief");
    await rig.change("brief", 2);
    await rig.remove("brief");
    await rig.restart();
    await rig.manager.resume(admin, id);
    await rig.settle();
    expect(rig.target.taken.slice(1)).toEqual([
      expect.objectContaining({
        contextId: "brief",
        version: 2,
        created: true,
        deleted: true,
        gaps: [{ from: 1, to: 2, reason: "deleted" }],
      }),
      expect.objectContaining({
        contextId: "plan",
        version: 3,
        deleted: true,
        gaps: [{ from: 2, to: 3, reason: "deleted" }],
      }),
    ]);
  });

  test("[HOOK-5] a context of the same id that is made again is told of after the end of the one before", async () => {
    const id = await rig.add();
    await rig.create("plan");
    await rig.change("plan", 2);
    await rig.settle();
    await rig.manager.pause(admin, id);
    for (let life = 0; life < 2; life++) {
      await rig.remove("plan");
      await rig.create("plan");
      await rig.change("plan");
    }
    await rig.manager.resume(admin, id);
    await rig.settle();
    const told = rig.target.taken.map(({ created, deleted, version, gaps = [] }) => ({
      created,
      deleted,
      version,
      gaps,
    }));
    expect(told.slice(-3)).toEqual([
      { deleted: true, version: 2, gaps: [] },
      { created: true, deleted: true, version: 1, gaps: [{ from: 1, to: 1, reason: "deleted" }] },
      { created: true, version: 1, gaps: [] },
    ]);
    expect(rig.target.versionsOf("plan")).toEqual([1, 2, 1]);
  });

  test("[HOOK-5] a deletion that was begun and not carried out, because the server died, changes nothing", async () => {
    await rig.create("plan");
    await rig.add();
    await rig.manager.deleting(idOf("plan"));
    await rig.crash();
    await rig.change("plan");
    await rig.settle();
    expect(rig.target.taken).toEqual([expect.objectContaining({ version: 1 })]);
    await rig.change("plan");
    await rig.remove("plan");
    await rig.settle();
    expect(rig.target.taken.at(-1)).toMatchObject({ version: 2, deleted: true });
  });

  test("[HOOK-5] a context that went while nobody looked is told of after the next start", async () => {
    await rig.create("plan", "other");
    await rig.add();
    await rig.change("plan");
    await rig.settle();
    await rig.log.remove(idOf("plan"));
    await rig.restart();
    await rig.settle();
    expect(rig.target.taken.slice(1)).toEqual([
      expect.objectContaining({ contextId: "plan", version: 1, deleted: true }),
    ]);
  });

  test("[HOOK-6] a log that is thinned while it is read gives what was read; the rest is for the next time", async () => {
    const entries = versions(1, 60).map((n) => ({ ...entryOf(n), seq: n, version: n }));
    let reads = 0;
    const read = async (_: unknown, after: number, limit: number) => {
      const from = ++reads === 1 ? after : Math.max(after, 40);
      return entries.slice(from, from + limit);
    };
    const head = { seq: 60, version: 60 };
    const wanted = { after: { seq: 0, version: 0 }, head, isWanted: wantedAt(undefined) };
    const first = await excerptOf({ read }, idOf("plan"), wanted);
    expect(first).toMatchObject({ end: { seq: 16, version: 16 }, hasMore: true });
    expect(first).not.toHaveProperty("missing");
    const second = await excerptOf({ read }, idOf("plan"), { ...wanted, after: first.end });
    expect(second).toMatchObject({ missing: { from: 17, to: 40 }, end: head, hasMore: false });
    expect([...first.changes, ...second.changes].map(({ version }) => version)).toEqual([
      ...versions(1, 16),
      ...versions(41, 60),
    ]);
  });

  test("[HOOK-6] what the history does not keep any more is named", async () => {
    await rig.create("plan");
    const id = await rig.add();
    await rig.change("plan");
    await rig.settle();
    await rig.manager.pause(admin, id);
    await rig.change("plan", 5);
    await rig.thin("plan", 4);
    await rig.manager.resume(admin, id);
    await rig.settle();
    expect(rig.target.taken.at(-1)).toMatchObject({ version: 6, gaps: [{ from: 2, to: 4, reason: "thinned" }] });
    expect(rig.target.versionsOf("plan")).toEqual([1, 5, 6]);
  });

  test("[HOOK-6] also when nothing at all is left", async () => {
    await rig.create("plan");
    const id = await rig.add();
    await rig.manager.pause(admin, id);
    await rig.change("plan", 5);
    await rig.thin("plan", 5);
    await rig.manager.resume(admin, id);
    await rig.settle();
    expect(rig.target.taken).toEqual([
      expect.objectContaining({ version: 5, gaps: [{ from: 1, to: 5, reason: "thinned" }], changes: [] }),
    ]);
    await rig.change("plan");
    await rig.settle();
    expect(rig.target.versionsOf("plan")).toEqual([6]);
  });

  test("[HOOK-6] entries that are no changes are no loss", async () => {
    await rig.create("plan");
    const id = await rig.add();
    await rig.manager.pause(admin, id);
    await rig.append("plan", [{ ...entryOf(1), kind: "void" }]);
    await rig.thin("plan", 1, 0);
    await rig.manager.resume(admin, id);
    await rig.settle();
    await rig.change("plan");
    await rig.settle();
    expect(rig.target.taken).toEqual([expect.objectContaining({ version: 1 })]);
    expect(rig.target.taken[0]).not.toHaveProperty("gaps");
  });
});

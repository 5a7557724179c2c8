/** The past out of a log: which versions there are, what they read, who is listed; cache and line. */
import { describe, expect, test } from "vitest";
import type { ChangesRequest } from "../../server/context-service.ts";
import { systemClock } from "../../server/clock.ts";
import { HistoryManager } from "../../server/history/history-manager.ts";
import type { HistoryLog } from "../../server/history/log-view.ts";
import { packEntries, unpackEntries } from "../../server/history/log-page.ts";
import { LIMITS } from "../../shared/limits.ts";
import { parseContextId } from "../../shared/ids.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { Past, actorOf } from "../support/past.ts";
import { CONTEXT, append, checkpointAt, logOf } from "../support/past-log.ts";
import type { PastLog } from "../support/past-log.ts";

/** Versions 1 … n set /n to 1 … n, by ann and bob in turns, with a void before each third. */
function counted(versions: number): Past {
  const past = new Past({ n: 0 });
  for (let version = 1; version <= versions; version++) {
    if (version % 3 === 0) past.void("eve");
    past.ops(version % 2 === 1 ? "ann" : "bob", [{ op: "replace", path: "/n", value: version }], `to ${version}`);
  }
  return past;
}

const code = (name: string): unknown => expect.objectContaining({ code: name });

/** The log without what is before entry `seq`; what was kept stays. */
async function trimTo({ log }: PastLog, past: Past, seq: number): Promise<void> {
  const last = past.entries.length;
  await log.writeCheckpoint(CONTEXT, checkpointAt(past, last));
  await log.trim(CONTEXT, checkpointAt(past, seq));
}

/** The log, read in another way. */
function readingBy(log: HistoryLog, read: HistoryLog["read"]): HistoryLog {
  return {
    nodeClientId: log.nodeClientId,
    summary: (id) => log.summary(id),
    read,
    readBackwards: (id, beforeSeq, limit) => log.readBackwards(id, beforeSeq, limit),
    checkpoints: (id) => log.checkpoints(id),
    checkpointBefore: (id, seq) => log.checkpointBefore(id, seq),
  };
}

describe("reading a version", () => {
  test("[HIST-1] its data, and its head: seq and time of its change", async () => {
    const past = counted(10);
    const { history } = await logOf(past);
    for (const [version, data] of past.versions.entries()) {
      const read = await history.read(CONTEXT, { version, path: "" });
      const entry = past.entries.find((it) => it.kind === "change" && it.version === version);
      expect(read.data).toEqual(data);
      expect(read.head).toEqual({ seq: entry?.seq ?? 0, version, lockSeq: 0, updatedAtMs: entry?.atMs ?? 5 });
    }
    expect((await history.read(CONTEXT, { version: 4, path: "/n" })).data).toBe(4);
    expect((await history.read(CONTEXT, { version: 4, path: "", depth: 0 })).data).toEqual({ $object: 1 });
  });

  test("[HIST-3] versions that are not there: not yet, gone, a path that was not there", async () => {
    const past = counted(10);
    const rig = await logOf(past);
    const { history, log } = rig;
    await expect(history.read(CONTEXT, { version: 11, path: "" })).rejects.toMatchObject({
      code: "VERSION_NOT_FOUND",
      details: { currentVersion: 10 },
    });
    await log.writeCheckpoint(CONTEXT, checkpointAt(past, 2), { isKept: true });
    await trimTo(rig, past, 7);
    await expect(history.read(CONTEXT, { version: 4, path: "" })).rejects.toMatchObject({
      code: "VERSION_NOT_FOUND",
      message: expect.stringContaining("from version 5 on"),
      details: { oldestVersion: 5, namedVersions: [2] },
    });
    expect((await history.read(CONTEXT, { version: 2, path: "/n" })).data).toBe(2);
    expect((await history.read(CONTEXT, { version: 5, path: "/n" })).data).toBe(5);
    await expect(history.read(CONTEXT, { version: 5, path: "/x" })).rejects.toEqual(code("PATH_NOT_FOUND"));
    await expect(history.read(parseContextId("other"), { version: 0, path: "" })).rejects.toEqual(
      code("CONTEXT_NOT_FOUND"),
    );
  });
});

describe("differences", () => {
  test("[HIST-4] forwards, backwards, at a path, up to the present, and from before the log begins", async () => {
    const past = counted(10);
    past.ops("ann", [{ op: "add", path: "/o", value: { x: 1 } }]);
    const rig = await logOf(past);
    const { history, log } = rig;
    const change = (value: number): object => ({ op: "replace", path: "/n", value });
    expect(await history.diff(CONTEXT, { from: 3, to: 7, path: "" })).toEqual({
      from: 3,
      to: 7,
      path: "",
      changes: [change(7)],
    });
    expect((await history.diff(CONTEXT, { from: 7, to: 3, path: "" })).changes).toEqual([change(3)]);
    expect(await history.diff(CONTEXT, { from: 9, path: "/o" })).toMatchObject({
      to: 11,
      changes: [{ op: "add", path: "/o", value: { x: 1 } }],
    });
    expect((await history.diff(CONTEXT, { from: 11, to: 9, path: "/o" })).changes).toEqual([
      { op: "remove", path: "/o" },
    ]);
    expect((await history.diff(CONTEXT, { from: 4, to: 4, path: "" })).changes).toEqual([]);
    await log.writeCheckpoint(CONTEXT, checkpointAt(past, 2), { isKept: true });
    await trimTo(rig, past, 7);
    expect((await history.diff(CONTEXT, { from: 2, to: 9, path: "" })).changes).toEqual([change(9)]);
    expect((await history.diff(CONTEXT, { from: 9, to: 2, path: "/n" })).changes).toEqual([change(2)]);
  });
});

describe("blame and undo out of the log", () => {
  test("[BLAME-7] what a context was created with is its creator's; once the log is trimmed, nobody's", async () => {
    const past = counted(6);
    past.ops("ann", [{ op: "add", path: "/later", value: 1 }]);
    const fresh = new Past({ a: 1 });
    const created = await logOf(fresh);
    expect(await created.history.blame(CONTEXT, "")).toEqual({
      version: 0,
      lines: [{ path: "/a", version: 0, actor: "creator", atMs: 5 }],
    });
    const rig = await logOf(past);
    await trimTo(rig, past, 7);
    expect((await rig.history.blame(CONTEXT, "")).lines).toMatchObject([
      { path: "/n", version: 6, actor: "bob", message: "to 6" },
      { path: "/later", version: 7, actor: "ann" },
    ]);
    await trimTo(rig, past, 8);
    expect((await rig.history.blame(CONTEXT, "")).lines[0]).toEqual({ path: "/n" });
  });

  test("[UNDO-9] an undo needs the whole log from `from` on: a kept checkpoint is not enough", async () => {
    const past = counted(10);
    const rig = await logOf(past);
    await rig.log.writeCheckpoint(CONTEXT, checkpointAt(past, 2), { isKept: true });
    await trimTo(rig, past, 7);
    const undo = { actor: actorOf("ann"), to: 9 };
    await expect(rig.history.undoPlan(CONTEXT, { ...undo, from: 2 })).rejects.toEqual(code("VERSION_NOT_FOUND"));
    expect(await rig.history.undoPlan(CONTEXT, { ...undo, from: 5 })).toMatchObject({ version: 10, changes: [] });
  });
});

describe("the list of changes", () => {
  async function pages(
    { history }: PastLog,
    request: Omit<ChangesRequest, "limit">,
    limit: number,
  ): Promise<number[][]> {
    const all: number[][] = [];
    let position = {};
    for (;;) {
      const { items, next } = await history.listChanges(CONTEXT, { ...request, ...position, limit });
      all.push(items.map(({ version }) => version));
      if (next === undefined) return all;
      position = request.newestFirst === true ? { before: Number(next) } : { since: Number(next) };
    }
  }

  test("[HIST-5] forwards after a version, newest first before one, page by page, without gap or double", async () => {
    const rig = await logOf(counted(7));
    expect(await pages(rig, {}, 3)).toEqual([[1, 2, 3], [4, 5, 6], [7]]);
    expect(await pages(rig, { since: 5 }, 3)).toEqual([[6, 7]]);
    expect(await pages(rig, { since: 9 }, 3)).toEqual([[]]);
    expect(await pages(rig, { newestFirst: true }, 3)).toEqual([[7, 6, 5], [4, 3, 2], [1]]);
    expect(await pages(rig, { newestFirst: true, before: 4 }, 2)).toEqual([[3, 2], [1]]);
    expect(await pages(rig, { newestFirst: true, before: 99 }, 9)).toEqual([[7, 6, 5, 4, 3, 2, 1]]);
  });

  test.each(["before", "after"] as const)(
    "[HIST-5] nothing that is kept is passed over when the log is trimmed while it is read (%s its oldest entry)",
    async (when) => {
      const past = counted(10);
      const rig = await logOf(past);
      const { log } = rig;
      let isTrimmed = false;
      const trimOnce = async (): Promise<void> => {
        if (!isTrimmed) await trimTo(rig, past, 4);
        isTrimmed = true;
      };
      const trimming = readingBy(log, async (id, afterSeq, limit) => {
        if (when === "before") await trimOnce();
        const entries = await log.read(id, afterSeq, limit);
        await trimOnce();
        return entries;
      });
      const history = new HistoryManager({ log: trimming, clock: systemClock, runner: rig.runner });
      await log.writeCheckpoint(CONTEXT, checkpointAt(past, past.entries.length - 1));
      const { items } = await history.listChanges(CONTEXT, { since: 6, limit: 10 });
      expect(items.map(({ version }) => version)).toEqual([7, 8, 9, 10]);
    },
  );

  test("[HIST-17] without a version it begins with the oldest change that is kept; after one before that is refused", async () => {
    const past = counted(10);
    const rig = await logOf(past);
    await trimTo(rig, past, 7);
    expect(await pages(rig, {}, 3)).toEqual([
      [6, 7, 8],
      [9, 10],
    ]);
    expect(await pages(rig, { since: 5 }, 9)).toEqual([[6, 7, 8, 9, 10]]);
    expect(await pages(rig, { newestFirst: true }, 9)).toEqual([[10, 9, 8, 7, 6]]);
    for (const since of [0, 4]) {
      await expect(rig.history.listChanges(CONTEXT, { since, limit: 1 })).rejects.toMatchObject({
        code: "VERSION_NOT_FOUND",
        details: { oldestVersion: 5 },
      });
    }
  });

  test.each([7, 12])("[HIST-17] what is trimmed to entry %i between two looks is not passed over", async (seq) => {
    const past = counted(10);
    const rig = await logOf(past);
    const { log } = rig;
    const { entries } = past;
    const trimming = readingBy(log, async (id, after, limit) => {
      if (limit > 1) await trimTo(rig, past, Math.min(seq, entries.length));
      return log.read(id, after, limit);
    });
    const history = new HistoryManager({ log: trimming, clock: systemClock, runner: rig.runner });
    const listing = history.listChanges(CONTEXT, { since: 2, limit: 20 });
    await expect(listing).rejects.toEqual(code("STORE_UNAVAILABLE"));
    await expect(history.listChanges(CONTEXT, { since: 2, limit: 20 })).rejects.toEqual(code("VERSION_NOT_FOUND"));
  });

  test("[HIST-5] by actor and by path", async () => {
    const past = counted(6);
    past.ops("bob", [{ op: "add", path: "/o", value: { x: 1 } }]);
    const rig = await logOf(past);
    expect((await pages(rig, { actor: actorOf("bob") }, 9)).flat()).toEqual([2, 4, 6, 7]);
    expect((await pages(rig, { path: "/o/x" }, 9)).flat()).toEqual([7]);
    expect((await pages(rig, { path: "/n", actor: actorOf("bob"), newestFirst: true }, 9)).flat()).toEqual([6, 4, 2]);
  });

  test("[HIST-5] [HIST-18] a record says what is remembered; since and before do not go together", async () => {
    const { history, log } = await logOf(counted(1));
    const { items } = await history.listChanges(CONTEXT, { limit: 1 });
    const [entry] = await log.read(CONTEXT, 0, 1);
    const bytes = entry?.update.byteLength;
    expect(bytes).toBeGreaterThan(10);
    expect(items).toEqual([
      { version: 1, seq: 1, actor: "ann", origin: "sync", atMs: 1001, message: "to 1", paths: ["/n"], bytes },
    ]);
    for (const wrong of [{ before: 1 }, { newestFirst: true, since: 1 }]) {
      await expect(history.listChanges(CONTEXT, { ...wrong, limit: 1 })).rejects.toEqual(code("INVALID_REQUEST"));
    }
  });

  test("[HIST-6] a page that looked at many entries says where to go on, and always comes on", async () => {
    const past = new Past({ n: 0 });
    past.ops("bob", [{ op: "replace", path: "/n", value: 1 }]);
    for (let i = 0; i < 21_000; i++) past.void("eve");
    past.ops("cid", [{ op: "replace", path: "/n", value: 2 }]);
    const rig = await logOf(past);
    const forwards = await pages(rig, { actor: actorOf("cid") }, 5);
    expect(forwards).toEqual([[], [2]]);
    expect((await pages(rig, { actor: actorOf("bob"), newestFirst: true }, 5)).flat()).toEqual([1]);
  });
});

describe("cache and line", () => {
  test("[HIST-7] an answer is worked out once, also for two who ask at once; a new version is another question", async () => {
    const past = counted(5);
    const { history, runner, log } = await logOf(past);
    const ask = () => history.blame(CONTEXT, "");
    const [one, two] = await Promise.all([ask(), ask()]);
    expect(one.lines).toBe(two.lines);
    await ask();
    expect(runner.asked).toHaveLength(1);
    past.ops("bob", [{ op: "replace", path: "/n", value: 9 }]);
    await append(log, past, past.entries.length - 1);
    expect((await ask()).version).toBe(6);
    expect(runner.asked).toHaveLength(2);
  });

  test("[HIST-7] an answer is forgotten after its time, and for the answers of a new context of the same id", async () => {
    const clock = new ManualClock();
    const { history, runner, log } = await logOf(counted(5), { clock });
    const read = () => history.read(CONTEXT, { version: 0, path: "" });
    await read();
    await read();
    expect(runner.asked).toHaveLength(1);
    clock.advance(LIMITS.historyCacheTtlMs + 1);
    await read();
    expect(runner.asked).toHaveLength(2);
    const meta = (await log.summary(CONTEXT))?.meta;
    await log.remove(CONTEXT);
    if (meta !== undefined) await log.create(meta, new Past({ other: 1 }).base);
    expect((await read()).data).toEqual({ other: 1 });
  });

  test("[HIST-8] more that wait than the limit are refused with RATE_LIMITED; a failure does not hold up the next", async () => {
    const { history, runner } = await logOf(counted(5), { limits: { ...LIMITS, historyQueueMax: 2 } });
    let release = (): void => undefined;
    runner.hold = new Promise((resolve) => (release = resolve));
    const waiting = [1, 2, 3].map((version) => history.read(CONTEXT, { version, path: "/x" }));
    const results = Promise.allSettled(waiting);
    await expect(waiting[2]).rejects.toEqual(code("RATE_LIMITED"));
    release();
    expect((await results).map((it) => it.status === "rejected" && it.reason.code)).toEqual([
      "PATH_NOT_FOUND",
      "PATH_NOT_FOUND",
      "RATE_LIMITED",
    ]);
    expect((await history.read(CONTEXT, { version: 3, path: "/n" })).data).toBe(3);
  });

  test("[HIST-9] what is folded begins at the nearest checkpoint", async () => {
    const past = counted(30);
    const { history, runner, log } = await logOf(past);
    await log.writeCheckpoint(CONTEXT, checkpointAt(past, 20), { isKept: true });
    expect((await history.read(CONTEXT, { version: 18, path: "/n" })).data).toBe(18);
    // seq 21 to 24, where version 18 was made
    expect(runner.entries).toEqual([4]);
  });

  test("[HIST-9] a page of entries comes out as it went in", () => {
    const past = counted(4);
    past.recreate();
    expect(unpackEntries(packEntries(past.entries))).toEqual(past.entries);
    expect(unpackEntries(packEntries([]))).toEqual([]);
  });
});

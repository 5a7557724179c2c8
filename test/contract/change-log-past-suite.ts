/**
 * The contract of ChangeLog, second part: epochs, locks, side records, kept checkpoints, and the base that moves.
 *
 * Not here: appending and reading (change-log-suite.ts), which runs this part too.
 */
import { expect, test } from "vitest";
import type { Acl } from "../../shared/permission.ts";
import type { Lock, LockEvent } from "../../shared/lock.ts";
import type { ChangeLog, Checkpoint, LogEntry, NewEntry, RecordWrite } from "../../server/storage/change-log.ts";
import { alice, bob, emptyCheckpoint, entryOf, epochOf, idOf, metaOf, SALT } from "../support/log-fixtures.ts";

export interface LogUnderTest {
  /** The open log; another object after `reopen`. */
  readonly log: () => ChangeLog;
  readonly reopen: () => Promise<void>;
}

const plan = idOf("plan");
const checkpointAt = (seq: number, extra: Partial<Checkpoint> = {}): Checkpoint => ({
  ...emptyCheckpoint(),
  seq,
  version: seq,
  state: Uint8Array.of(seq),
  ...extra,
});
/** A lock as it is asked for, all fields there. */
const ACQUIRED = {
  lockId: "l1",
  paths: ["/a~1b", "@page/🙂"],
  mode: "exclusive",
  ttlMs: 30_000,
  purpose: 'rewriting "it"',
} as const;
const LOCK_EVENTS: readonly LockEvent[] = [
  { op: "acquire", ...ACQUIRED },
  { op: "acquire", lockId: "l2", paths: [""], mode: "shared", ttlMs: 1000 },
  { op: "renew", lockId: "l1", ttlMs: 60_000 },
  { op: "release", lockId: "l1" },
  { op: "expire", lockId: "l2" },
];
const lockEntryOf = (n: number, lock: LockEvent): NewEntry =>
  entryOf(n, { kind: "lock", origin: "server", update: Uint8Array.of(0, 0), lock });
const seqsOf = (entries: readonly LogEntry[]): number[] => entries.map(({ seq }) => seq);

export function testPast({ log, reopen }: LogUnderTest): void {
  const createPlan = (): Promise<unknown> => log().create(metaOf("plan"), emptyCheckpoint());
  /** Each in a commit, and so in a run, of its own. */
  const appendEach = async (from: number, to: number): Promise<void> => {
    for (let n = from; n <= to; n++) await log().append(plan, { seq: n - 1 }, [entryOf(n)]);
  };
  const checkpointsNow = async (): Promise<string[]> =>
    (await log().checkpoints(plan)).map(({ seq, isKept }) => `${seq}${isKept ? " kept" : ""}`);
  const record = (key: string, n: number | null): RecordWrite => ({
    collection: "conflicts",
    key,
    value: n === null ? null : { n },
  });

  test("[LOG-16] a context begins its first epoch when it is made; its salt is that of its checkpoint", async () => {
    expect(await log().create(metaOf("plan"), emptyCheckpoint())).toMatchObject({
      meta: { epoch: 1, firstEpoch: 1, authorSalt: SALT },
    });
    await log().append(plan, { seq: 0 }, [epochOf(1, 5)]);
    await log().remove(plan);
    expect(await log().create(metaOf("plan"), emptyCheckpoint())).toMatchObject({ meta: { epoch: 3, firstEpoch: 3 } });
    expect((await log().load(plan))?.meta).toEqual({ ...metaOf("plan"), epoch: 3, firstEpoch: 3 });
  });

  test("[LOG-16] an epoch entry takes no version, begins an epoch with its salt, and alters admission", async () => {
    await createPlan();
    await appendEach(1, 1);
    const entries = [entryOf(2), epochOf(3, 77, { message: "smaller" }), entryOf(4)];
    const appending = log().append(plan, { lockSeq: 0 }, entries);
    expect((await log().summary(plan))?.meta).toMatchObject({ epoch: 2, firstEpoch: 1, authorSalt: 77 });
    expect(await appending).toMatchObject({
      entries: [
        { seq: 2, version: 2 },
        { seq: 3, version: 2 },
        { seq: 4, version: 3 },
      ],
    });
    expect(await log().append(plan, { lockSeq: 0 }, [entryOf(5)])).toMatchObject({
      kind: "conflict",
      head: { lockSeq: 3 },
    });
    expect(await log().append(plan, { lockSeq: 3 }, [entryOf(5)])).toMatchObject({ kind: "appended" });
    await reopen();
    const stored = await log().load(plan);
    expect(stored?.meta).toEqual({ ...metaOf("plan"), epoch: 2, firstEpoch: 1, authorSalt: 77 });
    expect(stored?.head).toMatchObject({ seq: 5, version: 4, lockSeq: 3 });
    expect(stored?.tail[2]).toEqual({ ...epochOf(3, 77, { message: "smaller" }), seq: 3, version: 2 });
    expect((await log().list(undefined, 1))[0]?.meta.epoch).toBe(2);
  });

  test("[LOG-20] what happens to locks takes no version, alters admission, and is there after a reopen, field by field", async () => {
    await createPlan();
    const entries = LOCK_EVENTS.map((lock, n) => lockEntryOf(n + 2, lock));
    await log().append(plan, { lockSeq: 0 }, [entryOf(1), ...entries, entryOf(7), entryOf(8, { kind: "void" })]);
    expect(await log().append(plan, { lockSeq: 5 }, [entryOf(9)])).toMatchObject({ kind: "conflict" });
    await reopen();
    const stored = await log().load(plan);
    // locks and voids do not make a context newer
    expect(stored?.head).toEqual({ seq: 8, version: 2, lockSeq: 6, updatedAtMs: entryOf(7).atMs });
    expect(stored?.tail.slice(1, 6)).toEqual(entries.map((entry, n) => ({ ...entry, seq: n + 2, version: 1 })));
    expect(await log().append(plan, { lockSeq: 6 }, [entryOf(9)])).toMatchObject({ kind: "appended" });
  });

  test("[LOG-21] new metadata takes no version, alters admission, and is there after a reopen, field by field", async () => {
    await createPlan();
    const acl: Acl = { grants: [{ principal: "zoë", role: "writer", paths: ["/a~1b", "@page"] }] };
    const entry = entryOf(2, { kind: "meta", paths: [], update: Uint8Array.of(0, 0), meta: { acl } });
    await log().append(plan, { lockSeq: 0 }, [entryOf(1), entry, entryOf(3)]);
    expect(await log().append(plan, { lockSeq: 0 }, [entryOf(4)])).toMatchObject({ kind: "conflict" });
    await log().writeCheckpoint(plan, { ...emptyCheckpoint(), seq: 3, version: 2 });
    await reopen();
    const stored = await log().load(plan);
    expect(stored?.head).toEqual({ seq: 3, version: 2, lockSeq: 2, updatedAtMs: entryOf(3).atMs });
    expect(stored?.meta).toEqual({ ...metaOf("plan"), epoch: 1, firstEpoch: 1, acl });
    expect((await log().list(undefined, 1))[0]?.meta.acl).toEqual(acl);
    expect((await log().read(plan, 1, 1))[0]).toEqual({ ...entry, seq: 2, version: 1 });
    await log().append(plan, { seq: 3 }, [epochOf(4, 7)]);
    expect((await log().summary(plan))?.meta.acl).toEqual(acl);
  });

  test("[LOG-20] the locks of a checkpoint are there after a reopen, and in a kept one too", async () => {
    await createPlan();
    await appendEach(1, 3);
    const locks: readonly Lock[] = [
      { ...ACQUIRED, holder: alice, fencingToken: 1, grantedAtMs: 2_001 },
      { lockId: "l2", paths: [""], mode: "shared", ttlMs: 600_000, holder: bob, fencingToken: 2, grantedAtMs: 2_002 },
    ];
    await log().writeCheckpoint(plan, checkpointAt(2, { locks }), { isKept: true });
    await log().writeCheckpoint(plan, checkpointAt(3, { locks: locks.slice(1) }));
    await reopen();
    expect((await log().load(plan))?.checkpoint.locks).toEqual(locks.slice(1));
    expect((await log().checkpointBefore(plan, 2))?.locks).toEqual(locks);
    expect((await log().checkpointBefore(plan, 1))?.locks).toEqual([]);
  });

  test("[LOG-18] the voids of a checkpoint are there after a reopen, and none where there are none", async () => {
    await createPlan();
    await appendEach(1, 2);
    const voids = [
      [7, 0],
      [4_294_967_295, 300],
    ] as const;
    await log().writeCheckpoint(plan, checkpointAt(1, { voids }), { isKept: true });
    await log().writeCheckpoint(plan, checkpointAt(2));
    await reopen();
    expect((await log().checkpointBefore(plan, 1))?.voids).toEqual(voids);
    expect((await log().load(plan))?.checkpoint.voids).toBeUndefined();
  });

  test("[LOG-1] the conflict that a change resolves is there after a reopen", async () => {
    await createPlan();
    const entry = entryOf(1, { origin: "resolver", resolves: "17.0", message: "ours" });
    await log().append(plan, { seq: 0 }, [entry]);
    await reopen();
    expect(await log().read(plan, 0, 1)).toEqual([{ ...entry, seq: 1, version: 1 }]);
  });

  test("[LOG-17] records become durable with the entries they tell of, under the places these got", async () => {
    await createPlan();
    await appendEach(1, 1);
    const records = (placed: readonly LogEntry[]): RecordWrite[] =>
      placed.map(({ seq, version }) => record(`${seq}.0`, version));
    const appending = log().append(plan, { seq: 1 }, [entryOf(2), entryOf(3, { kind: "void" })], { records });
    expect(await log().readRecord(plan, "conflicts", "2.0")).toEqual({ n: 2 });
    await appending;
    expect(await log().append(plan, { seq: 1 }, [entryOf(9)], { records })).toMatchObject({ kind: "conflict" });
    await reopen();
    expect(await log().listRecords(plan, "conflicts", { limit: 10 })).toEqual([
      { key: "2.0", value: { n: 2 } },
      { key: "3.0", value: { n: 2 } },
    ]);
  });

  test("[LOG-17] records are read by key, and listed in order of key in pages, either way", async () => {
    await createPlan();
    const keys = ["b", "a", "ä", "a\0", "🙂", "B", "aa", "x".repeat(256)];
    await log().writeRecords(
      plan,
      keys.map((key, n) => record(key, n)),
    );
    await log().writeRecords(plan, [{ collection: "types", key: "a", value: { deep: [{ $: null }, "🙂", -0.5] } }]);
    const ordered = ["B", "a", "a\0", "aa", "b", "x".repeat(256), "ä", "🙂"];
    const list = async (query: Parameters<ChangeLog["listRecords"]>[2]): Promise<string[]> =>
      (await log().listRecords(plan, "conflicts", query)).map(({ key }) => key);
    expect(await list({ limit: 100 })).toEqual(ordered);
    expect(await list({ limit: 3 })).toEqual(ordered.slice(0, 3));
    expect(await list({ after: "a", limit: 2 })).toEqual(["a\0", "aa"]);
    expect(await list({ after: "🙂", limit: 2 })).toEqual([]);
    expect(await list({ limit: 3, reverse: true })).toEqual(ordered.toReversed().slice(0, 3));
    expect(await list({ after: "aa", limit: 5, reverse: true })).toEqual(["a\0", "a", "B"]);
    expect(await log().readRecord(plan, "types", "a")).toEqual({ deep: [{ $: null }, "🙂", -0.5] });
    expect(await log().readRecord(plan, "client-ids", "a")).toBeUndefined();
    await log().writeRecords(plan, [record("a", null), record("aa", 70), record("nothing", null)]);
    expect(await list({ limit: 3 })).toEqual(["B", "a\0", "aa"]);
    expect(await log().readRecord(plan, "conflicts", "aa")).toEqual({ n: 70 });
  });

  test("[LOG-17] a context's records go with it; the server's are its own and stay", async () => {
    await createPlan();
    await log().create(metaOf("other"), emptyCheckpoint());
    await Promise.all([
      log().writeRecords(undefined, [record("k", 0)]),
      log().writeRecords(plan, [record("k", 1)]),
      log().writeRecords(idOf("other"), [record("k", 2)]),
    ]);
    await log().remove(plan);
    expect(await log().readRecord(plan, "conflicts", "k")).toBeUndefined();
    expect(await log().listRecords(plan, "conflicts", { limit: 5 })).toEqual([]);
    await expect(log().writeRecords(plan, [record("k", 3)])).rejects.toMatchObject({ code: "CONTEXT_NOT_FOUND" });
    await createPlan();
    await reopen();
    expect(await log().readRecord(plan, "conflicts", "k")).toBeUndefined();
    expect(await log().readRecord(idOf("other"), "conflicts", "k")).toEqual({ n: 2 });
    const writing = log().writeRecords(undefined, [record("l", 4)]);
    expect(await log().listRecords(undefined, "conflicts", { limit: 5 })).toEqual([
      { key: "k", value: { n: 0 } },
      { key: "l", value: { n: 4 } },
    ]);
    await writing;
  });

  test("[LOG-4] a request that changed nothing is remembered like one that did, and forgotten like it", async () => {
    await createPlan();
    const remembered = { key: "k", fingerprint: "f", version: 0, seq: 0, paths: [], atMs: 2_000 };
    await log().recordIdempotent(plan, remembered);
    await reopen();
    expect(await log().findIdempotent(plan, "k", 2_000)).toEqual(remembered);
    expect(await log().forgetIdempotent(2_001)).toBe(1);
    expect(await log().findIdempotent(plan, "k", 0)).toBeUndefined();
    await expect(log().recordIdempotent(idOf("other"), remembered)).rejects.toMatchObject({
      code: "CONTEXT_NOT_FOUND",
    });
  });

  test("[LOG-18] a kept checkpoint stays beside newer ones until it is released", async () => {
    await createPlan();
    await appendEach(1, 6);
    await log().writeCheckpoint(plan, checkpointAt(4));
    const names = { isKept: true, records: [record("two", 2)] };
    await log().writeCheckpoint(plan, checkpointAt(2, { retired: [8, 9] }), names);
    await log().writeCheckpoint(plan, checkpointAt(4, { state: Uint8Array.of(99) }), { isKept: true });
    await log().writeCheckpoint(plan, checkpointAt(3));
    await log().writeCheckpoint(plan, checkpointAt(6));
    await reopen();
    expect(await checkpointsNow()).toEqual(["0", "2 kept", "4 kept", "6"]);
    expect(await log().readRecord(plan, "conflicts", "two")).toEqual({ n: 2 });
    expect(await log().checkpointBefore(plan, 3)).toEqual(checkpointAt(2, { retired: [8, 9] }));
    expect(await log().checkpointBefore(plan, 5)).toEqual(checkpointAt(4)); // written again it is the same
    expect((await log().checkpointBefore(plan, Infinity))?.seq).toBe(6);
    expect((await log().checkpointBefore(plan, 1))?.seq).toBe(0);

    await log().releaseCheckpoint(plan, 2, [record("two", null)]);
    await log().releaseCheckpoint(plan, 3);
    await log().releaseCheckpoint(plan, 0);
    expect(await checkpointsNow()).toEqual(["0", "4 kept", "6"]);
    expect(await log().readRecord(plan, "conflicts", "two")).toBeUndefined();
    await log().writeCheckpoint(plan, checkpointAt(6), { isKept: true });
    await log().releaseCheckpoint(plan, 6);
    expect(await checkpointsNow()).toEqual(["0", "4 kept", "6"]);
    expect((await log().load(plan))?.checkpoint.seq).toBe(6);
    expect(await log().checkpoints(idOf("other"))).toEqual([]);
    expect(await log().checkpointBefore(idOf("other"), 5)).toBeUndefined();
  });

  test("[LOG-18] a checkpoint that is there tells its place and about how large it is", async () => {
    await createPlan();
    await log().append(plan, { seq: 0 }, [entryOf(1), entryOf(2, { kind: "void" })]);
    await log().writeCheckpoint(plan, checkpointAt(2, { version: 1, state: new Uint8Array(1_000) }));
    const [, info] = await log().checkpoints(plan);
    expect(info).toMatchObject({ seq: 2, version: 1, isKept: false });
    expect(Math.floor((info?.bytes ?? 0) / 100)).toBe(10);
    expect((await log().load(plan))?.size.bytes).toBeGreaterThan(1_000);
  });

  test("[LOG-19] a trim moves the base: the log is whole after it, and what was before is gone", async () => {
    await createPlan();
    await appendEach(1, 10);
    await log().writeCheckpoint(plan, checkpointAt(2), { isKept: true });
    await log().writeCheckpoint(plan, checkpointAt(8));
    const before = await log().load(plan);
    await log().trim(plan, checkpointAt(5, { state: Uint8Array.of(55) }));
    await log().trim(plan, checkpointAt(4)); // it never goes back
    await reopen();
    expect(await checkpointsNow()).toEqual(["2 kept", "5", "8"]);
    expect(seqsOf(await log().read(plan, 0, 100))).toEqual([6, 7, 8, 9, 10]);
    expect(seqsOf(await log().read(plan, 7, 2))).toEqual([8, 9]);
    expect(seqsOf(await log().readBackwards(plan, Infinity, 100))).toEqual([10, 9, 8, 7, 6]);
    expect(seqsOf(await log().readBackwards(plan, 6, 100))).toEqual([]);
    expect((await log().checkpointBefore(plan, 5))?.state).toEqual(Uint8Array.of(55));
    const after = await log().load(plan);
    expect(after).toEqual({ ...before, size: after?.size });
    expect(after?.size).toMatchObject({ baseSeq: 5, baseVersion: 5 });
    expect(after?.size.logBytes).toBe(Math.round((before?.size.logBytes ?? 0) / 2)); // the first run names its actor
    expect(await log().bytesOnDisk(plan)).toBe(after?.size.bytes);
    const appended = await log().append(plan, { seq: 10 }, [entryOf(11)]);
    expect(appended).toMatchObject({ tail: { entries: 3 }, size: { baseSeq: 5, baseVersion: 5 } });
  });

  test("[LOG-19] entries before the base are not read, whichever run they lie in", async () => {
    await createPlan();
    await appendEach(1, 1);
    await log().append(
      plan,
      { seq: 1 },
      [2, 3, 4, 5].map((n) => entryOf(n)),
    );
    await log().writeCheckpoint(plan, checkpointAt(4));
    await log().trim(plan, checkpointAt(3));
    await reopen();
    expect(seqsOf(await log().read(plan, 0, 100))).toEqual([4, 5]);
    expect(seqsOf(await log().readBackwards(plan, Infinity, 100))).toEqual([5, 4]);
    await log().writeCheckpoint(plan, checkpointAt(5));
    await log().trim(plan, checkpointAt(5)); // to the very end
    expect(await log().read(plan, 0, 100)).toEqual([]);
    expect((await log().load(plan))?.size).toMatchObject({ logBytes: 0, baseSeq: 5, baseVersion: 5 });
    expect(await log().append(plan, { seq: 5 }, [entryOf(6)])).toMatchObject({ entries: [{ seq: 6, version: 6 }] });
    expect(seqsOf(await log().read(plan, 0, 100))).toEqual([6]);
  });

  test("[LOG-19] what was made of a deleted context does not get into its successor", async () => {
    await createPlan();
    await appendEach(1, 3);
    await log().remove(plan);
    await createPlan();
    await appendEach(1, 5);
    await log().writeCheckpoint(plan, checkpointAt(4, { firstEpoch: 2 }));
    await log().writeCheckpoint(plan, checkpointAt(5));
    await log().writeCheckpoint(plan, checkpointAt(3), { isKept: true, records: [record("three", 3)] });
    await log().trim(plan, checkpointAt(3));
    expect(await checkpointsNow()).toEqual(["0", "4"]);
    expect(await log().readRecord(plan, "conflicts", "three")).toBeUndefined();
    expect(await log().checkpointBefore(plan, 4)).toEqual(checkpointAt(4, { firstEpoch: 2 }));
  });

  test("[LOG-19] trims of a context, appends and its deletion at the same time keep their order", async () => {
    await createPlan();
    await appendEach(1, 20);
    await log().writeCheckpoint(plan, checkpointAt(20));
    await Promise.all([
      log().trim(plan, checkpointAt(5)),
      log().append(plan, { seq: 20 }, [entryOf(21)]),
      log().trim(plan, checkpointAt(12)),
      log().append(plan, { seq: 21 }, [entryOf(22)]),
    ]);
    expect(seqsOf(await log().read(plan, 0, 100))).toEqual([13, 14, 15, 16, 17, 18, 19, 20, 21, 22]);
    await Promise.all([log().trim(plan, checkpointAt(15)), log().remove(plan), createPlan()]);
    await log().trim(idOf("other"), checkpointAt(1));
    expect((await log().load(plan))?.size).toMatchObject({ logBytes: 0, baseSeq: 0 });
    expect(await checkpointsNow()).toEqual(["0"]);
  });
}

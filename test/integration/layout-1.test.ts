/** A data folder of layout 1 (test/fixtures/layout-1) opens, keeps all it holds, and is layout 2 from then on. */
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { ChangeLog } from "../../server/storage/change-log.ts";
import { LevelChangeLog } from "../../server/storage/log/level-change-log.ts";
import { FORMAT_KEY } from "../../server/storage/log/log-keys.ts";
import { decodeNumber } from "../../server/storage/log/record-codec.ts";
import { LevelStore } from "../../server/storage/store/level-store.ts";
import { alice, bob, emptyCheckpoint, epochOf, idOf, metaOf, Typist } from "../support/log-fixtures.ts";

const plan = idOf("plan");
let folder: string;
let log: ChangeLog;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "mcm-layout-1-"));
  await cp(join(import.meta.dirname, "../fixtures/layout-1"), folder, { recursive: true });
  await rm(join(folder, "README.md"));
  log = new LevelChangeLog({ folder });
  await log.open();
});
afterEach(async () => {
  await log.close();
  await rm(folder, { recursive: true, force: true });
});

async function reopen(): Promise<void> {
  await log.close();
  log = new LevelChangeLog({ folder });
  await log.open();
}

const meta = { ...metaOf("plan"), epoch: 1, firstEpoch: 1, authorSalt: 0 };

test("[STORE-12] all that a folder of layout 1 holds is there", async () => {
  expect(log.nodeClientId).toBe(77);
  const stored = await log.load(plan);
  expect(stored).toMatchObject({ meta, head: { seq: 4, version: 4, lockSeq: 0, updatedAtMs: 2_000 } });
  expect(stored?.checkpoint).toMatchObject({ seq: 3, version: 3, retired: [], authorSalt: 0, firstEpoch: 1 });
  expect(new Map(stored?.checkpoint.owners)).toEqual(new Map([[5, alice]]));
  expect(new Typist(1).follow(stored).text).toBe("one two three four");
  const entries = await log.read(plan, 0, 10);
  expect(entries.map(({ version, actor, message, origin }) => [version, actor, message, origin])).toEqual([
    [1, alice, undefined, "sync"],
    [2, bob, "a second word", "rest"],
    [3, alice, undefined, "sync"],
    [4, alice, undefined, "sync"],
  ]);
  expect(await log.findIdempotent(plan, "k", 0)).toMatchObject({ fingerprint: "f", version: 3 });
  expect((await log.list(undefined, 10)).map(({ meta: { id } }) => id)).toEqual(["fresh", "plan"]);
  expect(await log.create(metaOf("gone"), emptyCheckpoint())).toMatchObject({ meta: { epoch: 2, firstEpoch: 2 } });
});

test("[STORE-12] its contexts go on like any other: history, kept checkpoints, epochs, trims", async () => {
  expect((await log.checkpoints(plan)).map(({ seq, version }) => [seq, version])).toEqual([
    [0, 0],
    [3, 3],
  ]);
  expect((await log.checkpointBefore(plan, 2))?.seq).toBe(0);
  const before = (await log.load(plan))?.size;
  expect(before).toMatchObject({ baseSeq: 0, baseVersion: 0 });
  await log.append(plan, { seq: 4 }, [epochOf(5, 9)]);
  const third = await log.checkpointBefore(plan, 3);
  if (third === undefined) throw new Error("no checkpoint");
  await log.writeCheckpoint(plan, third, { isKept: true });
  await log.trim(plan, third);
  await reopen();
  const after = await log.load(plan);
  expect(after?.meta).toEqual({ ...meta, epoch: 2, authorSalt: 9 });
  expect(after?.size).toMatchObject({ baseSeq: 3, baseVersion: 3 });
  expect(after?.size.logBytes).toBeLessThan(before?.logBytes ?? 0);
  expect((await log.checkpoints(plan)).map(({ seq, isKept }) => [seq, isKept])).toEqual([[3, true]]);
  expect((await log.read(plan, 0, 10)).map(({ seq, kind }) => [seq, kind])).toEqual([
    [4, "change"],
    [5, "epoch"],
  ]);
});

test("[STORE-12] once opened the folder is layout 2, which a program of layout 1 refuses", async () => {
  await log.close();
  const store = new LevelStore(folder);
  await store.open();
  const value = await store.view((view) => view.get(FORMAT_KEY));
  await store.close();
  expect(decodeNumber({ key: FORMAT_KEY, value: value ?? new Uint8Array(), name: "format" })).toBe(2);
});

/** A file system that is really full: refused writes, recovery without a restart, nothing acknowledged is lost. Needs root on Linux. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { rm, statfs, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { systemClock } from "../../server/clock.ts";
import { LevelChangeLog } from "../../server/storage/log/level-change-log.ts";
import { InlineCheckpointBuilder } from "../../server/storage/checkpoint/checkpoint.ts";
import { StorageManager } from "../../server/storage/storage-manager.ts";
import { emptyCheckpoint, entryOf, idOf, metaOf, numberIn } from "../support/log-fixtures.ts";

const plan = idOf("plan");
const mountPoint = mkdtempSync(join(tmpdir(), "mcm-full-"));
const isMounted = mountSmall();

/** False where mounting is not permitted. */
function mountSmall(): boolean {
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", mountPoint], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

afterAll(() => {
  if (isMounted) execFileSync("umount", ["-l", mountPoint]);
  rmSync(mountPoint, { recursive: true, force: true });
});

async function freeBytes(): Promise<number> {
  const { bavail, bsize } = await statfs(mountPoint);
  return bavail * bsize;
}

test("[STORE-8] disk full: writes are refused, space brings them back without a restart, every acknowledged one is there", async (context) => {
  if (!isMounted) context.skip("a small file system cannot be mounted here: run as root on Linux");
  const folder = join(mountPoint, "log");
  const ballast = join(mountPoint, "ballast");
  await writeFile(ballast, Buffer.alloc(2_000_000));
  const storage = new StorageManager({
    log: new LevelChangeLog({ folder }),
    clock: systemClock,
    checkpoints: new InlineCheckpointBuilder(),
  });
  const failures: (readonly string[])[] = [];
  const recovered = new Promise<void>((resolve) => void storage.onRecovered(resolve));
  storage.onFailure((affected) => void failures.push(affected));
  await storage.start();
  await storage.create(metaOf("plan"), emptyCheckpoint());

  const acked: number[] = [];
  const append = async (n: number): Promise<void> => {
    const update = new Uint8Array(20_000).fill(n);
    new DataView(update.buffer).setUint32(0, n);
    const result = await storage.append(plan, { lockSeq: 0 }, [entryOf(n, { update })]);
    expect(result.kind).toBe("appended");
    acked.push(n);
  };
  let n = 0;
  const fill = async (): Promise<void> => {
    while (n < 400) await append(++n);
  };
  await expect(fill()).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  expect(acked.length).toBeGreaterThan(10);
  expect(failures).toEqual([["plan"]]);
  expect(storage.status()).toMatchObject({ available: false, lastError: expect.stringMatching(/space/i) });
  await expect(storage.load(plan)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  expect(await freeBytes()).toBeLessThan(100_000);

  await rm(ballast);
  await recovered;
  expect(storage.status().available).toBe(true);
  const before = (await storage.read(plan, 0, Infinity)).map(({ update }) => numberIn(update));
  expect(before).toEqual(expect.arrayContaining(acked));
  await storage.load(plan); // LOG-5: whoever was refused loads again
  await append(++n);
  await storage.close();

  const log = new LevelChangeLog({ folder });
  await log.open();
  expect((await log.read(plan, 0, Infinity)).map(({ update }) => numberIn(update))).toEqual([...before, n]);
  expect((await log.load(plan))?.head.seq).toBe(before.length + 1);
  await log.close();
});

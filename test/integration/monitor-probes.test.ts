/** What the process and the disk say of themselves. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { DiskProbe } from "../../server/monitor/disk-probe.ts";
import { OwnProcess } from "../../server/monitor/process-watch.ts";
import { holdEventLoop, turning } from "../support/event-loop.ts";

describe("this process", () => {
  test("[MON-9] tells memory, CPU and how long the event loop was held", async () => {
    const watch = new OwnProcess();
    watch.start();
    // the timer that notices must have rung before, and must ring after
    await turning(60);
    watch.take(performance.now());
    holdEventLoop(300);
    await turning(60);
    const vitals = watch.take(performance.now());
    // also when the block begins right after a reading, or a reading is taken right after the block
    expect(vitals.eventLoopDelayMsMax).toBeGreaterThan(200);
    holdEventLoop(600);
    watch.take(performance.now());
    await turning(60);
    expect(watch.take(performance.now()).eventLoopDelayMsMax).toBeGreaterThan(500);
    watch.stop();
    expect(vitals.heapUsedBytes).toBeLessThan(vitals.heapLimitBytes);
    expect(vitals.rssBytes).toBeLessThan(vitals.memoryLimitBytes);
    expect(vitals.cpuShare).toBeGreaterThan(0.01); // a busy machine gives little of it
    expect(vitals.eventLoopBusyShare).toBeGreaterThan(0.1);
    expect(watch.cpuMs()).toBeGreaterThan(0);
    expect([...watch.resources().keys()].length).toBeGreaterThan(0);
  });
});

describe("the disk", () => {
  const folder = mkdtempSync(join(tmpdir(), "mcm-probe-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("[MON-9] tells its room, and the folder's size once a minute", async () => {
    let nowMs = 1_000_000;
    const probe = new DiskProbe(folder, () => nowMs);
    mkdirSync(join(folder, "log"));
    writeFileSync(join(folder, "log/000001.log"), "x".repeat(1000));
    writeFileSync(join(folder, "LOCK"), "");
    const first = await probe.look();
    expect([first.folderBytes, first.freeBytes > 0, first.freeBytes <= first.totalBytes]).toEqual([1000, true, true]);
    writeFileSync(join(folder, "log/000002.log"), "x".repeat(500));
    nowMs += 59_999;
    expect((await probe.look()).folderBytes).toBe(1000);
    nowMs += 1;
    expect((await probe.look()).folderBytes).toBe(1500);
  });

  test("[MON-9] a folder that is not there is an error, not an empty disk", async () => {
    await expect(new DiskProbe(join(folder, "none"), () => 0).look()).rejects.toMatchObject({ code: "ENOENT" });
  });
});

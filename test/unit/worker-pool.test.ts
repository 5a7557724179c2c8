/** Functions on worker threads: answers, errors, and a thread that dies. */
import { getPriority } from "node:os";
import { threadId } from "node:worker_threads";
import { afterEach, expect, test } from "vitest";
import { WorkerPool } from "../../server/worker-pool.ts";
import type * as worker from "../support/doomed-worker.ts";

const open: WorkerPool<typeof worker>[] = [];
afterEach(() => Promise.all(open.splice(0).map((pool) => pool.close())));

function newPool(isBackground = false): WorkerPool<typeof worker> {
  const options = { name: "doomed", threads: 1, isBackground };
  const pool = new WorkerPool<typeof worker>(new URL("../support/doomed-worker", import.meta.url), options);
  open.push(pool);
  return pool;
}

test("a function runs on another thread and answers; what it throws is thrown", async () => {
  const pool = newPool();
  const [first, second] = await Promise.all([pool.run("double", { n: 4 }), pool.run("double", { n: 5 })]);
  expect([first.twice, second.twice]).toEqual([8, 10]);
  expect(first.threadId).not.toBe(threadId);
  expect(second.threadId).toBe(first.threadId);
  await expect(pool.run("fail", { why: "for a test" })).rejects.toThrow("for a test");
});

test("[CKPT-5] a thread that dies rejects what runs and what waits; the next call starts anew", async () => {
  const pool = newPool();
  const results = await Promise.allSettled([pool.run("die", undefined), pool.run("double", { n: 1 })]);
  expect(results.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  expect((await pool.run("double", { n: 2 })).twice).toBe(4);
});

test("a closed pool rejects what waits and takes nothing more", async () => {
  const pool = newPool();
  const stopping = expect.objectContaining({ code: "SHUTTING_DOWN" });
  const [waiting] = await Promise.allSettled([pool.run("double", { n: 1 }), pool.close()]);
  expect(waiting).toEqual({ status: "rejected", reason: stopping });
  await expect(pool.run("double", { n: 2 })).rejects.toEqual(stopping);
});

test.runIf(process.platform === "linux")("threads in the background step back, and they alone", async () => {
  const here = getPriority();
  expect(await newPool().run("niceness", undefined)).toBe(here);
  expect(await newPool(true).run("niceness", undefined)).toBe(19);
  expect(getPriority()).toBe(here);
});

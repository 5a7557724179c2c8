/** A server process that is told to stop, under load and on disks that fail: rules CTX-6 and CLI-13. */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { LIMITS } from "../../shared/limits.ts";
import { verifyFolder } from "../../server/storage/verify/verify-folder.ts";
import { RestCaller, RestRefusal } from "../support/rest-caller.ts";
import { startTestServer } from "../support/running-server.ts";
import { ServerProcess } from "../support/server-process.ts";
import { openStockClient } from "../support/stock-client.ts";

const FAILING_DISK = new URL("failing-disk.mjs", import.meta.url).href;
const WRITERS = 8;

let base: string;
let server: ServerProcess;
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), "mcm-stopping-"));
});
afterEach(async () => {
  await server.kill();
  await rm(base, { recursive: true, force: true });
});

const start = (disk = "sound", dataDir = join(base, "data")): Promise<ServerProcess> =>
  ServerProcess.start({
    dataDir,
    ...(disk === "sound" ? {} : { nodeFlags: ["--import", FAILING_DISK], environment: { MCM_TEST_DISK: disk } }),
  });

/** The last line that is not of the log, whose lines may come later. */
const lastWords = (): string | undefined => server.said.findLast((line) => !line.startsWith("{"));

/** Writers that write until the server is gone. */
class Writers {
  readonly acked = new Set<string>();
  readonly codes = new Set<string>();
  readonly gone: Promise<unknown>;
  #onAck = (): void => undefined;

  constructor(url: string) {
    this.gone = Promise.all(Array.from({ length: WRITERS }, (_, writer) => this.#write(url, writer)));
  }

  reached(count: number): Promise<void> {
    return new Promise((resolve) => {
      this.#onAck = () => {
        if (this.acked.size >= count) resolve();
      };
    });
  }

  async #write(url: string, writer: number): Promise<void> {
    const caller = new RestCaller(url, `w${writer}`);
    for (let n = 0; ; n++) {
      const key = `w${writer}-${n}`;
      try {
        await caller.change("plan", [{ op: "add", path: `/${key}`, value: n }], key);
      } catch (error) {
        this.codes.add(error instanceof RestRefusal ? String(error.code) : "gone");
        return;
      }
      this.acked.add(key);
      this.#onAck();
    }
  }
}

/** A server that starts on the folder has it all. */
async function expectAllThere(acked: ReadonlySet<string>, dataDir = join(base, "data")): Promise<void> {
  const next = await startTestServer(dataDir);
  const { data } = await new RestCaller(next.url, "judge").read("plan");
  await next.close();
  expect([...acked].filter((key) => !Object.hasOwn(data as object, key))).toEqual([]);
}

async function underLoad(disk?: string): Promise<Writers> {
  server = await start(disk);
  await new RestCaller(server.url, "creator").create("plan", {});
  const writers = new Writers(server.url);
  await writers.reached(40);
  return writers;
}

test("[CTX-6] [STOP-1] SIGTERM under load: everybody is told to come again, what was admitted is written, exit code 0", async () => {
  const writers = await underLoad();
  const stock = openStockClient({ url: server.url, contextId: "plan", actor: "ada" });
  await stock.synced();
  const closed = new Promise((resolve) => stock.provider.once("connection-close", (event) => resolve(event?.code)));
  stock.provider.shouldReconnect = () => false;
  const feed = await fetch(`${server.url}/v1/contexts/plan/changes`, { headers: { accept: "text/event-stream" } });
  const text = feed.text();
  stock.doc.getMap("data").set("typed", "just before");
  const startedAt = performance.now();
  expect(await server.stop()).toBe(0);
  expect(performance.now() - startedAt).toBeLessThan(LIMITS.stopMsMax);
  expect(await closed).toBe(4503);
  expect(await text).toContain("SHUTTING_DOWN");
  stock.close();
  await writers.gone;
  expect([...writers.codes].filter((code) => code !== "SHUTTING_DOWN" && code !== "gone")).toEqual([]);
  await expectAllThere(writers.acked);
});

test("[STOP-1] a disk that fails while it stops: exit code 1 with the reason; what was acknowledged is there", async () => {
  const writers = await underLoad("fails");
  expect(await server.stop()).toBe(1);
  expect(lastWords()).toMatch(
    /^error: The server has stopped, but not all that it had admitted is on the disk: IO error: No space left on device\. What was acknowledged is\.$/,
  );
  await writers.gone;
  await expectAllThere(writers.acked);
});

test("[STOP-1] a disk that is full when it is told to stop: the same, on a real one", async (context) => {
  const small = join(base, "small");
  await mkdir(small);
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=8m", "tmpfs", small], { stdio: "ignore" });
  } catch {
    context.skip("a small file system cannot be mounted here: run as root on Linux");
  }
  try {
    server = await start("sound", join(small, "data"));
    await new RestCaller(server.url, "creator").create("plan", {});
    const writers = new Writers(server.url);
    await writers.reached(40);
    // writers end at the first refusal, which is the disk's
    await writeFile(join(small, "ballast"), Buffer.alloc(8 * 1024 * 1024)).catch(() => undefined);
    await writers.gone;
    expect([...writers.codes]).toEqual(["STORE_UNAVAILABLE"]);
    expect(await server.stop()).toBe(1);
    expect(lastWords()).toMatch(/^error: .*No space left on device/);
    await rm(join(small, "ballast"));
    await expectAllThere(writers.acked, join(small, "data"));
  } finally {
    execFileSync("umount", ["-l", small]);
  }
});

test("[STOP-1] a disk that does not answer: the server ends itself in time, and says why", async () => {
  const writers = await underLoad("hangs");
  const startedAt = performance.now();
  expect(await server.stop()).toBeUndefined();
  expect(performance.now() - startedAt).toBeGreaterThan(LIMITS.stopMsMax - 500);
  expect(lastWords()).toMatch(/^The server did not stop within 9 s: the disk does not answer\./);
  await writers.gone;
  await expectAllThere(writers.acked);
});

test("[STOP-1] a second signal ends it at once", async () => {
  const writers = await underLoad("hangs");
  const startedAt = performance.now();
  const stopped = server.stop();
  await server.saying("Stopping …");
  server.signal("SIGTERM");
  expect(await stopped).toBeUndefined();
  expect(performance.now() - startedAt).toBeLessThan(LIMITS.stopMsMax - 1000);
  expect(lastWords()).toMatch(/^Ended by a second signal/);
  await writers.gone;
  await expectAllThere(writers.acked);
});

test("[STOP-1] a backup under way does not hold it up; it ends as one that was cut short", async () => {
  server = await start();
  const creator = new RestCaller(server.url, "creator");
  // more than the buffers of both sockets hold, some 10 MB on Linux
  for (let n = 0; n < 32; n++) {
    await creator.create(`big-${n}`, { bytes: { $bytes: randomBytes(750_000).toString("base64") } });
  }
  // a client that takes the first piece, and then nothing
  const response = await fetch(`${server.url}/v1/backup`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: "{}",
  });
  const reader = response.body?.getReader();
  expect((await reader?.read())?.value?.length).toBeGreaterThan(0);
  const startedAt = performance.now();
  expect(await server.stop()).toBe(0);
  expect(performance.now() - startedAt).toBeLessThan(LIMITS.stopMsMax);
  await expect(
    (async () => {
      for (;;) if ((await reader?.read())?.done !== false) return "ended";
    })(),
  ).rejects.toThrow("terminated");
  expect(await verifyFolder(join(base, "data"))).toMatchObject({ isSound: true });
});

/** Backups that are cut short: rule DATA-3. */
import { execFileSync } from "node:child_process";
import { watch } from "node:fs";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { spawnCli } from "../support/cli-process.ts";
import { RestCaller } from "../support/rest-caller.ts";
import { ServerProcess } from "../support/server-process.ts";

let base: string;
let server: ServerProcess;
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), "mcm-backup-"));
  server = await ServerProcess.start({ dataDir: join(base, "data") });
});
afterEach(async () => {
  await server.kill();
  await rm(base, { recursive: true, force: true });
});

/** Content that cannot be packed: a backup of it takes a while. */
async function fill(url: string, megabytes: number): Promise<void> {
  for (let n = 0; n < megabytes; n++) {
    const bytes = Buffer.alloc(1_000_000);
    for (let at = 0; at < bytes.length; at += 4) bytes.writeUInt32LE(Math.floor(Math.random() * 2 ** 32), at);
    await new RestCaller(url, "creator").create(`big-${n}`, { bytes: { $bytes: bytes.toString("base64") } });
  }
}

test("[DATA-3] mcm backup killed with -9 at any moment leaves nothing that is taken for a backup; the next one begins anew", async () => {
  await fill(server.url, 12);
  const out = join(base, "backup");
  let cut = 0;
  for (const changes of [1, 2, 4, 6, 8, 10, 14]) {
    await mkdir(out, { recursive: true });
    const backup = spawnCli(["backup", "--url", server.url, "--out", out]);
    const watching = new AbortController();
    await Promise.race([backup.ended, changesIn(out, changes, watching.signal)]);
    backup.kill();
    const { code } = await backup.ended;
    watching.abort();
    if (code !== "SIGKILL") {
      // too late: it had ended
      await rm(out, { recursive: true });
      continue;
    }
    cut++;
    const { code: verified, err } = await spawnCli(["verify", out]).ended;
    expect([verified, err]).toEqual([5, expect.stringContaining("holds a backup that was cut short")]);
    const served = await spawnCli(["serve", "--port", "0", "--data-dir", out]).ended;
    expect([served.code, served.err]).toEqual([5, expect.stringContaining("holds a backup that was cut short")]);
  }
  expect(cut).toBeGreaterThan(2);
  expect(await spawnCli(["backup", "--url", server.url, "--out", out]).ended).toMatchObject({ code: 0 });
  expect(await spawnCli(["verify", out]).ended).toMatchObject({ code: 0 });
  expect(await spawnCli(["backup", "--url", server.url, "--out", out]).ended).toMatchObject({
    code: 3,
    err: expect.stringContaining("is not empty"),
  });
});

/** Resolves when so many things have happened in the folder or in its log. */
async function changesIn(folder: string, count: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    let left = count;
    const seen = (): void => {
      if (--left <= 0) resolve();
    };
    watch(folder, { signal, recursive: true }).on("change", seen);
    signal.addEventListener("abort", () => resolve());
  });
}

test("[DATA-3] a server that is killed while it is backed up: the command says so, and leaves an empty folder", async () => {
  await fill(server.url, 12);
  const out = join(base, "backup");
  await mkdir(out);
  const backup = spawnCli(["backup", "--url", server.url, "--out", out]);
  const watching = new AbortController();
  await changesIn(out, 3, watching.signal);
  await server.kill();
  const { code, err } = await backup.ended;
  watching.abort();
  expect([code, err]).toEqual([
    4,
    expect.stringContaining("The backup did not arrive whole: the connection was lost."),
  ]);
  expect(await readdir(out)).toEqual([]);
});

test("[DATA-3] a disk that is full leaves no backup either", async (context) => {
  const small = join(base, "small");
  await mkdir(small);
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=6m", "tmpfs", small], { stdio: "ignore" });
  } catch {
    context.skip("a small file system cannot be mounted here: run as root on Linux");
  }
  try {
    await fill(server.url, 12);
    const { code, err } = await spawnCli(["backup", "--url", server.url, "--out", join(small, "backup")]).ended;
    expect([code, err]).toEqual([1, expect.stringMatching(/No space left on device/)]);
    expect(await readdir(join(small, "backup"))).toEqual([]);
  } finally {
    execFileSync("umount", ["-l", small]);
  }
});

/** Backups that are cut short: rule DATA-3. */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { watch } from "node:fs";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { parseConfig } from "../../server/config.ts";
import { startServer } from "../../server/server.ts";
import { verifyFolder } from "../../server/storage/verify/verify-folder.ts";
import { spawnCli } from "../support/cli-process.ts";
import { RestCaller } from "../support/rest-caller.ts";
import { ServerProcess } from "../support/server-process.ts";

const MEGABYTES = 10;
/** After how many things that happened in its folder a backup is killed; as many again with MCM_FUZZ=2. */
const MOMENTS = [1, 2, 3, 5, 8].flatMap((changes) =>
  Array.from({ length: Number(process.env["MCM_FUZZ"] ?? 1) }, (_, n) => changes + n),
);
const CUT_SHORT = { code: "DATA_DAMAGED", message: expect.stringContaining("holds a backup that was cut short") };

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
    const bytes = randomBytes(1_000_000).toString("base64");
    await new RestCaller(url, "creator").create(`big-${n}`, { bytes: { $bytes: bytes } });
  }
}

test("[DATA-3] mcm backup killed with -9 at any moment leaves nothing that is taken for a backup; the next one begins anew", async () => {
  await fill(server.url, MEGABYTES);
  const out = join(base, "backup");
  let cut = 0;
  for (const changes of MOMENTS) {
    await mkdir(out, { recursive: true });
    const backup = spawnCli(["backup", "--url", server.url, "--out", out]);
    const watching = new AbortController();
    await Promise.race([backup.ended, changesIn(out, changes, watching.signal)]);
    backup.kill();
    const { code } = await backup.ended;
    watching.abort();
    if (code !== "SIGKILL" || !(await readdir(out)).includes("backup-incomplete")) {
      // too late: it was whole
      expect(await verifyFolder(out)).toMatchObject({ isSound: true, contexts: MEGABYTES });
      await rm(out, { recursive: true });
      continue;
    }
    cut++;
    await expect(verifyFolder(out)).rejects.toMatchObject(CUT_SHORT);
    await expect(startServer(parseConfig({ port: "0", dataDir: out }, {}))).rejects.toMatchObject(CUT_SHORT);
  }
  expect(cut).toBeGreaterThan(1);
  expect(await spawnCli(["backup", "--url", server.url, "--out", out]).ended).toMatchObject({ code: 0 });
  expect(await verifyFolder(out)).toMatchObject({ isSound: true, contexts: MEGABYTES });
  expect(await spawnCli(["backup", "--url", server.url, "--out", out]).ended).toMatchObject({
    code: 3,
    err: expect.stringContaining("is not empty"),
  });
});

/** Resolves when so many things have happened in the folder or in its log. Not a recursive watch, which throws when a folder goes. */
async function changesIn(folder: string, count: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    let left = count;
    const follow = (path: string): void => {
      try {
        watch(path, { signal })
          .on("change", (_event, name) => {
            if (path === folder && name === "log") follow(join(folder, "log"));
            if (--left <= 0) resolve();
          })
          .on("error", () => undefined);
      } catch {
        // it is not there any more
      }
    };
    follow(folder);
    signal.addEventListener("abort", () => resolve());
  });
}

test("[DATA-3] a server that is killed while it is backed up: the command says so, and leaves an empty folder", async () => {
  await fill(server.url, MEGABYTES);
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
    await fill(server.url, MEGABYTES);
    const { code, err } = await spawnCli(["backup", "--url", server.url, "--out", join(small, "backup")]).ended;
    expect([code, err]).toEqual([1, expect.stringMatching(/No space left on device/)]);
    expect(await readdir(join(small, "backup"))).toEqual([]);
  } finally {
    execFileSync("umount", ["-l", small]);
  }
});

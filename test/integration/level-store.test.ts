/** What only the real LevelDB can show: the lock of the folder, syncing, views, pages. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { LevelChangeLog } from "../../server/storage/log/level-change-log.ts";
import { LevelStore } from "../../server/storage/store/level-store.ts";
import type { StoreItem, StoreRange } from "../../server/storage/store/store.ts";

let folder: string;
let store: LevelStore;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "mcm-level-"));
  store = new LevelStore(join(folder, "new", "deep"));
  await store.open();
});
afterEach(async () => {
  await store.close();
  await rm(folder, { recursive: true, force: true });
});

const bytes = (text: string): Uint8Array => Buffer.from(text);
const put = (key: string, value = "v"): { type: "put"; key: Uint8Array; value: Uint8Array } => ({
  type: "put",
  key: bytes(key),
  value: bytes(value),
});

async function keysIn(range: StoreRange): Promise<string[]> {
  const items: StoreItem[] = [];
  await store.view(async (view) => {
    for await (const page of view.pages(range)) items.push(...page);
  });
  return items.map(([key]) => Buffer.from(key).toString());
}

test("[STORE-2] a second log on the folder, in this process or another, is DATA_DIR_LOCKED and does no harm", async () => {
  const second = new LevelChangeLog({ folder: store.location });
  await expect(second.open()).rejects.toMatchObject({
    code: "DATA_DIR_LOCKED",
    message: expect.stringContaining(store.location),
  });
  await second.close();
  await symlink(join(folder, "new"), join(folder, "link"));
  const other = new LevelStore(join(folder, "link", "deep"));
  await expect(other.open()).rejects.toMatchObject({ code: "DATA_DIR_LOCKED" });
  const script = `
    const { ClassicLevel } = await import("classic-level");
    const db = new ClassicLevel(process.argv[1]);
    await db.open().then(() => process.stdout.write("opened"), (error) => process.stdout.write(error.cause.code));`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script, store.location], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  await once(child, "close");
  expect(output).toBe("LEVEL_LOCKED");
  await store.batch([put("a")], { sync: true });
  expect(await keysIn({ gte: bytes("a"), lt: bytes("b") })).toEqual(["a"]);
});

/** Opens the folder, writes, and closes it, again and again until its stdin ends, as processes do that take it over from each other. */
const RESTLESS = `
  import { ClassicLevel } from "classic-level";
  let isOver = false;
  process.stdin.resume().on("end", () => (isOver = true));
  for (let turn = 0; turn < 2000 && !isOver; turn++) {
    const level = new ClassicLevel(process.argv[1]);
    await level.open().then(() => level.put(String(turn), "x".repeat(2000)), () => undefined);
    await level.close();
    if (turn === 0) console.log("at work");
  }
`;

test("[STORE-2] a folder that another process opens meanwhile is in use, and never damaged", async () => {
  const location = join(folder, "shared");
  const restless = spawn(process.execPath, ["--input-type=module", "--eval", RESTLESS, location], {
    cwd: join(import.meta.dirname, "../.."),
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = once(restless, "exit");
  await once(restless.stdout, "data");
  const met = new Set<string>();
  for (let turn = 0; turn < 60; turn++) {
    const other = new LevelStore(location);
    const outcome = await other.open().then(
      () => "opened",
      (error: { readonly code: string }) => error.code,
    );
    met.add(outcome);
    await other.close();
  }
  restless.stdin.end();
  expect(await ended).toEqual([0, null]);
  expect(met).toEqual(new Set(["opened", "DATA_DIR_LOCKED"]));
});

test("[STORE-2] a folder that cannot be made is STORE_UNAVAILABLE with what to look at", async () => {
  await writeFile(join(folder, "file"), "");
  const blocked = new LevelStore(join(folder, "file", "log"));
  await expect(blocked.open()).rejects.toMatchObject({
    code: "STORE_UNAVAILABLE",
    message: expect.stringMatching(/permissions/),
  });
  await blocked.close();
});

test("[STORE-1] a view stays as it was while writes go on", async () => {
  await store.batch([put("a", "1")], { sync: true });
  await store.view(async (view) => {
    await store.batch([put("a", "2"), put("b")], { sync: true });
    expect(Buffer.from((await view.get(bytes("a"))) ?? []).toString()).toBe("1");
    expect(await view.get(bytes("b"))).toBeUndefined();
    for await (const page of view.pages({ gte: bytes("a"), lt: bytes("z") })) expect(page).toHaveLength(1);
  });
});

test("[STORE-1] pages go through any number of items in either direction, within the limit", async () => {
  const names = Array.from({ length: 2500 }, (_, n) => `k${String(n).padStart(4, "0")}`);
  await store.batch(
    names.map((name) => put(name)),
    { sync: true },
  );
  const range = { gte: bytes("k"), lt: bytes("l") };
  expect(await keysIn(range)).toEqual(names);
  expect(await keysIn({ ...range, reverse: true })).toEqual(names.toReversed());
  expect(await keysIn({ ...range, limit: 1500 })).toEqual(names.slice(0, 1500));
  expect(await keysIn({ gte: bytes("k0005"), lt: bytes("k0007") })).toEqual(["k0005", "k0006"]);
});

test("[STORE-3] each synced batch is synced by the system before it resolves", async (context) => {
  if (!hasStrace()) context.skip("strace is not installed");
  const module = new URL("../../server/storage/store/level-store.ts", import.meta.url).href;
  const script = `
    const { LevelStore } = await import(${JSON.stringify(module)});
    const store = new LevelStore(process.argv[1]);
    await store.open();
    for (let n = 0; n < 50; n++) await store.batch([{ type: "put", key: Buffer.from("k" + n), value: Buffer.from("v") }], { sync: process.argv[2] === "sync" });
    await store.close();`;
  const syncs = async (mode: string): Promise<number> => {
    const trace = join(folder, mode);
    const program = [
      process.execPath,
      "--import",
      "tsx",
      "--input-type=module",
      "-e",
      script,
      join(folder, `db-${mode}`),
      mode,
    ];
    execFileSync("strace", ["-f", "-qq", "-e", "trace=fdatasync,fsync", "-o", trace, ...program]);
    return (await readFile(trace, "utf8"))
      .split("\n")
      .filter((line) => /sync\(.*= 0/.test(line) || line.includes("resumed")).length;
  };
  expect(await syncs("sync")).toBeGreaterThanOrEqual(50);
  expect(await syncs("lazy")).toBeLessThan(50); // else the test is blind
});

function hasStrace(): boolean {
  try {
    execFileSync("strace", ["-V"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

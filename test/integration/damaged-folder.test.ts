/** A data folder that was changed from outside: refused with the file's name, never opened with less in it. */
import { cp, mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ClassicLevel } from "classic-level";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ServiceError } from "../../shared/errors.ts";
import { LevelChangeLog } from "../../server/storage/log/level-change-log.ts";
import { FORMAT_KEY, LAYOUT_VERSION } from "../../server/storage/log/log-keys.ts";
import { encodeNumber } from "../../server/storage/log/record-codec.ts";
import { emptyCheckpoint, entryOf, idOf, metaOf } from "../support/log-fixtures.ts";

const plan = idOf("plan");
let base: string;
let sound: string;
let count = 0;

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), "mcm-damage-"));
  sound = join(base, "sound");
  const log = new LevelChangeLog({ folder: sound });
  await log.open();
  await log.create(metaOf("plan"), emptyCheckpoint());
  for (let n = 0; n < 700; n++) {
    // Half random, half not: some blocks are compressed, some are stored as they are.
    const update = n % 2 === 0 ? crypto.getRandomValues(new Uint8Array(10_000)) : new Uint8Array(10_000).fill(n);
    await log.append(plan, { seq: n }, [entryOf(n, { update })]);
  }
  await log.close();
});
afterAll(() => rm(base, { recursive: true, force: true }));

async function copyOf(folder: string): Promise<string> {
  const copy = join(base, `copy-${++count}`);
  await cp(folder, copy, { recursive: true });
  return copy;
}

async function openError(folder: string): Promise<ServiceError | undefined> {
  const log = new LevelChangeLog({ folder });
  try {
    await log.open();
    return undefined;
  } catch (error) {
    if (error instanceof ServiceError) return error;
    throw error;
  } finally {
    await log.close();
  }
}

async function fileIn(folder: string, pattern: RegExp): Promise<string> {
  const name = (await readdir(folder)).find((one) => pattern.test(one));
  if (name === undefined) throw new Error(`no ${pattern} in the folder`);
  return name;
}

const DAMAGES: Readonly<Record<string, (path: string, size: number) => Promise<void>>> = {
  garbage: (path, size) => writeFile(path, Buffer.alloc(size, 0xab)),
  "cut in half": (path, size) => truncate(path, size >> 1),
  missing: (path) => rm(path),
  emptied: (path) => truncate(path, 0),
  "one bit flipped in the middle": (path, size) => flip(path, size >> 1),
  "one bit flipped near the beginning": (path) => flip(path, 9),
};

async function flip(path: string, at: number): Promise<void> {
  const bytes = await readFile(path);
  bytes[at] = (bytes[at] ?? 0) ^ 4;
  await writeFile(path, bytes);
}

describe("[STORE-6] a damaged file is named and nothing starts", () => {
  const files = { CURRENT: /^CURRENT$/, MANIFEST: /^MANIFEST/, table: /\.ldb$/ };
  const cases = Object.entries(files).flatMap(([kind, pattern]) =>
    Object.keys(DAMAGES).map((damage) => ({ kind, pattern, damage })),
  );
  test.each(cases)("$kind $damage", async ({ pattern, damage }) => {
    const folder = await copyOf(sound);
    const name = await fileIn(folder, pattern);
    const path = join(folder, name);
    await DAMAGES[damage]?.(path, (await readFile(path)).length);
    const error = await openError(folder);
    expect(error?.code).toBe("DATA_DAMAGED");
    expect(error?.message).toMatch(
      name.startsWith("CURRENT") ? /CURRENT|MANIFEST/ : new RegExp(name.startsWith("M") ? "MANIFEST" : name),
    );
    expect(error?.message).toMatch(/restore it from a backup/);
  });

  test("every table, at any place", async () => {
    const tables = (await readdir(sound)).filter((name) => name.endsWith(".ldb"));
    expect(tables.length).toBeGreaterThan(0);
    for (const name of tables) {
      const size = (await readFile(join(sound, name))).length;
      for (let part = 0; part < 10; part++) {
        const folder = await copyOf(sound);
        await flip(join(folder, name), Math.floor(((size - 60) * part) / 10) + part);
        const error = await openError(folder);
        expect(error?.code, `${name} part ${part}`).toBe("DATA_DAMAGED");
        expect(error?.message).toContain(name);
        await rm(folder, { recursive: true });
      }
    }
  });

  test("the log, when later batches stand behind the damage", async () => {
    const folder = await copyOf(sound);
    const name = await fileIn(folder, /\.log$/);
    await flip(join(folder, name), 5_000);
    const error = await openError(folder);
    expect(error?.code).toBe("DATA_DAMAGED");
    expect(error?.message).toContain(name);
  });
});

test("[STORE-6] a batch that a power cut tore off the end of the log is no damage", async () => {
  const folder = await copyOf(sound);
  const name = await fileIn(folder, /\.log$/);
  const size = (await readFile(join(folder, name))).length;
  await truncate(join(folder, name), size - 100);
  expect(await openError(folder)).toBeUndefined();
});

test("[STORE-6] a half-written table that a crash left, and that no manifest names, is no damage", async () => {
  const folder = await copyOf(sound);
  await writeFile(join(folder, "009999.ldb"), Buffer.alloc(1000, 1));
  expect(await openError(folder)).toBeUndefined();
});

test("[STORE-6] a sound folder opens, and opens again", async () => {
  const folder = await copyOf(sound);
  expect(await openError(folder)).toBeUndefined();
  expect(await openError(folder)).toBeUndefined();
});

test("[STORE-7] a folder of a newer release is refused", async () => {
  const folder = await copyOf(sound);
  const database = new ClassicLevel<Uint8Array, Uint8Array>(folder, { keyEncoding: "view", valueEncoding: "view" });
  await database.put(FORMAT_KEY, encodeNumber(FORMAT_KEY, LAYOUT_VERSION + 1));
  await database.close();
  const error = await openError(folder);
  expect(error?.code).toBe("DATA_FORMAT_NEWER");
  expect(error?.message).toContain(folder);
});

test("[STORE-6] somebody else's database is refused and left as it is", async () => {
  const folder = join(base, "foreign");
  const database = new ClassicLevel(folder);
  await database.put("hello", "world");
  await database.close();
  const error = await openError(folder);
  expect(error?.code).toBe("DATA_DAMAGED");
  const again = new ClassicLevel(folder);
  expect(await again.keys().all()).toEqual(["hello"]);
  await again.close();
});

/** A folder of LevelDB read without LevelDB: the same items, nothing written, damage told and passed over. */
import { createHash } from "node:crypto";
import { cp, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ClassicLevel } from "classic-level";
import { afterAll, beforeAll, expect, test } from "vitest";
import { LevelReader } from "../../server/storage/store/level-reader.ts";
import type { LevelDamage } from "../../server/storage/store/level-reader.ts";
import { intBelow, randomFrom } from "../support/editing-history.ts";
import type { Random } from "../support/editing-history.ts";
import { stateOfFolder } from "../support/folder-state.ts";

const TIMES = Number(process.env["MCM_FUZZ"] ?? 1);

type Database = ClassicLevel<Uint8Array, Uint8Array>;

let base: string;
let sound: string;
/** What LevelDB itself says is in `sound`. */
let items: readonly string[];
let copies = 0;

const shown = ([key, value]: readonly [Uint8Array, Uint8Array]): string =>
  `${Buffer.from(key).toString("hex")} ${createHash("sha1").update(value).digest("hex")}`;

function open(folder: string): Database {
  return new ClassicLevel(folder, { keyEncoding: "view", valueEncoding: "view", writeBufferSize: 64 * 1024 });
}

/** Overwrites and deletions too, so that tables of several levels say something of one key. */
async function fill(database: Database, random: Random, batches: number): Promise<void> {
  for (let batch = 0; batch < batches; batch++) {
    const ops = Array.from({ length: 1 + intBelow(random, 12) }, () => {
      const key = Buffer.from(`k${intBelow(random, 900)}`);
      if (intBelow(random, 4) === 0) return { type: "del", key } as const;
      // half of it repeats itself: blocks are stored packed and plain
      const value = Buffer.alloc(intBelow(random, 2000), `${intBelow(random, 1e9)} `);
      for (let at = 0; at < value.length; at += 1 + intBelow(random, 60)) value[at] = intBelow(random, 256);
      return { type: "put", key, value } as const;
    });
    await database.batch(ops);
  }
}

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), "mcm-level-reader-"));
  sound = join(base, "sound");
  let database = open(sound);
  await fill(database, randomFrom(7), 400);
  await database.close();
  database = open(sound);
  // LevelDB merges tables when it finds the time: what this leaves is a level below, some tables above, and a log
  await database.compactRange(Buffer.alloc(0), Buffer.from([255]));
  await fill(database, randomFrom(8), 60);
  items = (await database.iterator().all()).map(shown);
  await database.close();
});
afterAll(() => rm(base, { recursive: true, force: true }));

async function copyOf(folder: string): Promise<string> {
  const copy = join(base, `copy-${++copies}`);
  await cp(folder, copy, { recursive: true });
  return copy;
}

const WHOLE = { gte: new Uint8Array(), lt: Uint8Array.of(255) };

async function read(folder: string, range = WHOLE): Promise<{ found: string[]; damages: LevelDamage[] }> {
  const damages: LevelDamage[] = [];
  const reader = await LevelReader.open(folder, (damage) => void damages.push(damage));
  const found: string[] = [];
  for await (const page of reader.pages(range)) found.push(...page.map(shown));
  return { found, damages };
}

test("[DATA-1] a whole pass gives what LevelDB gives, from tables and log, and writes nothing", async () => {
  const before = await stateOfFolder(sound);
  const tables = (await readdir(sound)).filter((name) => name.endsWith(".ldb"));
  expect(tables.length).toBeGreaterThan(1);
  const { found, damages } = await read(sound);
  expect(damages).toEqual([]);
  expect(found).toEqual(items);
  expect(await stateOfFolder(sound)).toEqual(before);
});

test("[DATA-1] ranges and single keys", async () => {
  const reader = await LevelReader.open(sound, (damage) => expect.fail(damage.how));
  const random = randomFrom(9);
  for (let round = 0; round < 50; round++) {
    const [gte, lt] = [`k${intBelow(random, 900)}`, `k${intBelow(random, 900)}`].sort().map((key) => Buffer.from(key));
    if (gte === undefined || lt === undefined) throw new Error("two bounds");
    const { found } = await read(sound, { gte, lt });
    const [from, to] = [gte.toString("hex"), lt.toString("hex")];
    expect(found).toEqual(items.filter((item) => item >= from && item < to));
    const value = await reader.get(gte);
    expect(value === undefined ? undefined : shown([gte, value])).toBe(
      items.find((item) => item.startsWith(`${from} `)),
    );
  }
});

test("[DATA-1] a folder that was just made, and one whose last batch a power cut tore", async () => {
  const empty = join(base, "empty");
  await open(empty).open();
  expect(await read(await copyOf(empty))).toEqual({ found: [], damages: [] });
  const torn = await copyOf(sound);
  // the newest: of what LevelDB has not yet made a table of, there may be an earlier one
  const log =
    (await readdir(torn))
      .filter((name) => name.endsWith(".log"))
      .sort()
      .at(-1) ?? "";
  await truncate(join(torn, log), (await stat(join(torn, log))).size - 5);
  const { found, damages } = await read(torn);
  expect(damages).toEqual([]);
  expect(found.length).toBeGreaterThan(items.length - 24);
});

test("[DATA-1] one bit anywhere in a table costs the keys of its block at most, and is told", async () => {
  const random = randomFrom(10);
  const tables = (await readdir(sound)).filter((name) => name.endsWith(".ldb"));
  for (let round = 0; round < 12 * TIMES; round++) {
    const folder = await copyOf(sound);
    const name = tables[intBelow(random, tables.length)] ?? "";
    const bytes = await readFile(join(folder, name));
    const at = intBelow(random, bytes.length - 48);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << intBelow(random, 8));
    await writeFile(join(folder, name), bytes);
    const { found, damages } = await read(folder);
    // the block of the meta index is not read: nothing lies in it
    const [damage] = damages;
    if (damage === undefined) expect(found).toEqual(items);
    const { first, last } = damage?.keys ?? { first: Buffer.from("x"), last: Buffer.from("x") };
    const isSafe = (item: string): boolean => {
      const key = Buffer.from(item.split(" ")[0] ?? "", "hex");
      return key.compare(first) < 0 || key.compare(last) > 0;
    };
    expect(found.filter(isSafe)).toEqual(items.filter(isSafe));
    await rm(folder, { recursive: true });
  }
});

test("[DATA-1] whatever stands in the files, reading ends", async () => {
  const random = randomFrom(11);
  const names = (await readdir(sound)).filter((name) => /ldb|log|MANIFEST/.test(name));
  for (let round = 0; round < 20 * TIMES; round++) {
    const folder = await copyOf(sound);
    const path = join(folder, names[intBelow(random, names.length)] ?? "");
    const bytes = await readFile(path);
    const noise = Buffer.from(Array.from({ length: 1 + intBelow(random, 3000) }, () => intBelow(random, 256)));
    noise.copy(bytes, intBelow(random, bytes.length));
    await writeFile(path, bytes.subarray(0, 1 + intBelow(random, bytes.length)));
    const result = await read(folder).catch((error: unknown) => error);
    if (!(result instanceof Error)) expect(result).toMatchObject({ found: expect.any(Array) });
    await rm(folder, { recursive: true });
  }
});

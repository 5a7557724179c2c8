/**
 * Is a LevelDB folder whole? Asked before LevelDB opens it, because LevelDB answers damage with silence: it starts anew when
 * CURRENT is missing, skips broken parts of its log, and reads a broken table only when it gets there.
 *
 * Invariants:
 *  1. Damage is DATA_DAMAGED with the file's name; nothing in the folder is changed.
 *  2. What a power cut leaves behind is not damage.
 *  3. Every table's frame is checked; the data of as many as folderCheckBytesMax allows, the newest first.
 *
 * Not found: a log cut off at the end, which looks like a power cut.
 */
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { LIMITS } from "../../../shared/limits.ts";
import { readLogFile, type LogFile } from "./level-log-file.ts";
import { readManifest, type Manifest } from "./level-manifest.ts";
import { findTableDamage } from "./level-table-check.ts";
import { damaged } from "../log/record.ts";

const LOG_FILE = /^\d+\.log$/;
const TABLE_FILE = /^\d+\.(?:ldb|sst)$/;

/** @throws {ServiceError} DATA_DAMAGED */
export async function checkLevelFolder(folder: string): Promise<void> {
  const names = (await readdir(folder)).sort().reverse();
  // A manifest alone is what a crash leaves of a folder that was just being made.
  if (!names.some((name) => LOG_FILE.test(name) || TABLE_FILE.test(name))) return;
  const manifest = await checkManifest(folder, names);
  for (const name of names) {
    if (LOG_FILE.test(name) && numberOf(name) >= manifest.log) await readSoundLog(folder, name);
  }
  let left: number = LIMITS.folderCheckBytesMax;
  for (const name of names) {
    if (!TABLE_FILE.test(name) || !manifest.tables.has(numberOf(name))) continue;
    const file = await readFile(join(folder, name));
    left -= file.length;
    const damage = findTableDamage(file, left >= 0);
    if (damage !== undefined) throw damagedFile(folder, name, damage);
  }
}

async function checkManifest(folder: string, names: readonly string[]): Promise<Manifest> {
  if (!names.includes("CURRENT")) throw damagedFile(folder, "CURRENT", "is missing");
  const current = await readFile(join(folder, "CURRENT"), "latin1");
  const name = /^(MANIFEST-\d+)\n$/.exec(current)?.[1];
  if (name === undefined) throw damagedFile(folder, "CURRENT", "does not name a manifest");
  if (!names.includes(name)) throw damagedFile(folder, name, "is missing");
  const edits = await readSoundLog(folder, name);
  let manifest: Manifest;
  try {
    manifest = readManifest(edits);
  } catch (error) {
    throw damagedFile(folder, name, error instanceof Error ? error.message : "cannot be read", error);
  }
  await checkNamed(folder, names, { name, ...manifest });
  return manifest;
}

/** A manifest that lost its end tells of an earlier folder: LevelDB would delete what it does not name. */
async function checkNamed(
  folder: string,
  names: readonly string[],
  manifest: Manifest & { name: string },
): Promise<void> {
  const numbers = new Set(names.map(numberOf));
  for (const table of manifest.tables.keys()) {
    if (!numbers.has(table)) throw damagedFile(folder, `${padded(table)}.ldb`, "is missing");
  }
  if (!numbers.has(manifest.log) && !(await isNew(folder, names))) {
    throw damagedFile(folder, manifest.name, `has lost its end, or ${padded(manifest.log)}.log is missing`);
  }
}

/** Made, but the first log was not entered in the manifest yet. */
async function isNew(folder: string, names: readonly string[]): Promise<boolean> {
  if (names.some((name) => TABLE_FILE.test(name))) return false;
  const sizes = await Promise.all(names.filter((name) => LOG_FILE.test(name)).map((name) => stat(join(folder, name))));
  return sizes.every(({ size }) => size === 0);
}

async function readSoundLog(folder: string, name: string): Promise<LogFile["records"]> {
  const { records, damagedAt } = readLogFile(await readFile(join(folder, name)));
  if (damagedAt !== undefined) throw damagedFile(folder, name, `has a wrong record at byte ${damagedAt}`);
  return records;
}

function numberOf(name: string): number {
  return Number.parseInt(name, 10);
}

function padded(number: number): string {
  return String(number).padStart(6, "0");
}

/** `how` is a clause that begins with a verb. */
export function damagedFile(folder: string, name: string, how: string, cause?: unknown): Error {
  const file = join(folder, name);
  return damaged(`The data folder is damaged: ${file} ${how}`, { file }, cause);
}

/**
 * All data of one place in another that is empty: a data folder, or a PostgreSQL database. Record for record, so contexts, their
 * past, locks, types and tokens that were revoked are what they were.
 *
 * Invariants (DATA):
 *  1. Nobody uses either place meanwhile, and nobody begins to.
 *  2. What a server opens is whole: the record that makes data out of records is written last, after all others were read
 *     back and found the same.
 *
 * Not here: backups of a server that runs (server/storage/backup).
 */
import { access } from "node:fs/promises";
import { join } from "node:path";
import { ServiceError } from "../../../shared/errors.ts";
import type { Clock } from "../../clock.ts";
import { LOG_FOLDER, refuseIncomplete } from "../backup/backup-folder.ts";
import { RecordDigest } from "../backup/record-digest.ts";
import type { Digest } from "../backup/record-digest.ts";
import { EVERYTHING, FORMAT_KEY, LAYOUT_VERSION } from "../log/log-keys.ts";
import { sizeOfAll } from "../log/log-reader.ts";
import { newerFormat } from "../log/record.ts";
import { decodeNumber } from "../log/record-codec.ts";
import { PostgresStore } from "../postgres/postgres-store.ts";
import { LevelStore } from "../store/level-store.ts";
import type { KeyValueStore, StoreItem, StoreView } from "../store/store.ts";

/** A data folder, or postgres://user:password@host:port/database. */
export type Place = string;

export interface CopyReport extends Digest {
  readonly contexts: number;
}

interface CopyOptions {
  readonly clock: Clock;
  /** Bytes, written and then read back; `total` is about twice as many as there are. */
  onProgress(done: number, total: number): void;
}

/** @throws {ServiceError} DATA_DIR_LOCKED, DATA_DAMAGED, DATA_FORMAT_NEWER, ALREADY_EXISTS, STORE_UNAVAILABLE */
export async function copyData(from: Place, to: Place, { clock, ...options }: CopyOptions): Promise<CopyReport> {
  if (!isDatabase(from)) await refuseNone(from);
  const [source, target] = [storeAt(from, clock), storeAt(to, clock)];
  await source.open();
  try {
    return await source.view(async (view) => {
      const format = await formatOf(view, source.location);
      await target.open();
      try {
        return await copy(view, format, target, (done, total) => options.onProgress(done, total));
      } finally {
        await target.close();
      }
    });
  } finally {
    await source.close();
  }
}

/** Opening a folder that is not there would make it. */
async function refuseNone(folder: string): Promise<void> {
  await refuseIncomplete(folder);
  await access(join(folder, LOG_FOLDER)).catch(() => {
    throw noData(folder);
  });
}

function isDatabase(place: Place): boolean {
  return /^postgres(?:ql)?:/.test(place);
}

function storeAt(place: Place, clock: Clock): KeyValueStore {
  return isDatabase(place)
    ? new PostgresStore({ url: place, clock, isAlone: true })
    : new LevelStore(join(place, LOG_FOLDER));
}

async function copy(
  view: StoreView,
  format: StoreItem,
  target: KeyValueStore,
  onProgress: CopyOptions["onProgress"],
): Promise<CopyReport> {
  await assertEmpty(target);
  const { contexts, bytes } = await sizeOfAll(view);
  const told = (done: number): void => onProgress(done, Math.max(done, 2 * bytes));
  const written = new RecordDigest();
  for await (const page of view.pages(EVERYTHING)) {
    written.add(page);
    await target.batch(putsOf(page.filter(([key]) => !isFormat(key))), { sync: true });
    told(written.bytes);
  }
  const before = written.result();
  const read = await target.view((copied) => digestOf(copied, format, (done) => told(before.bytes + done)));
  if (read.sha256 !== before.sha256) throw changed(target.location);
  await target.batch(putsOf([format]), { sync: true });
  return { ...before, contexts };
}

/** Of what was copied, and of the one record that was not, in its place: it is the first of all. */
async function digestOf(view: StoreView, format: StoreItem, onProgress: (done: number) => void): Promise<Digest> {
  const digest = new RecordDigest();
  digest.add([format]);
  for await (const page of view.pages(EVERYTHING)) {
    digest.add(page);
    onProgress(digest.bytes);
  }
  return digest.result();
}

async function formatOf(view: StoreView, location: string): Promise<StoreItem> {
  const value = await view.get(FORMAT_KEY);
  if (value === undefined) throw noData(location);
  const layout = decodeNumber({ key: FORMAT_KEY, value, name: `format record of ${location}` });
  if (layout > LAYOUT_VERSION) throw newerFormat(`The data in ${location}`);
  return [FORMAT_KEY, value];
}

async function assertEmpty(target: KeyValueStore): Promise<void> {
  const isEmpty = await target.view(async (view) => {
    for await (const page of view.pages({ ...EVERYTHING, limit: 1 })) return page.length === 0;
    return true;
  });
  if (isEmpty) return;
  throw new ServiceError(
    "ALREADY_EXISTS",
    `There are records in ${target.location} already. Give an empty place; a copy that was cut short is to be removed first.`,
  );
}

function putsOf(items: readonly StoreItem[]) {
  return items.map(([key, value]) => ({ type: "put", key, value }) as const);
}

function isFormat(key: Uint8Array): boolean {
  return Buffer.compare(key, FORMAT_KEY) === 0;
}

function noData(location: string): ServiceError {
  return new ServiceError(
    "DATA_DAMAGED",
    `There is no data of this program in ${location}. Give the place of a server.`,
  );
}

function changed(location: string): ServiceError {
  return new ServiceError(
    "DATA_DAMAGED",
    `What was read back from ${location} is not what was written. Nothing was put into service: remove it, and try again.`,
  );
}

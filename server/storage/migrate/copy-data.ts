/**
 * All data of one place in another: a data folder, or a PostgreSQL database. Record for record, so contexts, their past,
 * locks, types and tokens that were revoked are what they were.
 *
 * Most of it can come while the old server still runs (`copyRunning`, as often as one likes); then the server is stopped, and
 * what changed since comes from its place (`copyStopped`), which puts the copy into service.
 *
 * Invariants (DATA):
 *  1. Nobody uses the place that is written, and nobody begins to; in the end nobody uses the other one either.
 *  2. What is copied from a server that runs is not put into service: it lacks what was written since.
 *
 * Not here: how records become the same (record-copy.ts); how a server sends its own (server/storage/backup).
 */
import { access } from "node:fs/promises";
import { join } from "node:path";
import { ServiceError } from "../../../shared/errors.ts";
import type { Clock } from "../../clock.ts";
import { LOG_FOLDER, refuseIncomplete } from "../backup/backup-folder.ts";
import type { BackupFrame } from "../backup/backup-stream.ts";
import { RecordDigest } from "../backup/record-digest.ts";
import type { Digest } from "../backup/record-digest.ts";
import { EVERYTHING, FORMAT_KEY, LAYOUT_VERSION } from "../log/log-keys.ts";
import { sizeOfAll } from "../log/log-reader.ts";
import { newerFormat } from "../log/record.ts";
import { decodeNumber } from "../log/record-codec.ts";
import { PostgresStore } from "../postgres/postgres-store.ts";
import { LevelStore } from "../store/level-store.ts";
import type { KeyValueStore, StoreItem, StoreView } from "../store/store.ts";
import { RecordCopy } from "./record-copy.ts";

/** A data folder, or postgres://user:password@host:port/database. */
export type Place = string;

/** Of all records that the source has. */
export interface CopyReport extends Digest {
  readonly contexts: number;
  /** Records that the target did not have as they are now. */
  readonly differences: number;
}

export interface CopyOptions {
  readonly to: Place;
  readonly clock: Clock;
  /** Bytes of records that are the same now, and about how many there are. */
  readonly onProgress: (bytes: number, total: number) => void;
}

interface Source {
  readonly contexts: number;
  /** Approximately. */
  readonly bytes: number;
  readonly pages: AsyncIterable<readonly StoreItem[]>;
  /** What makes data of it; undefined while it may still be written. */
  readonly format: StoreItem | undefined;
}

/** @throws {ServiceError} DATA_DIR_LOCKED, DATA_DAMAGED, DATA_FORMAT_NEWER, ALREADY_EXISTS, STORE_UNAVAILABLE */
export async function copyStopped(from: Place, options: CopyOptions): Promise<CopyReport> {
  if (!isDatabase(from)) await refuseNone(from);
  return withStore(storeAt(from, options.clock), (source) =>
    source.view(async (view) => {
      const format = await formatOf(view, source.location);
      return copy({ ...(await sizeOfAll(view)), pages: view.pages(EVERYTHING), format }, options);
    }),
  );
}

/**
 * What a server sends of itself while it runs.
 * @throws {ServiceError} DATA_DIR_LOCKED, DATA_DAMAGED, ALREADY_EXISTS, STORE_UNAVAILABLE, and what the frames throw
 */
export async function copyRunning(frames: AsyncIterable<BackupFrame>, options: CopyOptions): Promise<CopyReport> {
  const all = frames[Symbol.asyncIterator]();
  try {
    const first = await all.next();
    if (first.done === true || first.value.kind !== "begin") throw new Error("a backup begins with its beginning");
    const { contexts, bytes } = first.value.begin;
    return await copy({ contexts, bytes, pages: pagesIn(all), format: undefined }, options);
  } finally {
    await all.return?.();
  }
}

async function* pagesIn(frames: AsyncIterator<BackupFrame>): AsyncGenerator<readonly StoreItem[]> {
  for (let next = await frames.next(); next.done !== true; next = await frames.next())
    if (next.value.kind === "page") yield next.value.records;
}

async function copy(source: Source, { to, clock, onProgress }: CopyOptions): Promise<CopyReport> {
  return withStore(storeAt(to, clock), async (target) => {
    const records = await RecordCopy.begin(target);
    const digest = new RecordDigest();
    for await (const page of source.pages) {
      digest.add(page);
      await records.add(page);
      onProgress(digest.bytes, Math.max(digest.bytes, source.bytes));
    }
    await records.end();
    if (source.format !== undefined) await records.finish(source.format);
    return { ...digest.result(), contexts: source.contexts, differences: records.differences };
  });
}

async function withStore<T>(store: KeyValueStore, use: (store: KeyValueStore) => Promise<T>): Promise<T> {
  await store.open();
  try {
    return await use(store);
  } finally {
    await store.close();
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

async function formatOf(view: StoreView, location: string): Promise<StoreItem> {
  const value = await view.get(FORMAT_KEY);
  if (value === undefined) throw noData(location);
  const layout = decodeNumber({ key: FORMAT_KEY, value, name: `format record of ${location}` });
  if (layout > LAYOUT_VERSION) throw newerFormat(`The data in ${location}`);
  return [FORMAT_KEY, value];
}

function noData(location: string): ServiceError {
  return new ServiceError(
    "DATA_DAMAGED",
    `There is no data of this program in ${location}. Give the place of a server.`,
  );
}

/**
 * A backup from its frames to its folder, whichever way they come: from a server (backup-stream.ts), or from the data folder of
 * one that is stopped.
 *
 * Invariants (DATA):
 *  1. What ends early, for whatever reason, leaves no folder that is taken for a backup; what it wrote goes.
 *
 * Not here: the folder itself (backup-folder.ts).
 */
import { join } from "node:path";
import { ServiceError } from "../../../shared/errors.ts";
import { PRODUCT_VERSION } from "../../../shared/protocol/version.ts";
import type { DumpedRecord } from "../change-log.ts";
import { EVERYTHING, FORMAT_KEY, LAYOUT_VERSION } from "../log/log-keys.ts";
import { sizeOfAll } from "../log/log-reader.ts";
import { newerFormat } from "../log/record.ts";
import { decodeNumber } from "../log/record-codec.ts";
import { damagedFile } from "../store/level-folder.ts";
import { LevelReader } from "../store/level-reader.ts";
import { BackupFolder, LOG_FOLDER, refuseIncomplete, type BackupManifest } from "./backup-folder.ts";
import { BACKUP_FORMAT, type BackupFrame } from "./backup-stream.ts";
import { RecordDigest } from "./record-digest.ts";

export interface StoreBackupOptions {
  readonly out: string;
  /** Address or folder that it comes from. */
  readonly from: string;
  /** Called with the bytes of records that are in, and about how many there will be. */
  readonly onProgress?: (bytes: number, total: number) => void;
}

/** @throws {ServiceError} ALREADY_EXISTS when `out` holds something; what the frames throw */
export async function storeBackup(
  frames: AsyncIterable<BackupFrame>,
  { out, from, onProgress }: StoreBackupOptions,
): Promise<BackupManifest> {
  let folder: BackupFolder | undefined;
  let total = 0;
  let bytes = 0;
  try {
    for await (const frame of frames) {
      if (frame.kind === "begin") {
        folder = await BackupFolder.create(out, frame.begin);
        total = frame.begin.bytes;
      } else if (folder === undefined) {
        throw new Error("a backup begins with its beginning");
      } else if (frame.kind === "end") {
        return await folder.finish(from, frame.end);
      } else {
        await folder.add(frame.records);
        bytes += sizeOf(frame.records);
      }
      onProgress?.(bytes, Math.max(bytes, total));
    }
    throw new Error("a backup ends with its end");
  } catch (error) {
    // should that fail too, the mark of an incomplete one stays
    await folder?.abandon().catch(() => undefined);
    throw error;
  }
}

function sizeOf(records: readonly DumpedRecord[]): number {
  return records.reduce((sum, [key, value]) => sum + key.length + value.length, 0);
}

/**
 * The frames of a data folder that no server writes; damage in it ends them.
 * @throws {ServiceError} DATA_DAMAGED, DATA_FORMAT_NEWER, DATA_DIR_LOCKED
 */
export async function* framesOfFolder(dataDir: string, takenAtMs: number): AsyncGenerator<BackupFrame, void> {
  await refuseIncomplete(dataDir);
  const location = join(dataDir, LOG_FOLDER);
  const reader = await LevelReader.open(location, ({ file, how }) => {
    throw damagedFile(location, file, how);
  });
  const layout = await layoutOf(reader, dataDir);
  const expected = await sizeOfAll(reader);
  yield { kind: "begin", begin: { format: BACKUP_FORMAT, layout, release: PRODUCT_VERSION, takenAtMs, ...expected } };
  const digest = new RecordDigest();
  for await (const records of reader.pages(EVERYTHING)) {
    digest.add(records);
    yield { kind: "page", records };
  }
  await reader.assertUnchanged();
  yield { kind: "end", end: digest.result() };
}

async function layoutOf(reader: LevelReader, dataDir: string): Promise<number> {
  const value = await reader.get(FORMAT_KEY);
  if (value === undefined) throw new ServiceError("DATA_DAMAGED", `${dataDir} holds no data of this program.`);
  const layout = decodeNumber({ key: FORMAT_KEY, value, name: `format record of ${dataDir}` });
  if (layout > LAYOUT_VERSION) throw newerFormat(`The data in ${dataDir}`);
  return layout;
}

/**
 * Reads the data folder of a stock y-websocket server, one document at a time.
 *
 * y-leveldb itself rewrites documents as it reads them, and hides what fails; here nothing is written and damage is told.
 *
 * Invariants (DATA):
 *  1. The folder is not written, locked or created; one that its server writes meanwhile is told as such.
 *  2. A document of which something may be missing is not taken for whole.
 *  3. One document is in memory, and of one beyond `importBytesMax` only its name.
 *
 * Not here: judging updates (server/state/import), LevelDB's files (store/level-reader.ts).
 */
import { ServiceError } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { LevelReader, type LevelDamage } from "../store/level-reader.ts";
import { DOCUMENTS, documentKey, partsOf, STATE_VECTORS } from "./y-leveldb-keys.ts";

export interface StoredDocument {
  readonly name: string;
  /** In the order in which they were stored; none when there is a `problem`. */
  readonly updates: readonly Uint8Array[];
  /** Records of an application's own, which are no part of the document. */
  readonly metaCount: number;
  /** Why it cannot be had. */
  readonly problem?: string;
}

export class YLevelReader {
  readonly #reader: LevelReader;
  readonly #damages: LevelDamage[];

  private constructor(reader: LevelReader, damages: LevelDamage[]) {
    this.#reader = reader;
    this.#damages = damages;
  }

  /** @throws {ServiceError} DATA_DAMAGED when there is no database, or none of y-leveldb's */
  static async open(folder: string): Promise<YLevelReader> {
    const damages: LevelDamage[] = [];
    const reader = await LevelReader.open(folder, (damage) => void damages.push(damage));
    const opened = new YLevelReader(reader, damages);
    await opened.#assertKind(folder);
    return opened;
  }

  /** What is damaged in the folder, as far as it was read, one sentence for each place. */
  get damages(): readonly string[] {
    return [...new Set(this.#damages.map(({ file, how }) => `${file} ${how}`))];
  }

  async count(): Promise<number> {
    let count = 0;
    for await (const page of this.#reader.pages(STATE_VECTORS)) count += page.length;
    return count;
  }

  async *documents(): AsyncGenerator<StoredDocument, void> {
    let document: Gathered | undefined;
    for await (const page of this.#reader.pages(DOCUMENTS)) {
      for (const [key, value] of page) {
        const [, name, kind] = partsOf(key) ?? [];
        if (typeof name !== "string") continue;
        if (document !== undefined && document.name !== name) yield this.#finished(document);
        if (document?.name !== name) document = { name, updates: [], bytes: 0, metaCount: 0 };
        if (kind === "update") gather(document, value);
        else document.metaCount++;
      }
    }
    if (document !== undefined) yield this.#finished(document);
    await this.#reader.assertUnchanged();
  }

  #finished({ name, updates, bytes, metaCount }: Gathered): StoredDocument {
    const problem = this.#isDamaged(name)
      ? "The folder is damaged where it lies"
      : bytes > LIMITS.importBytesMax
        ? `Its updates have more than ${LIMITS.importBytesMax} bytes. Let its own server open it once, which merges them, and try again`
        : undefined;
    if (problem !== undefined) return { name, updates: [], metaCount, problem };
    return { name, updates, metaCount };
  }

  #isDamaged(name: string): boolean {
    const first = Buffer.from(documentKey(name));
    // behind the name comes a part that begins with 0 or 1
    const last = Buffer.concat([first, Uint8Array.of(2)]);
    return this.#damages.some(
      ({ keys }) => keys === undefined || (keys.first.compare(last) < 0 && keys.last.compare(first) >= 0),
    );
  }

  async #assertKind(folder: string): Promise<void> {
    for await (const page of this.#reader.pages({ gte: new Uint8Array(), lt: Uint8Array.of(255) })) {
      const [key = new Uint8Array()] = page[0] ?? [];
      if (String(partsOf(key)?.[0]).startsWith("v1")) return;
      throw new ServiceError(
        "DATA_DAMAGED",
        `${folder} holds a database, but none of y-leveldb. Name the folder that a y-websocket server keeps its documents in.`,
      );
    }
  }
}

interface Gathered {
  readonly name: string;
  updates: Uint8Array[];
  bytes: number;
  metaCount: number;
}

function gather(document: Gathered, update: Uint8Array): void {
  document.bytes += update.length;
  if (document.bytes > LIMITS.importBytesMax) document.updates = [];
  else document.updates.push(update);
}

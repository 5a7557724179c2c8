/**
 * The records of one store in another, page by page: what is there already and the same stays, what is not is written and read
 * back. So a copy that was cut short, or made while its source was still written, is brought up by taking it again.
 *
 * Invariants (DATA):
 *  1. Nothing is written to a store that has records, unless they are a copy that is not finished: the first record of one says so.
 *  2. No server opens it before `finish`: what makes data out of records comes last, and with it that mark goes.
 *  3. When `finish` begins, the store has been seen to hold each record that was added, and no other.
 *
 * Not here: where the records come from (copy-data.ts).
 */
import { ServiceError } from "../../../shared/errors.ts";
import { COPY_KEY, EVERYTHING, FORMAT_KEY } from "../log/log-keys.ts";
import type { KeyRange } from "../log/log-keys.ts";
import { putOp } from "../log/record-ops.ts";
import { encodeNumber } from "../log/record-codec.ts";
import type { KeyValueStore, StoreItem, StoreOp } from "../store/store.ts";

export class RecordCopy {
  readonly #target: KeyValueStore;
  /** Before this key all is as it shall be. */
  #from = EVERYTHING.gte;
  #differences = 0;

  private constructor(target: KeyValueStore) {
    this.#target = target;
  }

  /** @param target open. @throws {ServiceError} ALREADY_EXISTS */
  static async begin(target: KeyValueStore): Promise<RecordCopy> {
    const mark = await target.view((view) => view.get(COPY_KEY));
    if (mark === undefined) {
      await assertEmpty(target);
      await target.batch([putOp(COPY_KEY, (key) => encodeNumber(key, 1))], { sync: true });
    }
    return new RecordCopy(target);
  }

  /** Records that were not there as they are now, or were there and shall not be. */
  get differences(): number {
    return this.#differences;
  }

  /** @param page the next records, in order of key. @throws {ServiceError} DATA_DAMAGED */
  async add(page: readonly StoreItem[]): Promise<void> {
    const last = page.at(-1)?.[0];
    if (last === undefined) return;
    const lt = Buffer.concat([last, Uint8Array.of(0)]); // the smallest key after it
    await this.#makeSame({ gte: this.#from, lt }, page);
    this.#from = lt;
  }

  /** There are no more. */
  async end(): Promise<void> {
    await this.#makeSame({ gte: this.#from, lt: EVERYTHING.lt }, []);
    this.#from = EVERYTHING.lt;
  }

  /** After end(), of a source that is written no more. */
  async finish([key, value]: StoreItem): Promise<void> {
    await this.#target.batch(
      [
        { type: "put", key, value },
        { type: "del", key: COPY_KEY },
      ],
      { sync: true },
    );
  }

  async #makeSame(span: KeyRange, page: readonly StoreItem[]): Promise<void> {
    const ops = await this.#differencesIn(span, page);
    if (ops.length === 0) return;
    this.#differences += ops.length;
    await this.#target.batch(ops, { sync: true });
    if ((await this.#differencesIn(span, page)).length > 0) throw unlike(this.#target.location);
  }

  /** What makes the store's records of this span those of the page. */
  async #differencesIn(span: KeyRange, page: readonly StoreItem[]): Promise<readonly StoreOp[]> {
    const wanted = new Map(page.filter(isCopied).map(([key, value]) => [nameOf(key), { key, value }]));
    const superfluous: StoreOp[] = [];
    await this.#target.view(async (view) => {
      for await (const found of view.pages(span))
        for (const [key, value] of found.filter(isCopied)) {
          const record = wanted.get(nameOf(key));
          if (record === undefined) superfluous.push({ type: "del", key });
          else if (Buffer.compare(record.value, value) === 0) wanted.delete(nameOf(key));
        }
    });
    return [...superfluous, ...[...wanted.values()].map((record) => ({ type: "put", ...record }) as const)];
  }
}

async function assertEmpty(target: KeyValueStore): Promise<void> {
  const isEmpty = await target.view(async (view) => {
    for await (const page of view.pages({ ...EVERYTHING, limit: 1 })) return page.length === 0;
    return true;
  });
  if (isEmpty) return;
  throw new ServiceError("ALREADY_EXISTS", `There is data in ${target.location} already. Give an empty place.`);
}

/** The others say what the records are, and that differs until the copy is finished. */
function isCopied([key]: StoreItem): boolean {
  return Buffer.compare(key, FORMAT_KEY) !== 0 && Buffer.compare(key, COPY_KEY) !== 0;
}

function nameOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1");
}

function unlike(location: string): ServiceError {
  return new ServiceError(
    "DATA_DAMAGED",
    `What was read back from ${location} is not what was written. Nothing was put into service; look at its disk, and try again.`,
  );
}

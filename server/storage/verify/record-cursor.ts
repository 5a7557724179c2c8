/**
 * Records of one kind, read on from context to context: a key of it is a letter, a context number, and the rest.
 *
 * Not here: what they mean (context-check.ts).
 */
import type { DumpedRecord } from "../change-log.ts";
import { contextNumberOf, hasNumbers, type KeyRange } from "../log/log-keys.ts";

export interface RecordSource {
  get(key: Uint8Array): Promise<Uint8Array | undefined>;
  pages(range: KeyRange): AsyncIterable<readonly DumpedRecord[]>;
}

interface CursorOptions {
  /** That a key of this kind has; one that has less is told and passed over. */
  readonly numbers: number;
  readonly onStray: (key: Uint8Array) => void;
}

export class RecordCursor {
  readonly #pages: AsyncIterator<readonly DumpedRecord[]>;
  readonly #numbers: number;
  readonly #onStray: (key: Uint8Array) => void;
  #page: readonly DumpedRecord[] = [];
  #at = 0;

  constructor(source: RecordSource, range: KeyRange, { numbers, onStray }: CursorOptions) {
    this.#pages = source.pages(range)[Symbol.asyncIterator]();
    this.#numbers = numbers;
    this.#onStray = onStray;
  }

  /** The context number of the next record; undefined at the end. */
  async number(): Promise<number | undefined> {
    const record = await this.#peek();
    return record && contextNumberOf(record[0]);
  }

  /** The next record if it is the context's; then it is passed. */
  async next(number: number): Promise<DumpedRecord | undefined> {
    const record = await this.#peek();
    if (record === undefined || contextNumberOf(record[0]) !== number) return undefined;
    this.#at++;
    return record;
  }

  /** All that is left of the context. */
  async *rest(number: number): AsyncGenerator<DumpedRecord, void> {
    for (let record = await this.next(number); record !== undefined; record = await this.next(number)) yield record;
  }

  async #peek(): Promise<DumpedRecord | undefined> {
    while (this.#at >= this.#page.length) {
      const next = await this.#pages.next();
      if (next.done === true) return undefined;
      this.#page = next.value.filter(([key]) => this.#isOfKind(key));
      this.#at = 0;
    }
    return this.#page[this.#at];
  }

  #isOfKind(key: Uint8Array): boolean {
    const isOfKind = hasNumbers(key, this.#numbers);
    if (!isOfKind) this.#onStray(key);
    return isOfKind;
  }
}

/**
 * The webhooks that there are, and the records that belong to each.
 *
 * Invariants (HOOK):
 *  1. A webhook is there when its record is: what belongs to it is written before it, and goes after it.
 *  2. A new webhook is told of what the contexts that there are do from now on: their places are kept with it.
 *
 * Not here: deliveries (outbox.ts, delivery-line.ts).
 */
import type { ContextId } from "../../shared/ids.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { RecordWrite } from "../storage/change-log.ts";
import type { OutboxStore } from "./outbox.ts";
import { cursorWrite, firstCursor, recordsOf, webhookOf } from "./webhook-records.ts";
import type { StoredWebhook } from "./webhook-records.ts";

const BELONGINGS = ["webhook-cursors", "webhook-endings", "webhook-dead-letters"] as const;
type Belonging = (typeof BELONGINGS)[number];

const PAGE = LIMITS.listLimitMax;

export class WebhookRegistry {
  readonly #store: OutboxStore;

  constructor(store: OutboxStore) {
    this.#store = store;
  }

  /** Oldest first. @throws {ServiceError} DATA_DAMAGED, STORE_UNAVAILABLE */
  async load(): Promise<ReadonlyMap<string, StoredWebhook>> {
    const records = await this.#store.listRecords(undefined, "webhooks", { limit: PAGE });
    const webhooks = new Map(records.map(({ key, value }) => [key, webhookOf(value)]));
    return new Map([...webhooks].sort(([, a], [, b]) => a.createdAtMs - b.createdAtMs));
  }

  /**
   * Deletes what a crash left of others. Given what was found so the last time, only that: the rest may be of one that
   * another server is adding. What it left.
   */
  async tidy(found?: ReadonlySet<string>): Promise<ReadonlySet<string>> {
    const left = new Set<string>();
    for (const collection of BELONGINGS)
      for await (const owner of this.#owners(collection)) {
        if ((await this.#store.readRecord(undefined, "webhooks", owner)) !== undefined) continue;
        if (found?.has(owner) === false) left.add(owner);
        else await this.#forget(collection, owner);
      }
    return left;
  }

  /** Keeps the places at which the contexts of a new webhook are, then the webhook. */
  async add(id: string, webhook: StoredWebhook, matches: (contextId: ContextId) => boolean): Promise<void> {
    for (let after: ContextId | undefined; ;) {
      const page = await this.#store.list(after, PAGE);
      const cursors = page
        .filter(({ meta }) => matches(meta.id))
        .map(({ meta, head: { seq, version } }) =>
          cursorWrite(id, meta.id, { ...firstCursor(meta.firstEpoch), seq, version, isNew: false }),
        );
      if (cursors.length > 0) await this.#store.writeRecords(undefined, cursors);
      after = page.at(-1)?.meta.id;
      if (after === undefined || page.length < PAGE) break;
    }
    await this.write(id, webhook);
  }

  async write(id: string, webhook: StoredWebhook): Promise<void> {
    await this.#store.writeRecords(undefined, [{ collection: "webhooks", key: id, value: { ...webhook } }]);
  }

  async remove(id: string): Promise<void> {
    await this.#store.writeRecords(undefined, [{ collection: "webhooks", key: id, value: null }]);
    for (const collection of BELONGINGS) await this.#forget(collection, id);
  }

  async deadLetterCount(id: string): Promise<number> {
    let count = 0;
    for await (const _ of recordsOf(this.#store, { collection: "webhook-dead-letters", webhookId: id })) count += 1;
    return count;
  }

  async #forget(collection: Belonging, webhookId: string): Promise<void> {
    let writes: RecordWrite[] = [];
    for await (const { key } of recordsOf(this.#store, { collection, webhookId })) {
      writes.push({ collection, key, value: null });
      if (writes.length < PAGE) continue;
      await this.#store.writeRecords(undefined, writes);
      writes = [];
    }
    if (writes.length > 0) await this.#store.writeRecords(undefined, writes);
  }

  /** The ids of webhooks that have records in a collection; each is found by one read. */
  async *#owners(collection: Belonging): AsyncIterable<string> {
    for (let after: string | undefined; ;) {
      const [record] = await this.#store.listRecords(undefined, collection, {
        limit: 1,
        ...(after === undefined ? {} : { after }),
      });
      if (record === undefined) return;
      const [owner = ""] = record.key.split(" ");
      yield owner;
      // after the space, which all of its keys have
      after = `${owner}!`;
    }
  }
}

/**
 * Webhooks on a FakeContextService: the real manager, on records in memory and a target that answers as it is told.
 *
 * Not here: contexts to tell of; durability.
 */
import { systemClock } from "../../server/clock.ts";
import { TargetPolicy } from "../../server/outbound/target-policy.ts";
import type { RecordQuery, RecordWrite, SideRecord } from "../../server/storage/change-log.ts";
import type { OutboxStore } from "../../server/webhooks/outbox.ts";
import { WebhookManager } from "../../server/webhooks/webhook-manager.ts";
import type { ContextId } from "../../shared/ids.ts";
import type { JsonObject } from "../../shared/json.ts";
import { FakeTarget } from "./fake-target.ts";
import { RecordingLogger } from "./recording-logger.ts";

/** Without contexts. */
class Records implements OutboxStore {
  readonly #records = new Map<string, JsonObject>();

  async list(): Promise<[]> {
    return [];
  }
  async summary(): Promise<undefined> {
    return undefined;
  }
  async read(): Promise<[]> {
    return [];
  }
  async readRecord(_id: ContextId | undefined, collection: string, key: string): Promise<JsonObject | undefined> {
    return this.#records.get(`${collection}/${key}`);
  }
  async listRecords(
    _id: ContextId | undefined,
    collection: string,
    { after = "", limit }: RecordQuery,
  ): Promise<readonly SideRecord[]> {
    const prefix = `${collection}/`;
    return [...this.#records]
      .filter(([key]) => key.startsWith(prefix) && key > prefix + after)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .slice(0, limit)
      .map(([key, value]) => ({ key: key.slice(prefix.length), value }));
  }
  async writeRecords(_id: ContextId | undefined, writes: readonly RecordWrite[]): Promise<void> {
    for (const { collection, key, value } of writes) {
      if (value === null) this.#records.delete(`${collection}/${key}`);
      else this.#records.set(`${collection}/${key}`, value);
    }
  }
}

export class FakeWebhooks extends WebhookManager {
  readonly target: FakeTarget;

  constructor(target = new FakeTarget()) {
    const policy = new TargetPolicy([]);
    const logger = new RecordingLogger();
    super({ storage: new Records(), clock: systemClock, logger, post: target.post, policy });
    this.target = target;
  }
}

/**
 * What is still to be told to the target of a webhook. The log is the outbox: kept beside it is only how far each target was
 * told of each context, so a change costs nothing more when it is written.
 *
 * Invariants (HOOK):
 *  1. A delivery is durable, by where it begins and ends, before it is tried: after a crash the same one is tried again.
 *  2. The cursor moves when the target has taken a delivery, or with the dead letter that it became.
 *  3. What cannot be told any more (thinned, deleted, given up) is a gap that the next delivery names.
 *  4. One part of a log is held at a time, whoever asks.
 *
 * Not here: sending and trying again (delivery-line.ts), who is behind (backlog-scan.ts).
 */
import type { ContextId } from "../../shared/ids.ts";
import type { ChangeView } from "../../shared/protocol/rest.ts";
import type { DeliveryBody } from "../../shared/protocol/rest-webhooks.ts";
import type { DeliveryGap } from "../../shared/webhook.ts";
import type { Clock } from "../clock.ts";
import type { ChangeLog, RecordWrite, StoredSummary } from "../storage/change-log.ts";
import { excerptOf, wantedAt } from "./log-excerpt.ts";
import type { Excerpt } from "./log-excerpt.ts";
import {
  cursorKey,
  cursorOf,
  cursorWrite,
  endingKey,
  endingOf,
  firstCursor,
  letterKey,
  letterOf,
  recordsOf,
  withGap,
} from "./webhook-records.ts";
import type { Cursor, Ending, Letter, Span } from "./webhook-records.ts";

/** StorageManager and every ChangeLog fit. */
export type OutboxStore = Pick<ChangeLog, "list" | "summary" | "read" | "readRecord" | "listRecords" | "writeRecords">;

/** Whose target it is, and what it is told of. */
export interface Subscription {
  readonly id: string;
  readonly paths?: readonly string[];
}

export interface Delivery {
  readonly contextId: ContextId;
  readonly span: Span;
  /** JSON. */
  readonly body: string;
}

export interface Due {
  /** Absent when there is nothing to tell. */
  readonly delivery?: Delivery;
  /** Ask again, when it is delivered. */
  readonly hasMore: boolean;
}

const NOTHING: Due = { hasMore: false };
const AGAIN: Due = { hasMore: true };

export class Outbox {
  readonly #store: OutboxStore;
  readonly #clock: Pick<Clock, "newId">;
  #lastRead: Promise<unknown> = Promise.resolve();

  constructor(store: OutboxStore, clock: Pick<Clock, "newId">) {
    this.#store = store;
    this.#clock = clock;
  }

  /** What the target is to be told next of a context. @throws {ServiceError} STORE_UNAVAILABLE, DATA_DAMAGED */
  async next(webhook: Subscription, id: ContextId): Promise<Due> {
    // in this order: an ending is written before its context goes
    const summary = await this.#store.summary(id);
    const ending = await this.#ending(webhook.id, id);
    const life = summary?.meta.firstEpoch;
    const firstEpoch = ending?.firstEpoch ?? life;
    const stored = await this.#cursor(webhook.id, id);
    const cursor = stored ?? (firstEpoch === undefined ? undefined : firstCursor(firstEpoch));
    if (cursor === undefined) return NOTHING;
    if (summary === undefined || cursor.firstEpoch !== life) return this.#deletion(webhook, id, { cursor, ending });
    return this.#changes(webhook, summary, cursor);
  }

  /** The target took it. */
  async delivered(webhookId: string, { contextId, span }: Delivery): Promise<void> {
    await this.#store.writeRecords(undefined, afterwards(webhookId, contextId, { span, gaps: [] }));
  }

  /** It is given up; the context goes on after it. */
  async setAside(
    webhookId: string,
    { contextId, span }: Delivery,
    fault: Pick<Letter, "attempts" | "error" | "atMs">,
  ): Promise<void> {
    const letter: Letter = { ...span, contextId, ...fault };
    const { afterVersion, toVersion } = span;
    const gaps = withGap(owedBefore(span), { from: afterVersion + 1, to: toVersion, reason: "dead-letter" });
    await this.#store.writeRecords(undefined, [
      { collection: "webhook-dead-letters", key: letterKey(webhookId, letter), value: { ...letter } },
      ...afterwards(webhookId, contextId, { span, gaps }),
    ]);
  }

  /** Oldest first; what is forgotten meanwhile does not disturb. */
  async *letters(webhookId: string): AsyncIterable<Letter> {
    for await (const { value } of recordsOf(this.#store, { collection: "webhook-dead-letters", webhookId }))
      yield letterOf(value);
  }

  /** A dead letter once more, as far as the log still has what it told. */
  async again(webhook: Subscription, letter: Letter): Promise<Delivery> {
    const { contextId, attempts: _attempts, error: _error, atMs: _atMs, ...span } = letter;
    const { afterSeq, afterVersion, toSeq, toVersion, firstEpoch } = span;
    const summary = await this.#store.summary(contextId);
    const gone = { from: afterVersion + 1, to: toVersion, reason: "deleted" } as const;
    if (summary?.meta.firstEpoch !== firstEpoch) {
      const gaps = span.isDeletion ? span.gaps : withGap(span.gaps, gone);
      return deliveryOf(webhook.id, { contextId, span: { ...span, gaps }, isRedelivery: true });
    }
    const excerpt = await this.#excerpt(webhook, contextId, {
      after: { seq: afterSeq, version: afterVersion },
      head: { seq: toSeq, version: toVersion },
      toSeq,
    });
    const { changes, missing } = excerpt;
    const gaps = missing === undefined ? span.gaps : withGap(owedBefore(span), thinned(missing));
    return deliveryOf(webhook.id, { contextId, span: { ...span, gaps }, changes, isRedelivery: true });
  }

  /** It was delivered after all. */
  async forget(webhookId: string, letter: Letter): Promise<void> {
    const key = letterKey(webhookId, letter);
    await this.#store.writeRecords(undefined, [{ collection: "webhook-dead-letters", key, value: null }]);
  }

  /** How far the target was told, and how far the context is. */
  async position(webhookId: string, id: ContextId): Promise<{ version: number; currentVersion?: number }> {
    const summary = await this.#store.summary(id);
    const { version = 0 } = (await this.#cursor(webhookId, id)) ?? {};
    return { version, ...(summary === undefined ? {} : { currentVersion: summary.head.version }) };
  }

  async #changes(webhook: Subscription, summary: StoredSummary, cursor: Cursor): Promise<Due> {
    const { pending, ...place } = cursor;
    const read = await this.#reading(webhook, summary, cursor);
    if (read === undefined) return AGAIN;
    const { span, excerpt } = read;
    const { changes, end, missing, hasMore } = excerpt;
    const { id } = summary.meta;
    if (changes.length === 0 && missing === undefined && !cursor.isNew) {
      if (end.seq > cursor.seq) await this.#move(webhook.id, id, { ...place, ...end });
      return hasMore ? AGAIN : NOTHING;
    }
    if (span !== pending) await this.#move(webhook.id, id, { ...place, pending: span });
    return { delivery: deliveryOf(webhook.id, { contextId: id, span, changes }), hasMore };
  }

  /** The delivery that is being tried, as long as the log can give it, else the next one. Undefined: ask again. */
  async #reading(
    webhook: Subscription,
    summary: StoredSummary,
    { pending, ...cursor }: Cursor,
  ): Promise<{ readonly span: Span; readonly excerpt: Excerpt } | undefined> {
    const { meta } = summary;
    const head = pending === undefined ? summary.head : { seq: pending.toSeq, version: pending.toVersion };
    const excerpt = await this.#excerpt(webhook, meta.id, { after: cursor, head, toSeq: pending?.toSeq });
    // what was read may be of another life of the context
    if ((await this.#store.summary(meta.id))?.meta.firstEpoch !== cursor.firstEpoch) return undefined;
    const span = spanOf(pending?.deliveryId ?? this.#clock.newId(), cursor, excerpt);
    if (pending === undefined) return { span, excerpt };
    // thinned since it was tried: what is told now is another delivery
    if (!isSame(pending, span)) return this.#reading(webhook, summary, cursor);
    return { span: pending, excerpt: { ...excerpt, hasMore: pending.toSeq < summary.head.seq } };
  }

  async #deletion(
    webhook: Subscription,
    id: ContextId,
    { cursor, ending }: { readonly cursor: Cursor; readonly ending: Ending | undefined },
  ): Promise<Due> {
    const { firstEpoch, seq, version, isNew, pending } = cursor;
    const last = ending?.firstEpoch === firstEpoch ? Math.max(ending.version, version) : version;
    const span: Span = {
      deliveryId: pending?.isDeletion === true ? pending.deliveryId : this.#clock.newId(),
      firstEpoch,
      afterSeq: seq,
      afterVersion: version,
      toSeq: seq,
      toVersion: last,
      isCreation: isNew,
      isDeletion: true,
      gaps: withGap(cursor.gaps, { from: version + 1, to: last, reason: "deleted" }),
    };
    if (pending === undefined || !isSame(pending, span)) await this.#move(webhook.id, id, { ...cursor, pending: span });
    return { delivery: deliveryOf(webhook.id, { contextId: id, span }), hasMore: true };
  }

  async #excerpt(
    { paths }: Subscription,
    id: ContextId,
    wanted: Omit<Parameters<typeof excerptOf>[2], "isWanted">,
  ): Promise<Excerpt> {
    const reading = this.#lastRead.then(() => excerptOf(this.#store, id, { ...wanted, isWanted: wantedAt(paths) }));
    this.#lastRead = reading.catch(() => undefined);
    return reading;
  }

  #move(webhookId: string, id: ContextId, cursor: Cursor): Promise<void> {
    return this.#store.writeRecords(undefined, [cursorWrite(webhookId, id, cursor)]);
  }

  async #cursor(webhookId: string, id: ContextId): Promise<Cursor | undefined> {
    const record = await this.#store.readRecord(undefined, "webhook-cursors", cursorKey(webhookId, id));
    return record && cursorOf(record);
  }

  /** Of the oldest life of the context whose end is not told yet. */
  async #ending(webhookId: string, id: ContextId): Promise<Ending | undefined> {
    const after = `${cursorKey(webhookId, id)} `;
    const [record] = await this.#store.listRecords(undefined, "webhook-endings", { after, limit: 1 });
    return record?.key.startsWith(after) === true ? endingOf(record.value) : undefined;
  }
}

function spanOf(deliveryId: string, { firstEpoch, seq, version, isNew, gaps }: Cursor, excerpt: Excerpt): Span {
  const { end, missing } = excerpt;
  return {
    deliveryId,
    firstEpoch,
    afterSeq: seq,
    afterVersion: version,
    toSeq: end.seq,
    toVersion: end.version,
    isCreation: isNew,
    isDeletion: false,
    gaps: missing === undefined ? gaps : withGap(gaps, thinned(missing)),
  };
}

/** What is kept when a delivery is over: the place after it, or nothing of a context that is gone. */
function afterwards(
  webhookId: string,
  contextId: ContextId,
  { span, gaps }: { readonly span: Span; readonly gaps: readonly DeliveryGap[] },
): RecordWrite[] {
  const { firstEpoch, toSeq: seq, toVersion: version, isDeletion } = span;
  if (!isDeletion) {
    return [cursorWrite(webhookId, contextId, { firstEpoch, seq, version, isNew: false, gaps: [...gaps] })];
  }
  const key = endingKey(webhookId, contextId, firstEpoch);
  return [cursorWrite(webhookId, contextId, null), { collection: "webhook-endings", key, value: null }];
}

interface Content {
  readonly contextId: ContextId;
  readonly span: Span;
  readonly changes?: readonly ChangeView[];
  readonly isRedelivery?: boolean;
}

function deliveryOf(webhookId: string, { contextId, span, changes = [], isRedelivery = false }: Content): Delivery {
  const { deliveryId, toVersion: version, isCreation, isDeletion, gaps } = span;
  const body: DeliveryBody = {
    deliveryId,
    webhookId,
    contextId,
    version,
    ...(isCreation ? { created: true } : {}),
    ...(isDeletion ? { deleted: true } : {}),
    ...(isRedelivery ? { redelivered: true } : {}),
    ...(gaps.length === 0 ? {} : { gaps }),
    changes: [...changes],
  };
  return { contextId, span, body: JSON.stringify(body) };
}

/** The gaps of a delivery that are not its own: they were owed when it was made. */
function owedBefore({ gaps, afterVersion }: Span): DeliveryGap[] {
  return gaps.map((gap) => ({ ...gap, to: Math.min(gap.to, afterVersion) })).filter(({ from, to }) => from <= to);
}

function thinned(missing: { readonly from: number; readonly to: number }): DeliveryGap {
  return { ...missing, reason: "thinned" };
}

function isSame(one: Span, other: Span): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

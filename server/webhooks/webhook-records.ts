/**
 * What is kept of webhooks beside the log, as records of the server:
 *
 *   webhooks              <webhook>                            the webhook, with its secret
 *   webhook-cursors       <webhook> <context>                  how far the target was told
 *   webhook-endings       <webhook> <context> <first epoch>    a context that is, or was about to be, deleted
 *   webhook-dead-letters  <webhook> <time> <delivery>          what was given up
 *
 * Invariants (HOOK):
 *  1. Cursors of a webhook order as the contexts do in a listing.
 *  2. A delivery is known by where it begins and ends in the log; its content is read from there.
 *
 * Not here: when they are written (outbox.ts, webhook-registry.ts).
 */
import { z } from "zod";
import { ServiceError } from "../../shared/errors.ts";
import { parseActor, parseContextId } from "../../shared/ids.ts";
import type { ContextId } from "../../shared/ids.ts";
import type { JsonObject } from "../../shared/json.ts";
import { GAP_REASONS } from "../../shared/webhook.ts";
import type { DeliveryGap } from "../../shared/webhook.ts";
import type { ChangeLog, Collection, RecordWrite, SideRecord } from "../storage/change-log.ts";

const gapsSchema = z.array(z.object({ from: z.int(), to: z.int(), reason: z.enum(GAP_REASONS) }));

/** A delivery: afterSeq < seq <= toSeq of the context that began with `firstEpoch`. */
const spanSchema = z.object({
  deliveryId: z.string(),
  firstEpoch: z.int(),
  afterSeq: z.int(),
  afterVersion: z.int(),
  toSeq: z.int(),
  toVersion: z.int(),
  isCreation: z.boolean(),
  isDeletion: z.boolean(),
  gaps: gapsSchema,
});

const cursorSchema = z.object({
  firstEpoch: z.int(),
  seq: z.int(),
  version: z.int(),
  /** That the context was created is not told yet. */
  isNew: z.boolean(),
  /** Not told, and to be said with the next delivery. */
  gaps: gapsSchema,
  /** The delivery that is being tried: after a crash it must be the same one. */
  pending: spanSchema.exactOptional(),
});

const endingSchema = z.object({ firstEpoch: z.int(), version: z.int() });

const letterSchema = spanSchema.extend({
  contextId: z.string().transform(parseContextId),
  attempts: z.int(),
  error: z.string(),
  atMs: z.number(),
});

const webhookSchema = z.object({
  url: z.string(),
  contexts: z.array(z.string()),
  paths: z.array(z.string()).exactOptional(),
  keyId: z.string(),
  secret: z.string(),
  createdAtMs: z.number(),
  createdBy: z.string().transform(parseActor),
  /** Nothing is sent until somebody resumes it. */
  halt: z
    .object({
      state: z.enum(["paused", "stopped"]),
      fault: z
        .object({ atMs: z.number(), contextId: z.string().transform(parseContextId), message: z.string() })
        .exactOptional(),
    })
    .exactOptional(),
});

export type Span = Readonly<z.infer<typeof spanSchema>>;
export type Cursor = Readonly<z.infer<typeof cursorSchema>>;
export type Ending = Readonly<z.infer<typeof endingSchema>>;
export type Letter = Readonly<z.infer<typeof letterSchema>>;
export type StoredWebhook = Readonly<z.infer<typeof webhookSchema>>;

export const cursorOf = (value: JsonObject): Cursor => readAs(cursorSchema, value);
export const endingOf = (value: JsonObject): Ending => readAs(endingSchema, value);
export const letterOf = (value: JsonObject): Letter => readAs(letterSchema, value);
export const webhookOf = (value: JsonObject): StoredWebhook => readAs(webhookSchema, value);

/** Ids of contexts, and UUIDs, have no space. */
export function cursorKey(webhookId: string, contextId: ContextId): string {
  return `${webhookId} ${contextId}`;
}

/** Digits of 2^53, so that keys order as the numbers do. */
const DIGITS = 16;

export function endingKey(webhookId: string, contextId: ContextId, firstEpoch: number): string {
  return `${webhookId} ${contextId} ${String(firstEpoch).padStart(DIGITS, "0")}`;
}

export function letterKey(webhookId: string, { atMs, deliveryId }: Pick<Letter, "atMs" | "deliveryId">): string {
  return `${webhookId} ${String(Math.max(0, Math.floor(atMs))).padStart(DIGITS, "0")} ${deliveryId}`;
}

/** The context in the key of a cursor or an ending. */
export function contextOfKey(key: string): ContextId {
  const [, id = ""] = key.split(" ");
  return parseContextId(id);
}

interface RecordsOf {
  readonly collection: Collection;
  readonly webhookId: string;
  /** Only those after this key. */
  readonly from?: string | undefined;
}

const PAGE = 500;

/** The records of one webhook in a collection, in order of key, read page by page. */
export async function* recordsOf(
  store: Pick<ChangeLog, "listRecords">,
  { collection, webhookId, from }: RecordsOf,
): AsyncIterable<SideRecord> {
  const all = `${webhookId} `;
  for (let after = from ?? all; ;) {
    const records = await store.listRecords(undefined, collection, { after, limit: PAGE });
    for (const record of records) {
      if (!record.key.startsWith(all)) return;
      yield record;
    }
    const last = records.at(-1);
    if (last === undefined || records.length < PAGE) return;
    after = last.key;
  }
}

export function cursorWrite(webhookId: string, contextId: ContextId, cursor: Cursor | null): RecordWrite {
  return { collection: "webhook-cursors", key: cursorKey(webhookId, contextId), value: cursor && { ...cursor } };
}

/** Where a context is told from the beginning. */
export function firstCursor(firstEpoch: number): Cursor {
  return { firstEpoch, seq: 0, version: 0, isNew: true, gaps: [] };
}

/** With one more, which follows on them. */
export function withGap(gaps: readonly DeliveryGap[], gap: DeliveryGap): DeliveryGap[] {
  if (gap.from > gap.to) return [...gaps];
  const last = gaps.at(-1);
  if (last?.reason !== gap.reason || last.to + 1 !== gap.from) return [...gaps, gap];
  return [...gaps.slice(0, -1), { ...last, to: gap.to }];
}

function readAs<Schema extends z.ZodType>(schema: Schema, value: JsonObject): z.output<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new ServiceError(
    "DATA_DAMAGED",
    "A record of a webhook cannot be read by this release. Start the release that wrote the data folder, and delete the webhook there.",
    { cause: parsed.error },
  );
}

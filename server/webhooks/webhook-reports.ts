/**
 * How webhooks are, at whichever server of the data one asks: how far they are the server knows that delivers.
 *
 * Invariants (HOOK, NODE):
 *  1. That one is paused or stopped is stored, and so are dead letters: no other server is asked for it.
 *  2. When nobody delivers, or who does gives no answer, nothing is told to be behind or to have failed.
 *
 * Not here: which of the servers delivers (outbox-lead.ts), what is stored (webhook-registry.ts).
 */
import { z } from "zod";
import { parseContextId } from "../../shared/ids.ts";
import { isJsonObject } from "../../shared/json.ts";
import type { Json } from "../../shared/json.ts";
import type { Limits } from "../../shared/limits.ts";
import type { WebhookReport, WebhookStatus } from "../../shared/webhook.ts";
import type { Peers } from "../storage/peers.ts";
import type { DeliveryLine } from "./delivery-line.ts";
import type { Outbox } from "./outbox.ts";
import type { Letter, StoredWebhook } from "./webhook-records.ts";

type ReportedLine = Pick<DeliveryLine, "status" | "behind">;

export interface ReportedHook {
  readonly stored: StoredWebhook;
  readonly line: ReportedLine;
}

interface WebhookReportsOptions {
  readonly hooks: ReadonlyMap<string, ReportedHook>;
  readonly lead: { readonly isOurs: boolean };
  readonly outbox: Pick<Outbox, "position" | "letters">;
  readonly peers: Pick<Peers, "ask" | "answer"> | undefined;
  readonly limits: Pick<Limits, "webhookToldMax">;
}

const contextId = z.string().transform(parseContextId);
/** Servers of other releases may say more. */
const progressSchema = z.object({
  failures: z.int(),
  nextAttemptAtMs: z.number().exactOptional(),
  lastDeliveryAtMs: z.number().exactOptional(),
  lastError: z.object({ atMs: z.number(), contextId, message: z.string() }).exactOptional(),
  behind: z.int(),
  positions: z.array(z.object({ contextId, failures: z.int(), nextAttemptAtMs: z.number().exactOptional() })),
});
const answerSchema = z.record(z.string(), progressSchema);

/** Of the deliveries of one. */
type Progress = z.output<typeof progressSchema>;

export class WebhookReports {
  readonly #options: WebhookReportsOptions;

  constructor(options: WebhookReportsOptions) {
    this.#options = options;
    options.peers?.answer("webhooks", (question) => {
      if (!options.lead.isOurs) return {};
      const id = isJsonObject(question) ? question["id"] : undefined;
      const wanted = [...options.hooks].filter(([hookId]) => id === undefined || hookId === id);
      return Object.fromEntries(
        wanted.map(([hookId, { line }]): [string, Json] => [hookId, jsonOf(this.#progressOf(line, id !== undefined))]),
      );
    });
  }

  async list(): Promise<readonly WebhookStatus[]> {
    const elsewhere = await this.#ask({});
    return Array.from(this.#options.hooks, ([id, hook]) => statusOf(id, hook, elsewhere.get(id)));
  }

  async get(id: string, hook: ReportedHook): Promise<WebhookReport> {
    const { outbox, limits } = this.#options;
    const elsewhere = (await this.#ask({ id })).get(id);
    const { positions } = elsewhere ?? this.#progressOf(hook.line, true);
    const oldestDeadLetters: Letter[] = [];
    for await (const letter of outbox.letters(id)) {
      oldestDeadLetters.push(letter);
      if (oldestDeadLetters.length === limits.webhookToldMax) break;
    }
    return {
      ...statusOf(id, hook, elsewhere),
      positions: await Promise.all(
        positions.map(async (it) => ({ ...it, ...(await outbox.position(id, it.contextId)) })),
      ),
      oldestDeadLetters: oldestDeadLetters.map((letter) => ({ ...letter, fromVersion: letter.afterVersion + 1 })),
    };
  }

  /** From who delivers, if that is another server. */
  async #ask(question: Json): Promise<ReadonlyMap<string, Progress>> {
    const { peers, lead } = this.#options;
    const told = lead.isOurs ? undefined : await peers?.ask("webhooks", question);
    const understood = (told?.answers ?? []).map((answer) => answerSchema.safeParse(answer).data ?? {});
    return new Map(understood.flatMap((answer) => Object.entries(answer)));
  }

  #progressOf(line: ReportedLine, withPositions: boolean): Progress {
    const { state: _, deadLetters: _letters, ...progress } = line.status();
    return { ...progress, positions: withPositions ? line.behind(this.#options.limits.webhookToldMax) : [] };
  }
}

/** `elsewhere`: how far another server is that delivers. */
export function statusOf(id: string, { stored, line }: ReportedHook, elsewhere?: Progress): WebhookStatus {
  const { url, contexts, paths, keyId, createdAtMs, createdBy, halt } = stored;
  const words = { id, url, contexts, keyId, createdAtMs, createdBy, ...(paths === undefined ? {} : { paths }) };
  const here = line.status();
  if (elsewhere === undefined) return { ...words, ...here };
  const { positions: _, nextAttemptAtMs, ...progress } = elsewhere;
  const state = halt?.state ?? (progress.failures > 0 ? "retrying" : "active");
  const pause = state === "retrying" && nextAttemptAtMs !== undefined ? { nextAttemptAtMs } : {};
  return { ...words, state, ...progress, ...pause, deadLetters: here.deadLetters };
}

function jsonOf({ lastError, positions, ...progress }: Progress): Json {
  return {
    ...progress,
    ...(lastError === undefined ? {} : { lastError: { ...lastError } }),
    positions: positions.map((position) => ({ ...position })),
  };
}

/**
 * One look at all parts: contexts and sessions with their totals, the worst one of each kind, the first few and the rest.
 *
 * Invariants (MON):
 *  1. A census is of one moment, and each context and session is looked at once for it.
 *  2. Whatever number of contexts there is, so many and no more are told by name.
 */
import type { ContextId } from "../../shared/ids.ts";
import type { SessionProtocol, SessionStats } from "../../shared/monitoring.ts";
import type { ContextVitals, LogVitals, Sources, WebhookVitals } from "./vitals.ts";

/** The context with the highest value of all, if there is any. */
export interface Worst {
  readonly value: number;
  readonly contextId?: ContextId;
}

export interface ContextTotals {
  readonly inMemory: number;
  readonly stateBytes: number;
  readonly memoryBytes: number;
  readonly diskBytes: number;
  readonly queuedWrites: number;
  readonly structs: number;
  readonly mostClientIds: Worst;
  readonly largestOnDisk: Worst;
  readonly longestQueuedMs: Worst;
  /** Contexts whose documents are not sound; the first few by name. */
  readonly unsound: readonly ContextId[];
  readonly unsoundCount: number;
}

export interface SessionTotals {
  readonly open: number;
  readonly byProtocol: Readonly<Record<SessionProtocol, number>>;
  readonly behind: number;
  readonly queueBytes: number;
  readonly queueBytesMax: number;
  readonly lagMsMax: number;
}

export interface Census {
  readonly log: LogVitals;
  readonly contexts: readonly ContextVitals[];
  readonly contextTotals: ContextTotals;
  readonly sessions: readonly SessionStats[];
  readonly sessionTotals: SessionTotals;
  readonly historyQueue: number;
  readonly webhooks: WebhookVitals;
}

/** Names in one sentence. */
const NAMED_MAX = 5;

export function takeCensus(sources: Sources): Census {
  const contexts = [...sources.contexts()];
  const sessions = [...sources.sessions()];
  return {
    log: sources.log(),
    contexts,
    contextTotals: totalsOfContexts(contexts),
    sessions,
    sessionTotals: totalsOfSessions(sessions),
    historyQueue: sources.historyQueue(),
    webhooks: sources.webhooks(),
  };
}

export function totalsOfContexts(contexts: Iterable<ContextVitals>): ContextTotals {
  const sum = { inMemory: 0, stateBytes: 0, memoryBytes: 0, diskBytes: 0, queuedWrites: 0, structs: 0 };
  let mostClientIds: Worst = { value: 0 };
  let largestOnDisk: Worst = { value: 0 };
  let longestQueuedMs: Worst = { value: 0 };
  const unsound: ContextId[] = [];
  let unsoundCount = 0;
  for (const context of contexts) {
    const { contextId } = context;
    sum.inMemory++;
    sum.stateBytes += context.stateBytes;
    sum.memoryBytes += context.memoryBytes;
    sum.diskBytes += context.diskBytes;
    sum.queuedWrites += context.queuedWrites;
    sum.structs += context.structs;
    mostClientIds = worse(mostClientIds, context.yjsClientIds, contextId);
    largestOnDisk = worse(largestOnDisk, context.diskBytes, contextId);
    longestQueuedMs = worse(longestQueuedMs, context.queuedForMs, contextId);
    if (context.isSound) continue;
    unsoundCount++;
    if (unsound.length < NAMED_MAX) unsound.push(contextId);
  }
  return { ...sum, mostClientIds, largestOnDisk, longestQueuedMs, unsound, unsoundCount };
}

function totalsOfSessions(sessions: Iterable<SessionStats>): SessionTotals {
  const byProtocol = { "mcm.v1": 0, "y-websocket": 0 };
  const sum = { open: 0, behind: 0, queueBytes: 0, queueBytesMax: 0, lagMsMax: 0 };
  for (const { protocol, queueBytes, lagMs } of sessions) {
    byProtocol[protocol]++;
    sum.open++;
    sum.queueBytes += queueBytes;
    sum.queueBytesMax = Math.max(sum.queueBytesMax, queueBytes);
    if (lagMs > 0) sum.behind++;
    sum.lagMsMax = Math.max(sum.lagMsMax, lagMs);
  }
  return { ...sum, byProtocol };
}

/** The contexts with the highest values, highest first, and the sum of the others'. */
export function topOf(
  contexts: readonly ContextVitals[],
  count: number,
  valueOf: (context: ContextVitals) => number,
): { readonly first: readonly ContextVitals[]; readonly restSum: number } {
  // a few out of very many: to sort them all would hold the event loop
  const first: { readonly context: ContextVitals; readonly value: number }[] = [];
  let restSum = 0;
  for (const context of contexts) {
    const value = valueOf(context);
    restSum += value;
    if (first.length === count && value <= (first.at(-1)?.value ?? Infinity)) continue;
    const at = first.findIndex((other) => other.value < value);
    first.splice(at < 0 ? first.length : at, 0, { context, value });
    first.length = Math.min(first.length, count);
  }
  for (const { value } of first) restSum -= value;
  return { first: first.map(({ context }) => context), restSum };
}

function worse(known: Worst, value: number, contextId: ContextId): Worst {
  return value > known.value ? { value, contextId } : known;
}

/** A past in a log in memory, and a history over it. */
import { systemClock } from "../../server/clock.ts";
import type { Clock } from "../../server/clock.ts";
import { HistoryManager } from "../../server/history/history-manager.ts";
import { InlineHistory } from "../../server/history/history-runner.ts";
import { unpackEntries } from "../../server/history/log-page.ts";
import type { HistoryRunner } from "../../server/history/history-runner.ts";
import type { Excerpt, HistoryTask } from "../../server/history/history-tasks.ts";
import { DocumentFold } from "../../server/state/document-fold.ts";
import { MemoryChangeLog } from "../../server/storage/log/memory-change-log.ts";
import type { Checkpoint } from "../../server/storage/change-log.ts";
import { parseContextId } from "../../shared/ids.ts";
import type { ContextId } from "../../shared/ids.ts";
import type { Limits } from "../../shared/limits.ts";
import { actorOf } from "./past.ts";
import type { Past } from "./past.ts";
import { NODE } from "./stored-state.ts";

export const CONTEXT: ContextId = parseContextId("plan");

/** Notes what it is asked; `hold` makes it wait. */
export class WatchedRunner extends InlineHistory implements HistoryRunner {
  readonly asked: HistoryTask[] = [];
  readonly entries: number[] = [];
  hold: Promise<void> = Promise.resolve();

  override async ask(excerpt: Excerpt, task: HistoryTask): Promise<string> {
    this.asked.push(task);
    this.entries.push(excerpt.pages.reduce((count, page) => count + unpackEntries(page).length, 0));
    await this.hold;
    return super.ask(excerpt, task);
  }
}

export interface PastLog {
  readonly log: MemoryChangeLog;
  readonly history: HistoryManager;
  readonly runner: WatchedRunner;
}

interface PastLogOptions {
  readonly clock?: Clock;
  readonly limits?: Limits;
}

export async function logOf(past: Past, { clock = systemClock, limits }: PastLogOptions = {}): Promise<PastLog> {
  const log = new MemoryChangeLog();
  await log.open();
  const { base } = past;
  const meta = {
    id: CONTEXT,
    tags: [],
    createdAtMs: 5,
    createdBy: actorOf("creator"),
    epoch: 1,
    firstEpoch: 1,
    authorSalt: 0,
  };
  await log.create(meta, base);
  await append(log, past, 0);
  const runner = new WatchedRunner();
  const history = new HistoryManager({ log, clock, runner, ...(limits === undefined ? {} : { limits }) });
  return { log, history, runner };
}

/** What the past has beyond the log's first `seq` entries. */
export async function append(log: MemoryChangeLog, past: Past, seq: number): Promise<void> {
  for (let at = seq; at < past.entries.length; at += 1000) {
    const entries = past.entries.slice(at, at + 1000).map(({ seq: _seq, version: _version, ...entry }) => entry);
    const result = await log.append(CONTEXT, { seq: at }, entries);
    if (result.kind !== "appended") throw new Error("the log moved on");
  }
}

export function checkpointAt(past: Past, seq: number): Checkpoint {
  const fold = new DocumentFold(past.base, { nodeClientId: NODE });
  fold.apply(past.entries.slice(0, seq));
  return fold.checkpoint();
}

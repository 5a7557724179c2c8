/**
 * The past of contexts, out of the log: reads the part that is needed, has it worked out beside the live traffic, and
 * remembers the answers.
 *
 * Invariants (HIST):
 *  1. Nothing heavy runs on the event loop: documents are folded and compared on the runner's thread.
 *  2. One request at a time holds a part of a log; the others wait in a line of bounded length.
 *
 * Not here: changes to a context (server/use-cases/history.ts), what a checkpoint is named (there too).
 */
import type { ContextHead } from "../../shared/context.ts";
import type { Authorship, BlameLine, Diff } from "../../shared/history.ts";
import type { ContextId } from "../../shared/ids.ts";
import { LIMITS, type Limits } from "../../shared/limits.ts";
import { parsePath } from "../../shared/path.ts";
import type { Clock } from "../clock.ts";
import type { ChangesPage, ChangesRequest, ReadContext, UndoRequest } from "../context-service.ts";
import type { Reading } from "../state/history/revert-ops.ts";
import type { UndoPlan } from "../state/history/undo-plan.ts";
import type { LogPlace } from "../state/history/version-seek.ts";
import type { Checkpoint } from "../storage/change-log.ts";
import { NO_MONITOR } from "../monitor-port.ts";
import type { Monitor } from "../monitor-port.ts";
import { HistoryCache } from "./history-cache.ts";
import type { HistoryRunner } from "./history-runner.ts";
import type { Answers, HistoryTask } from "./history-tasks.ts";
import { contextNotFound } from "../state/context-not-found.ts";
import { listChanges } from "./list-changes.ts";
import { LogView } from "./log-view.ts";
import type { HistoryLog } from "./log-view.ts";
import { Turns } from "./turns.ts";

export interface HistoryManagerOptions {
  readonly log: HistoryLog;
  readonly clock: Clock;
  readonly runner: HistoryRunner;
  readonly limits?: Limits;
  readonly monitor?: Monitor;
}

export class HistoryManager {
  readonly #log: HistoryLog;
  readonly #runner: HistoryRunner;
  readonly #cache: HistoryCache;
  readonly #turns: Turns;

  constructor({ log, clock, runner, limits = LIMITS, monitor = NO_MONITOR }: HistoryManagerOptions) {
    this.#log = log;
    this.#runner = runner;
    this.#cache = new HistoryCache(clock, limits, monitor);
    this.#turns = new Turns(limits.historyQueueMax);
  }

  /** Requests that a worker has or that wait for it. */
  get queued(): number {
    return this.#turns.length;
  }

  /** What runs and waits is rejected. */
  close(): Promise<void> {
    return this.#runner.close();
  }

  /**
   * The data of a version as it was. Of `head`, `lockSeq` is 0: what could then alter admission is not kept. When the
   * entry of the change is gone, `updatedAtMs` is when the context was created.
   * @throws {ServiceError} CONTEXT_NOT_FOUND, VERSION_NOT_FOUND, PATH_NOT_FOUND, INVALID_REQUEST, RATE_LIMITED
   */
  async read(
    id: ContextId,
    { version, path, depth }: { readonly version: number; readonly path: string; readonly depth?: number },
  ): Promise<ReadContext> {
    const view = await LogView.of(this.#log, id);
    const place = await view.placeOf(version);
    const task = { kind: "read", path, ...(depth === undefined ? {} : { depth }) } as const;
    const data = await this.#at(view, place, task);
    const updatedAtMs = (await view.timeOf(place)) ?? view.meta.createdAtMs;
    const head: ContextHead = { seq: place.seq, version, lockSeq: 0, updatedAtMs };
    return { meta: view.meta, head, data };
  }

  /** What stood at a path, so that it can be written again. @throws {ServiceError} as read, without PATH_NOT_FOUND */
  async reading(
    id: ContextId,
    { version, path }: { readonly version: number; readonly path: string },
  ): Promise<Reading> {
    const view = await LogView.of(this.#log, id);
    return this.#at(view, await view.placeOf(version), { kind: "marked", path });
  }

  /** @throws {ServiceError} as read; a path that is at neither version makes no difference */
  async diff(
    id: ContextId,
    { from, to, path }: { readonly from: number; readonly to?: number; readonly path: string },
  ): Promise<Diff> {
    parsePath(path);
    const view = await LogView.of(this.#log, id);
    const target = to ?? view.head.version;
    const [one, other] = [await view.placeOf(from), await view.placeOf(target)];
    const [first, last] = one.seq <= other.seq ? [one, other] : [other, one];
    const task = { kind: "diff", path, fromSeq: one.seq, toSeq: other.seq } as const;
    const changes = await this.#answer(view, task, { first, last });
    return { from, to: target, path, changes };
  }

  /** Of the present version. @throws {ServiceError} CONTEXT_NOT_FOUND, PATH_NOT_FOUND, INVALID_REQUEST, TOO_LARGE, RATE_LIMITED */
  async blame(
    id: ContextId,
    path: string,
  ): Promise<{ readonly version: number; readonly lines: readonly BlameLine[] }> {
    parsePath(path);
    const view = await LogView.of(this.#log, id);
    const base = await view.base();
    const { createdBy: actor, createdAtMs: atMs } = view.meta;
    const creation: Authorship | undefined = base.seq === 0 ? { version: 0, actor, atMs } : undefined;
    const task = { kind: "blame", path, ...(creation === undefined ? {} : { creation }) } as const;
    const lines = await this.#answer(view, task, { first: base, last: view.head });
    return { version: view.head.version, lines };
  }

  /** What must be written to the present version to undo. @throws {ServiceError} CONTEXT_NOT_FOUND, VERSION_NOT_FOUND, INVALID_REQUEST, RATE_LIMITED */
  async undoPlan(id: ContextId, request: UndoRequest): Promise<UndoPlan> {
    const { actor, from, to, path = "" } = request;
    parsePath(path);
    const view = await LogView.of(this.#log, id);
    const first = await view.wholePlaceOf(from);
    return this.#answer(view, { kind: "undo", actor, from, to, path }, { first, last: view.head });
  }

  /** The document at a version, to be kept. @throws {ServiceError} CONTEXT_NOT_FOUND, VERSION_NOT_FOUND, RATE_LIMITED */
  async checkpointAt(id: ContextId, version: number): Promise<Checkpoint> {
    const view = await LogView.of(this.#log, id);
    const place = await view.placeOf(version);
    return this.#turns.take(async () => this.#runner.checkpoint(await view.between(place, place)));
  }

  /** @throws {ServiceError} CONTEXT_NOT_FOUND, VERSION_NOT_FOUND, INVALID_REQUEST */
  async listChanges(id: ContextId, request: ChangesRequest): Promise<ChangesPage> {
    const view = await LogView.of(this.#log, id);
    try {
      return await listChanges(this.#log, view, request);
    } catch (error) {
      // entries that went while they were read may have gone with the context
      throw (await this.#log.summary(id)) === undefined ? contextNotFound() : error;
    }
  }

  #at<Kind extends "read" | "marked">(view: LogView, place: LogPlace, task: TaskOf<Kind>): Promise<Answers[Kind]> {
    return this.#answer(view, task, { first: place, last: place });
  }

  async #answer<Kind extends HistoryTask["kind"]>(
    view: LogView,
    task: TaskOf<Kind>,
    { first, last }: Range,
  ): Promise<Answers[Kind]> {
    const { id, meta } = view;
    const key = JSON.stringify([id, meta.firstEpoch, first.version, last.version, task]);
    const found = await this.#cache.get(key, () =>
      this.#turns.take(async () => this.#runner.ask(await view.between(first, last), task)),
    );
    // JSON text that `answer` made of this task: its types end at the thread and begin again here
    return found as Answers[Kind];
  }
}

type TaskOf<Kind> = Extract<HistoryTask, { kind: Kind }>;

/** From a checkpoint at or before `first` to `last`. */
interface Range {
  readonly first: LogPlace;
  readonly last: LogPlace;
}

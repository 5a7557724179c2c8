/**
 * What the history's worker is asked and what it does: a part of the log in, JSON out, never a document.
 *
 * A plain module, so that it runs on a thread (history-worker.ts) as well as on the caller's (tests, the simulation).
 *
 * Invariants (HIST):
 *  1. What is asked for at a version is folded from the nearest checkpoint, and from nothing that lives on.
 *
 * Not here: what blame, undo and differences are (server/state/history, shared/json-diff.ts).
 */
import type { JsonOp } from "../../shared/change.ts";
import type { Json } from "../../shared/json.ts";
import type { Authorship, BlameLine } from "../../shared/history.ts";
import type { Actor } from "../../shared/ids.ts";
import { diffJson } from "../../shared/json-diff.ts";
import { LIMITS } from "../../shared/limits.ts";
import { parsePath } from "../../shared/path.ts";
import { findData, readData } from "../../shared/read-data.ts";
import { DocumentFold } from "../state/document-fold.ts";
import { Blame } from "../state/history/blame.ts";
import { readingAt } from "../state/history/revert-ops.ts";
import type { Reading } from "../state/history/revert-ops.ts";
import { planUndo } from "../state/history/undo-plan.ts";
import type { UndoPlan } from "../state/history/undo-plan.ts";
import type { Checkpoint, LogEntry } from "../storage/change-log.ts";
import { unpackEntries } from "./log-page.ts";
import type { LogPage } from "./log-page.ts";

/** A checkpoint and the log after it. */
export interface Excerpt {
  readonly base: Checkpoint;
  readonly pages: readonly LogPage[];
  readonly nodeClientId: number;
  /** An earlier document to compare with, from before the log begins. */
  readonly older?: Checkpoint;
}

export type HistoryTask =
  /** The data at a path, as readData. */
  | { readonly kind: "read"; readonly path: string; readonly depth?: number }
  /** What restoring needs to know: a Reading (revert-ops.ts). */
  | { readonly kind: "marked"; readonly path: string }
  /** Operations from the version at seq `fromSeq` to that at `toSeq`; one of the two is the excerpt's end. */
  | { readonly kind: "diff"; readonly path: string; readonly fromSeq: number; readonly toSeq: number }
  | { readonly kind: "blame"; readonly path: string; readonly creation?: Authorship }
  | {
      readonly kind: "undo";
      readonly path: string;
      readonly actor: Actor;
      readonly from: number;
      readonly to: number;
    };

/** What comes back for each kind, as JSON text. */
export interface Answers {
  readonly read: Json;
  readonly marked: Reading;
  readonly diff: readonly JsonOp[];
  readonly blame: readonly BlameLine[];
  readonly undo: UndoPlan;
}

export function answer(excerpt: Excerpt, task: HistoryTask): string {
  return JSON.stringify(resultOf(excerpt, task));
}

export function checkpointOf(excerpt: Excerpt): Checkpoint {
  return foldOf(excerpt).checkpoint();
}

function resultOf(excerpt: Excerpt, task: HistoryTask): Answers[HistoryTask["kind"]] {
  switch (task.kind) {
    case "read":
      return readData(foldOf(excerpt).doc, task.path, task.depth);
    case "marked":
      return readingAt(foldOf(excerpt).doc, task.path);
    case "diff":
      return diffOf(excerpt, task);
    case "blame":
      return blameOf(excerpt, task);
    default:
      return planUndo({ ...task, ...excerpt, entries: [...entriesOf(excerpt)] });
  }
}

/** Page by page, so that what was folded can be forgotten. */
function foldOf(excerpt: Excerpt): DocumentFold {
  const fold = new DocumentFold(excerpt.base, excerpt);
  for (const page of excerpt.pages) fold.apply(unpackEntries(page));
  return fold;
}

function* entriesOf({ pages }: Excerpt): Generator<LogEntry> {
  for (const page of pages) yield* unpackEntries(page);
}

function diffOf(excerpt: Excerpt, { path, fromSeq, toSeq }: Extract<HistoryTask, { kind: "diff" }>): readonly JsonOp[] {
  const [older, newer] = bothOf(excerpt, Math.min(fromSeq, toSeq), (fold) => findData(fold.doc, path));
  return fromSeq <= toSeq ? changesBetween(older, newer, path) : changesBetween(newer, older, path);
}

/** What is read of the document at `seq` and of the last one. */
function bothOf<Result>(
  { older, ...log }: Excerpt,
  seq: number,
  read: (fold: DocumentFold) => Result,
): readonly [older: Result, newer: Result] {
  if (older !== undefined) return [read(new DocumentFold(older, log)), read(foldOf(log))];
  const fold = new DocumentFold(log.base, log);
  const entries = [...entriesOf(log)];
  const cut = entries.findIndex((entry) => entry.seq > seq);
  fold.apply(cut < 0 ? entries : entries.slice(0, cut));
  const before = read(fold);
  fold.apply(cut < 0 ? [] : entries.slice(cut));
  return [before, read(fold)];
}

function changesBetween(before: Json | undefined, after: Json | undefined, path: string): readonly JsonOp[] {
  if (after === undefined) return before === undefined ? [] : [{ op: "remove", path }];
  return before === undefined ? [{ op: "add", path, value: after }] : diffJson(before, after, path);
}

function blameOf(excerpt: Excerpt, { path, creation }: Extract<HistoryTask, { kind: "blame" }>): readonly BlameLine[] {
  parsePath(path);
  const blame = new Blame(excerpt.base, { ...excerpt, ...(creation === undefined ? {} : { creation }) });
  for (const page of excerpt.pages) blame.apply(unpackEntries(page));
  return blame.lines(path, LIMITS.blameLinesMax);
}

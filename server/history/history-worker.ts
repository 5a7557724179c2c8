/** Runs on the history's worker thread, which calls these by their names. A refusal crosses as a value: an error would lose its code. */
import { ServiceError } from "../../shared/errors.ts";
import type { ErrorCode, ErrorDetails } from "../../shared/errors.ts";
import type { Checkpoint } from "../storage/change-log.ts";
import { answer, checkpointOf } from "./history-tasks.ts";
import type { Excerpt, HistoryTask } from "./history-tasks.ts";

export type Outcome<Value> =
  | { readonly value: Value }
  | { readonly refused: { readonly code: ErrorCode; readonly message: string; readonly details: ErrorDetails } };

export function ask({ excerpt, task }: { readonly excerpt: Excerpt; readonly task: HistoryTask }): Outcome<string> {
  return outcomeOf(() => answer(excerpt, task));
}

export function checkpoint(excerpt: Excerpt): Outcome<Checkpoint> {
  return outcomeOf(() => checkpointOf(excerpt));
}

function outcomeOf<Value>(work: () => Value): Outcome<Value> {
  try {
    return { value: work() };
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    const { code, message, details } = error;
    return { refused: { code, message, details } };
  }
}

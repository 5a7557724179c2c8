/**
 * Why an update is refused: the stable rule names that go into `details.rule`, and the errors that carry them.
 *
 * A program branches on the error's code; a person who debugs a client reads the rule. Two rules are no sign of malice:
 * "clock-gap" and "unknown-reference" also happen to a stock client that edits between its reconnect and its SyncStep2.
 */
import { ServiceError } from "../../../shared/errors.ts";

/** Bytes that are not a V1 update, or hold what no honest client writes. */
export type MalformedRule =
  | "truncated"
  | "trailing-bytes"
  | "integer"
  | "utf8"
  | "struct-tag"
  | "skip"
  | "empty-struct"
  | "empty-section"
  | "duplicate-section"
  | "clock"
  | "count"
  | "self-reference"
  | "parent-info"
  | "type-tag"
  | "value-tag"
  | "number"
  | "json"
  | "proto-key"
  | "subdocument"
  | "depth"
  | "clock-gap"
  | "unknown-reference"
  | "circular-reference"
  | "mixed-origins"
  | "neighbour-order"
  | "parent-type"
  | "overlap"
  | "keyed-neighbour"
  | "keyed-run"
  | "xml-child";

export type LimitRule =
  | "structs"
  | "deletes"
  | "clients"
  | "roots"
  | "values"
  | "string"
  | "key"
  | "format-keys"
  | "type-depth"
  | "work";

export function malformed(rule: MalformedRule, what: string): ServiceError {
  return new ServiceError("MALFORMED_UPDATE", `The update ${what}. Nothing was applied; load the context again.`, {
    details: { rule },
  });
}

/** For a limit of one update: smaller updates pass. */
export function tooLarge(rule: LimitRule, what: string, limit: number): ServiceError {
  return new ServiceError("TOO_LARGE", `The update ${what}; the limit is ${limit}. Send it in smaller parts.`, {
    details: { rule, limit },
  });
}

/** For a limit of the context, or of what an update would make of it. */
export function limitExceeded(rule: LimitRule, what: string, limit: number): ServiceError {
  return new ServiceError(
    "LIMIT_EXCEEDED",
    `The update ${what}; the limit is ${limit}. Nothing was applied; make a smaller edit or use another context.`,
    { details: { rule, limit } },
  );
}

/** Its author did not hear of the refusal, and sends the edit again. */
export function refusedBefore(): ServiceError {
  return new ServiceError(
    "FORBIDDEN",
    "This edit was refused before, and the answer got lost. Make it again on the current content if it still makes sense.",
    { details: { rule: "voided" } },
  );
}

/**
 * How a hint is spelled. A context and its newest entry, and with it, when it is small, the record that holds what was appended:
 *
 *   plan:7
 *   plan:7.1.bAAAAAAAB….AQAB…     first epoch of the context, key and value of the run (log-keys.ts, entry-codec.ts), base64url
 *
 * Invariants:
 *  1. A run that cannot be read is none that came along: the log is read then, and says what is wrong.
 *
 * Not here: which runs are sent (hint-line.ts).
 */
import { parseContextId, type ContextId } from "../../../../shared/ids.ts";
import type { Brought, Hint } from "../../change-log.ts";
import { decodeRun } from "../../log/entry-codec.ts";
import type { StoreItem } from "../../store/store.ts";

/** Word of an append. */
export interface Told {
  readonly contextId: ContextId;
  readonly seq: number;
  /** What was appended, of the context that began with `firstEpoch`. */
  readonly run?: { readonly firstEpoch: number; readonly item: StoreItem };
}

export function wordOf({ contextId, seq, run }: Told): string {
  const text = `${contextId}:${seq}`;
  return run === undefined ? text : [text, run.firstEpoch, ...run.item.map(textOf)].join(".");
}

/** @throws {ServiceError} INVALID_REQUEST */
export function hintOf(word: string): Hint {
  // an id may have colons and points
  const at = word.lastIndexOf(":");
  const [seq, ...run] = word.slice(at + 1).split(".");
  return { contextId: parseContextId(word.slice(0, at)), seq: Number(seq), brought: () => broughtIn(run) };
}

function broughtIn([firstEpoch, key, value]: readonly string[]): Brought | undefined {
  if (key === undefined || value === undefined) return undefined;
  try {
    const record = { key: bytesOf(key), value: bytesOf(value), name: "run in a hint" };
    return { meta: { firstEpoch: Number(firstEpoch) }, entries: decodeRun(record) };
  } catch {
    return undefined;
  }
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64url");
}

function bytesOf(text: string): Uint8Array {
  return Buffer.from(text, "base64url");
}

/** Contexts as the log would give them, for tests of what is built on them. */
import * as Y from "yjs";
import { ANONYMOUS, parseContextId } from "../../shared/ids.ts";
import type { JsonObject } from "../../shared/json.ts";
import { writeInitialData } from "../../server/state/json/json-data.ts";
import type { AdmittedChange, Verdict } from "../../server/state/writes.ts";
import type { Checkpoint, LogEntry, StoredContext } from "../../server/storage/change-log.ts";

/** The server's Yjs client id in these contexts. */
export const NODE = 7;

export function checkpointOf(doc: Y.Doc, more: Partial<Checkpoint> = {}): Checkpoint {
  return {
    seq: 0,
    version: 0,
    state: Y.encodeStateAsUpdateV2(doc),
    owners: [],
    retired: [],
    authorSalt: 0,
    firstEpoch: 1,
    ...more,
  };
}

/** A context at version 0 with this data. */
export function storedContext(data: JsonObject = {}): StoredContext {
  const doc = new Y.Doc();
  doc.clientID = NODE;
  writeInitialData(doc, data);
  const id = parseContextId("plan");
  return {
    meta: { id, tags: [], createdAtMs: 0, createdBy: ANONYMOUS, epoch: 1, firstEpoch: 1, authorSalt: 0 },
    head: { seq: 0, version: 0, lockSeq: 0, updatedAtMs: 0 },
    checkpoint: checkpointOf(doc),
    tail: [],
    size: { bytes: 0, logBytes: 0, baseSeq: 0, baseVersion: 0 },
  };
}

/** The context after these entries, which continue it. */
export function withTail(context: StoredContext, changes: readonly AdmittedChange[]): StoredContext {
  const { seq, version } = context.head;
  const tail: LogEntry[] = changes.map((change, index) => ({
    ...change,
    seq: seq + index + 1,
    version: version + index + 1,
  }));
  const last = tail.at(-1);
  if (last === undefined) return context;
  const head = { ...context.head, seq: last.seq, version: last.version, updatedAtMs: last.atMs };
  return { ...context, head, tail: [...context.tail, ...tail] };
}

export function admittedOf(verdicts: readonly Verdict[]): AdmittedChange[] {
  return verdicts.flatMap((verdict) => (verdict.kind === "admitted" ? [verdict.change] : []));
}

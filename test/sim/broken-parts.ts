/**
 * How parts are broken for planted.ts: stores, logs and classes that do what they should, but for one mistake.
 */
import type { ContextHead } from "../../shared/context.ts";
import type { ContextId } from "../../shared/ids.ts";
import type { ContextState } from "../../server/state/context-state.ts";
import type { DocumentFold } from "../../server/state/document-fold.ts";
import type { OpsWrite, Write } from "../../server/state/writes.ts";
import type { AppendResult, ChangeLog, LogEntry, StoredContext } from "../../server/storage/change-log.ts";
import type { KeyValueStore, StoreOp } from "../../server/storage/store/store.ts";
import { replaced } from "./server-life.ts";
import type { SimClock } from "./sim-clock.ts";

/** The first byte of an idempotency record's key (server/storage/log/log-keys.ts). */
export const IDEMPOTENCY = "i".charCodeAt(0);

/** And of a run of entries. */
const RUN = "l".charCodeAt(0);

export const write = (store: KeyValueStore, ops: readonly StoreOp[]): Promise<void> => store.batch(ops, { sync: true });

export function withBatch(store: KeyValueStore, batch: (ops: readonly StoreOp[]) => Promise<void>): KeyValueStore {
  return {
    location: store.location,
    open: () => store.open(),
    close: () => store.close(),
    view: (use) => store.view(use),
    batch,
  };
}

type Append = ChangeLog["append"];

/** Replaces a method of a class that has no port; what it returns puts it back. */
export function patched<Target extends object, Name extends keyof Target>(
  target: Target,
  name: Name,
  make: (original: Target[Name]) => Target[Name],
): () => void {
  const original = target[name];
  target[name] = make(original);
  return () => {
    target[name] = original;
  };
}

type Apply = DocumentFold["apply"];

export function forgettingRetired(apply: Apply): Apply {
  return function forgetting(this: DocumentFold, entries) {
    apply.call(this, entries);
    this.retired.clear();
  };
}

export function droppingTooMuch(store: KeyValueStore): KeyValueStore {
  return withBatch(store, async (ops) => {
    const last = ops.findLast(({ type, key }) => type === "del" && key[0] === RUN);
    if (last === undefined) return write(store, ops);
    const after = { gte: Buffer.concat([last.key, Uint8Array.of(0)]), lt: Uint8Array.of(RUN + 1) };
    const next = await store.view(async (view) => {
      for await (const [first] of view.pages(after)) return first?.[0];
      return undefined;
    });
    return write(store, next === undefined ? ops : [...ops, { type: "del", key: next }]);
  });
}

type Admit = ContextState["admit"];

export function trustingRepetition(admit: Admit): Admit {
  return function trusting(this: ContextState, writes, nowMs) {
    return writes.flatMap((one) => admit.call(this, [isRepetition(one, this) ? unconditional(one) : one], nowMs));
  };
}

function isRepetition(asked: Write, { doc }: ContextState): asked is OpsWrite {
  if (asked.kind !== "ops" || typeof asked.ops === "function") return false;
  return asked.ops.every(
    (op) => op.op === "replace" && doc.getMap("data").get(op.path.slice(1)) === op.value && op.path !== "",
  );
}

function unconditional({ ifVersion: _ifVersion, ...asked }: OpsWrite): OpsWrite {
  return asked;
}

export function recordingLater(log: ChangeLog): Append {
  return async (id, guard, entries, { records, ...options } = {}) => {
    const result = await log.append(id, guard, entries, options);
    const writes = result.kind === "appended" ? (records?.(result.entries) ?? []) : [];
    if (writes.length > 0) log.writeRecords(id, writes).catch(() => undefined);
    return result;
  };
}

export function publishingEarly(log: ChangeLog): ChangeLog {
  const heads = new Map<ContextId, Pick<ContextHead, "seq" | "version">>();
  const load = async (id: ContextId): Promise<StoredContext | undefined> => {
    const stored = await log.load(id);
    if (stored !== undefined) heads.set(id, stored.head);
    return stored;
  };
  const append: Append = (id, guard, entries, options) => {
    const head = heads.get(id);
    const written = log.append(id, guard, entries, options);
    if (head === undefined) return written;
    written.catch(() => heads.delete(id));
    const placed = entries.map((entry, at): LogEntry => ({
      ...entry,
      seq: head.seq + at + 1,
      version: head.version + at + 1,
    }));
    heads.set(id, { seq: head.seq + entries.length, version: head.version + entries.length });
    const size = { bytes: 0, logBytes: 0, baseSeq: 0, baseVersion: 0 };
    const tail = { entries: 0, bytes: 0, checkpointBytes: 0 };
    return Promise.resolve({ kind: "appended", entries: placed, tail, size });
  };
  return replaced(log, { load, append });
}

export function swapping(log: ChangeLog, clock: SimClock): ChangeLog {
  const held = new Map<ContextId, () => void>();
  const append: Append = (id, guard, entries, options) => {
    const now = (): Promise<AppendResult> => log.append(id, guard, entries, options);
    const first = held.get(id);
    if (first !== undefined) {
      const second = now();
      first();
      return second;
    }
    return new Promise((resolve) => {
      const release = (): void => {
        if (held.get(id) === release) held.delete(id);
        resolve(now());
      };
      held.set(id, release);
      clock.setTimer(10, () => {
        if (held.get(id) === release) release();
      });
    });
  };
  return replaced(log, { append });
}

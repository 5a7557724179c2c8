/**
 * Broken parts, each with a mistake that a good engineer could make. The simulation must find every one of them, or its
 * silence about the real parts means nothing.
 */
import type {
  AppendOptions,
  AppendResult,
  ChangeLog,
  Guard,
  LogEntry,
  NewEntry,
  StoredContext,
} from "../../server/storage/change-log.ts";
import type { KeyValueStore, StoreOp } from "../../server/storage/store/store.ts";
import type { ContextHead } from "../../shared/context.ts";
import type { ContextId } from "../../shared/ids.ts";
import type { Sabotage } from "./server-life.ts";
import type { SimClock } from "./sim-clock.ts";

interface PlantedBug {
  readonly mistake: string;
  /** Seeds within which it must be found. */
  readonly within: number;
  readonly sabotage: Sabotage;
}

export const PLANTED_BUGS: readonly PlantedBug[] = [
  {
    mistake: "[CTX-1] the store answers when the batch is in memory, before the sync",
    within: 10,
    sabotage: {
      store: (store) =>
        withBatch(store, (ops) => Promise.race([write(store, ops).catch(() => undefined), Promise.resolve()])),
    },
  },
  {
    mistake: "[CTX-1] changes are published while they are being appended",
    within: 10,
    sabotage: { log: (log) => publishingEarly(log) },
  },
  {
    mistake: "[CTX-2] two appends of one context overtake each other",
    within: 10,
    sabotage: { log: (log, clock) => swapping(log, clock) },
  },
  {
    mistake: "[LOG-1] one write in forty is lost",
    within: 10,
    sabotage: {
      store: (store, clock) =>
        withBatch(store, (ops) => (clock.randomUint32() % 40 === 0 ? Promise.resolve() : write(store, ops))),
    },
  },
  {
    mistake: "[IDEM-1] idempotency records are not written",
    within: 20,
    sabotage: {
      store: (store) =>
        withBatch(store, (ops) =>
          write(
            store,
            ops.filter(({ key }) => key[0] !== IDEMPOTENCY),
          ),
        ),
    },
  },
  {
    mistake: "[LOG-3] after a failed write the next one is tried as if nothing had happened",
    within: 20,
    sabotage: { store: (store) => withBatch(store, (ops) => write(store, ops).catch(() => write(store, ops))) },
  },
  {
    mistake: "[STATE-7] a checkpoint leaves its last entry out",
    within: 10,
    sabotage: { fold: (input) => ({ ...input, tail: input.tail.slice(0, -1) }) },
  },
  {
    mistake: "[PRES-3] nobody looks for presence that is not renewed, and for silent lines",
    within: 10,
    sabotage: { noTicks: true },
  },
];

/** The first byte of an idempotency record's key (server/storage/log/log-keys.ts). */
const IDEMPOTENCY = "i".charCodeAt(0);

const write = (store: KeyValueStore, ops: readonly StoreOp[]): Promise<void> => store.batch(ops, { sync: true });

function withBatch(store: KeyValueStore, batch: (ops: readonly StoreOp[]) => Promise<void>): KeyValueStore {
  return {
    location: store.location,
    open: () => store.open(),
    close: () => store.close(),
    view: (use) => store.view(use),
    batch,
  };
}

type Append = (
  id: ContextId,
  guard: Guard,
  entries: readonly NewEntry[],
  options?: AppendOptions,
) => Promise<AppendResult>;

/** The log, with some of its methods replaced. */
function replaced(log: ChangeLog, methods: Partial<ChangeLog>): ChangeLog {
  return new Proxy(log, {
    get(target, name): unknown {
      const value: unknown = Reflect.get(name in methods ? methods : target, name, target);
      return typeof value === "function" && !(name in methods) ? value.bind(target) : value;
    },
  });
}

function publishingEarly(log: ChangeLog): ChangeLog {
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

function swapping(log: ChangeLog, clock: SimClock): ChangeLog {
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

/**
 * One life of the server: the production core on a simulated clock and disk, from start to kill or stop.
 *
 * 1. Nothing of it is left after `kill` but the disk: its timers, its connections and its promises are dead.
 *
 * Not here: sockets and HTTP; links and callers reach the core as the transports do.
 */
import { RecordingAudit } from "../support/recording-audit.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { Limits } from "../../shared/limits.ts";
import { ContextManager } from "../../server/context-manager.ts";
import { HistoryManager } from "../../server/history/history-manager.ts";
import { InlineHistory } from "../../server/history/history-runner.ts";
import type { Logger } from "../../server/monitor/logger.ts";
import type { ChangeLog, Checkpoint } from "../../server/storage/change-log.ts";
import { foldCheckpoint, InlineCheckpointBuilder } from "../../server/storage/checkpoint/checkpoint.ts";
import type { FoldInput } from "../../server/storage/checkpoint/checkpoint.ts";
import { KeyValueChangeLog } from "../../server/storage/log/key-value-change-log.ts";
import { StorageManager } from "../../server/storage/storage-manager.ts";
import type { KeyValueStore } from "../../server/storage/store/store.ts";
import { SyncManager } from "../../server/sync/sync-manager.ts";
import { TypeManager } from "../../server/types/type-manager.ts";
import { recreateState } from "../../server/state/compaction.ts";
import type { RetentionPolicy } from "../../server/state/retention.ts";
import type { ContextId } from "../../shared/ids.ts";
import type { SimClock } from "./sim-clock.ts";

/** Parts that a test of the simulator replaces by broken ones. */
export interface Sabotage {
  store?(store: KeyValueStore, clock: SimClock): KeyValueStore;
  log?(log: ChangeLog, clock: SimClock): ChangeLog;
  /** What a checkpoint is made of. */
  fold?(input: FoldInput): FoldInput;
  /** Breaks what has no port, for one run; what it returns mends it. */
  spoil?(): () => void;
  /** Nobody looks after presence and slow receivers. */
  readonly noTicks?: boolean;
}

export interface LifeOptions {
  readonly clock: SimClock;
  readonly store: KeyValueStore;
  readonly limits: Partial<Limits>;
  readonly logger: Logger;
  readonly sabotage: Sabotage;
  readonly checkpointMs: number;
  readonly recreateMs: number;
  readonly retention: RetentionPolicy;
  /** Looks at the disk before something of a log goes. */
  readonly beforeTrim: () => Promise<void>;
}

export class ServerLife {
  readonly clock: SimClock;
  readonly service: ContextManager;
  readonly #storage: StorageManager;
  readonly #sync: SyncManager;
  readonly #types: TypeManager;
  readonly #hasTicks: boolean;

  constructor(options: LifeOptions) {
    const { clock, store, limits, logger, sabotage, retention } = options;
    const all = { ...LIMITS, ...limits };
    const wait = (ms: number): Promise<void> => new Promise((resolve) => void clock.setTimer(ms, resolve));
    const whole = new KeyValueChangeLog({ store: sabotage.store?.(store, clock) ?? store, clock, limits: all });
    const watched = replaced(whole, {
      trim: async (id: ContextId, base: Checkpoint) => {
        await options.beforeTrim();
        await whole.trim(id, base);
      },
    });
    const fold = (input: FoldInput): Checkpoint => {
      const last = input.tail.at(-1);
      return {
        ...foldCheckpoint(sabotage.fold?.(input) ?? input),
        ...(last && { seq: last.seq, version: last.version }),
      };
    };
    this.clock = clock;
    this.#hasTicks = sabotage.noTicks !== true;
    this.#storage = new StorageManager({
      log: sabotage.log?.(watched, clock) ?? watched,
      clock,
      limits: all,
      logger,
      retention,
      checkpoints: {
        build: async (input) => {
          await wait(options.checkpointMs);
          return fold(input);
        },
        renew: (input, salts) => new InlineCheckpointBuilder().renew(input, salts),
        close: () => Promise.resolve(),
      },
    });
    this.#sync = new SyncManager(clock);
    this.#types = new TypeManager({ storage: this.#storage, clock });
    this.service = new ContextManager({
      clock,
      logger,
      storage: this.#storage,
      sync: this.#sync,
      types: this.#types,
      history: new HistoryManager({ log: this.#storage, clock, runner: new InlineHistory(), limits: all }),
      recreator: {
        recreate: async (old) => {
          await wait(options.recreateMs);
          return recreateState(old);
        },
      },
      audit: new RecordingAudit(),
    });
  }

  async start(): Promise<void> {
    await this.#storage.start();
    await this.#types.load();
    if (this.#hasTicks) this.#sync.start();
    this.service.start();
  }

  /** In the order of server.ts. */
  async stop(): Promise<void> {
    await this.service.close();
    this.#sync.stop();
    await this.#storage.close();
  }

  kill(): void {
    this.clock.stop();
  }
}

/** The log, with some of its methods replaced. */
export function replaced(log: ChangeLog, methods: Partial<ChangeLog>): ChangeLog {
  return new Proxy(log, {
    get(target, name): unknown {
      const value: unknown = Reflect.get(name in methods ? methods : target, name, target);
      return typeof value === "function" && !(name in methods) ? value.bind(target) : value;
    },
  });
}

/**
 * One life of the server: the production core on a simulated clock and disk, from start to kill or stop.
 *
 * 1. Nothing of it is left after `kill` but the disk: its timers, its connections and its promises are dead.
 *
 * Not here: sockets and HTTP; links and callers reach the core as the transports do.
 */
import { RecordingAudit } from "../support/recording-audit.ts";
import { AccessGuard } from "../../server/access-guard.ts";
import type { ContextService, SessionOpener, TokenService } from "../../server/context-service.ts";
import { Revocations } from "../../server/security/revocations.ts";
import { SecurityManager } from "../../server/security/security-manager.ts";
import type { TokenVerifier } from "../../server/security/token-verifier.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { Limits } from "../../shared/limits.ts";
import { SessionDesk } from "../../server/context/session-desk.ts";
import { ContextManager } from "../../server/context-manager.ts";
import { HistoryManager } from "../../server/history/history-manager.ts";
import { InlineHistory } from "../../server/history/history-runner.ts";
import { ContextMonitor } from "../../server/monitor/context-monitor.ts";
import type { Logger } from "../../server/monitor/logger.ts";
import { TargetPolicy } from "../../server/outbound/target-policy.ts";
import type { ChangeLog, Checkpoint } from "../../server/storage/change-log.ts";
import { foldCheckpoint, InlineCheckpointBuilder } from "../../server/storage/checkpoint/checkpoint.ts";
import type { FoldInput } from "../../server/storage/checkpoint/checkpoint.ts";
import { KeyValueChangeLog } from "../../server/storage/log/key-value-change-log.ts";
import { SoleWriterCore } from "../../server/storage/log/sole-writer-core.ts";
import { StorageManager } from "../../server/storage/storage-manager.ts";
import type { KeyValueStore } from "../../server/storage/store/store.ts";
import { SyncManager } from "../../server/sync/sync-manager.ts";
import { TypeManager } from "../../server/types/type-manager.ts";
import { MonitorUseCases } from "../../server/use-cases/monitoring.ts";
import { WebhookManager } from "../../server/webhooks/webhook-manager.ts";
import { recreateState } from "../../server/state/compaction.ts";
import type { RetentionPolicy } from "../../server/state/retention.ts";
import type { ContextId } from "../../shared/ids.ts";
import { FakeProcess } from "../support/vitals.ts";
import type { SimClock } from "./sim-clock.ts";

const nothing = (): void => undefined;
/** What the monitor has to tell is in the trace already. */
const SILENT: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing };

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

/** What transports have of the server. */
export type SimService = ContextService & SessionOpener;

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
  /** Absent on an open server, which takes everybody's word and asks nobody whether they may. */
  readonly verifier: TokenVerifier | undefined;
}

export class ServerLife {
  readonly clock: SimClock;
  readonly service: SimService;
  readonly tokens: TokenService;
  /** Whose a token is. Absent on an open server. */
  readonly verify: SecurityManager["verify"];
  readonly #contexts: ContextManager;
  readonly #revocations: Revocations;
  readonly #storage: StorageManager;
  readonly #sync: SyncManager;
  readonly #types: TypeManager;
  readonly #hasTicks: boolean;

  constructor(options: LifeOptions) {
    const { clock, store, limits, logger, sabotage, retention } = options;
    const all = { ...LIMITS, ...limits };
    const wait = (ms: number): Promise<void> => new Promise((resolve) => void clock.setTimer(ms, resolve));
    const whole = new KeyValueChangeLog(
      new SoleWriterCore({ store: sabotage.store?.(store, clock) ?? store, clock, limits: all }),
    );
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
    const audit = new RecordingAudit();
    const monitor = new ContextMonitor({ clock, logger: SILENT, process: new FakeProcess() });
    // nobody adds one: test/property/webhooks.test.ts has them fail and crash
    const webhooks = new WebhookManager({
      storage: this.#storage,
      clock,
      logger,
      policy: new TargetPolicy([]),
      post: () => Promise.reject(new Error("there is no network")),
    });
    const contexts = new ContextManager({
      clock,
      logger,
      monitor,
      storage: this.#storage,
      sync: this.#sync,
      types: this.#types,
      webhooks,
      history: new HistoryManager({ log: this.#storage, clock, runner: new InlineHistory(), limits: all }),
      recreator: {
        recreate: async (old) => {
          await wait(options.recreateMs);
          return recreateState(old);
        },
      },
      audit,
    });
    const { verifier } = options;
    const revocations = new Revocations({
      records: this.#storage,
      clock,
      onRevoked: (isMeant) => contexts.readers.revoke(isMeant),
    });
    const server = {
      tokens: revocations,
      audit: { list: () => Promise.resolve({ items: [] }) },
      webhooks,
      monitor: new MonitorUseCases(monitor, new SessionDesk(clock, contexts.sessions)),
    };
    const guard = new AccessGuard(contexts, server, audit);
    this.#contexts = contexts;
    this.#revocations = revocations;
    this.service = verifier === undefined ? contexts : guard;
    this.tokens = guard.server.tokens;
    this.verify = new SecurityManager({ verifier, tokens: revocations }).verify;
  }

  async start(): Promise<void> {
    await this.#storage.start();
    await this.#types.load();
    if (this.verify !== undefined) await this.#revocations.load();
    if (this.#hasTicks) this.#sync.start();
    this.#contexts.start();
  }

  /** In the order of server.ts. */
  async stop(): Promise<void> {
    await this.#contexts.close();
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

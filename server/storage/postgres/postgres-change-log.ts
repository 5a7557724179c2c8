/** The log in a PostgreSQL database, which several servers may write at once. */
import { systemClock, type Clock } from "../../clock.ts";
import type { EngineStats } from "../../../shared/monitoring.ts";
import type { Limits } from "../../../shared/limits.ts";
import type { Monitor } from "../../monitor-port.ts";
import { KeyValueChangeLog } from "../log/key-value-change-log.ts";
import type { Peers } from "../peers.ts";
import { EngineWatch } from "./engine-watch.ts";
import { HintLine } from "./lines/hint-line.ts";
import { NoticeLine } from "./lines/notice-line.ts";
import { PeerLine } from "./lines/peer-line.ts";
import { PostgresStore } from "./postgres-store.ts";
import { SharedCore } from "./shared-core.ts";

export interface PostgresChangeLogOptions {
  /** postgres://user:password@host:port/database, or with several hosts. */
  readonly url: string;
  readonly clock?: Clock;
  readonly limits?: Limits;
  readonly monitor?: Monitor;
}

export class PostgresChangeLog extends KeyValueChangeLog {
  override readonly peers: Peers;
  readonly #line: NoticeLine;
  readonly #store: PostgresStore;
  readonly #watch: EngineWatch;

  constructor({ url, clock = systemClock, ...rest }: PostgresChangeLogOptions) {
    const node = clock.newId();
    const store = new PostgresStore({ url, clock, node, monitor: rest.monitor?.engine });
    const engine = { address: () => store.address, clock };
    const line = new NoticeLine({ ...engine, node });
    super(new SharedCore({ store, hints: new HintLine(line, rest.monitor?.engine), clock, ...rest }));
    this.peers = new PeerLine(line, clock);
    this.#line = line;
    this.#store = store;
    this.#watch = new EngineWatch(engine);
  }

  override get engine(): EngineStats {
    const reconnects = this.#store.reopens + this.#line.rejoins;
    return { ...this.#watch.found, node: this.nodeSlot, connections: this.#store.connections, reconnects };
  }

  override async close(): Promise<void> {
    this.#watch.stop();
    await super.close();
  }
}

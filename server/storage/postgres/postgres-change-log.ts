/** The log in a PostgreSQL database, which several servers may write at once. */
import { systemClock, type Clock } from "../../clock.ts";
import type { Limits } from "../../../shared/limits.ts";
import type { Monitor } from "../../monitor-port.ts";
import { KeyValueChangeLog } from "../log/key-value-change-log.ts";
import type { Peers } from "../peers.ts";
import { HintLine } from "./hint-line.ts";
import { NoticeLine } from "./notice-line.ts";
import { PeerLine } from "./peer-line.ts";
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

  constructor({ url, clock = systemClock, ...rest }: PostgresChangeLogOptions) {
    const store = new PostgresStore({ url, clock });
    const line = new NoticeLine({ address: () => store.address, clock });
    super(new SharedCore({ store, hints: new HintLine(line), clock, ...rest }));
    this.peers = new PeerLine(line, clock);
  }
}

/** The log in memory: for tests, the simulation and `--data-dir` nowhere. Its content survives close() and open(), not the process. */
import { systemClock, type Clock } from "../../clock.ts";
import type { Limits } from "../../../shared/limits.ts";
import type { Monitor } from "../../monitor-port.ts";
import { KeyValueChangeLog } from "./key-value-change-log.ts";
import { SoleWriterCore } from "./sole-writer-core.ts";
import { MemoryStore } from "../store/memory-store.ts";

export interface MemoryChangeLogOptions {
  readonly store?: MemoryStore;
  readonly clock?: Clock;
  readonly limits?: Limits;
  readonly monitor?: Monitor;
}

export class MemoryChangeLog extends KeyValueChangeLog {
  constructor({ store = new MemoryStore(), clock = systemClock, ...rest }: MemoryChangeLogOptions = {}) {
    super(new SoleWriterCore({ store, clock, ...rest }));
  }
}

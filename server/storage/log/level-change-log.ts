/** The log on LevelDB, in a folder of its own. */
import { systemClock, type Clock } from "../../clock.ts";
import type { Limits } from "../../../shared/limits.ts";
import type { Monitor } from "../../monitor-port.ts";
import { KeyValueChangeLog } from "./key-value-change-log.ts";
import { SoleWriterCore } from "./sole-writer-core.ts";
import { LevelStore } from "../store/level-store.ts";

export interface LevelChangeLogOptions {
  readonly folder: string;
  readonly clock?: Clock;
  readonly limits?: Limits;
  readonly monitor?: Monitor;
}

export class LevelChangeLog extends KeyValueChangeLog {
  constructor({ folder, clock = systemClock, ...rest }: LevelChangeLogOptions) {
    super(new SoleWriterCore({ store: new LevelStore(folder), clock, ...rest }));
  }
}

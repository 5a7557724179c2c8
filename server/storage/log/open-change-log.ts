/** The log that the configuration asks for. */
import { join } from "node:path";
import type { Clock } from "../../clock.ts";
import type { Monitor } from "../../monitor-port.ts";
import type { ChangeLog } from "../change-log.ts";
import { LevelChangeLog } from "./level-change-log.ts";
import { MemoryChangeLog } from "./memory-change-log.ts";

export interface ChangeLogSettings {
  readonly storage: "level" | "memory";
  readonly dataDir: string;
}

export function openChangeLog({ storage, dataDir }: ChangeLogSettings, clock: Clock, monitor: Monitor): ChangeLog {
  return storage === "memory"
    ? new MemoryChangeLog({ clock, monitor })
    : new LevelChangeLog({ folder: join(dataDir, "log"), clock, monitor });
}

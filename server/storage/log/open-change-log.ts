/** The log that the configuration asks for. */
import { join } from "node:path";
import type { Clock } from "../../clock.ts";
import type { Monitor } from "../../monitor-port.ts";
import type { ChangeLog } from "../change-log.ts";
import { databaseName } from "../postgres/postgres-store.ts";
import { PostgresChangeLog } from "../postgres/postgres-change-log.ts";
import { LevelChangeLog } from "./level-change-log.ts";
import { MemoryChangeLog } from "./memory-change-log.ts";

export interface ChangeLogSettings {
  /** `level`, `memory`, or the address of a PostgreSQL database. */
  readonly storage: string;
  readonly dataDir: string;
}

export function openChangeLog({ storage, dataDir }: ChangeLogSettings, clock: Clock, monitor: Monitor): ChangeLog {
  if (storage === "memory") return new MemoryChangeLog({ clock, monitor });
  if (storage === "level") return new LevelChangeLog({ folder: join(dataDir, "log"), clock, monitor });
  return new PostgresChangeLog({ url: storage, clock, monitor });
}

/** Where contexts are then, for people; without what only the owner may know. */
export function placeOf({ storage, dataDir }: ChangeLogSettings): string {
  if (storage === "memory") return "in memory only";
  return `in ${storage === "level" ? dataDir : `the ${databaseName(storage)}`}`;
}

/**
 * A Logger that keeps what it was told.
 */
import type { LogFields, Logger } from "../../server/monitor/logger.ts";

interface LogEntry {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly message: string;
  readonly fields: LogFields;
}

export class RecordingLogger implements Logger {
  readonly entries: LogEntry[] = [];

  debug(message: string, fields: LogFields = {}): void {
    this.entries.push({ level: "debug", message, fields });
  }
  info(message: string, fields: LogFields = {}): void {
    this.entries.push({ level: "info", message, fields });
  }
  warn(message: string, fields: LogFields = {}): void {
    this.entries.push({ level: "warn", message, fields });
  }
  error(message: string, fields: LogFields = {}): void {
    this.entries.push({ level: "error", message, fields });
  }

  /** Errors. That nothing was served for a while is not among them: a busy machine does that, too. */
  get failures(): readonly LogEntry[] {
    return this.at("error").filter(({ fields }) => fields["name"] !== "event-loop");
  }

  at(level: LogEntry["level"]): readonly LogEntry[] {
    return this.entries.filter((entry) => entry.level === level);
  }
}

/**
 * The log: a small port, and pino behind it.
 *
 * Invariants (LOGGER):
 *  1. Nothing secret is written: neither in fields nor in texts (redaction.ts).
 *  2. One JSON line per entry on stderr, so that stdout stays for results; readable text only on a terminal.
 *
 * Not here: what is worth a line (event-log.ts and whoever has an error), lines that come too often (quiet-logger.ts), the
 * audit log (who did what).
 */
import { pino } from "pino";
import type { DestinationStream } from "pino";
import pretty from "pino-pretty";
import { redactedFields, redactedText } from "./redaction.ts";

export type LogFields = Readonly<Record<string, unknown>>;

/** `fields.error`, if given, is logged with its stack and causes. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

export type LogLevel = keyof Logger;

interface LoggerOptions {
  readonly level: LogLevel | "silent";
  /** Where lines go; stderr unless given. */
  readonly destination?: DestinationStream;
  /** Text for people instead of JSON. */
  readonly isPretty?: boolean;
}

export function createLogger({ level, destination, isPretty = process.stderr.isTTY }: LoggerOptions): Logger {
  const target = destination ?? pino.destination(2);
  const clean = { write: (line: string) => target.write(redactedText(line)) };
  const log = pino({ level, base: null, errorKey: "error" }, isPretty ? forPeople(clean) : clean);
  const at =
    (own: LogLevel) =>
    (message: string, fields: LogFields = {}): void => {
      if (log.isLevelEnabled(own)) log[own](redactedFields(fields), message);
    };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

/** One line each, errors with their stacks below. */
function forPeople({ write }: { readonly write: (line: string) => void }): DestinationStream {
  const print = pretty.prettyFactory({
    colorize: true,
    singleLine: true,
    translateTime: "SYS:HH:MM:ss.l",
    errorLikeObjectKeys: ["error"],
  });
  return { write: (line) => write(print(line)) };
}

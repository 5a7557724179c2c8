/**
 * The log: a small port, and pino behind it.
 *
 * Invariants (LOGGER):
 *  1. Nothing secret is written: fields that hold tokens are replaced, wherever they are one or two levels deep; and tokens in
 *     any text, an address with its query or the message of an error, wherever it is.
 *  2. One JSON line per entry on stderr, so that stdout stays for results; readable text only on a terminal.
 *
 * Not here: the audit log (who did what), metrics.
 */
import { pino } from "pino";
import type { DestinationStream } from "pino";
import pretty from "pino-pretty";

export type LogFields = Readonly<Record<string, unknown>>;

/** `fields.error`, if given, is logged with its stack and causes. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

interface LoggerOptions {
  readonly level: "debug" | "info" | "warn" | "error" | "silent";
  /** Where lines go; stderr unless given. */
  readonly destination?: DestinationStream;
  /** Text for people instead of JSON. */
  readonly isPretty?: boolean;
}

const SECRETS = [
  "token",
  "authorization",
  '["proxy-authorization"]',
  '["sec-websocket-protocol"]',
  "cookie",
  "secret",
  "password",
  "access_token",
];

/**
 * `?token=…`, `Bearer …`, and whatever looks like a JWT, in a line of JSON. A JWT begins where no word goes on, or behind an
 * escape such as \n: looked for at each letter, a long text would take for ever.
 */
const TOKEN_IN_TEXT =
  /([?&](?:access_)?token=)[^&\s"\\#]+|(Bearer\s+)[^\s"\\,]+|(?:(?<![\w-])|(?<=\\[bfnrt])|(?<=\\u[\da-f]{4}))eyJ[\w-]+\.[\w-]+\.[\w-]*/gi;

const CENSOR = "[secret]";

export function createLogger({ level, destination, isPretty = process.stderr.isTTY }: LoggerOptions): Logger {
  const sink = destination ?? (isPretty ? pretty({ destination: 2, sync: true }) : pino.destination(2));
  const target: DestinationStream = { write: (line) => void sink.write(withoutTokens(line)) };
  const log = pino(
    {
      level,
      base: null,
      errorKey: "error",
      redact: {
        paths: SECRETS.flatMap((name) => [name, name.startsWith("[") ? `*${name}` : `*.${name}`]),
        censor: CENSOR,
      },
    },
    target,
  );
  return {
    debug: (message, fields) => log.debug(fields ?? {}, message),
    info: (message, fields) => log.info(fields ?? {}, message),
    warn: (message, fields) => log.warn(fields ?? {}, message),
    error: (message, fields) => log.error(fields ?? {}, message),
  };
}

function withoutTokens(line: string): string {
  return line.replaceAll(
    TOKEN_IN_TEXT,
    (_, parameter: string | undefined, scheme: string | undefined) => `${parameter ?? scheme ?? ""}${CENSOR}`,
  );
}

/**
 * The configuration: every setting with its flag, variable, default and check, and the only reader of the environment.
 *
 * Invariants (CONF):
 *  1. A flag wins over its variable, a variable over the default. An empty variable counts as not set.
 *  2. `parseConfig` is pure; all that is wrong is said at once, each with the flag or variable that says it.
 *  3. Without authentication the server listens on this machine only.
 *
 * Not here: settings of the CLI as a client (server/cli).
 */
import { resolve } from "node:path";
import { z } from "zod";
import { isLoopback } from "../shared/host.ts";
import { LIMITS } from "../shared/limits.ts";

const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;

/** Less would be dropped in the middle of a few changes, again and again. */
const HISTORY_BYTES_MIN = 1024 * 1024;

const wholeNumber = z
  .string()
  .regex(/^\d{1,15}$/, "must be a whole number")
  .transform(Number);

const configSchema = z.strictObject({
  host: z.string().regex(/^[A-Za-z0-9.:-]{1,253}$/, "must be a host name or an IP address"),
  port: z
    .string()
    .regex(/^\d{1,5}$/, "must be a number from 0 to 65535")
    .transform(Number)
    .refine((port) => port <= 65_535, "must be a number from 0 to 65535"),
  dataDir: z.string().transform((path) => resolve(path)),
  storage: z.enum(["level", "memory"], "must be one of: level, memory"),
  auth: z.enum(["open"], "must be: open"),
  allowedHosts: z
    .string()
    .regex(/^[A-Za-z0-9.,-]*$/, "must be host names without ports, separated by commas")
    .transform((names) => names.split(",").filter((name) => name !== "")),
  types: z.string().transform((path) => (path === "" ? undefined : resolve(path))),
  historyChanges: wholeNumber,
  historyDays: wholeNumber,
  historyBytes: wholeNumber.refine(
    (bytes) => bytes === 0 || bytes >= HISTORY_BYTES_MIN,
    `must be 0 or at least ${HISTORY_BYTES_MIN}`,
  ),
  logLevel: z.enum(LOG_LEVELS, `must be one of: ${LOG_LEVELS.join(", ")}`),
});

/** What the server is started with. `port` 0 takes a free one; `dataDir` and `types` are absolute. */
export type Config = Readonly<z.infer<typeof configSchema>>;

interface Setting {
  readonly flag: string;
  readonly variable: string;
  readonly placeholder: string;
  readonly default: string;
  readonly meaning: string;
}

export const SETTINGS: Readonly<Record<keyof Config, Setting>> = {
  host: {
    flag: "--host",
    variable: "MCM_HOST",
    placeholder: "<address>",
    default: "127.0.0.1",
    meaning: "Address to listen on. Without authentication only a loopback address is accepted.",
  },
  port: {
    flag: "--port",
    variable: "MCM_PORT",
    placeholder: "<number>",
    default: "4400",
    meaning: "Port to listen on; 0 takes a free one.",
  },
  dataDir: {
    flag: "--data-dir",
    variable: "MCM_DATA_DIR",
    placeholder: "<path>",
    default: "./data",
    meaning: "Folder that holds all contexts. One server at a time may use it.",
  },
  storage: {
    flag: "--storage",
    variable: "MCM_STORAGE",
    placeholder: "<kind>",
    default: "level",
    meaning: "level keeps contexts in the data folder; memory forgets them when the server stops.",
  },
  auth: {
    flag: "--auth",
    variable: "MCM_AUTH",
    placeholder: "<mode>",
    default: "open",
    meaning: "How callers prove who they are. open: they don't; the name they give is taken as true.",
  },
  allowedHosts: {
    flag: "--allowed-hosts",
    variable: "MCM_ALLOWED_HOSTS",
    placeholder: "<names>",
    default: "",
    meaning:
      "More host names, separated by commas, under which clients may address the server; loopback names always work.",
  },
  types: {
    flag: "--types",
    variable: "MCM_TYPES",
    placeholder: "<path>",
    default: "",
    meaning: "Folder of JSON Schemas, <name>.json each, that are registered as types at the start.",
  },
  historyChanges: {
    flag: "--history-changes",
    variable: "MCM_HISTORY_CHANGES",
    placeholder: "<number>",
    default: "0",
    meaning: "Changes of a context that its history keeps at most; 0 sets no bound.",
  },
  historyDays: {
    flag: "--history-days",
    variable: "MCM_HISTORY_DAYS",
    placeholder: "<number>",
    default: "0",
    meaning: "Days that a change stays in the history at most; 0 sets no bound.",
  },
  historyBytes: {
    flag: "--history-bytes",
    variable: "MCM_HISTORY_BYTES",
    placeholder: "<number>",
    default: String(LIMITS.historyBytesMax),
    meaning: "Bytes that the history of a context takes at most; 0 sets no bound.",
  },
  logLevel: {
    flag: "--log-level",
    variable: "MCM_LOG_LEVEL",
    placeholder: "<level>",
    default: "info",
    meaning: "Least level that is logged: debug, info, warn, error, or silent.",
  },
};

export type Environment = Readonly<Record<string, string | undefined>>;
export type Flags = { readonly [Key in keyof Config]?: string | undefined };

/** All that is wrong with a configuration, one sentence each. */
export class ConfigError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join("\n"));
    this.name = "ConfigError";
    this.problems = problems;
  }
}

/** @throws {ConfigError} */
export function parseConfig(flags: Flags, environment: Environment): Config {
  const given = Object.fromEntries(
    Object.entries(SETTINGS).map(([key, setting]) => [key, pick(flags, key) ?? fromEnvironment(environment, setting)]),
  );
  const parsed = configSchema.safeParse(
    Object.fromEntries(Object.entries(SETTINGS).map(([key, setting]) => [key, given[key] ?? setting.default])),
  );
  if (!parsed.success) {
    throw new ConfigError(parsed.error.issues.map(({ path: [key], message }) => `${nameOf(key, flags)} ${message}.`));
  }
  const config = parsed.data;
  if (!isLoopback(config.host)) {
    throw new ConfigError([
      `${nameOf("host", flags)} is ${config.host}, but without authentication (auth mode "open") anyone who reaches the server could ` +
        `read and change every context, so it listens on loopback only. Use 127.0.0.1, ::1 or localhost, and put a proxy that authenticates in front.`,
    ]);
  }
  return config;
}

/** The environment of this process. */
export function readEnvironment(): Environment {
  return process.env;
}

function pick(flags: Flags, key: string): string | undefined {
  return isSetting(key) ? flags[key] : undefined;
}

function fromEnvironment(environment: Environment, { variable }: Setting): string | undefined {
  const value = environment[variable];
  return value === "" ? undefined : value;
}

/** The place where the value came from, for messages. */
function nameOf(key: PropertyKey | undefined, flags: Flags): string {
  if (typeof key !== "string" || !isSetting(key)) return "The configuration";
  const { flag, variable } = SETTINGS[key];
  return flags[key] === undefined ? variable : flag;
}

function isSetting(key: string): key is keyof Config {
  return Object.hasOwn(SETTINGS, key);
}

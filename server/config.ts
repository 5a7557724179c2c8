/**
 * The configuration: what settings say, checked, and the only reader of the environment.
 *
 * Invariants (CONF):
 *  1. A flag wins over its variable, a variable over the default. An empty variable counts as not set.
 *  2. `parseConfig` is pure; all that is wrong is said at once, each with the flag or variable that says it.
 *  3. Without authentication the server listens on this machine only.
 *  4. No secret can be read off a Config that is printed or logged: keys are opaque, and what they were made of is not in it.
 *
 * Not here: the table of settings (config-settings.ts), those about identity (config-auth.ts), edges (config-edges.ts) and
 * alerts (config-alerts.ts), settings of the CLI as a client (server/cli).
 */
import { resolve } from "node:path";
import { z } from "zod";
import { addressesOf } from "../shared/engine-address.ts";
import { isLoopback } from "../shared/host.ts";
import { LIMITS } from "../shared/limits.ts";
import { alertsOf, alertsSchema } from "./config-alerts.ts";
import type { AlertConfig } from "./config-alerts.ts";
import { authOf, authSchema, FILE_SETTINGS } from "./config-auth.ts";
import type { ConfigFiles, FileText } from "./config-auth.ts";
import { edgesOf, edgesSchema } from "./config-edges.ts";
import type { EdgeConfig } from "./config-edges.ts";
import { SETTINGS } from "./config-settings.ts";
import type { Setting, SettingName } from "./config-settings.ts";
import type { AuthConfig } from "./security/create-verifier.ts";

const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;

/** Less would be dropped in the middle of a few changes, again and again. */
const HISTORY_BYTES_MIN = 1024 * 1024;

const wholeNumber = z
  .string()
  .regex(/^\d{1,15}$/, "must be a whole number")
  .transform(Number);

const serverSchema = z.strictObject({
  host: z.string().regex(/^[A-Za-z0-9.:-]{1,253}$/, "must be a host name or an IP address"),
  port: z
    .string()
    .regex(/^\d{1,5}$/, "must be a number from 0 to 65535")
    .transform(Number)
    .refine((port) => port <= 65_535, "must be a number from 0 to 65535"),
  dataDir: z.string().transform((path) => resolve(path)),
  storage: z
    .string()
    .refine(isStorage, "must be level, memory, or an address such as postgres://user@host:5432/database"),
  allowedHosts: z
    .string()
    .regex(/^[A-Za-z0-9.,-]*$/, "must be host names without ports, separated by commas")
    .transform((names) => names.split(",").filter((name) => name !== "")),
  publicUrl: z
    .string()
    .regex(
      /^(?:https?:\/\/[^\s/?#]+(?:\/[^\s?#]*)?)?$/,
      "must be an address that begins with https:// or http://, without ? and #",
    )
    .transform((url) => url.replace(/\/+$/, "")),
  types: z.string().transform((path) => (path === "" ? undefined : resolve(path))),
  historyChanges: wholeNumber,
  historyDays: wholeNumber,
  historyBytes: wholeNumber.refine(
    (bytes) => bytes === 0 || bytes >= HISTORY_BYTES_MIN,
    `must be 0 or at least ${HISTORY_BYTES_MIN}`,
  ),
  metricsContexts: wholeNumber.refine(
    (count) => count <= LIMITS.metricsContextsMax,
    `must be at most ${LIMITS.metricsContextsMax}`,
  ),
  logLevel: z.enum(LOG_LEVELS, `must be one of: ${LOG_LEVELS.join(", ")}`),
});

/** What the server is started with. `port` 0 takes a free one; paths are absolute. */
export type Config = Readonly<z.infer<typeof serverSchema>> & {
  readonly auth: AuthConfig;
  readonly edges: EdgeConfig;
  readonly alerts: AlertConfig;
};

export type Environment = Readonly<Record<string, string | undefined>>;
export type Flags = { readonly [Name in SettingName]?: string | undefined };

/** All that is wrong with a configuration, one sentence each. */
export class ConfigError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join("\n"));
    this.name = "ConfigError";
    this.problems = problems;
  }
}

/** Reads the files that settings name, and then parses. @throws {ConfigError} */
export async function loadConfig(
  flags: Flags,
  environment: Environment,
  read: (path: string) => Promise<string>,
): Promise<Config> {
  const entries = FILE_SETTINGS.map(async (name) => {
    const path = valueOf(name, flags, environment);
    return path === undefined ? [] : [[name, await fileText(read, path)]];
  });
  const files: ConfigFiles = Object.fromEntries((await Promise.all(entries)).flat());
  return parseConfig(flags, environment, files);
}

/** `files`: what the files hold that settings name. @throws {ConfigError} */
export function parseConfig(flags: Flags, environment: Environment, files: ConfigFiles = {}): Config {
  const given = (name: SettingName): string | undefined =>
    valueOf(name, flags, environment) === undefined ? undefined : nameOf(name, flags);
  const text = (name: SettingName): string => valueOf(name, flags, environment) ?? SETTINGS[name].default;
  const server = serverSchema.safeParse(textsOf(serverSchema, text));
  const settings = authSchema.safeParse(textsOf(authSchema, text));
  const edges = edgesSchema.safeParse(textsOf(edgesSchema, text));
  const watch = alertsSchema.safeParse(textsOf(alertsSchema, text));
  const problems = [server, settings, edges, watch].flatMap(({ error }) => issuesOf(error, flags));
  const auth = settings.success ? authOf(settings.data, files, given, problems) : undefined;
  const alerts = watch.success ? alertsOf(watch.data, given, problems) : {};
  if (server.success && auth?.mode === "open") problems.push(...exposureOf(server.data, nameOf("host", flags)));
  if (problems.length > 0 || !server.success || !edges.success || auth === undefined) throw new ConfigError(problems);
  return {
    ...server.data,
    publicUrl: publicUrlOf(server.data),
    auth,
    edges: edgesOf(edges.data, auth.mode === "open"),
    alerts,
  };
}

/** What an open server must not be reached from. */
function exposureOf({ host }: z.output<typeof serverSchema>, setting: string): readonly string[] {
  if (isLoopback(host)) return [];
  return [
    `${setting} is ${host}, but without authentication (auth mode "open") anyone who reaches the server could ` +
      `read and change every context, so it listens on loopback only. Use 127.0.0.1, ::1 or localhost, or have callers prove who they are: --auth jwt or oidc.`,
  ];
}

function publicUrlOf({ publicUrl, host, port }: z.output<typeof serverSchema>): string {
  return publicUrl || `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** The environment of this process. */
export function readEnvironment(): Environment {
  return process.env;
}

function valueOf(name: SettingName, flags: Flags, environment: Environment): string | undefined {
  return flags[name] ?? (environment[SETTINGS[name].variable] || undefined);
}

function textsOf({ shape }: { readonly shape: object }, text: (name: SettingName) => string): Record<string, string> {
  return Object.fromEntries(
    Object.keys(shape)
      .filter(isSetting)
      .map((name) => [name, text(name)]),
  );
}

function issuesOf(error: z.ZodError | undefined, flags: Flags): string[] {
  return error?.issues.map(({ path: [key], message }) => `${nameOf(key, flags)} ${message}.`) ?? [];
}

async function fileText(read: (path: string) => Promise<string>, path: string): Promise<FileText> {
  try {
    return { text: await read(path) };
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
}

/** The place where the value came from, for messages. */
function nameOf(key: PropertyKey | undefined, flags: Flags): string {
  if (typeof key !== "string" || !isSetting(key)) return "The configuration";
  const { flag, variable }: Setting = SETTINGS[key];
  return flag === undefined || flags[key] === undefined ? variable : flag;
}

function isSetting(key: string): key is SettingName {
  return Object.hasOwn(SETTINGS, key);
}

function isStorage(text: string): boolean {
  if (text === "level" || text === "memory") return true;
  const addresses = addressesOf(text);
  return addresses.length > 0 && addresses.every((address) => URL.canParse(address));
}

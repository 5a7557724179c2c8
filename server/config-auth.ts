/**
 * How callers prove who they are, from the settings about it: which go together, and what a key is.
 *
 * A setting that the mode does not use is refused, not ignored: who sets a secret believes that it protects something.
 *
 * Not here: reading files and variables (config.ts).
 */
import { z } from "zod";
import type { AuthConfig } from "./security/create-verifier.ts";
import { isIssuerUrl } from "./security/issuer-keys.ts";
import { BadKey, publicKeyOf, secretKeyOf } from "./security/own-key.ts";
import type { OwnKey } from "./security/own-key.ts";
import { SETTINGS } from "./config-settings.ts";
import type { SettingName } from "./config-settings.ts";

type Mode = AuthConfig["mode"];
const MODES = ["open", "jwt", "oidc"] as const satisfies readonly Mode[];

export const authSchema = z.strictObject({
  auth: z.enum(MODES, `must be one of: ${MODES.join(", ")}`),
  audience: z
    .string()
    .regex(/^[^\s,]+(?:,[^\s,]+)*$/, "must be names without spaces, separated by commas")
    .transform((names) => names.split(",")),
  jwtSecret: z.string(),
  jwtSecretFile: z.string(),
  jwtPublicKey: z.string(),
  oidcIssuer: z.string(),
  oidcJwksUrl: z.string(),
  oidcContextsClaim: z.string().regex(/^\S{1,200}$/, "must be the name of a claim"),
});

type AuthSettings = z.infer<typeof authSchema>;

/** What a file holds, or why that could not be read. */
export type FileText = { readonly text: string } | { readonly problem: string };

/** Settings that name files whose content counts. */
export const FILE_SETTINGS = ["jwtSecretFile", "jwtPublicKey"] as const satisfies readonly SettingName[];
export type ConfigFiles = { readonly [Name in (typeof FILE_SETTINGS)[number]]?: FileText };

/** Where a setting's value came from, for messages; undefined when it has its default. */
export type Source = (name: SettingName) => string | undefined;

const USED_IN: readonly (readonly [SettingName, ...Mode[]])[] = [
  ["audience", "jwt", "oidc"],
  ["jwtSecret", "jwt"],
  ["jwtSecretFile", "jwt"],
  ["jwtPublicKey", "jwt"],
  ["oidcIssuer", "oidc"],
  ["oidcJwksUrl", "oidc"],
  ["oidcContextsClaim", "oidc"],
  // on an open server a page of another site could read and change everything
  ["allowedOrigins", "jwt", "oidc"],
];

/** Adds what is wrong to `problems`; undefined when there is no saying what was meant. */
export function authOf(
  settings: AuthSettings,
  files: ConfigFiles,
  given: Source,
  problems: string[],
): AuthConfig | undefined {
  const { auth: mode, audience: audiences } = settings;
  problems.push(...strangers(mode, given));
  if (mode === "open") return { mode };
  if (mode === "oidc") return oidcOf(settings, given, problems);
  const key = ownKeyOf(settings, files, given, problems);
  return key && { mode, audiences, key };
}

function strangers(mode: Mode, given: Source): string[] {
  const why = mode === "open" ? ", in which nobody proves who they are" : "";
  return USED_IN.flatMap(([name, ...modes]) => {
    const source = given(name);
    if (source === undefined || modes.includes(mode)) return [];
    const use = modes.map((it) => `${SETTINGS.auth.flag} ${it}`).join(" or ");
    return [`${source} is set, but has no use in auth mode "${mode}"${why}. Say ${use}, or take it away.`];
  });
}

function ownKeyOf(settings: AuthSettings, files: ConfigFiles, given: Source, problems: string[]): OwnKey | undefined {
  const sources: [string | undefined, () => OwnKey][] = [
    [given("jwtSecret"), () => secretKeyOf(settings.jwtSecret)],
    [given("jwtSecretFile"), () => secretKeyOf(textOf(files.jwtSecretFile).replace(/[\r\n]+$/, ""))],
    [given("jwtPublicKey"), () => publicKeyOf(textOf(files.jwtPublicKey))],
  ];
  const [first, ...more] = sources.filter(([source]) => source !== undefined);
  if (first === undefined) {
    problems.push(
      `Auth mode "jwt" needs a key: a secret in ${SETTINGS.jwtSecret.variable} or in a file named by ${SETTINGS.jwtSecretFile.flag}, or a public key named by ${SETTINGS.jwtPublicKey.flag}.`,
    );
    return undefined;
  }
  if (more.length > 0) {
    const names = [first, ...more].map(([source]) => source).join(" and ");
    problems.push(`${names} are set, but tokens are checked with one key. Keep one of them.`);
    return undefined;
  }
  const [source = "", make] = first;
  try {
    return make();
  } catch (error) {
    if (!(error instanceof BadKey)) throw error;
    problems.push(`${source} ${error.message}`);
    return undefined;
  }
}

/** @throws {BadKey} */
function textOf(file: FileText | undefined): string {
  if (file === undefined) throw new BadKey("names a file that was not read.");
  if ("problem" in file) throw new BadKey(`names a file that cannot be read (${file.problem}).`);
  return file.text;
}

function oidcOf(settings: AuthSettings, given: Source, problems: string[]): AuthConfig {
  const { audience: audiences, oidcIssuer: issuer, oidcJwksUrl: jwksUrl, oidcContextsClaim: contextsClaim } = settings;
  if (issuer === "") {
    problems.push(`Auth mode "oidc" needs the identity provider: ${SETTINGS.oidcIssuer.flag} https://….`);
  }
  for (const name of ["oidcIssuer", "oidcJwksUrl"] as const) {
    const source = given(name);
    if (source !== undefined && !isIssuerUrl(settings[name])) {
      problems.push(`${source} must be an address that begins with https:// (http:// for one on this machine only).`);
    }
  }
  if (/[?#]/.test(issuer)) problems.push(`${given("oidcIssuer") ?? ""} must have neither query nor fragment.`);
  return { mode: "oidc", audiences, issuer, ...(jwksUrl === "" ? {} : { jwksUrl }), contextsClaim };
}

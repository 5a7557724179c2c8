/** How callers prove who they are: which settings go together, and files that hold keys. */
import { describe, expect, test } from "vitest";
import { ConfigError, loadConfig, parseConfig } from "../../server/config.ts";
import type { ConfigFiles } from "../../server/config-auth.ts";
import type { Environment, Flags } from "../../server/config.ts";
import type { AuthConfig } from "../../server/security/create-verifier.ts";
import { keyPair, SECRET } from "../support/tokens.ts";

const ISSUER = "https://id.example/realm";
const { publicPem, privatePem } = keyPair("ed25519");

const authOf = (flags: Flags, environment: Environment = {}, files: ConfigFiles = {}) =>
  parseConfig(flags, environment, files).auth;

/** Keys are opaque: to compare two of them says nothing. */
const secretIn = (auth: AuthConfig): string => (auth.mode === "jwt" ? auth.key.key.export().toString() : "");

const problemsOf = (flags: Flags, environment: Environment = {}, files: ConfigFiles = {}): readonly string[] => {
  try {
    parseConfig(flags, environment, files);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
};

describe("modes", () => {
  test("[AUTH-10] open needs nothing", () => {
    expect(authOf({})).toEqual({ mode: "open" });
    expect(authOf({ auth: "open" }, { MCM_JWT_SECRET: "" })).toEqual({ mode: "open" });
  });

  test("[AUTH-10] jwt takes a secret, a file that holds one, or a public key", () => {
    const audiences = ["mcp-context-manager"];
    expect(authOf({ auth: "jwt" }, { MCM_JWT_SECRET: SECRET })).toMatchObject({
      mode: "jwt",
      audiences,
      key: { algorithms: ["HS256"] },
    });
    const file = { jwtSecretFile: { text: `${SECRET}\r\n` } };
    expect(secretIn(authOf({ auth: "jwt" }, { MCM_JWT_SECRET: SECRET }))).toBe(SECRET);
    expect(secretIn(authOf({ auth: "jwt", jwtSecretFile: "/run/secret" }, {}, file))).toBe(SECRET);
    const environment = { MCM_AUTH: "jwt", MCM_JWT_PUBLIC_KEY: "key.pem", MCM_AUDIENCE: "a,https://mcm.example/mcp" };
    expect(authOf({}, environment, { jwtPublicKey: { text: publicPem } })).toMatchObject({
      audiences: ["a", "https://mcm.example/mcp"],
      key: { algorithms: ["EdDSA", "Ed25519"] },
    });
  });

  test("[AUTH-10] oidc takes an issuer", () => {
    const audiences = ["mcp-context-manager"];
    const rest = { mode: "oidc", audiences, issuer: ISSUER, contextsClaim: "contexts" };
    expect(authOf({ auth: "oidc", oidcIssuer: ISSUER })).toEqual(rest);
    const more = { oidcJwksUrl: "http://127.0.0.1:1/jwks", oidcContextsClaim: "https://mcm.example/contexts" };
    expect(authOf({ auth: "oidc", oidcIssuer: ISSUER, ...more })).toEqual({
      ...rest,
      jwksUrl: "http://127.0.0.1:1/jwks",
      contextsClaim: "https://mcm.example/contexts",
    });
  });

  test("[CONF-3] with authentication the server may listen anywhere", () => {
    expect(parseConfig({ auth: "jwt", host: "0.0.0.0" }, { MCM_JWT_SECRET: SECRET }).host).toBe("0.0.0.0");
    expect(parseConfig({ auth: "oidc", host: "::", oidcIssuer: ISSUER }, {}).host).toBe("::");
  });
});

describe("what does not go together", () => {
  test.each<[Flags, Environment, RegExp]>([
    [
      { auth: "jwt" },
      {},
      /^Auth mode "jwt" needs a key: a secret in MCM_JWT_SECRET or .*--jwt-secret-file.*--jwt-public-key\.$/,
    ],
    [{ auth: "oidc" }, {}, /^Auth mode "oidc" needs the identity provider: --oidc-issuer/],
    [
      {},
      { MCM_JWT_SECRET: SECRET },
      /^MCM_JWT_SECRET is set, but has no use in auth mode "open", in which nobody proves who they are\. Say --auth jwt, or take it away\.$/,
    ],
    [{ audience: "a" }, {}, /^--audience is set, but has no use in auth mode "open".* Say --auth jwt or --auth oidc/],
    [{ jwtPublicKey: "k" }, {}, /^--jwt-public-key is set/],
    [{}, { MCM_JWT_SECRET_FILE: "k" }, /^MCM_JWT_SECRET_FILE is set/],
    [{}, { MCM_OIDC_ISSUER: ISSUER }, /^MCM_OIDC_ISSUER is set.* Say --auth oidc,/],
    [{ oidcJwksUrl: ISSUER }, {}, /^--oidc-jwks-url is set/],
    [{ oidcContextsClaim: "c" }, {}, /^--oidc-contexts-claim is set/],
    [
      { auth: "oidc", oidcIssuer: ISSUER },
      { MCM_JWT_SECRET: SECRET },
      /^MCM_JWT_SECRET is set.*"oidc"\. Say --auth jwt,/,
    ],
    [{ auth: "jwt", oidcIssuer: ISSUER }, { MCM_JWT_SECRET: SECRET }, /^--oidc-issuer is set.*"jwt"/],
    [
      { auth: "oidc", oidcIssuer: "http://id.example" },
      {},
      /^--oidc-issuer must be .* https:\/\/ \(http:\/\/ for one on this machine/,
    ],
    [{ auth: "oidc" }, { MCM_OIDC_ISSUER: "id.example" }, /^MCM_OIDC_ISSUER must be an address/],
    [{ auth: "oidc", oidcIssuer: `${ISSUER}?a=b` }, {}, /^--oidc-issuer must have neither query nor fragment/],
    [
      { auth: "oidc", oidcIssuer: ISSUER, oidcJwksUrl: "http://id.example/k" },
      {},
      /^--oidc-jwks-url must be an address/,
    ],
    [
      { auth: "oidc", oidcIssuer: ISSUER, oidcContextsClaim: "a b" },
      {},
      /^--oidc-contexts-claim must be the name of a claim/,
    ],
    [{ auth: "jwt", audience: "a, b" }, { MCM_JWT_SECRET: SECRET }, /^--audience must be names without spaces/],
    [{ auth: "jwt", audience: "" }, { MCM_JWT_SECRET: SECRET }, /^--audience must be names/],
    [{ auth: "JWT" }, {}, /^--auth must be one of: open, jwt, oidc\.$/],
    [{ auth: "jwt" }, { MCM_JWT_SECRET: "short" }, /^MCM_JWT_SECRET holds a secret of 5 bytes.*openssl rand/],
    [{ auth: "jwt" }, { MCM_JWT_SECRET: "changeme".repeat(5) }, /^MCM_JWT_SECRET holds a secret that could be guessed/],
  ])("[AUTH-10] %j with %j", (flags, environment, says) => {
    const problems = problemsOf(flags, environment);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(says);
    expect(problems.join()).not.toContain(SECRET);
  });

  test("[AUTH-10] two keys are one too many", () => {
    const files = { jwtSecretFile: { text: SECRET }, jwtPublicKey: { text: publicPem } };
    expect(
      problemsOf({ auth: "jwt", jwtSecretFile: "a" }, { MCM_JWT_SECRET: SECRET, MCM_JWT_PUBLIC_KEY: "b" }, files),
    ).toEqual([
      "MCM_JWT_SECRET and --jwt-secret-file and MCM_JWT_PUBLIC_KEY are set, but tokens are checked with one key. Keep one of them.",
    ]);
  });

  test("[CONF-2] it is told with everything else that is wrong", () => {
    expect(
      problemsOf({ port: "x", auth: "jwt", oidcIssuer: "x" }, { MCM_JWT_SECRET: "short", MCM_AUDIENCE: "a b" }),
    ).toEqual([expect.stringMatching(/^--port must/), expect.stringMatching(/^MCM_AUDIENCE must/)]);
    expect(problemsOf({ port: "x", host: "0.0.0.0", oidcIssuer: ISSUER })).toEqual([
      expect.stringMatching(/^--port must/),
      expect.stringMatching(/^--oidc-issuer is set/),
    ]);
    expect(problemsOf({ host: "0.0.0.0", oidcIssuer: ISSUER })).toEqual([
      expect.stringMatching(/^--oidc-issuer is set/),
      expect.stringMatching(/^--host is 0\.0\.0\.0.*--auth jwt or oidc/),
    ]);
  });
});

describe("files", () => {
  const load = (flags: Flags, files: Record<string, string>) =>
    loadConfig(flags, {}, async (path) => {
      const text = files[path];
      if (text === undefined) throw new Error(`ENOENT: no such file, open '${path}'`);
      return text;
    });

  test("[AUTH-10] those that settings name are read, no others", async () => {
    expect((await load({}, {})).auth).toEqual({ mode: "open" });
    const { auth } = await load({ auth: "jwt", jwtSecretFile: "s" }, { s: SECRET });
    expect(secretIn(auth)).toBe(SECRET);
    expect((await load({ auth: "jwt", jwtPublicKey: "k" }, { k: publicPem })).auth).toMatchObject({ mode: "jwt" });
  });

  test.each<[Flags, Record<string, string>, RegExp]>([
    [{ auth: "jwt", jwtSecretFile: "s" }, {}, /^--jwt-secret-file names a file that cannot be read \(ENOENT.*'s'\)\.$/],
    [{ auth: "jwt", jwtSecretFile: "s" }, { s: "" }, /^--jwt-secret-file holds a secret of 0 bytes/],
    [{ auth: "jwt", jwtPublicKey: "k" }, { k: privatePem }, /^--jwt-public-key holds a private key/],
    [{ auth: "jwt", jwtPublicKey: "k" }, { k: SECRET }, /^--jwt-public-key holds no public key/],
    [{ auth: "jwt", jwtPublicKey: "" }, {}, /^--jwt-public-key names a file that cannot be read/],
  ])("[AUTH-9] %j", async (flags, files, says) => {
    const error: unknown = await load(flags, files).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ConfigError);
    expect(String(error)).toMatch(new RegExp(says.source.replace("^", "^ConfigError: ")));
  });

  test("[AUTH-9] a file that nobody read is not taken for an empty one", () => {
    expect(problemsOf({ auth: "jwt", jwtSecretFile: "s" })).toEqual([
      "--jwt-secret-file names a file that was not read.",
    ]);
  });
});

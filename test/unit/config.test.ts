/** Settings: precedence, checks, messages. */
import { resolve } from "node:path";
import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { SETTINGS } from "../../server/config-settings.ts";
import type { Setting } from "../../server/config-settings.ts";
import { ConfigError, parseConfig } from "../../server/config.ts";
import type { Environment, Flags } from "../../server/config.ts";
import { UNLIMITED } from "../../server/security/rate-limiter.ts";
import { LIMITS } from "../../shared/limits.ts";
import { read } from "../arch/source.ts";

const refusal = (flags: Flags, environment: Environment = {}): readonly string[] => {
  try {
    parseConfig(flags, environment);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  throw new Error("accepted");
};

test("[CONF-1] the defaults", () => {
  expect(parseConfig({}, {})).toEqual({
    host: "127.0.0.1",
    port: 4400,
    dataDir: resolve("data"),
    storage: "level",
    auth: { mode: "open" },
    edges: { allowedOrigins: [], trustedProxies: [], webhookAllow: [], rates: UNLIMITED },
    allowedHosts: [],
    publicUrl: "http://127.0.0.1:4400",
    historyChanges: 0,
    historyDays: 0,
    historyBytes: 64 * 1024 * 1024,
    metricsContexts: 10,
    alerts: {},
    logLevel: "info",
  });
});

test("[CONF-1] a flag wins over its variable, a variable over the default, and an empty variable says nothing", () => {
  expect(parseConfig({ port: "1" }, { MCM_PORT: "2" }).port).toBe(1);
  expect(parseConfig({}, { MCM_PORT: "2" }).port).toBe(2);
  expect(parseConfig({}, { MCM_PORT: "" }).port).toBe(4400);
  expect(parseConfig({}, { MCM_ALLOWED_HOSTS: "a.test,b.test" }).allowedHosts).toEqual(["a.test", "b.test"]);
  expect(parseConfig({ port: "0", dataDir: "/tmp/x", storage: "memory" }, {})).toMatchObject({
    port: 0,
    dataDir: "/tmp/x",
    storage: "memory",
  });
});

test.each<[Flags, Environment, RegExp]>([
  [{ port: "65536" }, {}, /^--port must be a number from 0 to 65535\.$/],
  [{}, { MCM_PORT: "tcp://10.0.0.1:4400" }, /^MCM_PORT must be a number/],
  [{ port: "-1" }, {}, /^--port/],
  [{ port: "" }, {}, /^--port/],
  [{ storage: "disk" }, {}, /^--storage must be level, memory, or an address such as postgres:/],
  [{ storage: "postgres://host" }, {}, /^--storage must be level, memory, or an address such as postgres:/],
  [{ storage: "postgres://one:x,two/mcm" }, {}, /^--storage must be level, memory, or an address such as postgres:/],
  [{ storage: "mysql://host/db" }, {}, /^--storage must be level, memory, or an address such as postgres:/],
  [{}, { MCM_LOG_LEVEL: "loud" }, /^MCM_LOG_LEVEL must be one of: debug, info/],
  [{}, { MCM_AUTH: "none" }, /^MCM_AUTH must be one of: open, jwt, oidc\.$/],
  [{ host: "a b" }, {}, /^--host must be a host name/],
  [{ historyChanges: "-1" }, {}, /^--history-changes must be a whole number\.$/],
  [{}, { MCM_HISTORY_DAYS: "1.5" }, /^MCM_HISTORY_DAYS must be a whole number/],
  [{ historyBytes: "1000" }, {}, /^--history-bytes must be 0 or at least 1048576\.$/],
  [{ allowedHosts: "a:80" }, {}, /^--allowed-hosts must be host names/],
  [{ metricsContexts: "1001" }, {}, /^--metrics-contexts must be at most 1000\.$/],
  [{ alertWebhook: "ftp://x" }, {}, /^--alert-webhook must be an address that begins with https:\/\/ or http:\/\/\.$/],
  [{}, { MCM_ALERT_WEBHOOK_SECRET: "short" }, /^MCM_ALERT_WEBHOOK_SECRET must have 16 characters\.$/],
])("[CONF-2] %j with %j is refused by name", (flags, environment, says) => {
  expect(refusal(flags, environment)[0]).toMatch(says);
});

test("[HOOK-14] hosts, addresses and ranges may be allowed for webhooks", () => {
  const entries = ["hooks.internal", "*.svc.local", "10.1.2.3", "10.0.0.0/8", "::1", "fd00::/8"];
  expect(parseConfig({ webhookAllow: entries.join(",") }, {}).edges.webhookAllow).toEqual(entries);
  for (const wrong of [
    "*",
    "a b",
    "http://x",
    "x:80",
    "10.0.0.0/33",
    "fd00::/129",
    "10.0.0.0/",
    "a.example/8",
    "[::1]",
    "*.*.a",
  ])
    expect(refusal({ webhookAllow: wrong })[0]).toMatch(/^--webhook-allow must be host names/);
});

test("[ALERT-10] the webhook's address and its secret go together, and the secret cannot be read off the configuration", () => {
  const [url, secret] = ["https://ops.test/alerts", "0123456789abcdef"];
  const { alerts } = parseConfig({ alertWebhook: url }, { MCM_ALERT_WEBHOOK_SECRET: secret });
  expect([alerts.webhook?.url, alerts.webhook?.key.export().toString()]).toEqual([url, secret]);
  expect(JSON.stringify(alerts) + inspect(alerts, { depth: 9 })).not.toContain(secret);
  const coded = parseConfig({ alertWebhook: url }, { MCM_ALERT_WEBHOOK_SECRET: "whsec_MDEyMzQ1Njc4OWFiY2RlZg==" });
  expect(coded.alerts.webhook?.key.export().toString()).toBe(secret);
  expect(refusal({ alertWebhook: url })).toEqual([
    "--alert-webhook goes with MCM_ALERT_WEBHOOK_SECRET: requests to the address are signed.",
  ]);
  expect(refusal({}, { MCM_ALERT_WEBHOOK_SECRET: secret })).toEqual([
    "MCM_ALERT_WEBHOOK_SECRET goes with MCM_ALERT_WEBHOOK: requests to the address are signed.",
  ]);
  expect(parseConfig({ metricsContexts: "1000", alertRules: "rules.json" }, {})).toMatchObject({
    metricsContexts: 1000,
    alerts: { rules: resolve("rules.json") },
  });
});

test("[CONF-2] all faults are told at once", () => {
  expect(refusal({ port: "x" }, { MCM_STORAGE: "x", MCM_LOG_LEVEL: "x" })).toHaveLength(3);
});

test.each(["0.0.0.0", "::", "192.168.0.1", "mcm.example", "127.0.0.1.example"])(
  "[CONF-3] listening on %s is refused without authentication",
  (host) => {
    expect(refusal({ host }).join()).toMatch(/^--host is .* loopback only\. Use 127\.0\.0\.1/);
    expect(refusal({}, { MCM_HOST: host }).join()).toMatch(/^MCM_HOST is/);
  },
);

test.each(["127.0.0.1", "127.1.2.3", "::1", "localhost"])("[CONF-3] %s is this machine", (host) => {
  expect(parseConfig({ host }, {}).host).toBe(host);
});

test("the reference page has every setting with its default", () => {
  const page = read("docs/reference/config.md").text;
  for (const { flag, variable, default: preset } of Object.values<Setting>(SETTINGS)) {
    const cells = [flag, variable, preset === "" ? undefined : preset].map((cell) =>
      cell === undefined ? " *" : ` \`${cell.replaceAll(".", "\\.")}\` *`,
    );
    expect(page).toMatch(new RegExp(`^\\|${cells.join("\\|")}\\|`, "m"));
  }
});

describe("[EDGE-13] edges", () => {
  const jwt = { MCM_AUTH: "jwt", MCM_JWT_SECRET: "correct horse battery staple, and more" };
  const { addressConnectionsMax, actorConnectionsMax, actorOpsPerS, actorFramesPerS, actorBytesPerS } = LIMITS;
  const preset = { addressConnectionsMax, actorConnectionsMax, actorOpsPerS, actorFramesPerS, actorBytesPerS };

  test("auto bounds amounts where callers prove who they are; a number counts as it is, 0 for none", () => {
    expect(parseConfig({}, jwt).edges.rates).toEqual(preset);
    expect(parseConfig({ actorOpsPerS: "7", actorFramesPerS: "0" }, jwt).edges.rates).toEqual({
      ...preset,
      actorOpsPerS: 7,
      actorFramesPerS: 0,
    });
    expect(parseConfig({}, { MCM_ACTOR_BYTES_PER_S: "1000" }).edges.rates).toEqual({
      ...UNLIMITED,
      actorBytesPerS: 1000,
    });
  });

  test("lists are taken apart", () => {
    const environment = {
      ...jwt,
      MCM_ALLOWED_ORIGINS: "https://App.example, http://other.example:8080,",
      MCM_TRUSTED_PROXIES: "10.0.0.0/8, 192.168.1.1, FD00::/8, ::1",
    };
    expect(parseConfig({}, environment).edges).toMatchObject({
      allowedOrigins: ["https://app.example", "http://other.example:8080"],
      trustedProxies: ["10.0.0.0/8", "192.168.1.1", "fd00::/8", "::1"],
    });
  });

  test.each([
    ["https://app.example/", "allowedOrigins"],
    ["https://app.example:443", "allowedOrigins"],
    ["app.example", "allowedOrigins"],
    ["*", "allowedOrigins"],
    ["null", "allowedOrigins"],
    ["ftp://app.example", "allowedOrigins"],
    ["https://user@app.example", "allowedOrigins"],
    ["proxy.example", "trustedProxies"],
    ["10.0.0.0/33", "trustedProxies"],
    ["10.0.0", "trustedProxies"],
    ["10.0.0.1:80", "trustedProxies"],
    ["*", "trustedProxies"],
    ["0x10", "actorOpsPerS"],
    ["-1", "actorOpsPerS"],
    ["1.5", "actorBytesPerS"],
    ["many", "addressConnectionsMax"],
  ] as const)("%s is refused as %s", (text, name) => {
    expect(refusal({ [name]: text }, jwt).join()).toMatch(new RegExp(`^${SETTINGS[name].flag} must be `));
  });

  test("an open server takes no origin of another site", () => {
    expect(refusal({ allowedOrigins: "https://app.example" }).join()).toMatch(
      /^--allowed-origins is set, but has no use in auth mode "open"/,
    );
  });

  test("the reference page says what auto is", () => {
    const page = read("docs/reference/config.md").text;
    for (const [name, amount] of Object.entries(preset)) {
      const { flag } = SETTINGS[name as keyof typeof preset];
      expect(page).toMatch(new RegExp(`^\\| \`${flag}\` .*\\\`auto\\\`: ${amount}\\.`, "m"));
    }
    expect(page).toContain("An address may do what ten actors may.");
    expect(LIMITS.addressActors).toBe(10);
  });
});

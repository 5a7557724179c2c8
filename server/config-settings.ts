/**
 * Every setting of the server: its flag, variable, default, and what it means. docs/reference/config.md is the same table.
 *
 * A secret has no flag: command lines are seen by everybody on the machine, and kept by shells.
 *
 * Not here: checks (config.ts), which settings go together (config-auth.ts).
 */
import { LIMITS } from "../shared/limits.ts";

export interface Setting {
  readonly flag?: string;
  readonly variable: string;
  readonly placeholder: string;
  readonly default: string;
  readonly meaning: string;
}

/** What `auto` stands for. */
function autoOf(name: keyof typeof LIMITS): string {
  return `0 sets no bound; auto is ${LIMITS[name]}, and none in open mode.`;
}

export const SETTINGS = {
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
    placeholder: "<where>",
    default: "level",
    meaning:
      "level keeps contexts in the data folder; postgres://user@host:5432/database in a PostgreSQL database, with hosts separated by commas at whichever is the primary; memory forgets them when the server stops.",
  },
  auth: {
    flag: "--auth",
    variable: "MCM_AUTH",
    placeholder: "<mode>",
    default: "open",
    meaning:
      "How callers prove who they are. open: they don't; the name they give is taken as true. jwt: by a token that is signed with the server's own key. oidc: by a token of an identity provider.",
  },
  audience: {
    flag: "--audience",
    variable: "MCM_AUDIENCE",
    placeholder: "<names>",
    default: "mcp-context-manager",
    meaning: "Names of this server, separated by commas; a token must be issued for one of them (claim aud).",
  },
  jwtSecret: {
    variable: "MCM_JWT_SECRET",
    placeholder: "<text>",
    default: "",
    meaning: "jwt: the secret with which tokens are signed (HS256), at least 32 bytes.",
  },
  jwtSecretFile: {
    flag: "--jwt-secret-file",
    variable: "MCM_JWT_SECRET_FILE",
    placeholder: "<path>",
    default: "",
    meaning: "jwt: a file that holds the secret, instead of MCM_JWT_SECRET; a line break at its end does not count.",
  },
  jwtPublicKey: {
    flag: "--jwt-public-key",
    variable: "MCM_JWT_PUBLIC_KEY",
    placeholder: "<path>",
    default: "",
    meaning:
      "jwt: a PEM file with the public key of who signs tokens (Ed25519, EC P-256 or RSA), for a server that cannot issue any.",
  },
  oidcIssuer: {
    flag: "--oidc-issuer",
    variable: "MCM_OIDC_ISSUER",
    placeholder: "<url>",
    default: "",
    meaning: "oidc: the identity provider, exactly as it stands in its tokens (claim iss).",
  },
  oidcJwksUrl: {
    flag: "--oidc-jwks-url",
    variable: "MCM_OIDC_JWKS_URL",
    placeholder: "<url>",
    default: "",
    meaning: "oidc: where the provider publishes its keys; it is asked for the place unless given.",
  },
  oidcContextsClaim: {
    flag: "--oidc-contexts-claim",
    variable: "MCM_OIDC_CONTEXTS_CLAIM",
    placeholder: "<name>",
    default: "contexts",
    meaning: "oidc: the claim that grants contexts; some providers want names that are addresses.",
  },
  allowedHosts: {
    flag: "--allowed-hosts",
    variable: "MCM_ALLOWED_HOSTS",
    placeholder: "<names>",
    default: "",
    meaning:
      "More host names, separated by commas, under which clients may address the server; loopback names always work.",
  },
  publicUrl: {
    flag: "--public-url",
    variable: "MCM_PUBLIC_URL",
    placeholder: "<url>",
    default: "",
    meaning:
      "Where clients reach the server, such as https://contexts.example.org; tokens issued for <url>/mcp are taken too. The address it listens on unless given.",
  },
  allowedOrigins: {
    flag: "--allowed-origins",
    variable: "MCM_ALLOWED_ORIGINS",
    placeholder: "<origins>",
    default: "",
    meaning:
      "Origins, such as https://app.example, separated by commas, of web pages that may call the server besides those of its own hosts.",
  },
  trustedProxies: {
    flag: "--trusted-proxies",
    variable: "MCM_TRUSTED_PROXIES",
    placeholder: "<networks>",
    default: "",
    meaning:
      "Addresses and networks, such as 10.0.0.0/8, separated by commas, of proxies whose X-Forwarded-For or Forwarded is believed.",
  },
  addressConnectionsMax: {
    flag: "--address-connections-max",
    variable: "MCM_ADDRESS_CONNECTIONS_MAX",
    placeholder: "<number>",
    default: "auto",
    meaning: `WebSockets and live feeds of one address at once. ${autoOf("addressConnectionsMax")}`,
  },
  actorConnectionsMax: {
    flag: "--actor-connections-max",
    variable: "MCM_ACTOR_CONNECTIONS_MAX",
    placeholder: "<number>",
    default: "auto",
    meaning: `WebSockets and live feeds of one actor at once. ${autoOf("actorConnectionsMax")}`,
  },
  actorOpsPerS: {
    flag: "--actor-ops-per-s",
    variable: "MCM_ACTOR_OPS_PER_S",
    placeholder: "<number>",
    default: "auto",
    meaning: `Requests of one actor a second, on average over ten. ${autoOf("actorOpsPerS")}`,
  },
  actorFramesPerS: {
    flag: "--actor-frames-per-s",
    variable: "MCM_ACTOR_FRAMES_PER_S",
    placeholder: "<number>",
    default: "auto",
    meaning: `WebSocket messages of one actor that are read a second, on average over ten. ${autoOf("actorFramesPerS")}`,
  },
  actorBytesPerS: {
    flag: "--actor-bytes-per-s",
    variable: "MCM_ACTOR_BYTES_PER_S",
    placeholder: "<number>",
    default: "auto",
    meaning: `Bytes of one actor's messages, bodies and answers a second, on average over ten. ${autoOf("actorBytesPerS")}`,
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
  webhookAllow: {
    flag: "--webhook-allow",
    variable: "MCM_WEBHOOK_ALLOW",
    placeholder: "<hosts>",
    default: "",
    meaning:
      "Hosts, addresses and ranges inside a network, separated by commas, that webhooks may name, also with plain http; others must be public and https.",
  },
  metricsContexts: {
    flag: "--metrics-contexts",
    variable: "MCM_METRICS_CONTEXTS",
    placeholder: "<number>",
    default: "10",
    meaning: "Contexts that metrics tell by name, the largest; the rest is told together. 0 tells no name.",
  },
  alertRules: {
    flag: "--alert-rules",
    variable: "MCM_ALERT_RULES",
    placeholder: "<path>",
    default: "",
    meaning: "JSON file with other thresholds for alerts.",
  },
  alertWebhook: {
    flag: "--alert-webhook",
    variable: "MCM_ALERT_WEBHOOK",
    placeholder: "<url>",
    default: "",
    meaning: "Address that is told of alerts, by signed POST requests.",
  },
  alertWebhookSecret: {
    variable: "MCM_ALERT_WEBHOOK_SECRET",
    placeholder: "<secret>",
    default: "",
    meaning: "Secret that signs these requests, at least 16 characters.",
  },
  logLevel: {
    flag: "--log-level",
    variable: "MCM_LOG_LEVEL",
    placeholder: "<level>",
    default: "info",
    meaning: "Least level that is logged: debug, info, warn, error, or silent.",
  },
} as const satisfies Readonly<Record<string, Setting>>;

export type SettingName = keyof typeof SETTINGS;

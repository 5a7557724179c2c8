/** The whole server in this process in mode `jwt`, and callers with tokens of their own. */
import { parseConfig } from "../../server/config.ts";
import type { Environment } from "../../server/config.ts";
import { startServer } from "./start-server.ts";
import type { ErrorCode } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { Limits } from "../../shared/limits.ts";
import { SCOPES } from "../../shared/permission.ts";
import { RecordingLogger } from "./recording-logger.ts";
import { claimsAt, SECRET, sign } from "./tokens.ts";

export interface SecureServer {
  /** http://127.0.0.1:port */
  readonly url: string;
  readonly logger: RecordingLogger;
  close(): Promise<void>;
  /** A token for an hour with every scope, and what `claims` say instead. */
  token(sub: string, claims?: Record<string, unknown>): Promise<string>;
  /** A token of an admin of the server. */
  admin(): Promise<string>;
  /** A request with a token, its body as JSON. */
  call(token: string, method: string, path: string, body?: unknown): Promise<Answer>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: { readonly code?: ErrorCode } & Readonly<Record<string, unknown>>;
}

let count = 0;

/** More that it is started with: variables, and limits of connections. */
interface Edges {
  readonly environment?: Environment;
  readonly limits?: Partial<Limits>;
}

export async function startSecureServer(dataDir?: string, edges: Edges = {}): Promise<SecureServer> {
  const { environment, limits } = edges;
  const logger = new RecordingLogger();
  const place = dataDir === undefined ? { storage: "memory" } : { dataDir };
  const config = parseConfig({ port: "0", auth: "jwt", ...place }, { MCM_JWT_SECRET: SECRET, ...environment });
  const server = await startServer(config, { logger, limits: { ...LIMITS, ...limits } });
  const token: SecureServer["token"] = (sub, claims = {}) => {
    const jti = `t-${++count}`;
    return sign(claimsAt(Date.now(), { sub, jti, scope: SCOPES.join(" "), ...claims }));
  };
  return {
    url: server.url,
    logger,
    close: () => server.close(),
    token,
    admin: () => token("ops", { contexts: [{ id: "*", role: "admin" }] }),
    call: (bearer, method, path, body) => call(`${server.url}${path}`, bearer, method, body),
  };
}

async function call(url: string, token: string, method: string, body: unknown): Promise<Answer> {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const response = await fetch(url, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text === "" ? {} : JSON.parse(text) };
}

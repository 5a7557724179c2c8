/**
 * The composition root: builds the server from its parts, starts and stops it in order.
 *
 * Start: log → managers → HTTP and WebSocket. Stop: the reverse, and only after everything admitted is durable.
 * Nothing but server/main.ts, tests and benchmarks imports this.
 */
import { once } from "node:events";
import { chmod, rm } from "node:fs/promises";
import type { Server } from "node:http";
import { LIMITS } from "../shared/limits.ts";
import { PRODUCT_VERSION } from "../shared/protocol/version.ts";
import type { AuditQuery } from "../shared/audit.ts";
import { AccessGuard } from "./access-guard.ts";
import { systemClock } from "./clock.ts";
import type { Clock } from "./clock.ts";
import type { Config } from "./config.ts";
import { ContextManager } from "./context-manager.ts";
import type { Caller } from "./context-service.ts";
import { AccessAudit } from "./context/access-audit.ts";
import { HistoryManager } from "./history/history-manager.ts";
import { HistoryThread } from "./history/history-runner.ts";
import { createLogger } from "./monitor/logger.ts";
import type { Logger } from "./monitor/logger.ts";
import { AuditLog } from "./security/audit-log.ts";
import { createVerifier } from "./security/create-verifier.ts";
import { RateLimiter } from "./security/rate-limiter.ts";
import { Revocations } from "./security/revocations.ts";
import { SecurityManager } from "./security/security-manager.ts";
import type { TokenVerifier } from "./security/token-verifier.ts";
import { policyOf } from "./state/retention.ts";
import { refuseIncomplete } from "./storage/backup/backup-folder.ts";
import { openChangeLog } from "./storage/log/open-change-log.ts";
import { StorageManager } from "./storage/storage-manager.ts";
import { SyncManager } from "./sync/sync-manager.ts";
import { TypeManager } from "./types/type-manager.ts";
import type { ProtectedResource } from "./transport/mcp/http/challenges.ts";
import { createMcpEndpoint } from "./transport/mcp/http/mount.ts";
import type { Extension } from "./transport/mcp/mcp-server.ts";
import { Gate } from "./transport/gate.ts";
import { peerAddresses } from "./transport/peer-address.ts";
import { createRestApp } from "./transport/rest/app.ts";
import { createHttpServer } from "./transport/rest/http-server.ts";
import type { ConnectionLimits } from "./transport/rest/http-server.ts";
import { DocumentPool } from "./use-cases/document-pool.ts";
import { RecreationPool } from "./use-cases/recreation-pool.ts";
import { WebSocketEndpoint } from "./transport/websocket/websocket-server.ts";

export interface RunningServer {
  /** Base address, such as http://127.0.0.1:4400. */
  readonly url: string;
  /**
   * Stops in order; resolves when everything admitted is durable and the data folder is released. Rejects when that was
   * not to be had, with the reason; all is released then too.
   */
  close(): Promise<void>;
}

interface Parts {
  readonly clock?: Clock;
  readonly logger?: Logger;
  /** Listens at this path, for this user only, and not on the network. What is there is taken away. */
  readonly socket?: string;
  /** More tools, for the conformance suite. */
  readonly mcpExtension?: Extension;
  /** Of connections, for tests that cannot wait as long as people can. */
  readonly limits?: ConnectionLimits;
}

/** @throws {ServiceError} DATA_DIR_LOCKED, DATA_DAMAGED, DATA_FORMAT_NEWER; Node's error when the port is taken */
export async function startServer(config: Config, parts: Parts = {}): Promise<RunningServer> {
  const { clock = systemClock, logger = createLogger({ level: config.logLevel }), limits = LIMITS } = parts;
  const { mcpExtension: extension } = parts;
  if (config.storage === "level") await refuseIncomplete(config.dataDir);
  const log = openChangeLog(config, clock);
  const storage = new StorageManager({ log, clock, logger, retention: policyOf(config) });
  await storage.start();
  const types = new TypeManager({ storage, clock });
  const history = new HistoryManager({ log: storage, clock, runner: new HistoryThread() });
  const recreator = new RecreationPool();
  const documents = new DocumentPool();
  const sync = new SyncManager(clock);
  const auditLog = new AuditLog({ records: storage, clock, logger });
  const audit = new AccessAudit(auditLog);
  const contexts = new ContextManager({ clock, logger, storage, sync, history, types, recreator, audit, documents });
  const tokens = new Revocations({ records: storage, clock, onRevoked: (isMeant) => contexts.readers.revoke(isMeant) });
  const security = new SecurityManager({ verifier: verifierOf(config, clock, logger), tokens });
  const server = { tokens, audit: { list: (_caller: Caller, query: AuditQuery) => auditLog.list(query) } };
  const service = new AccessGuard(contexts, server, audit);
  const { authenticate, verify } = security;
  const gate = gateOf(config, clock, auditLog);
  const edge = { service, clock, logger, authenticate, gate };
  const mcp = createMcpEndpoint({ ...edge, ...resourceOf(config), ...(extension === undefined ? {} : { extension }) });
  const http = createHttpServer(createRestApp({ ...edge, mcp }), { gate, clock, limits });
  const webSockets = new WebSocketEndpoint({ ...edge, ...(verify === undefined ? {} : { verify }) });
  webSockets.attach(http);
  sync.start();
  contexts.start();
  auditLog.start();

  const close = async (): Promise<void> => {
    auditLog.record({ action: "server.stop", outcome: "done" });
    const { available } = storage.status();
    const { count: before } = storage.failures;
    const closed = once(http, "close");
    http.close();
    await mcp.close();
    await contexts.close();
    await Promise.all([history.close(), recreator.close(), documents.close()]);
    sync.stop();
    // feeds write their last event, WebSocket clients answer the close frame; those that do not are cut
    await Promise.race([closed, new Promise<void>((resolve) => clock.setTimer(LIMITS.closeGraceMs, resolve))]);
    webSockets.close();
    http.closeAllConnections();
    await auditLog.close();
    await storage.close();
    const { count, reason } = storage.failures;
    if (!available || count > before) throw undurable(reason);
  };
  try {
    await types.load();
    await tokens.load();
    if (config.types !== undefined) await types.loadFolder(config.types);
    const { socket } = parts;
    const url = await (socket === undefined ? listen(http, config) : listenAt(http, socket));
    auditLog.record({ action: "server.start", outcome: "done", detail: { version: PRODUCT_VERSION } });
    return { url, close: onlyOnce(close) };
  } catch (error) {
    // that is what to tell; what closing may say besides follows from it
    await close().catch(() => undefined);
    throw error;
  }
}

function verifierOf({ auth, publicUrl }: Config, clock: Clock, logger: Logger): TokenVerifier | undefined {
  const onIssuerFailure = (error: unknown): void => logger.error("the identity provider cannot be asked", { error });
  return createVerifier(auth, { clock, onIssuerFailure, resources: [`${publicUrl}/mcp`] });
}

/** What MCP clients are told of who issues tokens. */
function resourceOf({ auth, publicUrl }: Config): { resource?: ProtectedResource } {
  return auth.mode === "oidc" ? { resource: { publicUrl, issuer: auth.issuer } } : {};
}

function gateOf({ allowedHosts, edges }: Config, clock: Clock, audit: AuditLog): Gate {
  const { rates, trustedProxies, allowedOrigins } = edges;
  const peers = peerAddresses(trustedProxies);
  return new Gate({ clock, audit, limiter: new RateLimiter(rates), peers, allowedHosts, allowedOrigins });
}

async function listen(http: Server, { host, port }: Config): Promise<string> {
  http.listen({ host, port, backlog: LIMITS.acceptBacklog });
  await once(http, "listening");
  const address = http.address();
  if (address === null || typeof address === "string") throw new Error("the server listens on no TCP port");
  const name = address.family === "IPv6" ? `[${address.address}]` : address.address;
  return `http://${name}:${address.port}`;
}

/** Whoever has the data folder has the socket beside it: one that is there was left behind. */
async function listenAt(http: Server, socket: string): Promise<string> {
  const isFile = !socket.startsWith("\\\\.\\pipe\\");
  if (isFile) await rm(socket, { force: true });
  http.listen(socket);
  await once(http, "listening");
  if (isFile) await chmod(socket, 0o600);
  return `unix:${socket}`;
}

/** Whoever waited for an answer was told the same. */
function undurable(reason: string): Error {
  return new Error(
    `The server has stopped, but not all that it had admitted is on the disk: ${reason}. What was acknowledged is.`,
  );
}

function onlyOnce(task: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => (done ??= task());
}

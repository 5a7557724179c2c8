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
import { RefusalRing } from "./context/refusal-ring.ts";
import { HistoryManager } from "./history/history-manager.ts";
import { HistoryThread } from "./history/history-runner.ts";
import { SessionDesk } from "./context/session-desk.ts";
import { measured } from "./context/measured-service.ts";
import { ALERT_RULES } from "./monitor/alerts/alert-rules.ts";
import { readAlertOverrides, withOverrides } from "./monitor/alerts/alert-overrides.ts";
import { AlertWebhook } from "./monitor/alerts/alert-webhook.ts";
import { ContextMonitor } from "./monitor/context-monitor.ts";
import { DiskProbe } from "./monitor/disk-probe.ts";
import { createLogger } from "./monitor/logger.ts";
import type { Logger } from "./monitor/logger.ts";
import type { Monitor } from "./monitor-port.ts";
import { QuietLogger } from "./monitor/quiet-logger.ts";
import { HttpPost } from "./outbound/http-post.ts";
import { TargetPolicy } from "./outbound/target-policy.ts";
import { AuditLog } from "./security/audit-log.ts";
import { createVerifier } from "./security/create-verifier.ts";
import { RateLimiter } from "./security/rate-limiter.ts";
import { Revocations } from "./security/revocations.ts";
import { SecurityManager } from "./security/security-manager.ts";
import type { TokenVerifier } from "./security/token-verifier.ts";
import { policyOf } from "./state/retention.ts";
import { refuseIncomplete } from "./storage/backup/backup-folder.ts";
import { openChangeLog, placeOf } from "./storage/log/open-change-log.ts";
import { StorageManager } from "./storage/storage-manager.ts";
import { SyncManager } from "./sync/sync-manager.ts";
import { TypeManager } from "./types/type-manager.ts";
import type { ProtectedResource } from "./transport/mcp/http/challenges.ts";
import { createMcpEndpoint } from "./transport/mcp/http/mount.ts";
import type { Extension } from "./transport/mcp/mcp-server.ts";
import { Gate } from "./transport/gate.ts";
import { builtPanel } from "./transport/panel.ts";
import { peerAddresses } from "./transport/peer-address.ts";
import { createRestApp } from "./transport/rest/app.ts";
import { createHttpServer } from "./transport/rest/http-server.ts";
import type { ConnectionLimits } from "./transport/rest/http-server.ts";
import { DocumentPool } from "./use-cases/document-pool.ts";
import { MonitorUseCases } from "./use-cases/monitoring.ts";
import { RecreationPool } from "./use-cases/recreation-pool.ts";
import { WebhookManager } from "./webhooks/webhook-manager.ts";
import type { WebhookManagerOptions } from "./webhooks/webhook-manager.ts";
import { WebSocketEndpoint } from "./transport/websocket/websocket-server.ts";

export interface RunningServer {
  /** Base address, such as http://127.0.0.1:4400. */
  readonly url: string;
  /** Where contexts are kept, for people, such as "in ./data". */
  readonly place: string;
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

/** What every manager is given. */
interface Tools {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly monitor: Monitor;
}

/** @throws {ServiceError} DATA_DIR_LOCKED, DATA_DAMAGED, DATA_FORMAT_NEWER; Node's error when the port is taken */
export async function startServer(config: Config, parts: Parts = {}): Promise<RunningServer> {
  const { clock = systemClock, limits = LIMITS, mcpExtension: extension } = parts;
  const logger = new QuietLogger(parts.logger ?? createLogger({ level: config.logLevel }), clock);
  const watch = await monitorOf(config, clock, logger);
  const monitor = watch.port;
  const { auditLog, outbound, nodes, ...managers } = await managersOf(config, { clock, logger, monitor });
  const { storage, types, history, recreator, documents, sync, audit, webhooks } = managers;
  const contexts = new ContextManager({ clock, logger, monitor: watch, ...managers });
  const tokens = new Revocations({ records: storage, clock, onRevoked: (isMeant) => contexts.readers.revoke(isMeant) });
  const security = new SecurityManager({ verifier: verifierOf(config, clock, logger), tokens });
  const list = (_caller: Caller, query: AuditQuery) => auditLog.list(query);
  const desk = new SessionDesk(clock, contexts.sessions);
  const server = { tokens, audit: { list }, webhooks, monitor: new MonitorUseCases(watch, desk, nodes) };
  const service = measured(new AccessGuard(contexts, server, audit), { clock, monitor });
  const { authenticate, verify } = security;
  const gate = gateOf(config, clock, auditLog);
  const edge = { service, clock, logger, monitor, authenticate, gate };
  const mcp = createMcpEndpoint({ ...edge, ...resourceOf(config), ...(extension === undefined ? {} : { extension }) });
  const app = createRestApp({ ...edge, mcp, panel: await builtPanel() });
  const http = createHttpServer(app, { gate, clock, limits });
  const webSockets = new WebSocketEndpoint({ ...edge, ...(verify === undefined ? {} : { verify }) });
  webSockets.attach(http);
  sync.start();
  contexts.start();
  auditLog.start();
  watch.start();

  const close = async (): Promise<void> => {
    auditLog.record({ action: "server.stop", outcome: "done" });
    const { available } = storage.status();
    const { count: before } = storage.failures;
    const closed = once(http, "close");
    http.close();
    await mcp.close();
    await contexts.close();
    watch.stop();
    await Promise.all([history.close(), recreator.close(), documents.close(), webhooks.close()]);
    outbound.close();
    sync.stop();
    // feeds write their last event, WebSocket clients answer the close frame; those that do not are cut
    await Promise.race([closed, new Promise<void>((resolve) => clock.setTimer(LIMITS.closeGraceMs, resolve))]);
    webSockets.close();
    http.closeAllConnections();
    await auditLog.close();
    await storage.close();
    logger.flush();
    const { count, reason } = storage.failures;
    if (!available || count > before) throw undurable(reason);
  };
  try {
    await loadRecords(config, { storage, types, tokens, webhooks });
    const { socket } = parts;
    const url = await (socket === undefined ? listen(http, config) : listenAt(http, socket));
    auditLog.record({ action: "server.start", outcome: "done", detail: { version: PRODUCT_VERSION } });
    return { url, place: placeOf(config), close: onlyOnce(close) };
  } catch (error) {
    // that is what to tell; what closing may say besides follows from it
    await close().catch(() => undefined);
    throw error;
  }
}

/** @throws {ServiceError} DATA_DIR_LOCKED, DATA_DAMAGED, DATA_FORMAT_NEWER */
async function managersOf(config: Config, { clock, logger, monitor }: Tools) {
  if (config.storage === "level") await refuseIncomplete(config.dataDir);
  const log = openChangeLog(config, clock, monitor);
  const storage = new StorageManager({ log, clock, logger, monitor, retention: policyOf(config) });
  await storage.start();
  const nodes = log.peers && { peers: log.peers, slot: () => log.nodeSlot };
  const auditLog = new AuditLog({ records: storage, clock, logger, nodes });
  return {
    nodes,
    storage,
    peers: log.peers,
    types: new TypeManager({ storage, clock }),
    history: new HistoryManager({ log: storage, clock, monitor, runner: new HistoryThread(monitor) }),
    recreator: new RecreationPool(monitor),
    documents: new DocumentPool(monitor),
    sync: new SyncManager(clock, monitor, log.peers),
    auditLog,
    audit: new AccessAudit(auditLog, new RefusalRing(clock), nodes),
    ...webhooksOf(config, { storage, clock, logger, peers: log.peers }),
  };
}

interface Recorded extends Pick<Awaited<ReturnType<typeof managersOf>>, "storage" | "types" | "webhooks"> {
  readonly tokens: Revocations;
}

/** What lies beside the contexts. What other servers write of it later is taken in too. */
async function loadRecords(config: Config, { storage, types, tokens, webhooks }: Recorded): Promise<void> {
  storage.records.on("types", () => types.load());
  storage.records.on("revocations", () => tokens.load());
  storage.records.on("webhooks", () => webhooks.load());
  await types.load();
  await tokens.load();
  if (config.types !== undefined) await types.loadFolder(config.types);
  await webhooks.start();
}

type WebhookParts = Pick<WebhookManagerOptions, "clock" | "logger" | "peers"> & { readonly storage: StorageManager };

function webhooksOf({ edges }: Config, parts: WebhookParts) {
  const policy = new TargetPolicy(edges.webhookAllow);
  const outbound = new HttpPost(policy);
  return { outbound, webhooks: new WebhookManager({ ...parts, policy, post: outbound.post }) };
}

/** @throws {ServiceError} INVALID_REQUEST when the file of alert rules is not in order */
async function monitorOf(config: Config, clock: Clock, logger: Logger): Promise<ContextMonitor> {
  const { alerts, metricsContexts, dataDir } = config;
  const rules =
    alerts.rules === undefined ? ALERT_RULES : withOverrides(ALERT_RULES, await readAlertOverrides(alerts.rules));
  const disk = new DiskProbe(dataDir, () => clock.monotonicMs());
  return new ContextMonitor({
    clock,
    logger,
    rules,
    contextsMax: metricsContexts,
    ...(config.storage === "level" ? { disk: () => disk.look() } : {}),
    ...(alerts.webhook === undefined ? {} : { webhook: new AlertWebhook({ ...alerts.webhook, clock, logger }) }),
  });
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

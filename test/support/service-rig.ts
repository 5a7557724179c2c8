/** A ContextManager on a gated memory log, and sessions on recorded connections: the service without sockets and disk. */
import * as Y from "yjs";
import { AuditLog } from "../../server/security/audit-log.ts";
import { parseContextId } from "../../shared/ids.ts";
import type { ContextId } from "../../shared/ids.ts";
import type { JsonObject } from "../../shared/json.ts";
import { encodeUpdate } from "../../shared/protocol/frames.ts";
import type { AuditQuery } from "../../shared/audit.ts";
import { AccessGuard } from "../../server/access-guard.ts";
import { systemClock } from "../../server/clock.ts";
import type { Clock } from "../../server/clock.ts";
import { ContextManager } from "../../server/context-manager.ts";
import { AccessAudit } from "../../server/context/access-audit.ts";
import { SessionDesk } from "../../server/context/session-desk.ts";
import { RefusalRing } from "../../server/context/refusal-ring.ts";
import type { Caller, SessionOptions } from "../../server/context-service.ts";
import { ContextMonitor } from "../../server/monitor/context-monitor.ts";
import { HistoryManager } from "../../server/history/history-manager.ts";
import { InlineHistory } from "../../server/history/history-runner.ts";
import type { HistoryRunner } from "../../server/history/history-runner.ts";
import { TargetPolicy } from "../../server/outbound/target-policy.ts";
import { Revocations } from "../../server/security/revocations.ts";
import type { Identity } from "../../server/state/access/identity.ts";
import { InlineCheckpointBuilder } from "../../server/storage/checkpoint/checkpoint.ts";
import { StorageManager } from "../../server/storage/storage-manager.ts";
import type { Session } from "../../server/sync/session.ts";
import { SyncManager } from "../../server/sync/sync-manager.ts";
import { TypeManager } from "../../server/types/type-manager.ts";
import { InlineRecreator } from "../../server/use-cases/compaction.ts";
import type { Recreator } from "../../server/use-cases/compaction.ts";
import { MonitorUseCases } from "../../server/use-cases/monitoring.ts";
import { WebhookManager } from "../../server/webhooks/webhook-manager.ts";
import { callerOf } from "./callers.ts";
import { FakeTarget } from "./fake-target.ts";
import { GatedLog } from "./gated-log.ts";
import { RecordingConnection } from "./recording-connection.ts";
import { RecordingLogger } from "./recording-logger.ts";
import { FakeProcess } from "./vitals.ts";

export const PLAN: ContextId = parseContextId("plan");

export const caller = (name: string): Caller => callerOf(name);

export interface ServiceRig {
  readonly service: ContextManager;
  /** The same, as transports get it. */
  readonly guard: AccessGuard;
  readonly log: GatedLog;
  readonly logger: RecordingLogger;
  readonly storage: StorageManager;
  readonly audit: AuditLog;
  readonly webhooks: WebhookManager;
  /** Of all webhooks. */
  readonly target: FakeTarget;
  readonly monitor: ContextMonitor;
  /** What the monitor logs. */
  readonly events: RecordingLogger;
}

export async function startService(
  log: GatedLog = new GatedLog(),
  runner: HistoryRunner = new InlineHistory(),
  recreator: Recreator = new InlineRecreator(),
  clock: Clock = systemClock,
): Promise<ServiceRig> {
  const logger = new RecordingLogger();
  const events = new RecordingLogger();
  const monitor = new ContextMonitor({ clock, logger: events, process: new FakeProcess() });
  const { port } = monitor;
  const storage = new StorageManager({
    log,
    clock,
    logger,
    monitor: port,
    checkpoints: new InlineCheckpointBuilder(),
  });
  await storage.start();
  const types = new TypeManager({ storage, clock });
  const audit = new AuditLog({ records: storage, clock });
  const told = new AccessAudit(audit, new RefusalRing(clock));
  const target = new FakeTarget();
  const policy = new TargetPolicy([]);
  const webhooks = new WebhookManager({ storage, clock, logger, policy, post: target.post });
  const service = new ContextManager({
    clock,
    logger,
    monitor,
    storage,
    types,
    sync: new SyncManager(clock, port),
    history: new HistoryManager({ log: storage, clock, runner, monitor: port }),
    recreator,
    audit: told,
    webhooks,
  });
  const tokens = new Revocations({ records: storage, clock, onRevoked: (isMeant) => service.readers.revoke(isMeant) });
  const server = {
    tokens,
    audit: { list: (_caller: Caller, query: AuditQuery) => audit.list(query) },
    webhooks,
    monitor: new MonitorUseCases(monitor, new SessionDesk(clock, service.sessions)),
  };
  const guard = new AccessGuard(service, server, told);
  return { service, guard, audit, log, logger, storage, webhooks, target, monitor, events };
}

export async function startPlan(data: JsonObject = {}, clock: Clock = systemClock): Promise<ServiceRig> {
  const rig = await startService(undefined, undefined, undefined, clock);
  await rig.service.create(caller("creator"), { id: PLAN, data });
  return rig;
}

export interface Editor {
  readonly session: Session;
  readonly connection: RecordingConnection;
  readonly doc: Y.Doc;
  /** Makes one edit in the editor's document and sends its update. */
  edit(change: (data: Y.Map<unknown>) => void): void;
}

/** An mcm.v1 session with a document of its own that sends, but does not listen. */
export async function openEditor(
  { service }: Pick<ServiceRig, "service">,
  who: string | Identity,
  isExtended = true,
  verify?: SessionOptions["verify"],
): Promise<Editor> {
  const connection = new RecordingConnection();
  const { identity } = typeof who === "string" ? caller(who) : { identity: who };
  const session = await service.openSession({ identity, origin: "sdk" }, PLAN, {
    connection,
    isExtended,
    create: false,
    ...(verify === undefined ? {} : { verify }),
  });
  connection.take();
  const doc = new Y.Doc();
  return {
    session,
    connection,
    doc,
    edit: (change) => {
      const before = Y.encodeStateVector(doc);
      change(doc.getMap("data"));
      session.receive(encodeUpdate(Y.encodeStateAsUpdate(doc, before)));
    },
  };
}

/** Lets everything that can happen now happen. */
export async function turns(count = 3): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => void setImmediate(resolve));
}

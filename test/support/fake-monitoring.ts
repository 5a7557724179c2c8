/**
 * A MonitorService whose alerts and sessions a test sets; a quiet server otherwise.
 */
import { AlertFeed } from "../../server/monitor/alerts/alert-feed.ts";
import type { Alerts, Caller, Metrics, MonitorService, Page } from "../../server/context-service.ts";
import { ServiceError } from "../../shared/errors.ts";
import type { FollowedSession } from "../../shared/traffic.ts";
import type { Alert, AlertEvent, SessionQuery, SessionStats, Stats } from "../../shared/monitoring.ts";

const QUIET = { count: 0, p50Ms: 0, p95Ms: 0, p99Ms: 0 };

export class FakeMonitoring implements MonitorService {
  active: readonly Alert[] = [];
  open: readonly SessionStats[] = [];
  readonly feed = new AlertFeed();

  async metrics(): Promise<Metrics> {
    return { contentType: "text/plain; version=0.0.4; charset=utf-8", text: "mcm_fake 1\n" };
  }

  async stats(): Promise<Stats> {
    return {
      atMs: 0,
      uptimeMs: 0,
      status: "ok",
      contexts: { inMemory: 0, stateBytes: 0, memoryBytes: 0, diskBytes: 0, queuedWrites: 0, largest: [] },
      sessions: { open: 0, byProtocol: { "mcm.v1": 0, "y-websocket": 0 }, behind: 0, queueBytes: 0 },
      rates: { operations: 0, changes: 0, refusals: 0, conflicts: 0, framesIn: 0, framesOut: 0 },
      latencies: { operation: QUIET, ack: QUIET, commit: QUIET, propagation: QUIET },
      log: { available: true, lagMs: 0, queueBytes: 0 },
      process: {
        rssBytes: 0,
        heapUsedBytes: 0,
        heapLimitBytes: 0,
        cpuShare: 0,
        eventLoopBusyShare: 0,
        eventLoopDelayMsMax: 0,
      },
      alerts: { info: 0, warning: 0, critical: 0 },
    };
  }

  async alerts(): Promise<Alerts> {
    return { active: this.active, cleared: [] };
  }

  async followAlerts(
    _caller: Caller,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<AsyncGenerator<AlertEvent>> {
    return this.feed.follow(signal);
  }

  async sessions(_caller: Caller, { limit }: SessionQuery): Promise<Page<SessionStats>> {
    return { items: this.open.slice(0, limit) };
  }

  async followSession(): Promise<FollowedSession> {
    throw noSession();
  }

  async closeSession(): Promise<SessionStats> {
    throw noSession();
  }
}

function noSession(): ServiceError {
  return new ServiceError("SESSION_NOT_FOUND", "There is no session here.");
}

/**
 * Use cases: what operators and the debug panel ask about the server itself.
 *
 * Not here: finding it out (server/monitor), sessions themselves (context/session-desk.ts); health, which everybody may ask.
 */
import type { AlertEvent, SessionQuery, SessionStats, Stats } from "../../shared/monitoring.ts";
import type { FollowedSession } from "../../shared/traffic.ts";
import type { Alerts, Caller, Metrics, MonitorService, Page } from "../context-service.ts";
import type { ContextMonitor } from "../monitor/context-monitor.ts";

/** context/session-desk.ts fits. */
interface Sessions {
  follow(id: string, signal: AbortSignal): FollowedSession;
  close(id: string): SessionStats;
}

export class MonitorUseCases implements MonitorService {
  readonly #monitor: ContextMonitor;
  readonly #sessions: Sessions;

  constructor(monitor: ContextMonitor, sessions: Sessions) {
    this.#monitor = monitor;
    this.#sessions = sessions;
  }

  metrics(_caller: Caller): Promise<Metrics> {
    return this.#monitor.metrics();
  }

  async stats(_caller: Caller): Promise<Stats> {
    return this.#monitor.stats();
  }

  async alerts(_caller: Caller): Promise<Alerts> {
    return this.#monitor.alerts();
  }

  async followAlerts(
    _caller: Caller,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<AsyncGenerator<AlertEvent>> {
    return this.#monitor.followAlerts(signal);
  }

  async sessions(_caller: Caller, { contextId, after, limit }: SessionQuery): Promise<Page<SessionStats>> {
    const sessions = this.#monitor
      .sessions()
      .filter((session) => (contextId === undefined || session.contextId === contextId) && session.id > (after ?? ""))
      .toSorted((a, b) => (a.id < b.id ? -1 : 1));
    const items = sessions.slice(0, limit);
    const last = items.at(-1);
    return sessions.length > limit && last !== undefined ? { items, next: last.id } : { items };
  }

  async followSession(
    _caller: Caller,
    id: string,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<FollowedSession> {
    return this.#sessions.follow(id, signal);
  }

  async closeSession(_caller: Caller, id: string): Promise<SessionStats> {
    return this.#sessions.close(id);
  }
}

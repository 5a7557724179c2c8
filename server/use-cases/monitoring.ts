/**
 * Use cases: what operators and the debug panel ask about the server itself.
 *
 * Not here: finding it out (server/monitor); health, which everybody may ask.
 */
import type { AlertEvent, SessionStats, Stats } from "../../shared/monitoring.ts";
import type { Alerts, Caller, Metrics, MonitorService, Page, SessionsRequest } from "../context-service.ts";
import type { ContextMonitor } from "../monitor/context-monitor.ts";

export class MonitorUseCases implements MonitorService {
  readonly #monitor: ContextMonitor;

  constructor(monitor: ContextMonitor) {
    this.#monitor = monitor;
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

  async sessions(_caller: Caller, { contextId, after, limit }: SessionsRequest): Promise<Page<SessionStats>> {
    const sessions = this.#monitor
      .sessions()
      .filter((session) => (contextId === undefined || session.contextId === contextId) && session.id > (after ?? ""))
      .toSorted((a, b) => (a.id < b.id ? -1 : 1));
    const items = sessions.slice(0, limit);
    const last = items.at(-1);
    return sessions.length > limit && last !== undefined ? { items, next: last.id } : { items };
  }
}

/**
 * Use cases: what operators and the debug panel ask about the server itself.
 *
 * Not here: finding it out (server/monitor), sessions themselves (all-sessions.ts); health, which everybody may ask.
 */
import type { AlertEvent, SessionQuery, SessionStats, Stats } from "../../shared/monitoring.ts";
import type { FollowedSession } from "../../shared/traffic.ts";
import type { Alerts, Caller, Metrics, MonitorService, Page } from "../context-service.ts";
import type { ContextMonitor } from "../monitor/context-monitor.ts";
import { AllSessions } from "./all-sessions.ts";
import type { SessionsHere } from "./all-sessions.ts";
import type { AmongNodes } from "./among-nodes.ts";

export class MonitorUseCases implements MonitorService {
  readonly #monitor: ContextMonitor;
  readonly #sessions: AllSessions;

  /** @param nodes undefined when there are no others */
  constructor(monitor: ContextMonitor, here: SessionsHere, nodes?: AmongNodes) {
    this.#monitor = monitor;
    this.#sessions = new AllSessions({ here, list: () => monitor.sessions(), nodes });
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

  sessions(_caller: Caller, query: SessionQuery): Promise<Page<SessionStats>> {
    return this.#sessions.page(query);
  }

  followSession(_caller: Caller, id: string, { signal }: { readonly signal: AbortSignal }): Promise<FollowedSession> {
    return this.#sessions.follow(id, signal);
  }

  closeSession(_caller: Caller, id: string): Promise<SessionStats> {
    return this.#sessions.close(id);
  }
}

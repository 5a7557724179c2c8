/**
 * The monitor: is told what happens, looks at everything every few seconds, and answers how the server is.
 *
 * Invariants (MON):
 *  1. It changes nothing and holds nothing up: rounds are short, and what waits (disk, webhook) waits beside them.
 *  2. It works without Prometheus: alerts, figures and health come from its own samples.
 *
 * Not here: who may ask (the facade's `monitor`), the rules of alerts (alerts/alert-rules.ts).
 */
import { LIMITS } from "../../shared/limits.ts";
import type { Alert, AlertEvent, Health, SessionStats, Stats } from "../../shared/monitoring.ts";
import type { Clock } from "../clock.ts";
import type { Monitor } from "../monitor-port.ts";
import { AlertManager } from "./alert-manager.ts";
import { AlertFeed } from "./alerts/alert-feed.ts";
import { ALERT_RULES } from "./alerts/alert-rules.ts";
import type { AlertRule } from "./alerts/alert-rules.ts";
import { takeCensus } from "./census.ts";
import { EventLog } from "./event-log.ts";
import { checkHealth } from "./health-checker.ts";
import type { Logger } from "./logger.ts";
import { MetricsCollector } from "./metrics-collector.ts";
import { Counts } from "./metrics/counts.ts";
import { monitorFanOut } from "./monitor-fan-out.ts";
import { OwnProcess } from "./process-watch.ts";
import type { ProcessWatch } from "./process-watch.ts";
import { sampleOf } from "./sample-of.ts";
import { Samples } from "./samples.ts";
import { statsOf } from "./stats-of.ts";
import { NO_SOURCES } from "./vitals.ts";
import type { DiskVitals, Sources } from "./vitals.ts";

export interface ContextMonitorOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** This process unless given. */
  readonly process?: ProcessWatch;
  /** Where nothing is kept on disk there is nothing to look at. */
  readonly disk?: () => Promise<DiskVitals>;
  readonly rules?: readonly AlertRule[];
  /** Where alert events go, beside the log and those who follow them. */
  readonly webhook?: { send(event: AlertEvent): void; stop(): void };
  /** Contexts that metrics tell by name. */
  readonly contextsMax?: number;
}

const METRICS_CONTEXTS_DEFAULT = 10;
/** Rounds between two lines about performance, and between two rotations of the latencies. */
const PERFORMANCE_ROUNDS = 12;
const ROTATION_ROUNDS = 6;

export class ContextMonitor {
  /** What the parts tell. */
  readonly port: Monitor;
  readonly #options: ContextMonitorOptions;
  readonly #process: ProcessWatch;
  readonly #counts: Counts;
  readonly #samples = new Samples();
  readonly #alerts: AlertManager;
  readonly #feed = new AlertFeed();
  readonly #collector: MetricsCollector;
  readonly #startedAtMs: number;
  #sources: Sources = NO_SOURCES;
  #disk: DiskVitals | undefined;
  #isLooking = false;
  #rounds = 0;
  #cancelRound: (() => void) | undefined;

  constructor(options: ContextMonitorOptions) {
    const { clock, logger, rules = ALERT_RULES, contextsMax = METRICS_CONTEXTS_DEFAULT } = options;
    this.#options = options;
    this.#process = options.process ?? new OwnProcess();
    this.#counts = new Counts(() => clock.monotonicMs());
    this.port = monitorFanOut(this.#counts, new EventLog(logger));
    this.#alerts = new AlertManager({ rules, onEvent: (event) => this.#alert(event) });
    this.#startedAtMs = clock.monotonicMs();
    this.#collector = new MetricsCollector({
      counts: this.#counts,
      samples: this.#samples,
      watch: this.#process,
      census: () => takeCensus(this.#sources),
      contextsMax,
      startedAtS: clock.nowMs() / 1000,
    });
  }

  /** The parts are there. */
  watch(sources: Sources): void {
    this.#sources = sources;
  }

  start(): void {
    this.#process.start();
    this.#sample();
    this.#lookAtDisk();
    this.#plan();
  }

  /** No round follows; who follows alerts is ended. */
  stop(): void {
    this.#cancelRound?.();
    this.#cancelRound = undefined;
    this.#process.stop();
    this.#feed.close();
    this.#options.webhook?.stop();
  }

  async metrics(): Promise<{ readonly contentType: string; readonly text: string }> {
    return { contentType: this.#collector.contentType, text: await this.#collector.text() };
  }

  health(): Health {
    const { damagedContexts } = this.#counts;
    return checkHealth({ sources: this.#sources, samples: this.#samples, damagedContexts });
  }

  stats(): Stats {
    const { clock } = this.#options;
    return statsOf({
      atMs: clock.nowMs(),
      uptimeMs: clock.monotonicMs() - this.#startedAtMs,
      status: this.health().status,
      census: takeCensus(this.#sources),
      samples: this.#samples,
      counts: this.#counts,
      alerts: this.#alerts.counts(),
    });
  }

  sessions(): readonly SessionStats[] {
    return [...this.#sources.sessions()];
  }

  alerts(): { readonly active: readonly Alert[]; readonly cleared: readonly Alert[] } {
    return { active: this.#alerts.active(), cleared: this.#alerts.cleared() };
  }

  /** Events from now on, until `signal` aborts. @throws {ServiceError} SHUTTING_DOWN, SLOW_CONSUMER */
  followAlerts(signal: AbortSignal): AsyncGenerator<AlertEvent> {
    return this.#feed.follow(signal);
  }

  /** Set again after each round, so that a slow one never overlaps the next. */
  #plan(): void {
    this.#cancelRound = this.#options.clock.setTimer(LIMITS.monitorSampleMs, () => {
      this.#round();
      this.#plan();
    });
  }

  #round(): void {
    const { clock } = this.#options;
    this.#rounds++;
    this.#sample();
    this.#alerts.evaluate(this.#samples, { atMs: clock.nowMs(), monotonicMs: clock.monotonicMs() });
    this.#lookAtDisk();
    if (this.#rounds % PERFORMANCE_ROUNDS === 0) this.#tellPerformance();
    if (this.#rounds % ROTATION_ROUNDS === 0) this.#counts.rotate();
  }

  #sample(): void {
    const nowMs = this.#options.clock.monotonicMs();
    this.#samples.add(
      sampleOf({
        atMs: nowMs,
        counts: this.#counts,
        census: takeCensus(this.#sources),
        process: this.#process.take(nowMs),
        disk: this.#disk,
      }),
    );
  }

  /** For the next sample. A disk that hangs is not asked again before it answers. */
  #lookAtDisk(): void {
    const { disk, logger } = this.#options;
    if (disk === undefined || this.#isLooking) return;
    this.#isLooking = true;
    disk()
      .then((vitals) => {
        this.#disk = vitals;
      })
      .catch((error: unknown) => {
        this.#disk = undefined;
        logger.warn("the disk under the data folder cannot be looked at", { error });
      })
      .finally(() => {
        this.#isLooking = false;
      });
  }

  #alert(event: AlertEvent): void {
    const { logger, webhook } = this.#options;
    const { kind, alert } = event;
    const level = kind === "cleared" || alert.level === "info" ? "info" : alert.level === "warning" ? "warn" : "error";
    logger[level](`alert ${kind}`, { ...alert });
    this.#feed.publish(event);
    webhook?.send(event);
  }

  #tellPerformance(): void {
    const { rates, latencies, log, process: own, sessions, contexts } = this.stats();
    const isIdle = rates.operations === 0 && rates.changes === 0 && sessions.open === 0;
    this.#options.logger[isIdle ? "debug" : "info"]("performance", {
      operationsPerS: rates.operations,
      changesPerS: rates.changes,
      ackP99Ms: latencies.ack.p99Ms,
      commitP99Ms: latencies.commit.p99Ms,
      propagationP99Ms: latencies.propagation.p99Ms,
      logLagMs: log.lagMs,
      sessions: sessions.open,
      contexts: contexts.inMemory,
      rssBytes: own.rssBytes,
      cpuShare: own.cpuShare,
      eventLoopDelayMsMax: own.eventLoopDelayMsMax,
    });
  }
}

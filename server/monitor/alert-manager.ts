/**
 * Raises and clears alerts: rules over samples, with levels, and the last alerts that are over.
 *
 * Invariants (ALERT):
 *  1. Each rule has at most one alert at a time, at the weightiest of its levels that holds.
 *  2. An event is made for each alert that is raised, changes its level, or is cleared; a sink that fails stops nobody.
 *  3. Decided by samples and the times passed in alone.
 *
 * Not here: the rules (alerts/alert-rules.ts), thresholds over time (alerts/condition.ts), where events go.
 */
import type { Alert, AlertEvent, AlertEventKind, AlertLevel } from "../../shared/monitoring.ts";
import type { AlertRule, Reading, Threshold } from "./alerts/alert-rules.ts";
import { Condition } from "./alerts/condition.ts";
import type { Samples } from "./samples.ts";

export interface AlertManagerOptions {
  readonly rules: readonly AlertRule[];
  /** Called for each event; must not throw. */
  readonly onEvent: (event: AlertEvent) => void;
}

interface Watched {
  readonly rule: AlertRule;
  /** The lightest first. */
  readonly conditions: readonly { readonly threshold: Threshold; readonly condition: Condition }[];
  alert: Alert | undefined;
}

/** Alerts that are over and still listed. */
const CLEARED_MAX = 100;
const CLEARED_FOR_MS = 24 * 60 * 60 * 1000;

export class AlertManager {
  readonly #watched: readonly Watched[];
  readonly #onEvent: AlertManagerOptions["onEvent"];
  /** The latest first. */
  #cleared: readonly Alert[] = [];
  #count = 0;

  constructor({ rules, onEvent }: AlertManagerOptions) {
    this.#onEvent = onEvent;
    this.#watched = rules.map((rule) => ({
      rule,
      conditions: rule.thresholds.map((threshold) => ({
        threshold,
        condition: new Condition({ ...threshold, clearForMs: rule.clearForMs, badWhen: rule.badWhen }),
      })),
      alert: undefined,
    }));
  }

  /** In the order of the rules. */
  active(): readonly Alert[] {
    return this.#watched.flatMap(({ alert }) => alert ?? []);
  }

  /** The latest first. */
  cleared(): readonly Alert[] {
    return this.#cleared;
  }

  /** How many alerts of each level there are. */
  counts(): Readonly<Record<AlertLevel, number>> {
    const counts = { info: 0, warning: 0, critical: 0 };
    for (const { level } of this.active()) counts[level]++;
    return counts;
  }

  /** @param now the time of the latest sample: of the wall, for records, and of a clock that never jumps */
  evaluate(samples: Samples, now: { readonly atMs: number; readonly monotonicMs: number }): void {
    const { latest } = samples;
    if (latest === undefined) return;
    for (const watched of this.#watched) {
      const reading = watched.rule.read(samples, latest);
      for (const { condition } of watched.conditions) condition.see(reading?.value, now.monotonicMs);
      this.#judge(watched, reading, now.atMs);
    }
    this.#cleared = this.#cleared.filter(({ clearedAtMs = 0 }) => now.atMs - clearedAtMs < CLEARED_FOR_MS);
  }

  #judge(watched: Watched, reading: Reading | undefined, atMs: number): void {
    const { rule, conditions, alert: before } = watched;
    const threshold = conditions.findLast(({ condition }) => condition.holds)?.threshold;
    if (threshold === undefined) {
      if (before !== undefined) this.#clear(watched, before, atMs);
      return;
    }
    const { level } = threshold;
    const id = before?.id ?? `${rule.name}-${atMs}-${++this.#count}`;
    watched.alert = { id, raisedAtMs: before?.raisedAtMs ?? atMs, ...described(rule, threshold, reading) };
    if (before?.level !== level) this.#tell(before === undefined ? "raised" : "changed", watched.alert, atMs);
  }

  #clear(watched: Watched, before: Alert, atMs: number): void {
    const alert = { ...before, clearedAtMs: atMs };
    watched.alert = undefined;
    this.#cleared = [alert, ...this.#cleared].slice(0, CLEARED_MAX);
    this.#tell("cleared", alert, atMs);
  }

  #tell(kind: AlertEventKind, alert: Alert, atMs: number): void {
    this.#onEvent({ kind, atMs, alert });
  }
}

function described(
  { name, summary, advice, unit }: AlertRule,
  { level, at: threshold }: Threshold,
  { value, contextId }: Reading = { value: threshold },
): Omit<Alert, "id" | "raisedAtMs"> {
  const about = contextId === undefined ? {} : { contextId };
  return { name, level, summary, advice, value, threshold, unit, ...about };
}

/** When alerts are raised, changed and cleared: by values and the times that come with them alone. */
import { beforeEach, describe, expect, test } from "vitest";
import { AlertManager } from "../../../server/monitor/alert-manager.ts";
import type { AlertRule, Reading } from "../../../server/monitor/alerts/alert-rules.ts";
import { Condition } from "../../../server/monitor/alerts/condition.ts";
import { parseContextId } from "../../../shared/ids.ts";
import type { AlertEvent } from "../../../shared/monitoring.ts";
import { sampleAt, samplesOf } from "../../support/vitals.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

describe("a threshold over time", () => {
  const high = { at: 10, forMs: 5000, clearAt: 6, clearForMs: 3000, badWhen: "high" } as const;
  const holdsAfter = (
    condition: Condition,
    ...values: readonly (readonly [value: number | undefined, atMs: number])[]
  ) =>
    values.map(([value, atMs]) => {
      condition.see(value, atMs);
      return condition.holds;
    });

  test("[ALERT-1] it is reached when the value stays there for the time, the threshold itself included", () => {
    expect(holdsAfter(new Condition(high), [10, 0], [11, 4999], [10, 5000])).toEqual([false, false, true]);
  });

  test("[ALERT-1] a moment below begins the time anew", () => {
    expect(holdsAfter(new Condition(high), [20, 0], [9.9, 4000], [20, 5000], [20, 9999], [20, 10_000])).toEqual([
      false,
      false,
      false,
      false,
      true,
    ]);
  });

  test("[ALERT-1] between the two values nothing changes, whichever side it came from", () => {
    const condition = new Condition({ ...high, forMs: 0, clearForMs: 0 });
    expect(holdsAfter(condition, [9, 0], [10, 1], [9, 2], [6.1, 1e6], [6, 1e6 + 1], [9, 1e6 + 2])).toEqual([
      false,
      true,
      true,
      true,
      false,
      false,
    ]);
  });

  test("[ALERT-1] it is left when the value is good for the time", () => {
    const condition = new Condition({ ...high, forMs: 0 });
    expect(holdsAfter(condition, [10, 0], [6, 1000], [7, 2000], [6, 3000], [5, 5999], [5, 6000])).toEqual([
      true,
      true,
      true,
      true,
      true,
      false,
    ]);
  });

  test("[ALERT-1] where low is bad, the other way round; nothing to measure is good", () => {
    const low = { at: 0.1, forMs: 0, clearAt: 0.2, clearForMs: 0, badWhen: "low" } as const;
    expect(holdsAfter(new Condition(low), [0.11, 0], [0.1, 1], [0.19, 2], [0.2, 3])).toEqual([
      false,
      true,
      true,
      false,
    ]);
    expect(holdsAfter(new Condition(low), [0, 0], [undefined, 1])).toEqual([true, false]);
  });
});

describe("alerts", () => {
  let reading: Reading | undefined;
  let events: AlertEvent[];
  let manager: AlertManager;
  let nowMs: number;
  const rule: AlertRule = {
    name: "heat",
    summary: "It is hot.",
    advice: "Cool it.",
    unit: "s",
    badWhen: "high",
    thresholds: [
      { level: "warning", at: 10, forMs: 0, clearAt: 5 },
      { level: "critical", at: 100, forMs: 0, clearAt: 50 },
    ],
    clearForMs: 0,
    read: () => reading,
    series: "heat",
  };
  const see = (value: number | undefined): readonly string[] => {
    reading = value === undefined ? undefined : { value };
    nowMs += 1000;
    const before = events.length;
    manager.evaluate(samplesOf(sampleAt(nowMs)), { atMs: 5000 + nowMs, monotonicMs: nowMs });
    return events.slice(before).map(({ kind, alert }) => `${kind} ${alert.level}`);
  };

  beforeEach(() => {
    events = [];
    nowMs = 0;
    manager = new AlertManager({ rules: [rule], onEvent: (event) => void events.push(event) });
  });

  test("[ALERT-2] there is one, at its weightiest level; each change of it is an event", () => {
    const heard = [1, 10, 99, 100, 60, 50, 6, 5, 4].map(see);
    const nothing: string[] = [];
    expect(heard).toEqual([
      nothing,
      ["raised warning"],
      nothing,
      ["changed critical"],
      nothing,
      ["changed warning"],
      nothing,
      ["cleared warning"],
      nothing,
    ]);
    expect(new Set(events.map(({ alert }) => alert.id)).size).toBe(1);
  });

  test("[ALERT-2] it may be raised at its weightiest level at once", () => {
    expect([see(500), see(undefined)]).toEqual([["raised critical"], ["cleared critical"]]);
  });

  test("[ALERT-3] those there are say since when, the latest value, the threshold and what to do", () => {
    see(10);
    see(20);
    expect(manager.active()).toEqual([
      {
        id: "heat-6000-1",
        name: "heat",
        level: "warning",
        summary: "It is hot.",
        advice: "Cool it.",
        value: 20,
        threshold: 10,
        unit: "s",
        raisedAtMs: 6000,
      },
    ]);
    expect(manager.counts()).toEqual({ info: 0, warning: 1, critical: 0 });
  });

  test("[ALERT-3] a rule that speaks of contexts names the worst one", () => {
    reading = { value: 11, contextId: parseContextId("plan") };
    manager.evaluate(samplesOf(sampleAt(0)), { atMs: 0, monotonicMs: 0 });
    expect(manager.active()).toMatchObject([{ contextId: "plan" }]);
  });

  test("[ALERT-3] those that are over are listed for a day, the latest first, a hundred of them", () => {
    for (let n = 0; n < 120; n++) {
      see(10);
      see(0);
    }
    expect(manager.active()).toEqual([]);
    expect(manager.cleared()).toHaveLength(100);
    const [latest, before] = manager.cleared();
    expect(latest?.clearedAtMs).toBe(5000 + nowMs);
    expect(latest?.raisedAtMs).toBeGreaterThan(before?.raisedAtMs ?? 0);
    nowMs += DAY_MS - 2000;
    see(0);
    expect(manager.cleared()).toHaveLength(1);
    see(0);
    expect(manager.cleared()).toEqual([]);
  });

  test("[ALERT-2] without a sample nothing is decided", () => {
    manager.evaluate(samplesOf(), { atMs: 0, monotonicMs: 0 });
    expect(manager.active()).toEqual([]);
  });
});

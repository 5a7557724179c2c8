/**
 * Series as Prometheus scrapes them, read from whatever counts at the moment of the scrape.
 *
 * Invariants (MON):
 *  1. All series of a scrape are of one moment: nothing else runs while they are read.
 *  2. Each says what it measures and what a bad value means.
 *
 * Nothing is counted in prom-client itself: with labels it takes half a microsecond a time, and it has no histogram that
 * takes many observations at once. Histograms are therefore written here, in the same text format.
 */
import { Counter, Gauge, Registry } from "prom-client";
import type { Latency } from "./latency.ts";
import type { Point, Tally } from "./tally.ts";

export interface Described {
  readonly name: string;
  /** What it measures. A sentence. */
  readonly what: string;
  /** What a bad value means. A sentence. */
  readonly bad: string;
}

/** A value, or none while there is nothing to tell. */
type Value = number | undefined;
type Durations = Iterable<readonly [labels: Readonly<Record<string, string>>, latency: Latency]>;

export class Families {
  readonly #registry = new Registry();
  readonly #histograms: { readonly about: Described; readonly read: () => Durations }[] = [];

  get contentType(): string {
    return this.#registry.contentType;
  }

  count(about: Described, read: () => Value): void {
    this.counts(about, [], () => pointOf(read()));
  }

  counts(about: Described, labelNames: readonly string[], read: () => Iterable<Point>): void {
    const counter = new Counter({
      ...naming(about),
      labelNames: [...labelNames],
      registers: [this.#registry],
      collect: () => {
        counter.reset();
        // what cannot be told is absent, not 0
        counter.remove({});
        for (const { labels, value } of read()) counter.inc(labels, value);
      },
    });
  }

  tally(about: Described, tally: Tally<readonly string[]>): void {
    this.counts(about, tally.names, () => tally.points());
  }

  gauge(about: Described, read: () => Value): void {
    this.gauges(about, [], () => pointOf(read()));
  }

  gauges(about: Described, labelNames: readonly string[], read: () => Iterable<Point>): void {
    const gauge = new Gauge({
      ...naming(about),
      labelNames: [...labelNames],
      registers: [this.#registry],
      collect: () => {
        gauge.reset();
        gauge.remove({});
        for (const { labels, value } of read()) gauge.set(labels, value);
      },
    });
  }

  durations(about: Described, read: () => Durations): void {
    this.#histograms.push({ about, read });
  }

  async text(): Promise<string> {
    // metrics() reads everything before it waits for the first time
    const others = this.#registry.metrics();
    const histograms = this.#histograms.map(({ about, read }) => histogramText(about, read()));
    return [await others, ...histograms].join("\n");
  }
}

function naming({ name, what, bad }: Described): { readonly name: string; readonly help: string } {
  return { name, help: `${what} ${bad}` };
}

function pointOf(value: Value): readonly Point[] {
  return value === undefined ? [] : [{ labels: {}, value }];
}

function histogramText(about: Described, durations: Durations): string {
  const { name, help } = naming(about);
  const lines = [`# HELP ${name} ${help}`, `# TYPE ${name} histogram`];
  for (const [labels, latency] of durations) {
    const own = Object.entries(labels).map(([key, value]) => `${key}="${escaped(value)}"`);
    let total = 0;
    for (const { boundMs, count } of latency.cumulative()) {
      const bound = boundMs === Infinity ? "+Inf" : boundMs / 1000;
      lines.push(`${name}_bucket{${[...own, `le="${bound}"`].join(",")}} ${count}`);
      total = count;
    }
    const set = own.length === 0 ? "" : `{${own.join(",")}}`;
    lines.push(`${name}_sum${set} ${latency.sumMs / 1000}`, `${name}_count${set} ${total}`);
  }
  return `${lines.join("\n")}\n`;
}

function escaped(value: string): string {
  return value
    .replaceAll("\\", "\\\\")
    .replaceAll('"', String.raw`\"`)
    .replaceAll("\n", String.raw`\n`);
}

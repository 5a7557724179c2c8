/**
 * All metrics of the server as Prometheus scrapes them.
 *
 * Invariants (MON):
 *  1. A scrape is of one moment, and exact: what was counted, and what the parts say when asked.
 *  2. A bounded number of series, whatever clients do: contexts are told by name up to a number, the rest together.
 *
 * Not here: counting (metrics/counts.ts), the text format (metrics/families.ts), what to do about a bad value
 * (docs/operations.md).
 */
import type { Census } from "./census.ts";
import { describeContexts } from "./metrics/context-families.ts";
import { describeEngine } from "./metrics/engine-families.ts";
import { Families } from "./metrics/families.ts";
import { describeLog } from "./metrics/log-families.ts";
import { describeProcess } from "./metrics/process-families.ts";
import { describeSessions } from "./metrics/session-families.ts";
import { describeUseCases } from "./metrics/use-case-families.ts";
import { describeWebhooks } from "./metrics/webhook-families.ts";
import type { MetricParts } from "./metrics/metric-parts.ts";

const DESCRIPTIONS = [
  describeUseCases,
  describeLog,
  describeEngine,
  describeContexts,
  describeSessions,
  describeWebhooks,
  describeProcess,
];

export class MetricsCollector {
  readonly #families = new Families();
  readonly #look: () => Census;
  #census: Census;

  /** @param parts `census` takes one */
  constructor({ census: look, ...rest }: MetricParts) {
    this.#look = look;
    this.#census = look();
    const parts = { ...rest, census: () => this.#census };
    for (const describe of DESCRIPTIONS) describe(this.#families, parts);
  }

  get contentType(): string {
    return this.#families.contentType;
  }

  text(): Promise<string> {
    this.#census = this.#look();
    return this.#families.text();
  }
}

/** What the metrics are read from. */
import type { Census } from "../census.ts";
import type { ProcessWatch } from "../process-watch.ts";
import type { Samples } from "../samples.ts";
import type { Counts } from "./counts.ts";

export interface MetricParts {
  readonly counts: Counts;
  readonly samples: Samples;
  readonly watch: ProcessWatch;
  /** Of the moment of the scrape. */
  readonly census: () => Census;
  /** Contexts that are told by name. */
  readonly contextsMax: number;
  /** Seconds since 1970. */
  readonly startedAtS: number;
}

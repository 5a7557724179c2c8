/**
 * How the server is: its figures now and for the last minutes, and its alerts.
 *
 * Invariant (PANEL): what was seen is kept for a bounded time; figures are the server's, nothing is worked out here.
 */
import { signal } from "@preact/signals-core";
import type { AlertList, StatsView } from "../../../shared/protocol/rest-monitoring.ts";
import type { Machine, Stop } from "./machine.ts";
import { Poll } from "./poll.ts";
import type { Link } from "./sign-in.ts";

const EVERY_MS = 2000;
/** Ten minutes. */
const SAMPLES_MAX = 300;

export class Health {
  readonly stats: Poll<StatsView>;
  readonly alerts: Poll<AlertList>;
  readonly samples = signal<readonly StatsView[]>([]);

  constructor(machine: Machine, link: Pick<Link, "call">) {
    this.stats = new Poll(machine, EVERY_MS, async () => {
      const stats = await link.call<StatsView>("GET", ["stats"]);
      this.samples.value = [...this.samples.peek().slice(1 - SAMPLES_MAX), stats];
      return stats;
    });
    this.alerts = new Poll(machine, EVERY_MS, () => link.call<AlertList>("GET", ["alerts"]));
  }

  /** Ends with what it returns. */
  start(): Stop {
    const stops = [this.stats.start(), this.alerts.start()];
    return () => {
      for (const stop of stops) stop();
    };
  }
}

/**
 * How the engine is, for whoever watches: can it be reached, is it the primary, which standbys follow it.
 *
 * Invariants:
 *  1. Asking answers at once with what is known, and has it looked at again when that is some seconds old: nobody waits,
 *     and where nobody asks nothing is done.
 *  2. Each look has a connection of its own: it tells how things are also while all others hang or are being built again.
 *
 * Not here: connections that work (postgres-store.ts, lines/notice-line.ts), what is made of it (server/monitor).
 */
import pg from "pg";
import { LIMITS } from "../../../shared/limits.ts";
import type { EngineStats, StandbyStats } from "../../../shared/monitoring.ts";
import type { Clock } from "../../clock.ts";
import { parseStandbyNames } from "./standby-names.ts";
import type { StandbyNames } from "./standby-names.ts";

/** A bit less than the time between two samples: each of them has it looked at. */
const FRESH_MS = LIMITS.monitorSampleMs * 0.8;

/** Details of the others are told to roles with pg_read_all_stats only: without, they are null. */
const QUESTION = `SELECT pg_is_in_recovery() AS "isStandby", current_setting('synchronous_standby_names') AS names,
  (SELECT json_agg(json_build_object('name', lower(application_name), 'state', state, 'lag',
      CASE WHEN NOT pg_is_in_recovery() THEN pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn) END))
    FROM pg_stat_replication) AS followers`;

type Found = Pick<EngineStats, "isReachable" | "isPrimary" | "standbys">;

interface Follower {
  readonly name: string;
  readonly state: string | null;
  readonly lag: number | null;
}

interface Answer {
  readonly isStandby: boolean;
  readonly names: string;
  readonly followers: readonly Follower[] | null;
}

interface EngineWatchOptions {
  /** Of the host that was the primary last. */
  readonly address: () => string;
  readonly clock: Clock;
}

export class EngineWatch {
  readonly #options: EngineWatchOptions;
  /** The log was opened before anybody asks. */
  #found: Found = { isReachable: true, isPrimary: true };
  #lookedAtMs = -Infinity;
  #client: pg.Client | undefined;

  constructor(options: EngineWatchOptions) {
    this.#options = options;
  }

  get found(): Found {
    const nowMs = this.#options.clock.monotonicMs();
    if (this.#client === undefined && nowMs - this.#lookedAtMs >= FRESH_MS) {
      this.#lookedAtMs = nowMs;
      void this.#look();
    }
    return this.#found;
  }

  /** Gives up what is under way. */
  stop(): void {
    const client = this.#client;
    this.#client = undefined;
    client?.end().catch(() => undefined);
  }

  async #look(): Promise<void> {
    const client = new pg.Client({
      connectionString: this.#options.address(),
      application_name: "mcp-context-manager watch",
      connectionTimeoutMillis: LIMITS.engineQueryMs,
      query_timeout: LIMITS.engineQueryMs,
    });
    client.on("error", () => undefined);
    this.#client = client;
    const found = await answerOf(client).catch((): Found => ({ isReachable: false, isPrimary: false }));
    if (this.#client !== client) return;
    this.#found = found;
    this.stop();
  }
}

async function answerOf(client: pg.Client): Promise<Found> {
  await client.connect();
  const { rows } = await client.query<Answer>(QUESTION);
  const [answer] = rows;
  if (answer === undefined) return { isReachable: true, isPrimary: false };
  const { isStandby, names, followers } = answer;
  return { isReachable: true, isPrimary: !isStandby, standbys: standbysOf(parseStandbyNames(names), followers ?? []) };
}

function standbysOf({ needed, names }: StandbyNames, followers: readonly Follower[]): StandbyStats {
  const isAny = names.length === 0 || names.includes("*");
  const those = followers.filter(
    ({ name, state }) => (isAny || names.includes(name)) && (state === null || state === "streaming"),
  );
  const lags = those.flatMap(({ lag }) => lag ?? []);
  return {
    needed,
    named: names.includes("*") ? needed : names.length,
    connected: those.length,
    ...(lags.length === 0 ? {} : { lagBytes: Math.max(0, ...lags) }),
  };
}

/**
 * A PostgreSQL with a standby, and what happens when its machine is gone: the standby takes over, at the same address.
 *
 * 1. Synchronous: a commit waits for the standby, also when there is none any more; so a new one is attached after each failover.
 * 2. Clients come through proxies, which are turned to the new primary before it is one, as a balancer may do.
 */
import { FaultyProxy } from "./faulty-proxy.ts";
import { PostgresServer } from "./postgres-server.ts";

const STANDBY = "s1";
const SETTINGS = { wal_keep_size: "256MB", wal_retrieve_retry_interval: "100ms" } as const;

export class ReplicatedEngine {
  readonly #isSynchronous: boolean;
  #primary: PostgresServer;
  #standby: PostgresServer | undefined;
  /** Between the two. */
  #link: FaultyProxy | undefined;

  private constructor(primary: PostgresServer, isSynchronous: boolean) {
    this.#primary = primary;
    this.#isSynchronous = isSynchronous;
  }

  static async start({ isSynchronous }: { readonly isSynchronous: boolean }): Promise<ReplicatedEngine> {
    const primary = await PostgresServer.start({ isDurable: true, settings: SETTINGS });
    const engine = new ReplicatedEngine(primary, isSynchronous);
    if (isSynchronous) {
      // in its folder, and so in those of all that follow
      await primary.query("postgres", `ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (${STANDBY})'`);
      await primary.query("postgres", "SELECT pg_reload_conf()");
    }
    await engine.attachStandby();
    return engine;
  }

  get primary(): PostgresServer {
    return this.#primary;
  }

  get standby(): PostgresServer {
    if (this.#standby === undefined) throw new Error("there is no standby");
    return this.#standby;
  }

  get link(): FaultyProxy {
    if (this.#link === undefined) throw new Error("there is no standby");
    return this.#link;
  }

  /** Makes a standby; resolves when the primary counts on it. */
  async attachStandby(passed: (step: string) => void = () => undefined): Promise<void> {
    this.#link = await FaultyProxy.start(this.#primary.folder);
    this.#standby = await this.#primary.standby(STANDBY, this.#link.port, passed);
    const counts = this.#isSynchronous ? "= 'quorum'" : "IS NOT NULL";
    const text = `SELECT 1 FROM pg_stat_replication WHERE state = 'streaming' AND sync_state ${counts}`;
    while ((await this.#primary.query("postgres", text)).length === 0) await glance();
    passed("counts");
  }

  /** kill -9 of the primary, whose data is gone with it; the standby takes over. */
  async failOver(clients: readonly FaultyProxy[]): Promise<void> {
    const [old, next, link] = [this.#primary, this.standby, this.link];
    await old.kill();
    for (const client of clients) client.target = next.folder;
    await next.promote();
    this.#primary = next;
    this.#standby = undefined;
    await old.stop();
    this.#link = undefined;
    await link.close();
  }

  async stop(): Promise<void> {
    await this.#standby?.stop();
    await this.#primary.stop();
    await this.#link?.close();
  }
}

/** The engine tells nobody when a standby has caught up. */
function glance(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 50));
}

/**
 * The ordered store in a PostgreSQL database, and what many writers of one need beside the port: transactions under locks.
 *
 * Invariants: those of the port (store.ts), and
 *  1. `locked` runs `use` while nobody else runs it with one of the locks, and what it returns is in the database before
 *     anybody else does. A connection that was lost keeps its locks until the engine is done with what it was sent, so
 *     nothing that is late can come after what was decided later.
 *  2. There is one writing connection. It holds the process' place among the nodes for as long as it lives: nobody else
 *     writes under its Yjs client ids, and this process not before nothing of a lost connection can commit any more.
 *     Opened again, the place is the same, unless another process took it while the engine knew of neither.
 *  3. An engine that was started anew is believed only after a synced write of ours (its first answers may show commits
 *     that no standby has): every connection belongs to the start that `open` saw.
 *  4. A commit of which the engine says that it did not wait for its standbys is no commit.
 *
 * Not here: which locks, and what is written (shared-core.ts).
 */
import pg from "pg";
import type { ClientBase, Pool, PoolClient } from "pg";
import { addressesOf } from "../../../shared/engine-address.ts";
import { ServiceError } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { NODE_SLOTS } from "../../state/author-id.ts";
import type { EngineStats } from "../../../shared/monitoring.ts";
import type { Clock } from "../../clock.ts";
import { NO_MONITOR } from "../../monitor-port.ts";
import type { EngineMonitor, EngineTurn } from "../../monitor-port.ts";
import type { KeyValueStore, StoreOp, StoreView } from "../store/store.ts";
import { lockKeyOf } from "./lock-key.ts";
import {
  askEngine,
  busyError,
  closedError,
  EngineFault,
  EngineLost,
  failureKindOf,
  fullError,
  inUseError,
  isLockRefusal,
  openError,
} from "./engine-errors.ts";
import { connectionName } from "./node-name.ts";
import { migrate } from "./postgres-schema.ts";
import { ForeseenReads } from "./foreseen-reads.ts";
import { begin, foundIn, PREPARE, readText, type Foreseen, type Locked } from "./transaction-beginning.ts";
import { itemsOf, TransactionReads } from "./transaction-reads.ts";
import { writeOps } from "./write-ops.ts";

const UNREPLICATED = "the database did not wait for its standbys: the write may be lost with it";

/** A connection whose other end is gone is to be given up soon: it holds a place, and perhaps contexts. */
const NOTICE_DEATH =
  "SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3; SET tcp_user_timeout = 5000";

/** Whatever the database is set to: what is acknowledged here is on disk, and on the standbys that it waits for. */
const WAIT_FOR_STANDBYS =
  "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') IN ('off', 'local')";

const NOTHING: Foreseen = { keys: [], ranges: [] };

export interface PostgresStoreOptions {
  /** postgres://user:password@host:port/database, or with several hosts, of which one is the primary. */
  readonly url: string;
  readonly clock: Clock;
  /** Of the node whose connections these are. */
  readonly node?: string;
  /** Nobody else may use the database while it is open. */
  readonly isAlone?: boolean;
  readonly monitor?: EngineMonitor | undefined;
}

/** What a transaction under locks took. */
export type LockedTimes = Pick<EngineTurn, "lockMs" | "decideMs" | "commitMs">;

export class PostgresStore implements KeyValueStore {
  readonly location: string;
  readonly #addresses: readonly string[];
  readonly #clock: Clock;
  readonly #node: string | undefined;
  readonly #isAlone: boolean;
  readonly #monitor: EngineMonitor;
  /** Of the host that was the primary when it was opened. */
  #address: string;
  #writers: Pool | undefined;
  #readers: Pool | undefined;
  #writer: PoolClient | undefined;
  /** Its connection is gone, and the place with it. */
  #hasLostWriter = false;
  /** When the engine that `open` saw was started. */
  #startedAt: string | undefined;
  /** The last commit did not wait for the standbys. */
  #isUnsafe = false;
  /** Its place among the processes that write the database. */
  #slot: number | undefined;
  /** The one in which it wrote: that of an opening which came to nothing is not worth coming back to. */
  #home: number | undefined;

  /** How often it was opened. */
  #opens = 0;

  constructor({ url, clock, node, isAlone = false, monitor = NO_MONITOR.engine }: PostgresStoreOptions) {
    this.#node = node;
    this.#isAlone = isAlone;
    this.#monitor = monitor;
    this.#addresses = addressesOf(url);
    this.#address = url;
    this.#clock = clock;
    this.location = databaseName(url);
  }

  /** Known after open(). */
  get nodeSlot(): number {
    return this.#slot ?? 0;
  }

  get reopens(): number {
    return Math.max(0, this.#opens - 1);
  }

  get connections(): EngineStats["connections"] {
    const pools = [this.#writers, this.#readers].flatMap((pool) => pool ?? []);
    const sum = (of: (pool: Pool) => number): number => pools.reduce((all, pool) => all + of(pool), 0);
    const open = sum(({ totalCount }) => totalCount);
    return { open, inUse: open - sum(({ idleCount }) => idleCount), waiting: sum(({ waitingCount }) => waitingCount) };
  }

  get address(): string {
    return this.#address;
  }

  /** At the first of its hosts that is a primary. */
  async open(): Promise<void> {
    const failures: unknown[] = [];
    for (const address of this.#addresses) {
      this.#address = address;
      try {
        return await this.#openHere();
      } catch (error) {
        this.#monitor.failed(failureKindOf(error));
        await this.close();
        if (error instanceof ServiceError) throw error;
        failures.push(error);
      }
    }
    throw openError(this.location, failures);
  }

  async #openHere(): Promise<void> {
    this.#writers = this.#newPool(1, { pipeline: true, idle_in_transaction_session_timeout: LIMITS.engineIdleMs });
    // before it is asked anything: whoever asks learns that it failed
    const onConnect = (client: ClientBase): void => void client.query(PREPARE).catch(() => undefined);
    this.#readers = this.#newPool(LIMITS.engineReadersMax, { onConnect });
    const writer = await this.#writers.connect();
    this.#writer = writer;
    this.#hasLostWriter = false;
    writer.once("end", () => {
      if (this.#writer === writer) this.#hasLostWriter = true;
    });
    writer.on("notice", ({ message = "" }) => {
      if (message.includes("synchronous replication")) this.#isUnsafe = true;
    });
    this.#startedAt = await startOf(writer);
    await writer.query(WAIT_FOR_STANDBYS);
    await writer.query(NOTICE_DEATH);
    await (this.#isAlone ? this.#takeAllSlots(writer) : this.#takeSlot(writer));
    await migrate(writer, this.location);
    await writer.query(PREPARE);
    this.#opens++;
  }

  async close(): Promise<void> {
    const pools = [this.#writers, this.#readers];
    // not back into the pool: its locks go with it
    this.#writer?.release(true);
    this.#writer = undefined;
    this.#writers = undefined;
    this.#readers = undefined;
    const ended = Promise.all(pools.flatMap((pool) => (pool === undefined ? [] : [pool.end()])));
    await Promise.race([ended, this.#afterMs(LIMITS.engineIdleMs)]);
  }

  async batch(ops: readonly StoreOp[]): Promise<void> {
    await this.locked({ ...NOTHING, locks: [] }, async () => ops);
  }

  /**
   * Runs `use` with the locks held, then writes what it returns, in one transaction.
   * @throws what `use` throws, with nothing written; {Error} when the outcome is unknown
   */
  async locked(locked: Locked, use: (view: StoreView) => Promise<readonly StoreOp[]>): Promise<LockedTimes> {
    const writer = this.#writer;
    if (writer === undefined) throw closedError();
    const times = [this.#clock.monotonicMs()];
    const passed = (): void => void times.push(this.#clock.monotonicMs());
    try {
      const found = await begin(writer, locked, (error) => this.#monitor.failed(failureKindOf(error)));
      passed();
      const ops = await use(new ForeseenReads(new TransactionReads(writer), locked, found));
      passed();
      this.#isUnsafe = false;
      // sent together; after one that failed nothing is committed
      await Promise.all([...writeOps(writer, ops), writer.query("COMMIT")]);
      passed();
      if (this.#isUnsafe) throw new EngineFault("unreplicated", UNREPLICATED);
      this.#home = this.#slot;
    } catch (error) {
      if (!(error instanceof ServiceError)) this.#monitor.failed(failureKindOf(error));
      // whatever it was, the connection's state is not known
      this.#writer = undefined;
      writer.release(true);
      throw error;
    }
    const [beganMs = 0, heldMs = 0, decidedMs = 0, committedMs = 0] = times;
    return { lockMs: heldMs - beganMs, decideMs: decidedMs - heldMs, commitMs: committedMs - decidedMs };
  }

  /** Numbers of new contexts: the first of so many as a block has (postgres-schema.ts). */
  async nextNumbers(): Promise<number> {
    const { rows } = await this.#requireWriter().query<{ next: string }>(
      "SELECT nextval('mcm.context_number') AS next",
    );
    return Number(rows[0]?.next);
  }

  /** Lower numbers are taken, by contexts that were not made here. */
  async numbersFrom(next: number): Promise<void> {
    await this.#requireWriter().query(
      "SELECT setval('mcm.context_number', $1) FROM mcm.context_number WHERE last_value < $1",
      [next],
    );
  }

  /**
   * What is foreseen comes with the beginning. Without a place nothing is read either: so who only reads notices, too.
   * @throws {EngineLost} and what `use` throws
   */
  async view<T>(use: (view: StoreView) => Promise<T>, foreseen: Foreseen = NOTHING): Promise<T> {
    const readers = this.#readers;
    if (readers === undefined) throw closedError();
    try {
      if (this.#hasLostWriter) throw new EngineLost("the connection that writes has ended");
      return await this.#viewWith(readers, use, foreseen);
    } catch (error) {
      if (error instanceof EngineLost) this.#monitor.failed(failureKindOf(error));
      throw error;
    }
  }

  async #viewWith<T>(readers: Pool, use: (view: StoreView) => Promise<T>, foreseen: Foreseen): Promise<T> {
    const client = await readerOf(readers);
    let isSound = false;
    try {
      const text = `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; ${START}; ${readText(foreseen)}`;
      const found = await askEngine(async () => {
        const answers: unknown = await client.query(text);
        const [, start] = Array.isArray(answers) ? answers : [];
        if (startIn(start) !== this.#startedAt) throw new EngineFault("restarted", "the database was started anew");
        return foundIn(answers, foreseen);
      });
      const result = await use(new ForeseenReads(new TransactionReads(client), foreseen, found));
      isSound = true;
      return result;
    } finally {
      // nobody waits for its end
      if (!isSound) client.release(true);
      else
        client.query("COMMIT").then(
          () => client.release(),
          () => client.release(true),
        );
    }
  }

  #newPool(max: number, settings: pg.PoolConfig): Pool {
    const pool = new pg.Pool({
      connectionString: this.#address,
      max,
      application_name: connectionName(this.#node),
      keepAlive: true,
      connectionTimeoutMillis: LIMITS.engineQueryMs,
      query_timeout: LIMITS.engineQueryMs,
      statement_timeout: LIMITS.engineStatementMs,
      lock_timeout: LIMITS.engineLockMs,
      ...settings,
    });
    // of a connection that is asked nothing now: whoever asks it next learns of it
    pool.on("error", () => undefined);
    pool.on("connect", (client) => client.on("error", () => undefined));
    return pool;
  }

  #requireWriter(): ClientBase {
    if (this.#writer === undefined) throw closedError();
    return this.#writer;
  }

  /**
   * The place that this process had, once nothing of it is under way any more there, or else the first that is free.
   * @throws {ServiceError} DATA_DIR_LOCKED
   */
  async #takeSlot(writer: ClientBase): Promise<void> {
    if (this.#home !== undefined && (await hasRegained(writer, this.#home))) {
      this.#slot = this.#home;
      return;
    }
    for (let slot = 0; slot < NODE_SLOTS; slot++) {
      const text = `SELECT pg_try_advisory_lock(${slotKey(slot)}) AS "isOurs"`;
      const { rows } = await writer.query<{ isOurs: boolean }>(text);
      if (rows[0]?.isOurs !== true) continue;
      this.#slot = slot;
      return;
    }
    throw fullError(this.location, NODE_SLOTS);
  }

  /** @throws {ServiceError} DATA_DIR_LOCKED */
  async #takeAllSlots(writer: ClientBase): Promise<void> {
    const slots = Array.from({ length: NODE_SLOTS }, (_, slot) => slotKey(slot));
    const text = `SELECT bool_and(pg_try_advisory_lock(slot)) AS "areOurs" FROM unnest('{${slots.join()}}'::bigint[]) slot`;
    const { rows } = await writer.query<{ areOurs: boolean }>(text);
    if (rows[0]?.areOurs !== true) throw inUseError(this.location);
  }

  #afterMs(delayMs: number): Promise<void> {
    return new Promise((resolve) => void this.#clock.setTimer(delayMs, resolve));
  }
}

/**
 * @throws {ServiceError} when all were at work for so long: that tells nothing of the engine, and to give them up would make
 * what waits only longer; {EngineLost}
 */
async function readerOf(readers: Pool): Promise<PoolClient> {
  const areAllAtWork = readers.idleCount === 0 && readers.totalCount === LIMITS.engineReadersMax;
  try {
    return await askEngine(() => readers.connect());
  } catch (error) {
    throw areAllAtWork ? busyError() : error;
  }
}

/** False: it is somebody else's now, or a connection of ours that is lost still has it. */
async function hasRegained(writer: ClientBase, slot: number): Promise<boolean> {
  try {
    await writer.query(`SELECT pg_advisory_lock(${slotKey(slot)})`);
    return true;
  } catch (error) {
    if (isLockRefusal(error)) return false;
    throw error;
  }
}

function slotKey(slot: number): string {
  return lockKeyOf(`node ${slot}`);
}

/** Since when the engine at the other end runs. */
const START = "SELECT pg_postmaster_start_time()::text::bytea AS key, pg_is_in_recovery()::text::bytea AS value";

async function startOf(client: ClientBase): Promise<string> {
  return startIn(await client.query(START));
}

function startIn(answer: unknown): string {
  const [item] = itemsOf(answer);
  if (item === undefined) throw new Error("it does not say since when it runs");
  const [startedAt = "", isStandby] = item.map((bytes) => Buffer.from(bytes).toString());
  if (isStandby !== "false") throw new EngineFault("standby", "it is a standby, which takes no writes");
  return startedAt;
}

/** Without what only the owner may know. */
export function databaseName(url: string): string {
  const hosts = addressesOf(url).map((address) => new URL(address));
  return `PostgreSQL database ${hosts[0]?.pathname.slice(1)} at ${hosts.map(({ host }) => host).join(" or ")}`;
}

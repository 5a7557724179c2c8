/**
 * Small JSON documents beside the log: of a context, which go when it goes, or of the whole server.
 *
 * Not here: those that become durable with entries or checkpoints (key-value-change-log.ts, log-checkpoints.ts).
 */
import type { ContextId } from "../../../shared/ids.ts";
import type { JsonObject } from "../../../shared/json.ts";
import { contextNotFound } from "../../state/context-not-found.ts";
import type { Collection, RecordQuery, RecordWrite, SideRecord } from "../change-log.ts";
import type { StoreRange, StoreView } from "../store/store.ts";
import type { LogCore } from "./log-core.ts";
import { SERVER } from "./log-keys.ts";
import { sideRecord, sideRecords, sideRecordsIn } from "./log-reader.ts";
import { bytesOfOps, sideRecordOps } from "./record-ops.ts";

export class SideRecords {
  readonly #core: LogCore;
  /** The newest write of records of the server; never rejects. */
  #settled: Promise<void> = Promise.resolve();

  constructor(core: LogCore) {
    this.#core = core;
  }

  write(contextId: ContextId | undefined, writes: readonly RecordWrite[]): Promise<void> {
    return contextId === undefined ? this.#writeOfServer(writes) : this.#writeOfContext(contextId, writes);
  }

  read(contextId: ContextId | undefined, collection: Collection, key: string): Promise<JsonObject | undefined> {
    return this.#view<JsonObject | undefined>(contextId, undefined, (view, number) =>
      sideRecord(view, number, { collection, key }),
    );
  }

  list(contextId: ContextId | undefined, collection: Collection, query: RecordQuery): Promise<readonly SideRecord[]> {
    const range = { collection, ...query };
    const read = (view: StoreView, number: number): Promise<readonly SideRecord[]> => sideRecords(view, number, range);
    return this.#view<readonly SideRecord[]>(contextId, [], read, (number) => sideRecordsIn(number, range));
  }

  async #writeOfServer(writes: readonly RecordWrite[]): Promise<void> {
    const ops = sideRecordOps(SERVER, writes);
    const written = this.#core.write(ops, { entries: ops.length, bytes: bytesOfOps(ops) });
    this.#settled = written.catch(() => undefined);
    await written;
  }

  async #writeOfContext(contextId: ContextId, writes: readonly RecordWrite[]): Promise<void> {
    await this.#core.decide(contextId, async (slot) => {
      if (slot.live === undefined) {
        await slot.settled;
        throw contextNotFound();
      }
      const ops = sideRecordOps(slot.live.number, writes);
      await this.#core.submit(slot, { kind: "ops", ops }, { entries: ops.length, bytes: bytesOfOps(ops) });
    });
  }

  async #view<T>(
    contextId: ContextId | undefined,
    none: T,
    use: (view: StoreView, number: number) => Promise<T>,
    foresee?: (number: number) => StoreRange,
  ): Promise<T> {
    if (contextId !== undefined)
      return this.#core.read(contextId, none, (view, { number }) => use(view, number), foresee);
    await this.#settled;
    return this.#core.view((view) => use(view, SERVER));
  }
}

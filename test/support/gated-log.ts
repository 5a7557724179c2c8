/**
 * The memory log with a gate before its appends: a test decides when a write becomes durable, or that it fails.
 *
 * Not here: faults of the store beneath the log (test/support/faulty-store.ts).
 */
import type { ContextId } from "../../shared/ids.ts";
import type { AppendOptions, AppendResult, Guard, NewEntry } from "../../server/storage/change-log.ts";
import { MemoryChangeLog } from "../../server/storage/log/memory-change-log.ts";

export class GatedLog extends MemoryChangeLog {
  /** Entries of each append call, in order of arrival at the gate. */
  readonly arrived: (readonly NewEntry[])[] = [];
  #gate: Promise<void> = Promise.resolve();
  #open: () => void = () => undefined;
  #fail: (error: Error) => void = () => undefined;

  /** Appends wait from now on. */
  hold(): void {
    this.#gate = new Promise((resolve, reject) => {
      this.#open = resolve;
      this.#fail = reject;
    });
    this.#gate.catch(() => undefined);
  }

  release(): void {
    this.#open();
  }

  /** What waits, and what comes until the next hold(), is rejected and not written. */
  fail(error: Error): void {
    this.#fail(error);
  }

  override async append(
    id: ContextId,
    guard: Guard,
    entries: readonly NewEntry[],
    options?: AppendOptions,
  ): Promise<AppendResult> {
    this.arrived.push(entries);
    await this.#gate;
    return super.append(id, guard, entries, options);
  }
}

/**
 * What clients of several nodes did and were told, to be judged against the log (node-history-checks.ts).
 *
 * Times are of this process' monotonic clock; an operation begins with its first try and ends with the answer to its last.
 */
import type { ContextId } from "../../shared/ids.ts";

/** Its answer, or why there is none that says anything. */
export type Outcome =
  | { readonly kind: "acknowledged"; readonly seq: number; readonly version: number }
  /** `isFinal`: no earlier try of it can be carried out any more. */
  | { readonly kind: "refused"; readonly isFinal: boolean }
  | { readonly kind: "unknown" };

export interface WriteRecord {
  readonly contextId: ContextId;
  /** The message of its change, by which the log knows it. */
  readonly id: string;
  readonly actor: string;
  /** Fencing token of the lock under which it was written. */
  readonly token?: number;
  readonly beganMs: number;
  /** Infinity when it was never answered. */
  readonly endedMs: number;
  readonly outcome: Outcome;
}

export interface ReadRecord {
  readonly contextId: ContextId;
  readonly beganMs: number;
  readonly endedMs: number;
  readonly version: number;
  /** Members of /w. */
  readonly members: number;
}

export interface GrantRecord {
  readonly contextId: ContextId;
  readonly lockId: string;
  readonly token: number;
  readonly ttlMs: number;
  readonly beganMs: number;
  readonly endedMs: number;
  /** Wall clock: when it was asked for, or last renewed with success. */
  lastAskedAtMs: number;
}

export class NodeHistory {
  readonly writes: WriteRecord[] = [];
  readonly reads: ReadRecord[] = [];
  readonly grants: GrantRecord[] = [];
  #waiting: { readonly at: number; resolve(): void }[] = [];
  #acknowledged = 0;

  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** Resolves when so many more writes were acknowledged. */
  more(count: number): Promise<void> {
    return new Promise((resolve) => void this.#waiting.push({ at: this.#acknowledged + count, resolve }));
  }

  wrote(record: WriteRecord): void {
    this.writes.push(record);
    if (record.outcome.kind !== "acknowledged") return;
    this.#acknowledged++;
    for (const one of this.#waiting) if (this.#acknowledged >= one.at) one.resolve();
    this.#waiting = this.#waiting.filter(({ at }) => this.#acknowledged < at);
  }
}

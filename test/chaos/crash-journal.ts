/**
 * Everything that anyone was told or shown before the crash, and so must be there after it.
 *
 * 1. Only what came from the server is evidence; what a client wrote counts when the server acknowledged it.
 * 2. What is shown is judged at once against the model (crash-model.ts): a halved change is a fault even without a crash.
 *
 * Not here: the judgement after the crash (crash-checks.ts).
 */
import { isDeepStrictEqual } from "node:util";
import * as Y from "yjs";
import type { ChangeRecord } from "../../shared/change.ts";
import { isJsonObject } from "../../shared/json.ts";
import type { Json, JsonObject } from "../../shared/json.ts";
import type { ChangeView } from "../../shared/protocol/rest.ts";
import { liveState } from "./crash-model.ts";
import { Past } from "./crash-past.ts";

/** Requests of one asking writer: by number, the version it was answered with, undefined while the answer is out. */
export type Asked = Map<number, number | undefined>;

/** A replica and what came into it from the server. */
export interface Sight {
  readonly by: string;
  readonly doc: Y.Doc;
  /** The document is of this epoch or a later one. */
  readonly epochMin: number;
  readonly updates: Uint8Array[];
}

export class Journal {
  readonly sights: Sight[] = [];
  /** What was told of the past. */
  readonly past = new Past();
  /** The highest epoch that anyone was told of. */
  epoch: number;
  /** Versions and the change that somebody was told they are, as canonical JSON. */
  readonly records = new Map<number, string>();
  /** The least each live writer's count may be. */
  readonly live = new Map<string, number>();
  /** The least each counter may be. */
  readonly counters = new Map<string, number>();
  readonly asked = new Map<string, Asked>();
  /** The highest version that anyone was told of. */
  version = 0;
  readonly faults: string[] = [];
  #seen = 0;

  constructor(epoch = 1) {
    this.epoch = epoch;
  }

  #waiters: { readonly count: number; resolve: () => void }[] = [];

  /** How many things were told or shown. */
  get seen(): number {
    return this.#seen;
  }

  /** Resolves at the n-th thing that is told or shown. */
  whenSeen(count: number): Promise<void> {
    if (this.#seen >= count) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push({ count, resolve }));
  }

  /** Records what is in a replica, and what reaches it other than by `local` transactions. */
  watch(doc: Y.Doc, by: string, local: unknown, epochMin: number = this.epoch): void {
    const sight: Sight = { by, doc, epochMin, updates: [Y.encodeStateAsUpdate(doc)] };
    this.sights.push(sight);
    doc.on("update", (update: Uint8Array, origin: unknown) => {
      if (origin === local) return;
      sight.updates.push(update);
      this.#note();
    });
  }

  inEpoch(epoch: number): void {
    this.epoch = Math.max(this.epoch, epoch);
  }

  acked(name: string, n: number): void {
    raise(this.live, name, n);
    this.#note();
  }

  asks(name: string, n: number): void {
    const requests: Asked = this.asked.get(name) ?? new Map<number, number | undefined>();
    // asked again, as after a lost answer: the first answer, if it came, stands
    if (!requests.has(n)) requests.set(n, undefined);
    this.asked.set(name, requests);
  }

  answered(name: string, n: number, version: number): void {
    const before = this.asked.get(name)?.get(n);
    if (before !== undefined && before !== version)
      this.faults.push(`${name} was told ${before}, then ${version} for request ${n}`);
    this.asked.get(name)?.set(n, version);
    this.told(version);
  }

  told(version: number): void {
    this.version = Math.max(this.version, version);
    this.#note();
  }

  record(change: ChangeRecord | ChangeView): void {
    const text = canonical(change);
    const known = this.records.get(change.version) ?? text;
    if (known !== text) this.faults.push(`version ${change.version} was shown as ${known} and as ${text}`);
    this.records.set(change.version, text);
    this.told(change.version);
  }

  /** A whole read of the data. */
  shown(by: string, version: number, data: unknown): void {
    const { live, counters } = partsOf(data);
    for (const [name, state] of Object.entries(live)) {
      const count = countOf(state);
      if (!isDeepStrictEqual(state, liveState(count)))
        this.faults.push(`${by} was shown ${name} as ${JSON.stringify(state)}`);
      else raise(this.live, name, count);
    }
    for (const [name, value] of Object.entries(counters)) raise(this.counters, name, Number(value));
    this.told(version);
  }

  #note(): void {
    this.#seen++;
    const due = this.#waiters.filter(({ count }) => count <= this.#seen);
    this.#waiters = this.#waiters.filter(({ count }) => count > this.#seen);
    for (const { resolve } of due) resolve();
  }
}

/** What is said of a change on every surface, in one form. */
export function canonical(change: ChangeRecord | ChangeView): string {
  const { version, seq, actor, origin, paths, message } = change;
  const at = "at" in change ? change.at : new Date(change.atMs).toISOString();
  return JSON.stringify({ version, seq, actor, at, origin, message, paths });
}

/** How many edits a live writer's object says it has. */
export function countOf(state: Json): number {
  return isJsonObject(state) ? Number(state["count"]) : Number.NaN;
}

export function partsOf(data: unknown): { readonly live: JsonObject; readonly counters: JsonObject } {
  const { live, counters } = isJsonObject(data) ? data : {};
  if (!isJsonObject(live) || !isJsonObject(counters))
    throw new Error(`not the data of this test: ${JSON.stringify(data)}`);
  return { live, counters };
}

function raise(floors: Map<string, number>, name: string, value: number): void {
  floors.set(name, Math.max(floors.get(name) ?? 0, value));
}

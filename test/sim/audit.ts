/**
 * The log on the disk against what was promised, as a machine that just lost power would find it.
 *
 *  S2  what was acknowledged or shown is there
 *  S3  positions and versions have no gap; the log only grows; checkpoint and tail give what the log from zero gives;
 *      what was read, announced or acknowledged at a version is what the log says at that version
 *  S8  a request under a key is in the log at most once, at the version that was answered; a refused one not at all
 */
import * as Y from "yjs";
import type { Clock } from "../../server/clock.ts";
import { ContextState } from "../../server/state/context-state.ts";
import type { ChangeLog, LogEntry } from "../../server/storage/change-log.ts";
import { KeyValueChangeLog } from "../../server/storage/log/key-value-change-log.ts";
import type { KeyValueStore } from "../../server/storage/store/store.ts";
import type { Ledger } from "./ledger.ts";
import { beyond, dataOf, vectorOf, viewOf } from "./replica-view.ts";

type Violate = (rule: string, what: string) => void;

/** What the log says, version by version; kept between audits, so that each reads on where the last one ended. */
export class Audit {
  readonly #ledger: Ledger;
  readonly #violate: Violate;
  /** The log applied entry by entry, from the empty document. */
  readonly doc = new Y.Doc();
  readonly entries: LogEntry[] = [];
  readonly #dataAt: string[];
  readonly #vectorAt: ReadonlyMap<number, number>[];
  readonly #versionOfKey = new Map<string, number>();

  constructor(ledger: Ledger, violate: Violate) {
    this.#ledger = ledger;
    this.#violate = violate;
    this.doc.clientID = 1;
    this.#dataAt = [dataOf(this.doc)];
    this.#vectorAt = [new Map()];
  }

  /** Of the newest change in the log at the last audit. */
  get version(): number {
    return this.#dataAt.length - 1;
  }

  async check(log: ChangeLog): Promise<void> {
    try {
      await this.#check(log);
    } catch (error) {
      this.#violate("S2 LOG-1", `the data cannot be read: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  async #check(log: ChangeLog): Promise<void> {
    const stored = await log.load(this.#ledger.id);
    if (stored === undefined) return this.#violate("S2 CTX-1", `context ${this.#ledger.id} is gone`);
    this.#readOn(await log.read(this.#ledger.id, 0, Number.MAX_SAFE_INTEGER));
    if (stored.head.seq !== this.entries.length || stored.head.version !== this.version) {
      this.#violate(
        "S3 LOG-2",
        `the head says seq ${stored.head.seq}, version ${stored.head.version}; the log has ${this.entries.length} and ${this.version}`,
      );
    }
    const loaded = new ContextState(stored, { nodeClientId: log.nodeClientId, monotonicMs: 0 }).doc;
    if (viewOf(loaded) !== viewOf(this.doc))
      this.#violate(
        "S3 STATE-7",
        `checkpoint ${stored.checkpoint.seq} and tail differ from the log at version ${this.version}`,
      );
    this.#checkShown(loaded);
    this.#checkVersions();
    this.#checkAnswers();
  }

  #readOn(entries: readonly LogEntry[]): void {
    for (const [index, known] of this.entries.entries()) {
      const now = entries[index];
      if (now === undefined || !isSame(known, now))
        return this.#violate("S2 LOG-1", `entry ${known.seq} of the log changed or is gone`);
    }
    for (const entry of entries.slice(this.entries.length)) this.#apply(entry);
  }

  #apply(entry: LogEntry): void {
    const version = this.version + (entry.kind === "change" ? 1 : 0);
    if (entry.seq !== this.entries.length + 1 || entry.version !== version) {
      this.#violate(
        "S3 LOG-2",
        `after entry ${this.entries.length}, version ${this.version}, the log has seq ${entry.seq}, version ${entry.version}`,
      );
    }
    this.entries.push(entry);
    Y.applyUpdate(this.doc, entry.update);
    if (this.doc.store.pendingStructs !== null || this.doc.store.pendingDs !== null) {
      this.#violate("S3 LOG-3", `entry ${entry.seq} refers to content that comes later`);
    }
    this.#dataAt[version] = dataOf(this.doc);
    this.#vectorAt[version] = vectorOf(this.doc);
    if (entry.message === undefined) return;
    const first = this.#versionOfKey.get(entry.message);
    if (first !== undefined)
      this.#violate("S8 IDEM-1", `request ${entry.message} is in the log twice, as versions ${first} and ${version}`);
    this.#versionOfKey.set(entry.message, version);
  }

  /** Both ways round: what was shown adds nothing, and was not something else under the same clocks. */
  #checkShown(loaded: Y.Doc): void {
    const { shown, versionMax, announced } = this.#ledger;
    if (versionMax > this.version)
      this.#violate("S2 CTX-1", `version ${versionMax} was announced, the log ends at ${this.version}`);
    const unkept = beyond(announced, vectorOf(loaded));
    if (unkept !== undefined) this.#violate("S2 CTX-1", `announced in a state vector and not in the log: ${unkept}`);
    const merged = new Y.Doc();
    Y.applyUpdate(merged, Y.encodeStateAsUpdate(shown));
    Y.applyUpdate(merged, Y.encodeStateAsUpdate(loaded));
    const lost = beyond(vectorOf(merged), vectorOf(loaded));
    if (lost !== undefined) this.#violate("S2 CTX-1", `shown and not in the log: ${lost}`);
    else if (merged.store.pendingStructs !== null || viewOf(merged) !== viewOf(loaded))
      this.#violate("S2 CTX-1", "what was shown differs from the log under the same clocks");
  }

  #checkVersions(): void {
    const ledger = this.#ledger;
    for (const seen of ledger.changes) {
      const entry = this.entries[seen.seq - 1];
      if (
        entry === undefined ||
        entry.version !== seen.version ||
        entry.actor !== seen.actor ||
        !isSameUpdate(seen.update, entry.update)
      ) {
        this.#violate("S3 LOG-2", `version ${seen.version} was announced as something else than the log has`);
      }
    }
    for (const { version, data } of ledger.reads) {
      if (this.#dataAt[version] !== data)
        this.#violate(
          "S3 CTX-1",
          `a read at version ${version} saw ${data}, the log says ${this.#dataAt[version] ?? "nothing"}`,
        );
    }
    for (const { version, vector, why } of ledger.claims) {
      const lacking = beyond(vector, this.#vectorAt[version] ?? new Map());
      if (lacking !== undefined) this.#violate("S3 WIRE-14", `${why} names version ${version}, which lacks ${lacking}`);
    }
    ledger.changes = [];
    ledger.reads = [];
    ledger.claims = [];
  }

  #checkAnswers(): void {
    for (const [key, answer] of this.#ledger.answers) {
      const version = this.#versionOfKey.get(key);
      if (answer.kind === "done" && answer.version !== version) {
        this.#violate(
          "S2 CTX-1",
          `request ${key} was answered with version ${answer.version} and is ${version ?? "not in the log"}`,
        );
      }
    }
  }

  /** Once everything is answered: what was only ever refused did not happen. */
  checkRefusals(): void {
    for (const [key, answer] of this.#ledger.answers) {
      if (answer.kind === "refused" && this.#versionOfKey.has(key))
        this.#violate("S8 IDEM-1", `request ${key} was refused with ${answer.code} and is in the log`);
    }
  }
}

/** Opens a copy of the disk as a server would, and looks. */
export async function auditAll(disk: KeyValueStore, audits: Iterable<Audit>): Promise<void> {
  const log = new KeyValueChangeLog({ store: disk, clock: STANDING_CLOCK });
  await log.open();
  for (const audit of audits) await audit.check(log);
  await log.close();
}

const STANDING_CLOCK: Clock = {
  nowMs: () => 0,
  monotonicMs: () => 0,
  setTimer: () => () => undefined,
  defer: (task) => queueMicrotask(task),
  newId: () => "00000000-0000-4000-8000-000000000000",
  randomUint32: () => 1,
};

function isSame(a: LogEntry, b: LogEntry): boolean {
  return (
    a.seq === b.seq &&
    a.version === b.version &&
    a.actor === b.actor &&
    a.message === b.message &&
    isSameUpdate(a.update, b.update)
  );
}

function isSameUpdate(seen: Uint8Array | undefined, logged: Uint8Array): boolean {
  return seen === undefined || seen.byteLength === 0 || Buffer.compare(seen, logged) === 0;
}

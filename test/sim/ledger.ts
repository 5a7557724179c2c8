/**
 * What left the server about one context: everything that somebody was told or shown, and is thereby promised.
 *
 * It is written by the taps on connections and by the callers of the service, never by the code under test;
 * audit.ts holds the log on the disk against it.
 */
import * as Y from "yjs";
import type { ContextId } from "../../shared/ids.ts";
import { canonical } from "./replica-view.ts";

/** A change as somebody saw it; receipts and feeds have no bytes. */
export interface SeenChange {
  readonly version: number;
  readonly seq: number;
  readonly actor: string;
  readonly update?: Uint8Array;
}

export type Answer =
  | { readonly kind: "done"; readonly version: number; readonly seq: number; readonly replayed: boolean }
  | { readonly kind: "refused"; readonly code: string };

/** A promise that the state at a version is no older than this. */
interface VectorClaim {
  readonly version: number;
  readonly vector: ReadonlyMap<number, number>;
  readonly why: string;
}

export class Ledger {
  readonly id: ContextId;
  /** Everything shown, merged. */
  readonly shown = new Y.Doc();
  versionMax = 0;
  readonly answers = new Map<string, Answer>();
  /** Not yet held against the log. */
  changes: SeenChange[] = [];
  reads: { readonly version: number; readonly data: string }[] = [];
  claims: VectorClaim[] = [];
  /** The newest state vector that was announced. */
  readonly announced = new Map<number, number>();
  readonly #violate: (rule: string, what: string) => void;

  constructor(id: ContextId, violate: (rule: string, what: string) => void) {
    this.id = id;
    this.#violate = violate;
    this.shown.clientID = 1;
  }

  sawVersion(version: number): void {
    this.versionMax = Math.max(this.versionMax, version);
  }

  sawUpdate(update: Uint8Array): void {
    Y.applyUpdate(this.shown, update);
  }

  sawChange(change: SeenChange): void {
    this.sawVersion(change.version);
    this.changes.push(change);
    if (change.update !== undefined && change.update.byteLength > 0) this.sawUpdate(change.update);
  }

  sawRead(version: number, data: unknown): void {
    this.sawVersion(version);
    this.reads.push({ version, data: canonical(data) });
  }

  claim(version: number, vector: ReadonlyMap<number, number>, why: string): void {
    this.sawVersion(version);
    this.claims.push({ version, vector, why });
  }

  /** The server said it has this much; no version was named with it. */
  sawVector(vector: ReadonlyMap<number, number>): void {
    for (const [client, clock] of vector) this.announced.set(client, Math.max(clock, this.announced.get(client) ?? 0));
  }

  /** The answer to a change under a key. What was done is answered alike for ever; what was refused may be tried again. */
  sawAnswer(key: string, answer: Answer): void {
    if (answer.kind === "done") this.sawVersion(answer.version);
    const first = this.answers.get(key);
    if (first?.kind !== "done") this.answers.set(key, answer);
    else if (answer.kind !== "done" || first.version !== answer.version || first.seq !== answer.seq) {
      this.#violate(
        "S8 IDEM-1",
        `request ${key} was answered ${JSON.stringify(first)} and then ${JSON.stringify(answer)}`,
      );
    }
  }
}

/**
 * The document of a new epoch while edits are carried over to it: its content whenever it is in step with the server, over
 * lost connections and even if the context is compacted once more meanwhile.
 *
 * Not here: what feeds it (replica.ts), what is asked of it (rescue.ts).
 */
import type * as Y from "yjs";
import { ServiceError } from "../shared/errors.ts";
import type { Json } from "../shared/json.ts";
import { readRoots } from "../shared/read-data.ts";
import type { RootsJson } from "../shared/read-data.ts";
import { RescueOver } from "./rescue.ts";
import type { ChangeParams, RescueTarget } from "./rescue.ts";
import { VersionGate } from "./version-gate.ts";

export class NewDocument implements RescueTarget {
  /** Which it is known to include. */
  readonly versions = new VersionGate();
  readonly #change: (params: ChangeParams) => Promise<Json>;
  /** Undefined while it is not in step with the server. */
  #doc: Y.Doc | undefined;
  #isOver = false;
  #waiting: (() => void)[] = [];

  constructor(change: (params: ChangeParams) => Promise<Json>) {
    this.#change = change;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  synced(doc: Y.Doc): void {
    this.#doc = doc;
    this.#wake();
  }

  connectionLost(): void {
    this.#doc = undefined;
  }

  /** Nothing is carried over any more. */
  end(): void {
    this.#isOver = true;
    this.versions.fail(new ServiceError("CLOSED", "Nothing is carried over any more."));
    this.#wake();
  }

  async content(): Promise<{ readonly roots: RootsJson; readonly version: number }> {
    for (;;) {
      this.#assertGoing();
      if (this.#doc !== undefined) return { roots: readRoots(this.#doc), version: this.versions.version };
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  async reached(version: number): Promise<void> {
    await this.versions.reached(version).catch(() => undefined);
    this.#assertGoing();
  }

  async change(params: ChangeParams): Promise<Json> {
    try {
      return await this.#change(params);
    } catch (error) {
      this.#assertGoing();
      throw error;
    }
  }

  /** A new connection ends it early. */
  async pause(ms: number): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    await new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms);
      this.#waiting.push(resolve);
    });
    clearTimeout(timer);
    this.#assertGoing();
  }

  #assertGoing(): void {
    if (this.#isOver) throw new RescueOver();
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}

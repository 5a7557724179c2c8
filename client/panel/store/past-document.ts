/**
 * The document as it was at some version, and how two versions differ.
 *
 * Invariants (PANEL):
 *  1. One version is asked for at a time: while a slider moves, the one it stands at last is the next.
 *  2. Versions never change, so the last few that were seen are kept.
 */
import { signal } from "@preact/signals-core";
import type { Json } from "../../../shared/json.ts";
import { isJsonObject } from "../../../shared/json.ts";
import { diffLines } from "./diff-lines.ts";
import type { DiffLine } from "./diff-lines.ts";
import { DocumentTree } from "./document-tree.ts";
import type { OpenContext } from "./open-context.ts";
import { problemOf } from "./problem.ts";
import type { Problem } from "./problem.ts";
import { childrenOf } from "./tree-values.ts";

export interface Past {
  readonly version: number;
  readonly atMs: number;
  readonly data: Json;
}

export interface Difference {
  readonly from: number;
  readonly to: number;
  readonly lines: readonly DiffLine[];
}

type Wanted = { readonly to: number; readonly from: number | undefined };

const KEPT = 6;

export class PastDocument {
  /** What is shown; undefined until it is there. */
  readonly past = signal<Past | undefined>(undefined);
  readonly difference = signal<Difference | undefined>(undefined);
  readonly problem = signal<Problem | undefined>(undefined);
  /** What is asked for; may be ahead of what is shown. */
  readonly wanted = signal<Wanted | undefined>(undefined);
  readonly tree: DocumentTree;
  readonly #opened: OpenContext;
  readonly #kept = new Map<number, Past>();
  #isBusy = false;
  #isOver = false;

  constructor(opened: OpenContext) {
    this.#opened = opened;
    this.tree = new DocumentTree(() => childrenOf("", this.past.peek()?.data ?? {}), opened.machine.frame);
  }

  /** Shows a version, and how it differs from `from`, if that is given. */
  show(to: number, from?: number): void {
    this.wanted.value = { to, from };
    void this.#fetch();
  }

  stop(): void {
    this.#isOver = true;
    this.tree.stop();
  }

  async #fetch(): Promise<void> {
    if (this.#isBusy) return;
    this.#isBusy = true;
    for (let asked = this.wanted.peek(); asked !== undefined && !this.#isOver; asked = this.#next(asked)) {
      try {
        await this.#reach(asked);
        this.problem.value = undefined;
      } catch (error) {
        this.problem.value = problemOf(error);
      }
    }
    this.#isBusy = false;
  }

  #next(asked: Wanted): Wanted | undefined {
    const wanted = this.wanted.peek();
    return wanted === asked ? undefined : wanted;
  }

  async #reach({ to, from }: Wanted): Promise<void> {
    const past = await this.#at(to);
    const difference = from === undefined ? undefined : await this.#between(from, to);
    if (this.#isOver) return;
    const isFirst = this.past.peek() === undefined;
    this.past.value = past;
    this.difference.value = difference;
    if (isFirst) this.tree.unfoldFirst();
    this.tree.changed([""]);
  }

  async #between(from: number, to: number): Promise<Difference> {
    const before = await this.#at(from);
    const { changes } = await this.#opened.context.diff(from, to);
    return { from, to, lines: diffLines(before.data, changes) };
  }

  async #at(version: number): Promise<Past> {
    const known = this.#kept.get(version);
    if (known !== undefined) return known;
    const { atMs, data } = await this.#opened.context.at(version);
    const past = { version, atMs, data: isJsonObject(data) ? data : {} };
    this.#kept.set(version, past);
    for (const old of this.#kept.keys()) if (this.#kept.size > KEPT) this.#kept.delete(old);
    return past;
  }
}

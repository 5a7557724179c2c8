/**
 * Taking something back: a part of the document as it was, or what one actor did. First it is tried, then done.
 *
 * Invariant (PANEL): what is done was tried before with the same question, and somebody saw what it would do.
 */
import { signal } from "@preact/signals-core";
import type { KeptPath } from "../../../shared/history.ts";
import type { Json } from "../../../shared/json.ts";
import type { Reverted } from "../../history.ts";
import { diffLines } from "./diff-lines.ts";
import type { DiffLine } from "./diff-lines.ts";
import type { OpenContext } from "./open-context.ts";

export type Question =
  | { readonly what: "restore"; readonly version: number; readonly path: string }
  | { readonly what: "undo"; readonly actor: string; readonly from: number; readonly path: string };

interface Trial {
  readonly lines: readonly DiffLine[];
  readonly kept: readonly KeptPath[];
}

export class Reverting {
  readonly question = signal<Question | undefined>(undefined);
  /** What it would do; undefined until the present question is answered. */
  readonly trial = signal<Trial | undefined>(undefined);
  readonly isBusy = signal(false);
  readonly #opened: OpenContext;

  constructor(opened: OpenContext) {
    this.#opened = opened;
  }

  /** Asks what it would do. */
  async ask(question: Question): Promise<void> {
    this.question.value = question;
    this.trial.value = undefined;
    const tried = await this.#sent(question, true, "");
    if (tried === undefined || this.question.peek() !== question) return;
    const now: Json = this.#opened.context.get();
    this.trial.value = { lines: diffLines(now, tried.changes), kept: tried.kept };
  }

  async carryOut(message: string): Promise<void> {
    const question = this.question.peek();
    if (question === undefined || this.trial.peek() === undefined) return;
    const before = this.#opened.version.peek();
    const done = await this.#sent(question, false, message);
    if (done === undefined) return;
    const isNew = done.version > before && done.changes.length > 0;
    this.#opened.notices.done(isNew ? `Done, as v${done.version}` : "Nothing was to be done");
    this.cancel();
  }

  cancel(): void {
    this.question.value = undefined;
    this.trial.value = undefined;
  }

  async #sent(question: Question, dryRun: boolean, message: string): Promise<Reverted | undefined> {
    const { context, notices } = this.#opened;
    const options = { path: question.path, dryRun, ...(message === "" ? {} : { message }) };
    this.isBusy.value = true;
    const result = await notices.tried(() =>
      question.what === "restore"
        ? context.restore(question.version, options)
        : context.undo(question.actor, { ...options, from: question.from }),
    );
    this.isBusy.value = false;
    return result;
  }
}

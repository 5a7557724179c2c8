/** What just happened, told for a few seconds. */
import { signal } from "@preact/signals-core";
import type { Machine } from "./machine.ts";
import { problemOf } from "./problem.ts";
import type { Problem } from "./problem.ts";

export interface Notice {
  readonly id: number;
  readonly kind: "done" | "failed";
  readonly text: string;
  readonly code?: Problem["code"];
}

const SHOWN_MS = { done: 4000, failed: 12_000 };
const NOTICES_MAX = 4;

export class Notices {
  readonly list = signal<readonly Notice[]>([]);
  readonly #machine: Machine;
  #last = 0;

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  done(text: string): void {
    this.#add({ id: ++this.#last, kind: "done", text });
  }

  failed(error: unknown): void {
    const { code, text } = problemOf(error);
    this.#add({ id: ++this.#last, kind: "failed", text, code });
  }

  dismiss(id: number): void {
    this.list.value = this.list.peek().filter((notice) => notice.id !== id);
  }

  /** What `task` gives, or undefined after telling why not. */
  async tried<Result>(task: () => Promise<Result>): Promise<Result | undefined> {
    try {
      return await task();
    } catch (error) {
      this.failed(error);
      return undefined;
    }
  }

  #add(notice: Notice): void {
    this.list.value = [...this.list.peek(), notice].slice(-NOTICES_MAX);
    this.#machine.after(SHOWN_MS[notice.kind], () => this.dismiss(notice.id));
  }
}

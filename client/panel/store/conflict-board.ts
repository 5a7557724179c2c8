/** The conflicts of an open context: both sides of each, and their settling. */
import { signal } from "@preact/signals-core";
import type { Conflict, ConflictStatus } from "../../../shared/conflict.ts";
import type { JsonOp } from "../../../shared/change.ts";
import type { ConflictsPage, Resolution } from "../../conflicts.ts";
import type { Stop } from "./machine.ts";
import type { OpenContext } from "./open-context.ts";
import { Poll } from "./poll.ts";

const EVERY_MS = 5000;
const PAGE = 100;

export class ConflictBoard {
  readonly status = signal<ConflictStatus | "all">("all");
  readonly #opened: OpenContext;
  readonly #poll: Poll<ConflictsPage>;

  constructor(opened: OpenContext) {
    this.#opened = opened;
    this.#poll = new Poll(opened.machine, EVERY_MS, () => {
      const status = this.status.peek();
      return opened.context.conflicts({ limit: PAGE, ...(status === "all" ? {} : { status }) });
    });
  }

  get page(): Poll<ConflictsPage>["value"] {
    return this.#poll.value;
  }

  get problem(): Poll<ConflictsPage>["problem"] {
    return this.#poll.problem;
  }

  /** Ends with what it returns. */
  start(): Stop {
    const unsubscribe = this.#opened.happenings.on("conflict", () => this.#poll.again());
    const stop = this.#poll.start();
    return () => {
      unsubscribe();
      stop();
    };
  }

  show(status: ConflictStatus | "all"): void {
    this.status.value = status;
    this.#poll.again();
  }

  /** "present": what is there now is right. */
  async resolve({ id, path }: Conflict, by: "winner" | "loser" | "present"): Promise<void> {
    const { context, notices } = this.#opened;
    const nothing: readonly JsonOp[] = [];
    const resolution: Resolution = by === "present" ? nothing : by;
    const done = await notices.tried(() => context.resolve(id, resolution));
    if (done !== undefined) notices.done(`Settled ${path === "" ? "the conflict" : path}, as v${done.version}`);
    this.#poll.again();
  }
}

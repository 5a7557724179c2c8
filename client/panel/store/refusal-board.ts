/** The writes that a context refused lately, to whomever. */
import type { RefusalList, RefusalView } from "../../../shared/protocol/rest-refusals.ts";
import type { Stop } from "./machine.ts";
import type { OpenContext } from "./open-context.ts";
import { Poll } from "./poll.ts";

const EVERY_MS = 1500;

export class RefusalBoard {
  readonly #opened: OpenContext;
  readonly #poll: Poll<readonly RefusalView[]>;

  constructor(opened: OpenContext) {
    this.#opened = opened;
    this.#poll = new Poll(opened.machine, EVERY_MS, async () => {
      const { refusals } = await opened.link.call<RefusalList>("GET", ["contexts", opened.id, "refusals"]);
      return refusals;
    });
  }

  get refusals(): Poll<readonly RefusalView[]>["value"] {
    return this.#poll.value;
  }

  get problem(): Poll<readonly RefusalView[]>["problem"] {
    return this.#poll.problem;
  }

  /** Ends with what it returns. */
  start(): Stop {
    const unsubscribe = this.#opened.happenings.on("refused", () => this.#poll.again());
    const stop = this.#poll.start();
    return () => {
      unsubscribe();
      stop();
    };
  }
}

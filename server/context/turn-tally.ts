/** What the writes of one turn came to, for the monitor. */
import type { TurnCounts } from "../monitor-port.ts";
import type { Verdict, Write } from "../state/writes.ts";

/** Fields and no table: one increment for each write is all it may cost. */
export class TurnTally implements TurnCounts {
  updatesChanged = 0;
  updatesUnchanged = 0;
  jsonChanged = 0;
  jsonUnchanged = 0;
  policies = 0;
  locks = 0;
  metas = 0;
  voids = 0;

  add(write: Write, verdict: Verdict): void {
    if (verdict.kind === "refused") this.voids += verdict.instead === undefined ? 0 : 1;
    else this.#taken(write, verdict.kind === "admitted" ? 1 : 0);
  }

  /** @param changed 1, or 0 for a write that changes nothing */
  #taken(write: Write, changed: 0 | 1): void {
    switch (write.kind) {
      case "update":
        this.updatesChanged += changed;
        this.updatesUnchanged += 1 - changed;
        return;
      case "ops":
        if (write.origin === "resolver") this.policies += changed;
        else this.jsonChanged += changed;
        if (write.origin !== "resolver") this.jsonUnchanged += 1 - changed;
        return;
      case "lock":
        this.locks += changed;
        return;
      case "meta":
        this.metas += changed;
    }
  }
}

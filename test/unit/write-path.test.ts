/** The write path by itself: what it does when the log refuses one of several turns under way. */
import { expect, test } from "vitest";
import { ServiceError } from "../../shared/errors.ts";
import { ANONYMOUS } from "../../shared/ids.ts";
import { systemClock } from "../../server/clock.ts";
import { NO_MONITOR } from "../../server/monitor-port.ts";
import { ContextState } from "../../server/state/context-state.ts";
import { LiveContext } from "../../server/state/state-manager.ts";
import type { AppendResult } from "../../server/storage/change-log.ts";
import { WritePath } from "../../server/context/write-path.ts";
import type { PendingWrite } from "../../server/context/write-path.ts";
import type { OpsWrite } from "../../server/state/writes.ts";
import { RecordingLogger } from "../support/recording-logger.ts";
import { NODE, storedContext } from "../support/stored-state.ts";

interface Outcome {
  readonly dropped: string[];
  readonly refused: string[];
  readonly turn: (live: LiveContext<PendingWrite>, key: string) => void;
}

function writePath(append: () => Promise<AppendResult>): Outcome {
  const dropped: string[] = [];
  const refused: string[] = [];
  const path = new WritePath({
    clock: systemClock,
    logger: new RecordingLogger(),
    monitor: NO_MONITOR,
    storage: { append, recordIdempotent: () => Promise.resolve(), turn: async (_id, turn) => turn.take(undefined) },
    others: { absorb: () => true },
    conflicts: { recorded: () => undefined },
    locks: { changed: () => undefined },
    meta: { changed: () => undefined },
    events: { emit: () => undefined },
    sync: { publish: () => undefined, announce: () => undefined },
    drop: (_live, { code }) => void dropped.push(code),
  });
  const turn: Outcome["turn"] = (live, key) =>
    path.takeTurn(live, [
      {
        write: { kind: "ops", actor: ANONYMOUS, origin: "rest", ops: [{ op: "add", path: `/${key}`, value: 1 }] },
        settle: () => undefined,
        refuse: ({ code }) => void refused.push(`${key} ${code}`),
      },
    ]);
  return { dropped, refused, turn };
}

function liveContext(State = ContextState): LiveContext<PendingWrite> {
  const stored = storedContext();
  return new LiveContext(stored.meta, new State(stored, { nodeClientId: NODE, monotonicMs: 0 }), 0);
}

test("[CTX-3] a refused append drops the context at once, not after the turns before it", async () => {
  const live = liveContext();
  const fail: ((error: Error) => void)[] = [];
  const { dropped, refused, turn } = writePath(() => new Promise((_resolve, reject) => void fail.push(reject)));
  turn(live, "first");
  turn(live, "second");
  fail[1]?.(new ServiceError("STORE_UNAVAILABLE", "full"));
  await new Promise((resolve) => void setImmediate(resolve));
  expect(dropped).toEqual(["STORE_UNAVAILABLE"]);
  expect(refused).toEqual(["second STORE_UNAVAILABLE"]);
});

/** The policy of a conflict writes something that breaks. */
class BreakingPolicy extends ContextState {
  override takeResolutions(): readonly OpsWrite[] {
    const ops = (): never => {
      throw new TypeError("a defect");
    };
    return [{ kind: "ops", actor: ANONYMOUS, origin: "resolver", ops }];
  }
}

test("[STATE-4] what the server's own write breaks is not blamed on whoever wrote in that turn", () => {
  const { dropped, refused, turn } = writePath(() => new Promise(() => undefined));
  turn(liveContext(BreakingPolicy), "innocent");
  expect(dropped).toEqual(["STORE_UNAVAILABLE"]);
  expect(refused).toEqual(["innocent STORE_UNAVAILABLE"]);
});

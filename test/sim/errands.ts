/**
 * What a program on REST does beside reading and changing: it counts by reading and writing, looks back, compares,
 * restores, undoes, names versions, compacts, and settles conflicts.
 *
 * Each errand is one person's: it may fail in the middle, and then is not taken up again.
 */
import type { JsonOp } from "../../shared/change.ts";
import { ServiceError } from "../../shared/errors.ts";
import type { ContextId } from "../../shared/ids.ts";
import { isJsonObject } from "../../shared/json.ts";
import { parseActor } from "../../shared/ids.ts";
import type { Caller } from "../../server/context-service.ts";
import { PLACES } from "./habits.ts";
import type { Answer, KeyedChange, Ledger } from "./ledger.ts";
import type { Random } from "./random.ts";
import type { SimService } from "./server-life.ts";

/** Who runs it, and how the server is reached. */
export interface Runner {
  readonly caller: Caller;
  readonly contextId: ContextId;
  readonly ledger: Ledger;
  readonly random: Random;
  /** Actors that may have written. */
  readonly others: readonly string[];
  /** Of the newest that it was told of. */
  readonly version: number;
  readonly change: (change: KeyedChange) => Promise<Answer>;
  /** Fencing tokens to show with the next write: of locks that it has, or had. */
  readonly tokens: () => readonly number[];
  /** One attempt. `left` sees the answer when it leaves the server. @throws {ServiceError} */
  readonly call: <T>(ask: (service: SimService) => Promise<T>, left: (answer: T) => void) => Promise<T>;
}

type Run = (runner: Runner, mark: string) => Promise<void>;

const TRIES_MAX = 4;

const RUNS = {
  count: (runner, mark) => count(runner, mark, "paths"),
  "count alone": (runner, mark) => count(runner, mark, "context"),
  "look back": async ({ random, version, ...runner }) => {
    await lookBack({ ...runner, random, version }, random.below(version + 1));
  },
  compare: async ({ caller, contextId, ledger, random, version, call }) => {
    const [from, to] = [random.below(version + 1), random.below(version + 1)];
    await call(
      async (service) => service.history.diff(caller, contextId, { from, to, path: "" }),
      ({ changes }) => ledger.diffs.push({ from, to, changes }),
    );
  },
  blame: async ({ caller, contextId, random, call }) => {
    const path = random.pick(["", ...PLACES]);
    await call(async (service) => service.history.blame(caller, contextId, { path }), nothing);
  },
  restore: async ({ caller, contextId, ledger, random, version: newest, call, tokens }, mark) => {
    const version = random.below(newest + 1);
    const path = random.pick(["", ...PLACES]);
    const [message, dryRun] = [`restore ${mark}`, random.percent(20)];
    // before the context's first change there was nothing, not even the counters
    if (version === 0) return;
    ledger.restores.set(message, { version, path });
    const shown = shownWith(ledger, message, tokens());
    await call(
      async (service) => service.history.restore(caller, contextId, { version, path, dryRun, ...shown }),
      (outcome) => {
        ledger.sawVersion(outcome.version);
        if (!dryRun && outcome.kept.length === 0) ledger.restored.push({ message, version: outcome.version });
      },
    );
  },
  undo: async ({ caller, contextId, ledger, others, random, version, call, tokens }, mark) => {
    const actor = parseActor(random.pick(others) ?? "nobody");
    const from = random.below(version + 1);
    const request = { actor, from, to: version + 1, path: random.pick(PLACES) };
    const shown = shownWith(ledger, `undo ${mark}`, tokens());
    await call(
      async (service) => service.history.undo(caller, contextId, { ...request, ...shown }),
      (outcome) => ledger.sawVersion(outcome.version),
    );
  },
  name: async ({ caller, contextId, ledger, random, version, call }, mark) => {
    const [old] = [...ledger.names.keys()];
    if (old !== undefined && random.percent(25)) {
      ledger.names.delete(old);
      return call(async (service) => service.history.forgetCheckpoint(caller, contextId, old), nothing);
    }
    const request = { name: mark, ...(random.percent(50) ? { version: random.below(version + 1) } : {}) };
    await call(
      async (service) => service.history.nameCheckpoint(caller, contextId, request),
      (named) => void ledger.names.set(named.name, named.version),
    );
  },
  compact: async ({ caller, contextId, ledger, call }) => {
    await call(
      async (service) => service.history.compact(caller, contextId),
      ({ epoch, version }) => {
        ledger.epoch(epoch);
        ledger.sawVersion(version);
      },
    );
  },
  settle,
} satisfies Record<string, Run>;

export type Errand = keyof typeof RUNS;
export const ERRANDS = Object.keys(RUNS) as Errand[];

/** Never rejects. */
export async function runErrand(errand: Errand, runner: Runner, mark: string): Promise<void> {
  const run: Run = RUNS[errand];
  try {
    await run(runner, mark);
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
  }
}

/** Reads an old version. */
export async function lookBack({ caller, contextId, ledger, call }: Runner, version: number): Promise<void> {
  try {
    await call(
      async (service) => service.read(caller, contextId, { path: "", version }),
      ({ data, head }) => ledger.sawRead(head.version, data),
    );
  } catch (error) {
    // who was told the version's number is not told that there is no such version yet
    if (error instanceof ServiceError && error.code === "VERSION_NOT_FOUND") ledger.gone.push(version);
  }
}

/** Reads, and writes one more for the version that was read; again when somebody was faster. */
async function count(runner: Runner, mark: string, ifVersionScope: "paths" | "context"): Promise<void> {
  const { caller, contextId, ledger, call, change } = runner;
  for (let tries = 1; tries <= TRIES_MAX; tries++) {
    const { head, data } = await call(
      async (service) => service.read(caller, contextId, { path: "" }),
      (read) => ledger.sawRead(read.head.version, read.data),
    );
    const tally = isJsonObject(data) ? Number(data["tally"]) : 0;
    const answer = await change({
      key: `${mark}.${tries}`,
      ops: [{ op: "replace", path: "/tally", value: tally + 1 }],
      ifVersion: head.version,
      ifVersionScope,
      counts: { tally: 1 },
    });
    if (answer.kind === "done") return;
  }
}

async function settle({ caller, contextId, ledger, random, call, tokens }: Runner, mark: string): Promise<void> {
  const { items } = await call(
    async (service) => service.conflicts.list(caller, contextId, { limit: 20 }),
    (page) => {
      for (const { id, status } of page.items) ledger.sawConflict(id, status);
    },
  );
  const conflict = random.pick(items.filter(({ status }) => status !== "resolved"));
  if (conflict === undefined) return;
  const own: readonly JsonOp[] = [{ op: "add", path: "/k3", value: mark }];
  const take = random.pick<"winner" | "loser" | readonly JsonOp[]>(["winner", "loser", own, []]);
  const request = { conflictId: conflict.id, take, ...shownWith(ledger, `settle ${mark}`, tokens()) };
  await call(
    async (service) => service.conflicts.resolve(caller, contextId, request),
    (outcome) => {
      ledger.sawVersion(outcome.version);
      ledger.sawConflict(outcome.conflict.id, outcome.conflict.status);
    },
  );
}

function shownWith({ locks }: Ledger, message: string, tokens: readonly number[]) {
  locks.tokensOf.set(message, tokens);
  return { message, ...(tokens.length === 0 ? {} : { lockTokens: tokens }) };
}

const nothing = (): void => undefined;

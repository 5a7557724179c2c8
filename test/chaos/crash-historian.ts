/**
 * The one who works with the past while the server is killed: writes for the version it read, counts by compare-and-set,
 * names versions, reads old ones, restores its notes, and compacts.
 *
 * `/notes` is nobody else's, so a change of it for the version that was read is never refused.
 */
import type { JsonOp } from "../../shared/change.ts";
import type { ContextView } from "../../shared/protocol/rest.ts";
import { RestCaller, RestRefusal } from "../support/rest-caller.ts";
import { SHARED_COUNTER, keyOf } from "./crash-model.ts";
import { partsOf } from "./crash-journal.ts";
import type { Attempt, Past } from "./crash-past.ts";
import { answered, ignoreIfDead } from "./crash-stage.ts";
import type { Participant, Stage } from "./crash-stage.ts";

const NOTES_MAX = 8;
const DROPPED: ReadonlySet<string | undefined> = new Set(["VERSION_NOT_FOUND", "STORE_UNAVAILABLE"]);

interface Historian extends Stage {
  readonly name: string;
  readonly rest: RestCaller;
}

/** Returns the version that it made or was told of. */
type Errand = (who: Historian, present: ContextView, n: number) => Promise<number>;

/** What one round does all at once; of the last three, which might meet in the notes, one. */
const ALWAYS: readonly Errand[] = [count, lookBack, name];
const ONE_OF: readonly [Errand, ...Errand[]] = [note, note, restore, compact];

export const historian: Participant = async (stage, who) => {
  const { url, contextId, journal, dead, random, entered } = stage;
  const rest = new RestCaller(url, who);
  const round = async (n: number): Promise<void> => {
    const present = await rest.read(contextId);
    journal.shown(who, present.version, present.data);
    journal.past.read(present.version, present.data);
    journal.inEpoch(present.epoch);
    const errands = [...ALWAYS, random.pick(ONE_OF)];
    const run = async (errand: Errand, at: number): Promise<void> =>
      journal.told(await errand({ ...stage, name: who, rest }, present, n * errands.length + at));
    await Promise.all(errands.map(run));
  };
  try {
    for (let n = 1; !dead.aborted; n++) {
      await answered(stage, round(n));
      // the server lives at least as long as its first round takes
      if (n === 1) await entered();
    }
  } catch (error) {
    ignoreIfDead(dead, error);
  }
};

/** Asks once more, on a server that runs, what was left unanswered: it takes effect once, or never. */
export async function attemptAgain({ url, contextId }: Pick<Stage, "url" | "contextId">, past: Past): Promise<void> {
  for (const [key, attempt] of past.attempts) {
    if (attempt.outcome === undefined) await carryOut(new RestCaller(url, attempt.by), { contextId, key, attempt });
  }
}

async function note({ rest, contextId, name: who }: Historian, { version }: ContextView, n: number): Promise<number> {
  const ops: JsonOp[] = [{ op: "add", path: `/notes/n${n % NOTES_MAX}`, value: `${who} ${n}` }];
  return (await rest.change(contextId, ops, keyOf(who, n), { ifVersion: version })).version;
}

async function count(who: Historian, { version, data }: ContextView, n: number): Promise<number> {
  const value = Number(partsOf(data).counters[SHARED_COUNTER] ?? 0) + 1;
  const key = keyOf(who.name, n);
  const attempt: Attempt = { by: who.name, value, ifVersion: version, outcome: undefined };
  who.journal.past.attempts.set(key, attempt);
  return (await carryOut(who.rest, { contextId: who.contextId, key, attempt })) ?? version;
}

/** The version it made; undefined when somebody was faster. */
async function carryOut(
  rest: RestCaller,
  { contextId, key, attempt }: { readonly contextId: string; readonly key: string; readonly attempt: Attempt },
): Promise<number | undefined> {
  const ops: JsonOp[] = [{ op: "add", path: `/counters/${SHARED_COUNTER}`, value: attempt.value }];
  try {
    const { version } = await rest.change(contextId, ops, key, { ifVersion: attempt.ifVersion });
    attempt.outcome = "done";
    return version;
  } catch (error) {
    if (!(error instanceof RestRefusal) || error.code !== "VERSION_CONFLICT") throw error;
    attempt.outcome = "refused";
    return undefined;
  }
}

async function lookBack({ rest, contextId, journal, random }: Historian, { version }: ContextView): Promise<number> {
  const known = [...journal.past.versions.keys()];
  const old = random.percent(50) ? (random.pick(known) ?? version) : random.below(version + 1);
  await ifKept(async () => journal.past.read(old, (await rest.read(contextId, old)).data));
  return version;
}

async function name(who: Historian, { version }: ContextView, n: number): Promise<number> {
  const { rest, contextId, journal, random } = who;
  const old = random.pick([...journal.past.versions.keys()]) ?? version;
  await ifKept(async () => {
    const named = await rest.nameVersion(contextId, keyOf(who.name, n), old);
    journal.past.names.set(named.name, named.version);
  });
  return version;
}

async function restore({ rest, contextId, journal, random }: Historian, { version }: ContextView): Promise<number> {
  const from = random.pick([...journal.past.versions.keys()]) ?? version;
  let at = version;
  await ifKept(async () => {
    at = (await rest.restore(contextId, from, "/notes")).version;
    journal.past.restored.push({ at, from });
  });
  return at;
}

async function compact({ rest, contextId, journal }: Historian): Promise<number> {
  const { version, epoch } = await rest.compact(contextId);
  journal.inEpoch(epoch);
  return version;
}

/** An old version may be dropped by now, or while it is read. */
async function ifKept(task: () => Promise<void>): Promise<void> {
  try {
    await task();
  } catch (error) {
    if (!(error instanceof RestRefusal) || !DROPPED.has(error.code)) throw error;
  }
}

/**
 * The judgement after a crash: is everything that anyone was told or shown still there, and nothing twice?
 *
 * Each check takes what a fresh client finds on the restarted server and returns sentences, one per fault.
 */
import { isDeepStrictEqual } from "node:util";
import * as Y from "yjs";
import type { ChangeView, ContextView } from "../../shared/protocol/rest.ts";
import { RestCaller } from "../support/rest-caller.ts";
import { openStockClient } from "../support/stock-client.ts";
import { attemptAgain } from "./crash-historian.ts";
import { canonical, countOf, partsOf } from "./crash-journal.ts";
import type { Journal } from "./crash-journal.ts";
import { SHARED_COUNTER, liveState } from "./crash-model.ts";
import { documentOf, judgeSights } from "./crash-sights.ts";
import { checkPast } from "./crash-past.ts";
import type { Past } from "./crash-past.ts";
import { askAgain } from "./crash-writers.ts";

/** Changes of a context that the server under test keeps at most; three quarters of them it keeps in any case. */
export const HISTORY_CHANGES = 400;

interface Place {
  readonly url: string;
  readonly contextId: string;
}

/** What earlier trials in the same context left: final, since their writers are gone. */
export interface Settled {
  readonly live: Map<string, number>;
  readonly counters: Map<string, number>;
  readonly past: Past;
}

/** Looks at the context without writing. */
export async function checkSurvival(place: Place, journal: Journal, settled: Settled): Promise<string[]> {
  const rest = new RestCaller(place.url, "judge");
  const { contextId } = place;
  const context = await rest.read(contextId);
  const changes = await rest.changes(contextId);
  const state = await freshState(place);
  const oldest = context.version - changes.length;
  const lostPast = await checkPast(journal.past, { rest, contextId, oldest });
  // what documents of earlier epochs said goes into the journal; it may take seconds, in which connections go stale
  const missing = judgeSights(state, context.epoch, journal);
  return [
    ...journal.faults,
    ...missing,
    ...lostPast,
    ...(context.epoch < journal.epoch ? [`epoch ${journal.epoch} was announced, it is ${context.epoch}`] : []),
    ...wrongData(context, journal, settled),
    ...(isDeepStrictEqual(jsonOf(state), context.data) ? [] : ["the Yjs document and the JSON differ"]),
    ...wrongVersions(context, changes, journal),
  ];
}

/** Asks again what was left unanswered: whether or not it was carried out, each request must count once. */
export async function checkExactness(place: Place, journal: Journal, settled: Settled): Promise<string[]> {
  const rest = new RestCaller(place.url, "judge");
  const faults: string[] = [];
  for (const [name, requests] of journal.asked) {
    const unanswered = [...requests].filter(([, version]) => version === undefined).map(([n]) => n);
    const lastAnswered = [...requests].findLast(([, version]) => version !== undefined)?.[0];
    const again = lastAnswered === undefined ? unanswered : [lastAnswered, ...unanswered];
    const versions = await Promise.all(again.map((n) => askAgain(place, name, n)));
    again.forEach((n, index) => journal.answered(name, n, versions[index] ?? 0));
    settled.counters.set(name, requests.size);
    settled.counters.set(SHARED_COUNTER, (settled.counters.get(SHARED_COUNTER) ?? 0) + requests.size);
  }
  await attemptAgain(place, journal.past);
  const done = [...journal.past.attempts.values()].filter(({ outcome }) => outcome === "done").length;
  settled.counters.set(SHARED_COUNTER, (settled.counters.get(SHARED_COUNTER) ?? 0) + done);
  faults.push(...journal.faults);
  const { data } = await rest.read(place.contextId);
  const found = Object.fromEntries(Object.entries(partsOf(data).counters));
  const wanted = Object.fromEntries([...settled.counters].filter(([, count]) => count > 0));
  if (!isDeepStrictEqual(found, wanted))
    faults.push(`the counters are ${JSON.stringify(found)}, not ${JSON.stringify(wanted)}`);
  settled.past.takeOver(journal.past);
  for (const [name, state] of Object.entries(partsOf(data).live)) settled.live.set(name, countOf(state));
  return faults;
}

/** The context as a client that has just come sees it. */
async function freshState(place: Place): Promise<Uint8Array> {
  const client = openStockClient({ ...place, actor: "judge" });
  await client.synced();
  const state = Y.encodeStateAsUpdate(client.doc);
  client.close();
  return state;
}

function jsonOf(state: Uint8Array): unknown {
  return documentOf(state).getMap("data").toJSON();
}

function wrongData({ data }: ContextView, journal: Journal, settled: Settled): string[] {
  const { live, counters } = partsOf(data);
  const counts = new Map(Object.entries(live).map(([name, state]) => [name, countOf(state)]));
  const halved = [...counts].filter(([name, count]) => !isDeepStrictEqual(live[name], liveState(count)));
  const moved = [...settled.live].filter(([name, count]) => counts.get(name) !== count);
  return [
    ...halved.map(([name]) => `${name} is no state it ever had: ${JSON.stringify(live[name])}`),
    ...moved.map(([name, count]) => `${name} of an earlier trial was at ${count} and is at ${counts.get(name)}`),
    ...below(journal.live, counts),
    ...below(
      new Map([...settled.counters, ...journal.counters, ...answeredCounts(journal)]),
      new Map(Object.entries(counters)),
    ),
  ];
}

function answeredCounts({ asked }: Journal): Map<string, number> {
  return new Map(
    [...asked].map(([name, requests]) => [name, [...requests.values()].filter((it) => it !== undefined).length]),
  );
}

function below(floors: ReadonlyMap<string, number>, found: ReadonlyMap<string, unknown>): string[] {
  const low = [...floors].filter(([name, floor]) => Number(found.get(name) ?? 0) < floor);
  return low.map(([name, floor]) => `${name} was known to be at ${floor} and is at ${String(found.get(name))}`);
}

function wrongVersions({ version }: ContextView, changes: readonly ChangeView[], journal: Journal): string[] {
  const faults: string[] = [];
  const oldest = version - changes.length;
  const gap = changes.findIndex((change, index) => change.version !== oldest + index + 1);
  if (gap >= 0)
    faults.push(`of ${changes.length} changes up to ${version} the ${gap + 1}-th has version ${changes[gap]?.version}`);
  if (oldest > 0 && changes.length < (HISTORY_CHANGES * 3) / 4) faults.push(`only ${changes.length} changes are kept`);
  if (version < journal.version) faults.push(`version ${journal.version} was announced, the context is at ${version}`);
  for (const [number, text] of journal.records) {
    if (number <= oldest) continue;
    const change = changes[number - oldest - 1];
    const found = change === undefined ? "nothing" : canonical(change);
    if (found !== text) faults.push(`version ${number} was shown as ${text} and is ${found}`);
  }
  return faults;
}

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
import { canonical, countOf, partsOf } from "./crash-journal.ts";
import type { Journal } from "./crash-journal.ts";
import { SHARED_COUNTER, liveState } from "./crash-model.ts";
import { askAgain } from "./crash-writers.ts";

interface Place {
  readonly url: string;
  readonly contextId: string;
}

/** What earlier trials in the same context left: final, since their writers are gone. */
export interface Settled {
  readonly live: Map<string, number>;
  readonly counters: Map<string, number>;
}

/** Looks at the context without writing. */
export async function checkSurvival(place: Place, journal: Journal, settled: Settled): Promise<string[]> {
  const rest = new RestCaller(place.url, "judge");
  const context = await rest.read(place.contextId);
  const changes = await rest.changes(place.contextId);
  const state = await freshState(place);
  return [
    ...journal.faults,
    ...missingUpdates(state, journal),
    ...wrongData(context, journal, settled),
    ...(isDeepStrictEqual(jsonOf(state), context.data) ? [] : ["the Yjs document and the JSON differ"]),
    ...wrongVersions(context, changes, journal),
  ];
}

/** Asks again what was left unanswered: whether or not it was carried out, each request must count once. */
export async function checkExactness(place: Place, journal: Journal, settled: Settled): Promise<string[]> {
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
  faults.push(...journal.faults);
  const { data } = await new RestCaller(place.url, "judge").read(place.contextId);
  const found = Object.fromEntries(Object.entries(partsOf(data).counters));
  const wanted = Object.fromEntries([...settled.counters].filter(([, count]) => count > 0));
  if (!isDeepStrictEqual(found, wanted))
    faults.push(`the counters are ${JSON.stringify(found)}, not ${JSON.stringify(wanted)}`);
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

function documentOf(state: Uint8Array): Y.Doc {
  const doc = new Y.Doc();
  doc.getMap("data");
  Y.applyUpdate(doc, state);
  return doc;
}

function jsonOf(state: Uint8Array): unknown {
  return documentOf(state).getMap("data").toJSON();
}

/** An update that the server showed must say nothing new to the restarted server's document. */
export function missingUpdates(state: Uint8Array, { updates }: Pick<Journal, "updates">): string[] {
  if (
    isContained(
      state,
      updates.map(({ update }) => update),
    )
  )
    return [];
  const missing = updates.filter(({ update }) => !isContained(state, [update]));
  return missing.map(
    ({ by, update }) => `${by} was shown ${Y.decodeUpdate(update).structs.length} structs that are gone`,
  );
}

function isContained(state: Uint8Array, updates: readonly Uint8Array[]): boolean {
  const doc = documentOf(state);
  const before = Y.snapshot(doc);
  doc.transact(() => {
    for (const update of updates) Y.applyUpdate(doc, update);
  });
  const isWaiting = doc.store.pendingStructs !== null || doc.store.pendingDs !== null;
  return !isWaiting && Y.equalSnapshots(before, Y.snapshot(doc));
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
  const gap = changes.findIndex((change, index) => change.version !== index + 1);
  if (gap >= 0) faults.push(`the ${gap + 1}-th change has version ${changes[gap]?.version}`);
  if (changes.length !== version)
    faults.push(`the context is at version ${version}, its history has ${changes.length} changes`);
  if (version < journal.version) faults.push(`version ${journal.version} was announced, the context is at ${version}`);
  for (const [number, text] of journal.records) {
    const change = changes[number - 1];
    const found = change === undefined ? "nothing" : canonical(change);
    if (found !== text) faults.push(`version ${number} was shown as ${text} and is ${found}`);
  }
  return faults;
}

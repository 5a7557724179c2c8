/**
 * What replicas were shown, held against the context after a crash.
 *
 * 1. What a document of the present epoch was shown must say nothing new to the restarted server's document.
 * 2. A document of an earlier epoch shares no content with it, only what it said: that is judged as a read of the data is,
 *    without what its own client wrote, of which nobody knows whether it was saved.
 */
import * as Y from "yjs";
import { isJsonObject } from "../../shared/json.ts";
import { partsOf } from "./crash-journal.ts";
import type { Journal, Sight } from "./crash-journal.ts";

interface Shown {
  readonly by: string;
  readonly update: Uint8Array;
}

/** Of earlier epochs, the journal takes down what they said. */
export function judgeSights(state: Uint8Array, epoch: number, journal: Journal): string[] {
  const ids = new Set(Y.parseUpdateMeta(state).to.keys());
  const isOfEpoch = ({ epochMin, doc }: Sight): boolean => epochMin === epoch || knowsOneOf(doc, ids);
  for (const sight of journal.sights) if (!isOfEpoch(sight)) takeDown(sight, journal);
  const current = journal.sights.filter(isOfEpoch);
  return missingUpdates(
    state,
    current.flatMap(({ by, updates }) => updates.map((update) => ({ by, update }))),
  );
}

/** An update that the server showed must say nothing new to the restarted server's document. */
export function missingUpdates(state: Uint8Array, shown: readonly Shown[]): string[] {
  const all = shown.map(({ update }) => update);
  if (isContained(state, all)) return [];
  const missing = shown.filter(({ update }) => !isContained(state, [update]));
  return missing.map(
    ({ by, update }) => `${by} was shown ${Y.decodeUpdate(update).structs.length} structs that are gone`,
  );
}

export function documentOf(state: Uint8Array): Y.Doc {
  const doc = new Y.Doc();
  doc.getMap("data");
  Y.applyUpdate(doc, state);
  return doc;
}

function takeDown({ by, doc }: Sight, journal: Journal): void {
  const data: unknown = doc.getMap("data").toJSON();
  if (!isJsonObject(data) || !("live" in data)) return;
  const { live } = partsOf(data);
  const others = Object.fromEntries(Object.entries(live).filter(([name]) => name !== by));
  journal.shown(by, 0, { ...data, live: others });
}

function knowsOneOf(doc: Y.Doc, ids: ReadonlySet<number>): boolean {
  return [...doc.store.clients.keys()].some((id) => ids.has(id));
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

/**
 * What a writer writes, so that any state of the context tells how far it got, and whether a change was halved.
 *
 * A live writer's n-th edit is one transaction on an object of its own, `/live/<name>`; the object after n edits is
 * `liveState(n)` and nothing else. An asking writer's n-th request adds 1 to a counter of its own and to a shared one.
 */
import * as Y from "yjs";
import type { JsonOp } from "../../shared/change.ts";
import type { JsonObject } from "../../shared/json.ts";

export const EMPTY_DATA: JsonObject = { live: {}, counters: {}, notes: {} };
export const SHARED_COUNTER = "shared";

/** Each third edit takes away what the one before it had put in. */
const removes = (n: number): boolean => n % 3 === 0;

/** Makes the n-th edit, n from 1. Called inside of a transaction. */
export function editLive(data: Y.Map<unknown>, name: string, n: number): void {
  const live = data.get("live");
  if (!(live instanceof Y.Map)) throw new Error("the context has no object `live`");
  if (n === 1) live.set(name, new Y.Map());
  const own: unknown = live.get(name);
  if (!(own instanceof Y.Map)) throw new Error(`the object of ${name} is gone`);
  own.set("count", n);
  own.set(`edit${n}`, n);
  if (removes(n)) own.delete(`edit${n - 1}`);
}

/** The object of a live writer after n edits. */
export function liveState(n: number): JsonObject {
  const edits = Array.from({ length: n }, (_, index) => index + 1);
  const left = edits.filter((edit) => edit === n || !removes(edit + 1));
  return { count: n, ...Object.fromEntries(left.map((edit) => [`edit${edit}`, edit])) };
}

export function countOps(name: string): JsonOp[] {
  return [name, SHARED_COUNTER].map((counter) => ({ op: "increment", path: `/counters/${counter}`, by: 1 }));
}

export const keyOf = (name: string, n: number): string => `${name}-${n}`;

/**
 * Puts unsaved edits into another document than the one they were made in, after an edit before them was refused.
 *
 * Invariants (SDK-11):
 *  1. An edit goes in whole or not at all: one whose content would vanish, or wait for what is not there, stays out. Yjs
 *     collects without a word what is put into, or beside, something that was collected, such as the void of a refusal.
 *  2. The clocks of a refused edit stay taken: what its author wrote next is preceded by its void where the server has none.
 *
 * Not here: what becomes of the edits (replica.ts).
 */
import * as Y from "yjs";
import { voidOf } from "../shared/void-update.ts";
import type { ClockRange } from "../shared/void-update.ts";
import { isComplete } from "./old-document.ts";

export class Replay {
  readonly #doc: Y.Doc;
  readonly #refused: ClockRange[];
  /** Where it is tried first: what went in cannot be taken out. */
  #trial: Y.Doc | undefined;

  /** `refused` are edits that came before those that are put in. */
  constructor(doc: Y.Doc, refused: readonly Uint8Array[]) {
    this.#doc = doc;
    this.#refused = refused.flatMap(clocksOf);
  }

  /** Puts an edit in, those before it first. Returns it with the voids that it needs; undefined when it cannot be. */
  put(edit: Uint8Array, origin: unknown): Uint8Array | undefined {
    this.#trial ??= copyOf(this.#doc);
    const missing = voidOf(this.#missing(this.#trial, edit));
    const update = missing === undefined ? edit : Y.mergeUpdates([missing, edit]);
    const known = Y.decodeStateVector(Y.encodeStateVector(this.#trial));
    Y.applyUpdate(this.#trial, update);
    if (isComplete(this.#trial) && hasArrived(this.#trial, edit, known)) {
      Y.applyUpdate(this.#doc, update, origin);
      return update;
    }
    this.#trial = undefined;
    this.#refused.push(...clocksOf(edit));
    return undefined;
  }

  /** The document has all that this edit says, and not as a void. */
  includes(edit: Uint8Array): boolean {
    const trial = (this.#trial ??= copyOf(this.#doc));
    const known = Y.decodeStateVector(Y.encodeStateVector(trial));
    let isNews = false;
    trial.once("update", () => (isNews = true));
    Y.applyUpdate(trial, edit);
    if (!isNews && isComplete(trial) && hasArrived(trial, edit, known)) return true;
    this.#trial = undefined;
    return false;
  }

  /** Clocks of refused edits that the document lacks and the edit comes after, up to the first gap. */
  #missing(doc: Y.Doc, edit: Uint8Array): readonly ClockRange[] {
    const missing = new Map<number, ClockRange>();
    for (const { client, from, to } of this.#refused.toSorted((a, b) => a.from - b.from)) {
      const begin = missing.get(client)?.from ?? Y.getState(doc.store, client);
      const end = missing.get(client)?.to ?? begin;
      if (from <= end && to > end) missing.set(client, { client, from: begin, to });
    }
    const ends = endsOf(edit);
    // an earlier edit and a later void would be an update with a hole
    return [...missing.values()].filter(({ client, from }) => (ends.get(client) ?? 0) > from);
  }
}

/**
 * Whether the content of an edit is in a document, which collects nothing by itself. Of what the document knew before
 * (`known`) others may have deleted a part since; a refused edit has been voided whole.
 */
export function hasArrived(doc: Y.Doc, edit: Uint8Array, known: ReadonlyMap<number, number>): boolean {
  const contents = Y.decodeUpdate(edit).structs.filter(
    (struct) => struct instanceof Y.Item && !(struct.content instanceof Y.ContentDeleted),
  );
  const old = contents.filter(({ id, length }) => id.clock + length <= (known.get(id.client) ?? 0));
  const hasOld = old.length === 0 || old.some((struct) => isThere(doc, struct));
  return hasOld && contents.every((struct) => old.includes(struct) || isThere(doc, struct));
}

type Struct = ReturnType<typeof Y.decodeUpdate>["structs"][number];

function isThere({ store }: Y.Doc, { id, length }: Struct): boolean {
  const last = id.clock + length - 1;
  const structs = store.clients.get(id.client);
  if (structs === undefined || last >= Y.getState(store, id.client)) return false;
  return structs[Y.findIndexSS(structs, last)] instanceof Y.Item;
}

function clocksOf(update: Uint8Array): ClockRange[] {
  return Y.decodeUpdate(update).structs.map(({ id: { client, clock }, length }) => ({
    client,
    from: clock,
    to: clock + length,
  }));
}

/** Up to which clocks of each client an edit writes, or deletes. */
function endsOf(edit: Uint8Array): ReadonlyMap<number, number> {
  const { structs, ds } = Y.decodeUpdate(edit);
  const ends = new Map<number, number>();
  const reach = (client: number, end: number): void => void ends.set(client, Math.max(end, ends.get(client) ?? 0));
  for (const { id, length } of structs) reach(id.client, id.clock + length);
  for (const [client, ranges] of ds.clients) for (const { clock, len } of ranges) reach(client, clock + len);
  return ends;
}

function copyOf(doc: Y.Doc): Y.Doc {
  const copy = new Y.Doc({ gc: false });
  Y.applyUpdate(copy, Y.encodeStateAsUpdate(doc));
  return copy;
}

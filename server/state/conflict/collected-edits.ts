/**
 * Edits of which the document keeps nothing: they were written next to what it has collected, so Yjs takes their ids and
 * drops what they say. What they say is read from the update, where they belonged is remembered (collected-places.ts).
 */
import * as Y from "yjs";
import type { ScannedId, ScannedStruct } from "../update/update-scanner.ts";
import type { CollectedPlaces } from "./collected-places.ts";
import type { IncomingUpdate } from "./incoming-update.ts";
import type { LateEdits } from "./lost-edits.ts";
import { pieceOf } from "./value-outline.ts";

/** The new ids of one struct, and the subtree that they were for. */
interface Run {
  readonly clock: number;
  readonly end: number;
  readonly edits: LateEdits;
}

/** Where the edits are from and where their ids are kept; without `update` only that there were edits is known. */
interface Source {
  readonly update?: Uint8Array;
  readonly collected?: CollectedPlaces;
}

/**
 * Gives each edit to its subtree, and remembers its ids as of there.
 * @param beginnings the structs with which runs of such edits begin
 */
export function collectEdits(
  incoming: IncomingUpdate,
  beginnings: ReadonlyMap<ScannedStruct, LateEdits>,
  { update, collected }: Source,
): void {
  const contents = update === undefined ? undefined : contentsOf(update);
  const runs = new Map<number, Run[]>();
  for (const struct of incoming.scanned.structs) {
    const edits = beginnings.get(struct) ?? editsAt(runs, struct.origin ?? struct.rightOrigin ?? struct.parentId);
    if (edits === undefined || !incoming.isNewStruct(struct)) continue;
    const { client, clock, length } = struct;
    const end = clock + length;
    const ofClient = runs.get(client);
    if (ofClient === undefined) runs.set(client, [{ clock, end, edits }]);
    else ofClient.push({ clock, end, edits });
    collected?.add(struct, edits.top.id);
    addTo(edits, incoming, { struct, item: contents?.get(`${client} ${clock}`) });
  }
}

/** `item` is undefined when nobody gave the bytes, or where it only makes a type. */
function addTo(
  edits: LateEdits,
  incoming: IncomingUpdate,
  { struct, item }: { readonly struct: ScannedStruct; readonly item: Y.Item | undefined },
): void {
  const { client, clock, length } = struct;
  const isKept = (offset: number): boolean => {
    const id = { client, clock: clock + offset };
    return incoming.isNew(id) && !incoming.isDeleting(id);
  };
  const piece = item === undefined ? undefined : pieceOf(item.content, item.parentSub, isKept);
  const isSaid = item === undefined ? isKept(length - 1) : piece !== undefined;
  if (isSaid && struct.kind !== "deleted" && struct.kind !== "gc")
    edits.add({ client, clock: clock + length - 1 }, piece);
}

/** Of types that the update creates only what is inside. */
function contentsOf(update: Uint8Array): ReadonlyMap<string, Y.Item> {
  const items = new Map<string, Y.Item>();
  for (const struct of Y.decodeUpdate(update).structs) {
    if (!(struct instanceof Y.Item) || struct.content instanceof Y.ContentType) continue;
    items.set(`${struct.id.client} ${struct.id.clock}`, struct);
  }
  return items;
}

/** The runs of a client come in the order of their clocks. */
function editsAt(runs: ReadonlyMap<number, readonly Run[]>, id: ScannedId | null): LateEdits | undefined {
  const ofClient = id === null ? undefined : runs.get(id.client);
  if (id === null || ofClient === undefined) return undefined;
  let low = 0;
  let high = ofClient.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((ofClient[middle]?.clock ?? 0) <= id.clock) low = middle;
    else high = middle - 1;
  }
  const run = ofClient[low];
  return run !== undefined && run.clock <= id.clock && id.clock < run.end ? run.edits : undefined;
}

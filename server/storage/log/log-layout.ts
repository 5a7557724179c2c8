/**
 * The store as a whole when it is opened: is it ours, can we read it, can it be written. A store of an earlier layout is
 * taken over as it is: its records are read where they are, and are written in today's way when they are written again.
 *
 * Not here: damage of LevelDB's own files (level-folder.ts).
 */
import type { Clock } from "../../clock.ts";
import * as keys from "./log-keys.ts";
import { keysOf } from "./log-reader.ts";
import { damaged, newerFormat, unfinishedCopy } from "./record.ts";
import { decodeNumber, encodeNumber } from "./record-codec.ts";
import type { KeyValueStore, StoreOp, StoreView } from "../store/store.ts";

export interface Layout {
  readonly nodeClientId: number;
  /** Greater than the number of any context that has records. */
  readonly nextNumber: number;
  /** Numbers of deleted contexts whose records are not all gone. */
  readonly unfinishedPurges: readonly number[];
}

/**
 * Reads the layout of an open store, or gives an empty one its own; ends with a synced write.
 * @throws {ServiceError} DATA_DAMAGED, DATA_FORMAT_NEWER
 */
export async function openLayout(store: KeyValueStore, clock: Clock): Promise<Layout> {
  const found = await store.view((view) => readLayout(view, store.location));
  const nodeClientId = found?.nodeClientId ?? newClientId(clock);
  const ops: StoreOp[] = [put(keys.OPEN_KEY, Math.max(0, Math.trunc(clock.nowMs())))];
  if (found?.version !== keys.LAYOUT_VERSION) ops.push(put(keys.FORMAT_KEY, keys.LAYOUT_VERSION));
  if (found === undefined) ops.push(put(keys.NODE_KEY, nodeClientId));
  await store.batch(ops, { sync: true });
  return found ?? { nodeClientId, nextNumber: 1, unfinishedPurges: [] };
}

/** Undefined for an empty store. */
async function readLayout(
  view: StoreView,
  location: string,
): Promise<(Layout & { readonly version: number }) | undefined> {
  const format = await view.get(keys.FORMAT_KEY);
  if (format === undefined) {
    await assertEmpty(view, location);
    return undefined;
  }
  const version = decodeNumber({ key: keys.FORMAT_KEY, value: format, name: `format record of ${location}` });
  if (version > keys.LAYOUT_VERSION) throw newerFormat(`The data in ${location}`);
  const node = await view.get(keys.NODE_KEY);
  if (node === undefined) throw damaged(`The node record of ${location} is missing`, { location });
  const unfinishedPurges = (await keysOf(view, keys.allOf("p"))).map(keys.contextNumberOf);
  const newest = await keysOf(view, { ...keys.allOf("h"), reverse: true, limit: 1 });
  const numbers = [...newest.map(keys.contextNumberOf), ...unfinishedPurges];
  return {
    version,
    nodeClientId: decodeNumber({ key: keys.NODE_KEY, value: node, name: `node record of ${location}` }),
    nextNumber: Math.max(0, ...numbers) + 1,
    unfinishedPurges,
  };
}

async function assertEmpty(view: StoreView, location: string): Promise<void> {
  if ((await view.get(keys.COPY_KEY)) !== undefined) throw unfinishedCopy(location);
  const some = await keysOf(view, { ...keys.EVERYTHING, limit: 1 });
  if (some.length > 0) {
    throw damaged(`${location} holds a database, but not one of this program, or its format record is missing`, {
      location,
    });
  }
}

/** Yjs client ids are 32-bit; 0 would read as "not known". */
function newClientId(clock: Clock): number {
  const id = clock.randomUint32();
  return id === 0 ? 1 : id;
}

function put(key: Uint8Array, value: number): StoreOp {
  return { type: "put", key, value: encodeNumber(key, value) };
}

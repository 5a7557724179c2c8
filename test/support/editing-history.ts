/**
 * Random honest editing: several stock Yjs clients work on one context through a server, some of them offline for a
 * while, with nested types, rich text, deletions and undo. Deterministic in the random source given.
 *
 * No characters beyond U+FFFF: an editor never cuts one in two, these would, and Yjs replicas then disagree about it.
 *
 * Not here: what the server thinks of the updates (the property test hands in a `receive`).
 */
import * as Y from "yjs";

/** Uniform in [0, 1). */
export type Random = () => number;

/** mulberry32. */
export function randomFrom(seed: number): Random {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export const intBelow = (random: Random, end: number): number => Math.floor(random() * end);

export function pick<T>(random: Random, items: readonly [T, ...T[]]): T {
  return items[intBelow(random, items.length)] ?? items[0];
}

interface Writer {
  readonly doc: Y.Doc;
  readonly undo: Y.UndoManager;
  /** Updates made and not sent yet. */
  outbox: Uint8Array[];
  isOnline: boolean;
}

const KEYS = ["a", "b", "c", "ä/~"] as const;

/** What one update was sent for; "set" has the path that must be reported exactly. */
export interface Sent {
  readonly update: Uint8Array;
  /** Path of the only key that a single edit set, where it was one. */
  readonly onlyKey?: string;
}

type Send = (writer: Writer, sent: Sent) => void;

/** Runs `steps` random steps; `receive` is the server: it applies what it gets to `server`. */
export function runHistory(random: Random, steps: number, server: Y.Doc, receive: (sent: Sent) => void): void {
  const writers = Array.from({ length: 3 + intBelow(random, 3) }, (_, i) => makeWriter(i + 1));
  const send: Send = (writer, sent) => {
    receive(sent);
    for (const other of writers)
      if (other !== writer && other.isOnline) Y.applyUpdate(other.doc, sent.update, "remote");
  };
  for (let step = 0; step < steps; step++) {
    const writer = writers[intBelow(random, writers.length)];
    if (writer === undefined) continue;
    const dice = random();
    if (dice < 0.1) writer.isOnline = false;
    else if (dice < 0.25 && !writer.isOnline) reconnect(random, writer, server, send);
    else editOnce(random, writer, send);
  }
  for (const writer of writers) reconnect(random, writer, server, send);
  for (const { doc } of writers) Y.applyUpdate(doc, Y.encodeStateAsUpdate(server, Y.encodeStateVector(doc)), "remote");
  if (writers.some(({ doc }) => canonical(doc) !== canonical(server))) throw new Error("The replicas diverged.");
}

function editOnce(random: Random, writer: Writer, send: Send): void {
  const onlyKey = edit(random, writer);
  if (!writer.isOnline) return;
  const updates = writer.outbox;
  writer.outbox = [];
  for (const update of updates) {
    send(writer, { update, ...(onlyKey !== undefined && updates.length === 1 && { onlyKey }) });
  }
}

/** The order of keys is the order of arrival, which may differ. */
function canonical(doc: Y.Doc): string {
  const sorted = (_: string, value: unknown): unknown =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value;
  return JSON.stringify(doc.getMap("data").toJSON(), sorted);
}

function makeWriter(clientId: number): Writer {
  const doc = new Y.Doc();
  doc.clientID = clientId;
  const data = doc.getMap("data");
  const scope = [data, doc.getText("prose"), doc.getXmlFragment("page")];
  const undo = new Y.UndoManager(scope, { captureTimeout: 0 });
  const writer: Writer = { doc, undo, outbox: [], isOnline: true };
  doc.on("update", (update: Uint8Array, origin: unknown) => {
    if (origin !== "remote") writer.outbox.push(update);
  });
  return writer;
}

/** What a client does after a time offline: as SyncStep2, as the updates it kept, or as these merged. */
function reconnect(random: Random, writer: Writer, server: Y.Doc, send: Send): void {
  const way = pick(random, ["vector", "replay", "merged", "everything"] as const);
  const kept = writer.outbox;
  writer.outbox = [];
  if (way === "vector") send(writer, { update: Y.encodeStateAsUpdate(writer.doc, Y.encodeStateVector(server)) });
  if (way === "everything") send(writer, { update: Y.encodeStateAsUpdate(writer.doc) });
  if (way === "replay") for (const update of kept) send(writer, { update });
  if (way === "merged" && kept.length > 0) send(writer, { update: Y.mergeUpdates(kept) });
  Y.applyUpdate(writer.doc, Y.encodeStateAsUpdate(server, Y.encodeStateVector(writer.doc)), "remote");
  writer.isOnline = true;
  // formats that became needless are removed by every replica on its own
  writer.outbox = [];
}

/** @returns the path of the only key it set, if that is what it did */
function edit(random: Random, { doc, undo }: Writer): string | undefined {
  const dice = random();
  if (dice < 0.08) undo.undo();
  else if (dice < 0.12) undo.redo();
  else if (dice < 0.2) editText(random, doc.getText("prose"));
  else if (dice < 0.26) editXml(random, doc.getXmlFragment("page"));
  else if (dice < 0.36) doc.transact(() => Array.from({ length: 3 }, () => editIn(random, doc.getMap("data"), "")));
  else return editIn(random, doc.getMap("data"), "");
  return undefined;
}

function editIn(random: Random, map: Y.Map<unknown>, path: string | undefined): string | undefined {
  const key = pick(random, KEYS);
  const below = path === undefined ? undefined : `${path}/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`;
  const value = map.get(key);
  const dice = random();
  if (value instanceof Y.Map && dice < 0.7) return editIn(random, value, below);
  if (value instanceof Y.Array && dice < 0.7) {
    editList(random, value);
    return undefined;
  }
  if (value instanceof Y.Text && dice < 0.7) {
    editText(random, value);
    return undefined;
  }
  if (dice > 0.9) {
    map.delete(key);
    return undefined;
  }
  map.set(key, newValue(random));
  return below;
}

function newValue(random: Random): unknown {
  const dice = random();
  if (dice < 0.2) return new Y.Map(Object.entries({ a: 1, b: new Y.Map(Object.entries({ c: "deep" })) }));
  if (dice < 0.4) {
    const list = new Y.Array<unknown>();
    list.push([1, { plain: true }, new Y.Map(Object.entries({ a: 1 }))]);
    return list;
  }
  if (dice < 0.6) return new Y.Text("text ✓");
  return pick(random, [null, true, 0.5, -7, "string", { x: [1, "y"] }, 2 ** 40] as const);
}

function editList(random: Random, list: Y.Array<unknown>): void {
  const at = intBelow(random, list.length + 1);
  const value = list.get(at);
  const dice = random();
  if (value instanceof Y.Map && dice < 0.5) editIn(random, value, undefined);
  else if (at < list.length && dice < 0.7) list.delete(at, 1 + intBelow(random, Math.min(2, list.length - at)));
  else list.insert(at, random() < 0.3 ? [newValue(random)] : [1, 2]);
}

function editText(random: Random, text: Y.Text): void {
  const at = intBelow(random, text.length + 1);
  const rest = Math.min(3, text.length - at);
  const dice = random();
  if (dice < 0.6 || rest === 0) text.insert(at, pick(random, ["a", "word ", "é✓"] as const));
  else if (dice < 0.8) text.delete(at, rest);
  else if (dice < 0.95) text.format(at, rest, { bold: random() < 0.5 ? true : null });
  else text.insertEmbed(at, { image: "x" });
}

function editXml(random: Random, page: Y.XmlFragment): void {
  const first = page.length > 0 ? page.get(0) : undefined;
  if (first instanceof Y.XmlElement && random() < 0.6) {
    first.setAttribute("id", "x");
    first.insert(0, [new Y.XmlText("t")]);
  } else if (first !== undefined && random() < 0.3) page.delete(0, 1);
  else page.insert(0, [new Y.XmlElement("p")]);
}

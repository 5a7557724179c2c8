/**
 * What one author of a trace sees: exactly the transactions that the trace says were seen, and nothing else.
 *
 * A replica on the network has others' edits as soon as they come. In the trace an author typed on an older state, as one
 * does who looks at a screen a second behind. So each author has a desk: a document off the network, in which the edits
 * are made, and into which others' transactions are put when the trace says so.
 */
import * as Y from "yjs";
import type { Patch, Trace } from "./trace-file.ts";

export const TEXT = "text";

/** One transaction of a trace as a Yjs update, and what a document that has it must show. */
export interface Shipment {
  readonly update: Uint8Array;
  readonly yjsClientId: number;
  /** The author's clock after it; that of the transaction before if this one only deletes. */
  readonly clock: number;
  readonly insertsText: boolean;
  readonly deleted: readonly { readonly yjsClientId: number; readonly clock: number; readonly length: number }[];
}

export class Desk {
  readonly #doc = new Y.Doc();
  readonly #taken = new Map<number, number>();
  #update: Uint8Array | undefined;

  /**
   * `base` is the state to begin with: an empty text at /text. Of two texts typed at one place at the same time Yjs puts
   * the one of the lower client id first, and in the traces that is the lower author's.
   */
  constructor(base: Uint8Array, author: number) {
    this.#doc.clientID = author + 1;
    Y.applyUpdate(this.#doc, base);
    this.#doc.on("update", (update: Uint8Array) => {
      this.#update = update;
    });
  }

  get content(): string {
    return textOf(this.#doc).toJSON();
  }

  write(patches: readonly Patch[]): Shipment {
    const yjsClientId = this.#doc.clientID;
    const before = Y.getState(this.#doc.store, yjsClientId);
    const text = textOf(this.#doc);
    const { clients } = this.#doc.transact((transaction) => {
      for (const [position, deleteCount, insert] of patches) {
        if (deleteCount > 0) text.delete(position, deleteCount);
        if (insert !== "") text.insert(position, insert);
      }
      return transaction.deleteSet;
    });
    if (this.#update === undefined) throw new Error("a transaction of the trace changes nothing");
    const clock = Y.getState(this.#doc.store, yjsClientId);
    const deleted = [...clients].flatMap(([id, runs]) =>
      runs.map((run) => ({ yjsClientId: id, clock: run.clock, length: run.len })),
    );
    return { update: this.#update, yjsClientId, clock, insertsText: clock > before, deleted };
  }

  /** Puts another author's transactions on the desk, up to the count-th. */
  take(author: number, shipments: readonly Shipment[], count = shipments.length): void {
    for (const { update } of shipments.slice(this.takenOf(author), count)) Y.applyUpdate(this.#doc, update);
    this.#taken.set(author, Math.max(this.takenOf(author), count));
  }

  /** How many of another author's transactions are on the desk. */
  takenOf(author: number): number {
    return this.#taken.get(author) ?? 0;
  }
}

export function textOf(doc: Y.Doc): Y.Text {
  const text = doc.getMap("data").get(TEXT);
  if (text instanceof Y.Text) return text;
  throw new Error(`the document has no text at /${TEXT}`);
}

/** True when the document has all that the shipment holds, deletions too, which have no clock. */
export function hasArrived(doc: Y.Doc, { yjsClientId, clock, deleted }: Shipment): boolean {
  return Y.getState(doc.store, yjsClientId) >= clock && deleted.every((run) => isDeleted(doc, run));
}

function isDeleted(doc: Y.Doc, { yjsClientId, clock, length }: Shipment["deleted"][number]): boolean {
  if (Y.getState(doc.store, yjsClientId) < clock + length) return false;
  for (let at = clock; at < clock + length;) {
    const item = Y.getItem(doc.store, Y.createID(yjsClientId, at));
    if (!item.deleted) return false;
    at = item.id.clock + item.length;
  }
  return true;
}

/** What a context with an empty text begins with, without a server. */
export function emptyBase(): Uint8Array {
  const doc = new Y.Doc();
  doc.getMap("data").set(TEXT, new Y.Text());
  return Y.encodeStateAsUpdate(doc);
}

/** What the text of a trace ends in, by desks alone. @throws when that is not what the file says of a whole trace */
export function endContentOf({ txns, authors, endContent }: Trace): string {
  const base = emptyBase();
  const people = Array.from({ length: authors }, (_, author) => ({
    author,
    desk: new Desk(base, author),
    sent: new Array<Shipment>(),
  }));
  const inOrder: Shipment[] = [];
  for (const { author, seen, patches } of txns) {
    const writer = people[author];
    if (writer === undefined) throw new Error(`the trace has no author ${author}`);
    const others = people.filter((other) => other !== writer);
    for (const other of others) writer.desk.take(other.author, other.sent, seen[other.author]);
    const shipment = writer.desk.write(patches);
    writer.sent.push(shipment);
    inOrder.push(shipment);
  }
  const reader = new Desk(base, authors);
  reader.take(0, inOrder);
  if (endContent !== undefined && reader.content !== endContent)
    throw new Error("Yjs does not end in the trace's endContent.");
  return reader.content;
}

/**
 * The content of the benchmark: valid Yjs updates made before the clock starts, and how to see cheaply that they arrived.
 *
 * A marked update inserts `^~` + writer (3 digits) + sequence number (6 digits) + filler into the text "text". The marks survive
 * whatever a server does with updates (relays, merges, joins, sends as state), so content is counted, not frames.
 *
 * 1. A delivery is an update that reached a client which did not write it; a second copy does not count.
 * 2. Every writer's marks arrive in the order of its sequence numbers: Yjs integrates a client's structs in order.
 *
 * Not here: sending (load-client.ts).
 */
import * as decoding from "lib0/decoding";
import * as Y from "yjs";

const MARK_FIRST = 0x5e; // ^
const MARK_SECOND = 0x7e; // ~
const WRITER_DIGITS = 3;
const SEQUENCE_DIGITS = 6;
const MARK_CHARS = 2 + WRITER_DIGITS + SEQUENCE_DIGITS;
const MARKED_CHARS = 44; // makes an update of about 64 bytes

/** An id as random ids are: five bytes as a varint. */
const yjsClientId = (writer: number): number => 0x8000_0000 + writer * 7919;

export function mark(writer: number, sequence: number): string {
  const name = String(writer).padStart(WRITER_DIGITS, "0") + String(sequence).padStart(SEQUENCE_DIGITS, "0");
  return `^~${name}`.padEnd(MARKED_CHARS, "abcdefgh ");
}

/** `count` updates of about 64 bytes: one writer types, each update at the end of its last. */
export function typing(writer: number, count: number): Uint8Array[] {
  return written(writer, count, (text, i) => text.insert(text.length, mark(writer, i)));
}

/**
 * `count` small updates of one writer at places all over the text, the same on every call: a document of many items. Only the
 * last is marked, so that its arrival can be seen.
 */
export function scattered(count: number): Uint8Array[] {
  let seed = 42;
  return written(0, count, (text, i) => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    text.insert(seed % (text.length + 1), i < count - 1 ? `word ${i} ` : mark(0, 0));
  });
}

function written(writer: number, count: number, write: (text: Y.Text, i: number) => void): Uint8Array[] {
  const updates: Uint8Array[] = [];
  const doc = new Y.Doc();
  doc.clientID = yjsClientId(writer);
  doc.on("update", (update: Uint8Array) => updates.push(update));
  for (let i = 0; i < count; i++) write(doc.getText("text"), i);
  return updates;
}

/** The document that updates make, applied in one transaction. */
export function documentOf(updates: readonly Uint8Array[]): Y.Doc {
  const doc = new Y.Doc();
  doc.transact(() => {
    for (const update of updates) Y.applyUpdate(doc, update);
  });
  return doc;
}

/** What one client has seen of every writer. */
export class Receiver {
  #count = 0;
  readonly #next: Int32Array;
  readonly #own: number;
  readonly #onNew: ((writer: number, sequence: number) => void) | undefined;

  /** @param own the writer whose updates are this client's own, -1 for none */
  constructor(own: number, onNew?: (writer: number, sequence: number) => void) {
    this.#next = new Int32Array(10 ** WRITER_DIGITS);
    this.#own = own;
    this.#onNew = onNew;
  }

  get count(): number {
    return this.#count;
  }

  /** Counts the new marks in `bytes`; returns how many there were. */
  see(bytes: Uint8Array): number {
    const before = this.#count;
    for (let i = 0, last = bytes.length - MARK_CHARS; i <= last; i++) {
      if (bytes[i] !== MARK_FIRST || bytes[i + 1] !== MARK_SECOND) continue;
      const writer = digits(bytes, i + 2, WRITER_DIGITS);
      const sequence = digits(bytes, i + 2 + WRITER_DIGITS, SEQUENCE_DIGITS);
      if (writer < 0 || writer === this.#own || this.#next[writer] !== sequence) continue;
      this.#next[writer] = sequence + 1;
      this.#count += 1;
      this.#onNew?.(writer, sequence);
    }
    return this.#count - before;
  }
}

/** A number of `length` ASCII digits, or -1. */
function digits(bytes: Uint8Array, start: number, length: number): number {
  let value = 0;
  for (let i = start; i < start + length; i++) {
    const digit = (bytes[i] ?? 0) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}

/** The update in a sync message of any server here: type, step, bytes. */
export function updateIn(message: Uint8Array): Uint8Array {
  const decoder = decoding.createDecoder(message);
  decoding.readVarUint(decoder);
  decoding.readVarUint(decoder);
  return decoding.readVarUint8Array(decoder);
}

/** @throws {Error} unless both sequences of sync messages make the same text, of some length, with nothing pending */
export function assertContent(received: readonly Uint8Array[], sent: readonly Uint8Array[]): void {
  const [got, wanted] = [received, sent].map((messages) => documentOf(messages.map(updateIn)).getText("text").toJSON());
  if (got !== wanted || got === "") {
    throw new Error(`A real document got ${got?.length} of ${wanted?.length} characters, or others than were sent.`);
  }
}

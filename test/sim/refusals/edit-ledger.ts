/**
 * What became of live edits, as their authors and their readers know it: who sent which bytes, what was refused or saved,
 * whose content was shown to whom. refusal-audit.ts holds the log against it.
 *
 * An edit is known by its mark, which no other content holds (habits.ts).
 */
import * as Y from "yjs";
import type { ErrorDetails } from "../../../shared/errors.ts";

/**
 * `returned`: its client gave it back, as it builds on what is gone or because nothing may be written. `carried`: it is asked
 * for as a JSON change. `lost`: its page was closed before anything was told.
 */
export type Fate = "open" | "saved" | "refused" | "returned" | "carried" | "lost";

export interface Edit {
  readonly party: string;
  /** Its mark can be seen in what it sends. */
  readonly hasContent: boolean;
  fate: Fate;
}

/** A refusal as its author was told it. */
export interface ToldRefusal {
  readonly party: string;
  readonly actor: string;
  readonly code: string;
  readonly details: ErrorDetails;
  /** Where the edit changed what its author saw. */
  readonly places: readonly string[];
}

export class EditLedger {
  readonly edits = new Map<string, Edit>();
  /** By the bytes of an update: parties that sent it. */
  readonly #senders = new Map<string, Set<string>>();
  /** By mark: parties that sent it, and parties that it was sent to. */
  readonly #authors = new Map<string, Set<string>>();
  readonly #readers = new Map<string, Set<string>>();
  /** By the bytes of an update: the tokens of the locks that its session had when it came; undefined when it came twice. */
  readonly #tokensOf = new Map<string, readonly number[] | undefined>();
  /** Updates that parties sent, by the Yjs client ids that they advance. */
  readonly sent = new Map<number, Uint8Array[]>();
  /** Not yet held against the log. */
  refusals: ToldRefusal[] = [];

  made(mark: string, party: string, update: Uint8Array): void {
    this.edits.set(mark, { party, hasContent: marksIn(update).has(mark), fate: "open" });
  }

  /** The first fate stays: what was refused is not saved. */
  became(mark: string, fate: Fate): void {
    const edit = this.edits.get(mark);
    if (edit?.fate === "open") edit.fate = fate;
  }

  /** A data frame leaves a client. */
  sends(party: string, update: Uint8Array): void {
    for (const mark of marksIn(update)) note(this.#authors, mark, party);
    const isKnown = this.#senders.has(latin1(update));
    note(this.#senders, latin1(update), party);
    if (isKnown) return;
    for (const client of Y.parseUpdateMeta(update).to.keys())
      this.sent.set(client, [...(this.sent.get(client) ?? []), update]);
  }

  /** A data frame comes to the server, in a session that has these locks or had them and did not give them back. */
  reaches(update: Uint8Array, tokens: readonly number[]): void {
    const key = latin1(update);
    this.#tokensOf.set(key, this.#tokensOf.has(key) ? undefined : tokens);
  }

  tokensOf(update: Uint8Array): readonly number[] {
    return this.#tokensOf.get(latin1(update)) ?? [];
  }

  sendersOf(update: Uint8Array): ReadonlySet<string> {
    return this.#senders.get(latin1(update)) ?? NOBODY;
  }

  /** Bytes leave the server for a party. */
  shows(party: string, bytes: Uint8Array): void {
    for (const mark of marksIn(bytes)) note(this.#readers, mark, party);
  }

  knowers(mark: string): { readonly authors: ReadonlySet<string>; readonly readers: ReadonlySet<string> } {
    return { authors: this.#authors.get(mark) ?? NOBODY, readers: this.#readers.get(mark) ?? NOBODY };
  }
}

const NOBODY: ReadonlySet<string> = new Set();

function note(of: Map<string, Set<string>>, key: string, party: string): void {
  const known = of.get(key);
  if (known === undefined) of.set(key, new Set([party]));
  else known.add(party);
}

/** Marks of live edits in an update or a message, where strings lie as they are; a part of an edit has its mark and a letter. */
export function marksIn(bytes: Uint8Array | string): ReadonlySet<string> {
  const text = typeof bytes === "string" ? bytes : latin1(bytes);
  return new Set(text.match(/m\d+\.\d/g) ?? []);
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

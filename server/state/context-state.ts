/**
 * One context in memory: its document, who owns which Yjs client id, and the admission of changes to it.
 *
 * Invariants (STATE):
 *  1. A write is judged before the document is touched: a refusal leaves it as it was.
 *  2. Nothing pending is ever accepted, and no update writes under another actor's Yjs client id or the server's own.
 *  3. `seq` and `version` count what was admitted; the log assigns the same numbers when it appends in the same order.
 *  4. After `admit` the document is usable, or DocumentBroken was thrown and the caller drops this object.
 *
 * Not here: durability (what is admitted may still be lost), sessions, clocks.
 */
import * as Y from "yjs";
import type { ChangeOrigin, JsonOp } from "../../shared/change.ts";
import { ServiceError, toServiceError } from "../../shared/errors.ts";
import type { Actor } from "../../shared/ids.ts";
import { LIMITS } from "../../shared/limits.ts";
import { applyJsonOps } from "./json/json-changes.ts";
import { touchOf } from "./update/touched-paths.ts";
import type { Touch } from "./update/touched-paths.ts";
import { scanUpdate } from "./update/update-scanner.ts";

/** A live Yjs edit that waits for admission. */
export interface UpdateWrite {
  readonly kind: "update";
  readonly actor: Actor;
  readonly update: Uint8Array;
}

/** A JSON change that waits for admission. */
export interface OpsWrite {
  readonly kind: "ops";
  readonly actor: Actor;
  readonly origin: ChangeOrigin;
  readonly ops: readonly JsonOp[];
  readonly ifVersion?: number;
  readonly message?: string;
}

export type Write = UpdateWrite | OpsWrite;

/** A change that was applied in memory and is to be appended to the log. */
export interface AdmittedChange {
  readonly kind: "change";
  readonly actor: Actor;
  readonly origin: ChangeOrigin;
  readonly atMs: number;
  readonly message?: string;
  readonly paths: readonly string[];
  readonly update: Uint8Array;
  /** End clocks of the Yjs client ids that it advances: what a state vector with this change in it says. */
  readonly advances: Touch["advances"];
}

export type Verdict =
  | { readonly kind: "admitted"; readonly change: AdmittedChange }
  /** The write says nothing that the document does not hold already. */
  | { readonly kind: "unchanged" }
  | { readonly kind: "refused"; readonly error: ServiceError };

/** What a context is loaded from; the log's types fit (server/storage/change-log.ts). */
export interface StoredState {
  readonly checkpoint: { readonly state: Uint8Array; readonly owners: readonly (readonly [number, Actor])[] };
  readonly tail: readonly { readonly actor: Actor; readonly update: Uint8Array }[];
  readonly head: { readonly seq: number; readonly version: number; readonly updatedAtMs: number };
}

/** The document threw or stopped working: it and everything admitted in the same turn must be dropped and loaded again. */
export class DocumentBroken extends Error {
  /** Index of the write that did it, in the array given to `admit`. */
  readonly culprit: number;

  constructor(culprit: number, cause: unknown) {
    super("The document cannot be used any more; it must be loaded from the log again.", { cause });
    this.name = "DocumentBroken";
    this.culprit = culprit;
  }
}

/** Marks transactions that replay the log, so that observers can tell them from new writes. */
const FROM_LOG = Symbol("from log");
const LIVE = Symbol("live");

export class ContextState {
  readonly doc: Y.Doc;
  #seq: number;
  #version: number;
  #updatedAtMs: number;
  readonly #nodeClientId: number;
  readonly #owners: Map<number, Actor>;
  /** Encoded size when it was last measured, and the bytes of updates admitted since. */
  #measuredBytes: number;
  #grownBytes = 0;
  /** Something was only deleted since then. */
  #mayHaveShrunk = false;

  constructor(stored: StoredState, nodeClientId: number) {
    this.doc = new Y.Doc();
    this.#nodeClientId = nodeClientId;
    this.#owners = new Map(stored.checkpoint.owners);
    this.#seq = stored.head.seq;
    this.#version = stored.head.version;
    this.#updatedAtMs = stored.head.updatedAtMs;
    this.#measuredBytes = stored.checkpoint.state.byteLength;
    this.doc.transact(() => {
      Y.applyUpdateV2(this.doc, stored.checkpoint.state, FROM_LOG);
      for (const entry of stored.tail) this.#replay(entry.update, entry.actor);
    }, FROM_LOG);
    // Yjs takes a new client id when it sees its own in a remote update: a replay of the server's writes is no such case
    this.doc.clientID = nodeClientId;
  }

  get seq(): number {
    return this.#seq;
  }

  get version(): number {
    return this.#version;
  }

  get updatedAtMs(): number {
    return this.#updatedAtMs;
  }

  /** Bytes of the encoded document, an upper estimate. */
  get bytes(): number {
    return this.#measuredBytes + this.#grownBytes;
  }

  /**
   * Judges and applies writes in order. Neighbouring live updates share one Yjs transaction, which makes each several
   * times cheaper.
   * @throws {DocumentBroken}
   */
  admit(writes: readonly Write[], nowMs: number): Verdict[] {
    const verdicts: Verdict[] = [];
    let at = 0;
    const admitNext = (): void => {
      const write = writes[at];
      if (write === undefined) return;
      verdicts.push(write.kind === "update" ? this.#admitUpdate(write, nowMs) : this.#admitOps(write, nowMs));
      at++;
    };
    try {
      while (at < writes.length) {
        if (writes[at]?.kind === "ops") {
          admitNext();
        } else {
          this.doc.transact(() => {
            while (writes[at]?.kind === "update") admitNext();
          }, LIVE);
        }
      }
      // an exception inside Yjs' clean-up leaves the document deaf for good (notes/yjs.md §4)
      if (this.doc._transaction !== null || this.doc._transactionCleanups.length > 0)
        throw new Error("a transaction was left open");
    } catch (error) {
      throw new DocumentBroken(Math.min(at, writes.length - 1), error);
    }
    return verdicts;
  }

  #admitUpdate(write: UpdateWrite, nowMs: number): Verdict {
    let touch: Touch;
    try {
      touch = touchOf(this.doc, scanUpdate(write.update));
      if (touch.isNoop) return { kind: "unchanged" };
      this.#checkOwners(touch, write.actor);
      // what only deletes is the way out of a full context
      if (touch.advances.length > 0) this.#checkSize(write.update.byteLength);
    } catch (error) {
      return { kind: "refused", error: toServiceError(error) };
    }
    Y.applyUpdate(this.doc, write.update, LIVE);
    for (const { client } of touch.advances) this.#owners.set(client, write.actor);
    return this.#admitted({
      kind: "change",
      actor: write.actor,
      origin: "sync",
      atMs: nowMs,
      paths: touch.paths,
      update: write.update,
      advances: touch.advances,
    });
  }

  #admitOps(write: OpsWrite, nowMs: number): Verdict {
    const update: Uint8Array[] = [];
    const capture = (bytes: Uint8Array): void => void update.push(bytes);
    const client = this.#nodeClientId;
    const from = Y.getState(this.doc.store, client);
    let paths: readonly string[];
    this.doc.clientID = client;
    this.doc.on("update", capture);
    try {
      this.#checkVersion(write.ifVersion);
      if (!write.ops.every((op) => op.op === "remove" || op.op === "test")) this.#checkSize(0);
      paths = applyJsonOps(this.doc, write.ops, write.actor).paths;
    } catch (error) {
      if (error instanceof ServiceError) return { kind: "refused", error };
      throw error;
    } finally {
      this.doc.off("update", capture);
    }
    const [bytes] = update;
    if (bytes === undefined) return { kind: "unchanged" };
    const to = Y.getState(this.doc.store, client);
    return this.#admitted({
      kind: "change",
      actor: write.actor,
      origin: write.origin,
      atMs: nowMs,
      paths,
      update: bytes,
      advances: to > from ? [{ client, from, to }] : [],
      ...(write.message === undefined ? {} : { message: write.message }),
    });
  }

  #admitted(change: AdmittedChange): Verdict {
    this.#seq++;
    this.#version++;
    this.#updatedAtMs = change.atMs;
    this.#grownBytes += change.update.byteLength;
    if (change.advances.length === 0) this.#mayHaveShrunk = true;
    return { kind: "admitted", change };
  }

  #checkOwners(touch: Touch, actor: Actor): void {
    let newIds = 0;
    for (const { client } of touch.advances) {
      const owner = this.#owners.get(client);
      if (owner === undefined) newIds++;
      if (client === this.#nodeClientId || (owner !== undefined && owner !== actor)) {
        throw new ServiceError(
          "CLIENT_ID_TAKEN",
          "The update writes under a Yjs client id that belongs to another actor. Open the context in a new Y.Doc and make the edit again.",
          {
            details: { yjsClientId: client },
          },
        );
      }
    }
    if (newIds > 0 && this.#owners.size + newIds > LIMITS.clientIdsMax) {
      throw new ServiceError(
        "LIMIT_EXCEEDED",
        `The context has been written under ${LIMITS.clientIdsMax} Yjs client ids, which is its limit. Copy its data into a new context.`,
        {
          details: { limit: LIMITS.clientIdsMax },
        },
      );
    }
  }

  #checkVersion(ifVersion: number | undefined): void {
    if (ifVersion === undefined || ifVersion === this.#version) return;
    throw new ServiceError(
      "VERSION_CONFLICT",
      `The context is at version ${this.#version}, the change was made for version ${ifVersion}. Read it again and decide on what it says now.`,
      {
        details: { currentVersion: this.#version, ifVersion },
      },
    );
  }

  /** The estimate only grows, so before a refusal the document is measured; not again until that can tell something new. */
  #checkSize(updateBytes: number): void {
    if (this.bytes + updateBytes <= LIMITS.contextBytesMax) return;
    if (this.#mayHaveShrunk || this.#grownBytes * 16 > LIMITS.contextBytesMax) {
      this.#measuredBytes = Y.encodeStateAsUpdateV2(this.doc).byteLength;
      this.#grownBytes = 0;
      this.#mayHaveShrunk = false;
      if (this.bytes + updateBytes <= LIMITS.contextBytesMax) return;
    }
    throw new ServiceError(
      "LIMIT_EXCEEDED",
      `The context would grow beyond ${LIMITS.contextBytesMax} bytes. Delete content, or split it into several contexts.`,
      {
        details: { limitBytes: LIMITS.contextBytesMax, bytes: this.bytes },
      },
    );
  }

  #replay(update: Uint8Array, actor: Actor): void {
    Y.applyUpdate(this.doc, update, FROM_LOG);
    this.#grownBytes += update.byteLength;
    for (const client of Y.parseUpdateMeta(update).to.keys()) {
      if (client !== this.#nodeClientId && !this.#owners.has(client)) this.#owners.set(client, actor);
    }
  }
}

/**
 * The words for a context as a whole: what is known of it beside its data.
 *
 * Not here: data and changes (change.ts), the wire shapes with their checks (protocol/rest.ts).
 */
import type { Actor, ContextId } from "./ids.ts";
import type { Acl } from "./permission.ts";

/** Set by people and programs; never derived. */
export interface ContextMeta {
  readonly id: ContextId;
  readonly type?: string;
  readonly name?: string;
  readonly description?: string;
  readonly tags: readonly string[];
  readonly createdAtMs: number;
  readonly createdBy: Actor;
  /** Generation of the document: grows when its Yjs history is recreated, or the context deleted and made again. */
  readonly epoch: number;
  /** The epoch in which this context was created: replicas of that epoch or a later one show this context's past. */
  readonly firstEpoch: number;
  /** Random, of this epoch: keeps the Yjs client ids under which servers write different from those of other epochs. */
  readonly authorSalt: number;
  /** Who may do what; until it is set for the first time, its creator alone may. */
  readonly acl?: Acl;
}

/** What an entry of the log changes about a context as a whole. */
export interface MetaChange {
  readonly acl: Acl;
}

/** What can happen to a context. `changed`: its data. `locks`: who holds what in it. `access`: who may do what with it. */
export const CONTEXT_EVENTS = ["created", "changed", "locks", "access", "deleted"] as const;
export type ContextEventKind = (typeof CONTEXT_EVENTS)[number];

/** What is going on in a context, as far as that is known without loading it. */
export interface ContextFigures {
  /** What it takes on disk, log and checkpoints, approximately. */
  readonly diskBytes: number;
  /** Live ones. */
  readonly sessions: number;
  /** Held ones; absent when only loading the context would tell. */
  readonly locks?: number;
  /** Of its newest 100: how many there are, and how many of these are open. Absent when too many others had to be looked at. */
  readonly conflicts?: { readonly recent: number; readonly open: number };
}

/** Where a context's log ends. Version 0 at seq 0 is the context as it was created. */
export interface ContextHead {
  /** Position of the last entry. */
  readonly seq: number;
  /** Number of changes so far. */
  readonly version: number;
  /** Seq of the last entry that can alter admission (lock or meta). */
  readonly lockSeq: number;
  readonly updatedAtMs: number;
}

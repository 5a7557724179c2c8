/**
 * What the server says of changes, conflicts, checkpoints and types, in the words of shared/: its REST answers and events
 * have a time as an ISO date (`at`), the SDK has milliseconds (`atMs`) everywhere.
 */
import type { ChangeRecord } from "../shared/change.ts";
import type { Conflict } from "../shared/conflict.ts";
import type { ContextType } from "../shared/context-type.ts";
import type { Authorship, BlameLine, KeptPath, NamedCheckpoint } from "../shared/history.ts";
import type { JsonObject } from "../shared/json.ts";
import type { LockView, LockWaiterView } from "../shared/protocol/rest-locks.ts";
import type { LockInfo, LockWaiter } from "./locks.ts";
import type { LockNotice } from "./replica-events.ts";

interface At {
  readonly at: string;
}

/** How something with a time comes over the wire. */
export type Dated<Thing extends { readonly atMs: number }> = Omit<Thing, "atMs"> & At;

export type DatedLine = Omit<BlameLine, "atMs"> & Partial<At>;

export type DatedKept = Omit<KeptPath, "by"> & { readonly by?: Omit<Authorship, "atMs"> & Partial<At> };

export type DatedConflict = Dated<Omit<Conflict, "resolution">> & {
  readonly resolution?: Dated<NonNullable<Conflict["resolution"]>>;
};

export type DatedType = Omit<ContextType, "updatedAtMs"> & { readonly updatedAt: string };

export function changeOf({ at, ...change }: Dated<ChangeRecord>): ChangeRecord {
  return { ...change, atMs: Date.parse(at) };
}

export function checkpointOf({ at, ...checkpoint }: Dated<NamedCheckpoint>): NamedCheckpoint {
  return { ...checkpoint, atMs: Date.parse(at) };
}

export function blameLineOf({ at, ...line }: DatedLine): BlameLine {
  return { ...line, ...maybeAt(at) };
}

export function keptPathOf({ by, ...kept }: DatedKept): KeptPath {
  if (by === undefined) return kept;
  const { at, ...author } = by;
  return { ...kept, by: { ...author, ...maybeAt(at) } };
}

/** Whether an event brings one; its other members are the server's to get right. */
export function isDatedConflict(value: unknown): value is DatedConflict {
  if (typeof value !== "object" || value === null) return false;
  return ["id", "path", "at"].every((key) => typeof Reflect.get(value, key) === "string");
}

export function conflictOf({ at, resolution, ...conflict }: DatedConflict): Conflict {
  const found = { ...conflict, atMs: Date.parse(at) };
  if (resolution === undefined) return found;
  const { at: resolvedAt, ...decision } = resolution;
  return { ...found, resolution: { ...decision, atMs: Date.parse(resolvedAt) } };
}

/** Undefined when the event is none of a lock; its other members are the server's to get right. */
export function lockNoticeOf({ type: _type, ...event }: JsonObject): LockNotice | undefined {
  return isLockNotice(event) ? event : undefined;
}

function isLockNotice(event: object): event is LockNotice {
  return "op" in event && "lockId" in event && typeof event.lockId === "string";
}

export function lockOf({ expiresAt, ...lock }: LockView): LockInfo {
  return { ...lock, expiresAtMs: Date.parse(expiresAt) };
}

export function lockWaiterOf({ since, until, ...waiter }: LockWaiterView): LockWaiter {
  return { ...waiter, sinceMs: Date.parse(since), untilMs: Date.parse(until) };
}

export function typeOf({ updatedAt, ...type }: DatedType): ContextType {
  return { ...type, updatedAtMs: Date.parse(updatedAt) };
}

function maybeAt(at: string | undefined): { readonly atMs?: number } {
  return at === undefined ? {} : { atMs: Date.parse(at) };
}

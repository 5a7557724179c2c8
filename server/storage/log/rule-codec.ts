/**
 * Locks and permissions in stored records: JSON, because they are small, rare and will gain fields.
 *
 * The record's checksum vouches for the rest: only this program wrote it.
 */
import type { MetaChange } from "../../../shared/context.ts";
import { isJsonObject } from "../../../shared/json.ts";
import type { Lock, LockEvent } from "../../../shared/lock.ts";

export function parseLockEvent(text: string): LockEvent {
  const event: unknown = JSON.parse(text);
  if (!isLockEvent(event)) throw new Error("the lock event lacks a field");
  return event;
}

export function parseLocks(text: string): readonly Lock[] {
  const locks: unknown = JSON.parse(text);
  if (!Array.isArray(locks) || !locks.every(isLock)) throw new Error("a lock lacks a field");
  return locks;
}

export function parseMetaChange(text: string): MetaChange {
  const change: unknown = JSON.parse(text);
  if (!isMetaChange(change)) throw new Error("the change of metadata lacks a field");
  return change;
}

function isMetaChange(value: unknown): value is MetaChange {
  return isJsonObject(value) && isJsonObject(value["acl"]) && Array.isArray(value["acl"]["grants"]);
}

function isLockEvent(value: unknown): value is LockEvent {
  return isJsonObject(value) && typeof value["op"] === "string" && typeof value["lockId"] === "string";
}

function isLock(value: unknown): value is Lock {
  return isJsonObject(value) && typeof value["lockId"] === "string" && typeof value["fencingToken"] === "number";
}

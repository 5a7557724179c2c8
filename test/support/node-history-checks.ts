/**
 * The judgement of a fault run: the log of a context is read through once, and what clients were told is held against it.
 * Positions are a total order, so that real time needs no search: no answer may be older than the beginning of what
 * stands before it.
 *
 * Each check returns sentences, one for each violation.
 *
 * Not here: how the history came about (test/chaos), whether nodes agree with each other (there too).
 */
import type { LogEntry } from "../../server/storage/change-log.ts";
import type { ContextId } from "../../shared/ids.ts";
import { LockModel } from "./lock-model.ts";
import type { GrantRecord, NodeHistory, ReadRecord, WriteRecord } from "./node-history.ts";

/** Wall and monotonic clocks of one machine are rounded apart. */
const CLOCKS_APART_MS = 5;

/** All that is said about one context, whose entries these are, from the first on. */
export function judge(contextId: ContextId, entries: readonly LogEntry[], history: NodeHistory): string[] {
  const ofContext = <T extends { readonly contextId: ContextId }>(records: readonly T[]): readonly T[] =>
    records.filter((record) => record.contextId === contextId);
  const writes = ofContext(history.writes);
  const grants = ofContext(history.grants);
  const violations = [
    ...wrongPlaces(entries),
    ...wrongLocks(entries, writes),
    ...wrongAnswers(entries, writes),
    ...wrongGrants(entries, grants),
    ...wrongOrder(entries, writes, grants),
    ...wrongReads(entries, writes, ofContext(history.reads)),
  ];
  return violations.map((what) => `${contextId}: ${what}`);
}

/** Positions and versions without gaps, each request once. */
function wrongPlaces(entries: readonly LogEntry[]): string[] {
  const violations: string[] = [];
  const seen = new Set<string>();
  let version = 0;
  entries.forEach(({ seq, kind, version: told, message }, at) => {
    if (kind === "change") version++;
    if (seq !== at + 1) violations.push(`position ${seq} stands where ${at + 1} belongs`);
    if (told !== version) violations.push(`position ${seq} has version ${told}, and is change ${version}`);
    if (message === undefined) return;
    if (seen.has(message)) violations.push(`${message} is there twice, again at ${seq}`);
    seen.add(message);
  });
  return violations;
}

/** Locks replayed: holders never overlap, and each write was allowed where it stands. */
function wrongLocks(entries: readonly LogEntry[], writes: readonly WriteRecord[]): string[] {
  const violations: string[] = [];
  const records = new Map(writes.map((write) => [write.id, write]));
  const model = new LockModel();
  for (const entry of entries) {
    const { seq, kind, actor, paths, message = "", lock } = entry;
    if (lock !== undefined) violations.push(...applied(model, entry, lock));
    if (kind !== "change") continue;
    const { token } = records.get(message) ?? {};
    const answer = model.write(paths, { actor, tokens: token === undefined ? [] : [token] }, 0);
    if (answer !== "free") violations.push(`${message} at ${seq} was allowed; its place says ${answer}`);
  }
  return violations;
}

function applied(model: LockModel, { seq, actor }: LogEntry, event: NonNullable<LogEntry["lock"]>): string[] {
  const { op, lockId } = event;
  if (op === "acquire") {
    const { paths, mode, ttlMs } = event;
    const isFree = model.mayLock(paths, mode);
    model.locks.push({ lockId, paths, mode, holder: actor, token: seq, ttlMs, endsAtMs: Infinity });
    return isFree ? [] : [`the lock of ${paths.join()} at ${seq} overlaps one that is held`];
  }
  const isHeld = model.locks.some((lock) => lock.lockId === lockId);
  if (op !== "renew") model.locks = model.locks.filter((lock) => lock.lockId !== lockId);
  return isHeld ? [] : [`${op} at ${seq} of a lock that nobody holds`];
}

/** What was acknowledged is where it was said to be, what was refused nowhere. */
function wrongAnswers(entries: readonly LogEntry[], writes: readonly WriteRecord[]): string[] {
  const places = placesOf(entries);
  const known = new Set(writes.map(({ id }) => id));
  const violations = [...places.keys()].filter((id) => !known.has(id)).map((id) => `nobody asked for ${id}`);
  for (const { id, outcome } of writes) {
    const place = places.get(id);
    if (outcome.kind === "acknowledged") {
      const { seq, version } = outcome;
      if (place === undefined) violations.push(`${id} was acknowledged at ${seq} and is lost`);
      else if (place.seq !== seq || place.version !== version)
        violations.push(`${id} was acknowledged at ${seq} as version ${version}, and stands at ${place.seq}`);
    }
    if (outcome.kind === "refused" && outcome.isFinal && place !== undefined)
      violations.push(`${id} was refused, and stands at ${place.seq}`);
  }
  return violations;
}

/** A lock's token is the position of its entry; it ends by itself no sooner than its time after the last renewal. */
function wrongGrants(entries: readonly LogEntry[], grants: readonly GrantRecord[]): string[] {
  const violations: string[] = [];
  const ends = new Map(
    entries.flatMap(({ lock, atMs }) => (lock?.op === "expire" ? [[lock.lockId, atMs] as const] : [])),
  );
  for (const { lockId, token, ttlMs, lastAskedAtMs } of grants) {
    const lock = entries[token - 1]?.lock;
    if (lock?.op !== "acquire" || lock.lockId !== lockId)
      violations.push(`the lock ${lockId} was granted at ${token}, and is not there`);
    const endedAtMs = ends.get(lockId) ?? Infinity;
    if (endedAtMs < lastAskedAtMs + ttlMs - CLOCKS_APART_MS)
      violations.push(`the lock ${lockId} ended ${endedAtMs - lastAskedAtMs} ms after it was renewed for ${ttlMs}`);
  }
  return violations;
}

/** In order of the log nothing may have been answered before something that stands before it began. */
function wrongOrder(
  entries: readonly LogEntry[],
  writes: readonly WriteRecord[],
  grants: readonly GrantRecord[],
): string[] {
  const byId = new Map(writes.map((write) => [write.id, write]));
  const byToken = new Map(grants.map((grant) => [grant.token, grant]));
  const violations: string[] = [];
  let latestMs = -Infinity;
  for (const { seq, message } of entries) {
    const record = message === undefined ? byToken.get(seq) : byId.get(message);
    if (record === undefined) continue;
    const isAnswered = !("outcome" in record) || record.outcome.kind === "acknowledged";
    if (isAnswered && record.endedMs < latestMs)
      violations.push(`what stands at ${seq} was answered before something that stands before it began`);
    latestMs = Math.max(latestMs, record.beganMs);
  }
  return violations;
}

/** A read has all that was acknowledged when it began, nothing that began after it, and its version's content. */
function wrongReads(
  entries: readonly LogEntry[],
  writes: readonly WriteRecord[],
  reads: readonly ReadRecord[],
): string[] {
  const { began, members } = versionsOf(entries, writes);
  const acknowledged = writes
    .flatMap(({ endedMs, outcome }) => (outcome.kind === "acknowledged" ? [{ endedMs, version: outcome.version }] : []))
    .sort((one, other) => one.endedMs - other.endedMs);
  const violations: string[] = [];
  let [next, newest] = [0, 0];
  for (const read of [...reads].sort((one, other) => one.beganMs - other.beganMs)) {
    for (; (acknowledged[next]?.endedMs ?? Infinity) < read.beganMs; next++)
      newest = Math.max(newest, acknowledged[next]?.version ?? 0);
    const { version } = read;
    if (version < newest) violations.push(`a read saw version ${version} when ${newest} had been acknowledged`);
    if ((began[version] ?? Infinity) > read.endedMs)
      violations.push(`a read saw version ${version} before that was written`);
    if (members[version] !== read.members)
      violations.push(`a read of version ${version} had ${read.members} members, it has ${members[version]}`);
  }
  return violations;
}

/** Of each version: when the latest of its changes began, and how many members of /w it has. */
function versionsOf(entries: readonly LogEntry[], writes: readonly WriteRecord[]) {
  const byId = new Map(writes.map(({ id, beganMs }) => [id, beganMs]));
  const began = [-Infinity];
  const members = [0];
  for (const { kind, message, paths } of entries) {
    if (kind !== "change") continue;
    const beganMs = (message === undefined ? undefined : byId.get(message)) ?? -Infinity;
    began.push(Math.max(began.at(-1) ?? -Infinity, beganMs));
    members.push((members.at(-1) ?? 0) + (paths.some((path) => path.startsWith("/w/")) ? 1 : 0));
  }
  return { began, members };
}

function placesOf(entries: readonly LogEntry[]): ReadonlyMap<string, LogEntry> {
  return new Map(entries.flatMap((entry) => (entry.message === undefined ? [] : [[entry.message, entry] as const])));
}

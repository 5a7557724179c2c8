/**
 * What anyone was told of a context's past, and the judgement of it after a crash: versions read as they did, names stand,
 * what was restored is what it was, a compare-and-set took effect when it was said to.
 *
 * Not here: who asks (crash-historian.ts).
 */
import { isDeepStrictEqual } from "node:util";
import type { Json } from "../../shared/json.ts";
import { isJsonObject } from "../../shared/json.ts";
import { RestRefusal } from "../support/rest-caller.ts";
import type { RestCaller } from "../support/rest-caller.ts";

/** A compare-and-set of the shared counter: undefined while the answer is out. */
export interface Attempt {
  readonly by: string;
  readonly value: number;
  readonly ifVersion: number;
  outcome: "done" | "refused" | undefined;
}

export class Past {
  /** Data by version, as somebody read it. */
  readonly versions = new Map<number, unknown>();
  readonly names = new Map<string, number>();
  /** `/notes` of the one version is that of the other. */
  readonly restored: { readonly at: number; readonly from: number }[] = [];
  /** By idempotency key. */
  readonly attempts = new Map<string, Attempt>();
  readonly faults: string[] = [];

  read(version: number, data: unknown): void {
    const known = this.versions.get(version) ?? data;
    if (!isDeepStrictEqual(known, data))
      this.faults.push(`version ${version} was read in two ways: ${differ(known, data)}`);
    this.versions.set(version, data);
  }

  /** What later trials need of it: their judge looks again. */
  takeOver(earlier: Past): void {
    for (const [version, data] of earlier.versions) this.versions.set(version, data);
    for (const [name, version] of earlier.names) this.names.set(name, version);
  }
}

interface Where {
  readonly rest: RestCaller;
  readonly contextId: string;
  /** The oldest version that is kept. */
  readonly oldest: number;
}

/** Versions that are read again after each crash, beside the named ones. */
const READ_AGAIN_MAX = 6;

export async function checkPast(past: Past, where: Where): Promise<string[]> {
  return [
    ...past.faults,
    ...(await wrongNames(past, where)),
    ...(await wrongReads(past, where)),
    ...(await wrongRestores(past, where)),
  ];
}

async function wrongNames({ names }: Past, { rest, contextId }: Where): Promise<string[]> {
  const { checkpoints } = await rest.checkpoints(contextId);
  const found = new Map(checkpoints.map(({ name, version }) => [name, version]));
  const wrong = [...names].filter(([name, version]) => found.get(name) !== version);
  return wrong.map(([name, version]) => `version ${version} was called ${name}, which is now ${found.get(name)}`);
}

async function wrongReads({ names, versions }: Past, { rest, contextId, oldest }: Where): Promise<string[]> {
  const faults: string[] = [];
  const named = new Set(names.values());
  const chosen = [...spread([...versions.keys()], READ_AGAIN_MAX), ...spread([...named], READ_AGAIN_MAX)];
  for (const version of new Set(chosen)) {
    const then = versions.get(version);
    const now = await versionAt(rest, contextId, version);
    const mayBeGone = version < oldest && !named.has(version);
    if (now === undefined && !mayBeGone) faults.push(`version ${version} cannot be read any more`);
    if (now !== undefined && then !== undefined && !isDeepStrictEqual(now, then))
      faults.push(`version ${version} reads differently: ${differ(then, now)}`);
  }
  return faults;
}

async function wrongRestores({ restored }: Past, { rest, contextId }: Where): Promise<string[]> {
  const faults: string[] = [];
  for (const { at, from } of restored) {
    const [now, then] = [await versionAt(rest, contextId, at), await versionAt(rest, contextId, from)];
    if (now !== undefined && then !== undefined && !isDeepStrictEqual(notesOf(now), notesOf(then)))
      faults.push(`version ${at} restored the notes of ${from}: ${differ(notesOf(then), notesOf(now))}`);
  }
  return faults;
}

/** Undefined when it is not kept. */
async function versionAt(rest: RestCaller, contextId: string, version: number): Promise<Json | undefined> {
  try {
    return (await rest.read(contextId, version)).data;
  } catch (error) {
    if (error instanceof RestRefusal && error.code === "VERSION_NOT_FOUND") return undefined;
    throw error;
  }
}

function notesOf(data: Json): Json | undefined {
  return isJsonObject(data) ? data["notes"] : undefined;
}

/** Some of them, the newest among them. */
function spread(versions: readonly number[], count: number): number[] {
  const inOrder = versions.toSorted((a, b) => b - a);
  const step = Math.max(1, inOrder.length / count);
  return Array.from({ length: Math.min(count, inOrder.length) }, (_, at) => inOrder[Math.floor(at * step)] ?? 0);
}

function differ(before: unknown, after: unknown): string {
  return `${JSON.stringify(before)} and ${JSON.stringify(after)}`;
}

/**
 * What must be written so that a place reads again as it did: operations from two marked readings of it.
 *
 * Invariants (HIST):
 *  1. Nothing in the operations is refused for what it is: places whose old content JSON changes cannot write (big
 *     integers, XML where none is) are left as they are, and told.
 *
 * Not here: finding differences (shared/json-diff.ts).
 */
import type * as Y from "yjs";
import type { JsonOp } from "../../../shared/change.ts";
import type { KeptPath } from "../../../shared/history.ts";
import { isJsonObject } from "../../../shared/json.ts";
import type { Json, JsonObject } from "../../../shared/json.ts";
import { diffJson, diffRoots } from "../../../shared/json-diff.ts";
import { BIGINT_MARK, XML_MARK, markOf } from "../../../shared/json-marks.ts";
import { DATA_ROOT, escapeStep, parsePath } from "../../../shared/path.ts";
import type { Steps } from "../../../shared/path.ts";
import { findMarked, readRoots } from "../../../shared/read-data.ts";
import type { RootsJson } from "../../../shared/read-data.ts";
import { setOwn } from "../../../shared/value-json.ts";

/** What stands at a path: roots when it is "" or names one, else a value; absent when nothing does. */
export type Reading = { readonly roots: RootsJson } | { readonly value?: Json | undefined };

export interface RevertOps {
  readonly changes: readonly JsonOp[];
  readonly kept: readonly KeptPath[];
}

/** @throws {ServiceError} INVALID_REQUEST when `path` is none */
export function readingAt(doc: Y.Doc, path: string): Reading {
  const steps = parsePath(path);
  const [root] = steps;
  return steps.length > 1 && root !== undefined
    ? { value: findMarked(doc, path) }
    : narrow({ roots: readRoots(doc) }, path);
}

/** What a reading of everything says of a path. */
export function narrow({ roots }: { readonly roots: RootsJson }, path: string): Reading {
  const [root, ...steps] = parsePath(path);
  if (root === undefined) return { roots };
  if (steps.length > 0) return { value: valueAt(roots, [root, ...steps]) };
  const only = Object.entries(roots.roots).filter(([name]) => name === root);
  return { roots: { data: {}, roots: Object.fromEntries(only) } };
}

export function valueAt({ data, roots }: RootsJson, [root, ...steps]: Steps): Json | undefined {
  let value = root === DATA_ROOT ? data : root === undefined ? undefined : ownMember(roots, root);
  for (const step of steps) {
    if (Array.isArray(value)) value = /^(0|[1-9]\d*)$/.test(step) ? elementAt(value, Number(step)) : undefined;
    else value = isJsonObject(value) && markOf(value) === undefined ? ownMember(value, step) : undefined;
  }
  return value;
}

/** Operations that make what reads `present` at `path` read `wanted`. */
export function revertOps(present: Reading, wanted: Reading, path: string): RevertOps {
  const kept: KeptPath[] = [];
  if ("roots" in present && "roots" in wanted) return { changes: rootOps(present.roots, wanted.roots, kept), kept };
  if ("roots" in present || "roots" in wanted) throw new Error("these are readings of different paths");
  return { changes: valueOps(present.value, wanted.value, { path, kept }), kept };
}

interface Output {
  readonly path: string;
  readonly kept: KeptPath[];
}

function rootOps(present: RootsJson, wanted: RootsJson, kept: KeptPath[]): readonly JsonOp[] {
  const roots: Record<string, Json> = {};
  for (const [name, value] of Object.entries(wanted.roots)) {
    // a root cannot be made anew, so XML is written over what is left of it, or was there before
    const before = ownMember(present.roots, name) ?? (markOf(value) === XML_MARK ? { [XML_MARK]: [] } : undefined);
    const writable = writableOf(value, before, { path: `@${escapeStep(name)}`, kept });
    if (writable !== undefined) setOwn(roots, name, writable);
  }
  const reachable = { data: writableOf(wanted.data, present.data, { path: "", kept }) ?? {}, roots };
  return diffRoots(present, reachable);
}

function valueOps(present: Json | undefined, wanted: Json | undefined, output: Output): readonly JsonOp[] {
  const { path } = output;
  const reachable = wanted === undefined ? undefined : writableOf(wanted, present, output);
  if (reachable === undefined) return present === undefined || wanted !== undefined ? [] : [{ op: "remove", path }];
  if (present === undefined) return [{ op: "add", path, value: reachable }];
  return diffJson(present, reachable, path);
}

/** `wanted`, with what is there now in the places of what cannot be written; undefined when nothing is left. */
function writableOf(wanted: Json, present: Json | undefined, output: Output): Json | undefined {
  const mark = markOf(wanted);
  if (mark === BIGINT_MARK || mark === XML_MARK) {
    if (isSame(wanted, present) || (mark === XML_MARK && markOf(present) === XML_MARK)) return wanted;
    output.kept.push({ path: output.path, reason: "not-json" });
    return present;
  }
  if (Array.isArray(wanted)) return writableElements(wanted, present, output);
  return isJsonObject(wanted) && mark === undefined ? writableMembers(wanted, present, output) : wanted;
}

function writableMembers(wanted: JsonObject, present: Json | undefined, { path, kept }: Output): JsonObject {
  const object: Record<string, Json> = {};
  const before = isJsonObject(present) && markOf(present) === undefined ? present : {};
  for (const [key, member] of Object.entries(wanted)) {
    const inner = writableOf(member, ownMember(before, key), { path: `${path}/${escapeStep(key)}`, kept });
    if (inner !== undefined) setOwn(object, key, inner);
  }
  return object;
}

/** An element that cannot be written can only be one that is there; where, does not matter. */
function writableElements(wanted: readonly Json[], present: Json | undefined, output: Output): Json[] {
  const before: readonly Json[] = Array.isArray(present) ? present : [];
  return wanted.flatMap((element) => {
    const kept: KeptPath[] = [];
    const inner = writableOf(element, undefined, { ...output, kept });
    if (kept.length === 0 && inner !== undefined) return [inner];
    const found = before.find((other) => isSame(element, other));
    if (found !== undefined) return [found];
    output.kept.push({ path: output.path, reason: "not-json" });
    return inner === undefined ? [] : [inner];
  });
}

export function isSame(a: Json | undefined, b: Json | undefined): boolean {
  return a === undefined || b === undefined ? a === b : diffJson(a, b).length === 0;
}

function ownMember(object: JsonObject, key: string): Json | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

function elementAt(list: readonly Json[], index: number): Json | undefined {
  return list[index];
}

/**
 * Paths: RFC 6901 JSON Pointers into a context's data.
 *
 * Invariants (PATH):
 *  1. "" is the whole context, every root included; "/a/b" is in `data`; "@name/…" is in the root type `name`.
 *  2. parse and format are inverse to each other; a path has one spelling.
 *  3. Two paths overlap when one is an ancestor of the other or they are equal; "" overlaps everything.
 *
 * Not here: looking a path up (server/state/json/json-data.ts).
 */
import { ServiceError } from "./errors.ts";
import { LIMITS } from "./limits.ts";

/** A path's steps, root first: "/a/b" is ["data","a","b"], "@text/0" is ["text","0"], "" is []. */
export type Steps = readonly string[];

export const DATA_ROOT = "data";

/** @throws {ServiceError} INVALID_REQUEST when the text is not a path */
export function parsePath(text: string): Steps {
  if (text === "") return [];
  if (text.length > LIMITS.pathCharsMax) throw badPath(`is longer than ${LIMITS.pathCharsMax} characters`);
  const parts = text.split("/");
  if (parts.length - 1 > LIMITS.pathStepsMax) throw badPath(`has more than ${LIMITS.pathStepsMax} steps`);
  const [first = "", ...rest] = parts;
  if (first !== "" && !first.startsWith("@")) throw badPath("starts with neither '/' nor '@'");
  const root = first === "" ? DATA_ROOT : unescapeStep(first.slice(1));
  if (root === "") throw badPath("names no root after '@'");
  if (first !== "" && root === DATA_ROOT) throw badPath("names the root 'data', which is written without '@data'");
  return [root, ...rest.map(unescapeStep)];
}

/** The inverse of parsePath. */
export function formatPath(steps: Steps): string {
  const [root, ...rest] = steps;
  if (root === undefined) return "";
  const head = root === DATA_ROOT ? "" : `@${escapeStep(root)}`;
  return head + rest.map((step) => `/${escapeStep(step)}`).join("");
}

/** True when a change at one of the paths can be seen at the other. */
export function overlaps(a: Steps, b: Steps): boolean {
  const shorter = Math.min(a.length, b.length);
  for (let i = 0; i < shorter; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** True when `ancestor` is `path` or lies above it. */
export function covers(ancestor: Steps, path: Steps): boolean {
  return ancestor.length <= path.length && overlaps(ancestor, path);
}

/** RFC 6901 §4 for one step. */
export function escapeStep(step: string): string {
  return step.replaceAll("~", "~0").replaceAll("/", "~1");
}

function unescapeStep(step: string): string {
  if (!step.includes("~")) return step;
  if (/~(?![01])/.test(step)) throw badPath("has a '~' that is not '~0' or '~1'");
  return step.replaceAll("~1", "/").replaceAll("~0", "~");
}

function badPath(why: string): ServiceError {
  return new ServiceError(
    "INVALID_REQUEST",
    `The path ${why}. A path is a JSON Pointer such as "/tasks/t1/title", or "" for the whole context.`,
  );
}

/**
 * The smallest set of paths that says the same: no path below another, sorted, bounded.
 *
 * Invariants (TOUCH):
 *  1. Every path given is covered by one returned, and every path returned covers one given.
 *  2. At most `max` paths come back; beyond it the deepest are folded into their parents, at worst into "".
 */

/** @param paths JSON Pointers in the spelling of shared/path.ts */
export function coverOf(paths: ReadonlySet<string>, max: number): readonly string[] {
  if (paths.size === 1) return [...paths];
  let cover = minimal(paths);
  while (cover.size > max) cover = minimal(foldDeepest(cover));
  return [...cover].sort();
}

function minimal(paths: ReadonlySet<string>): Set<string> {
  const cover = new Set<string>();
  for (const path of paths) if (!hasAncestorIn(paths, path)) cover.add(path);
  return cover;
}

function hasAncestorIn(paths: ReadonlySet<string>, path: string): boolean {
  for (let above = parentOf(path); above !== null; above = parentOf(above)) if (paths.has(above)) return true;
  return false;
}

/** "/a/b" to "/a", "@name" and "/a" to "", "" to null. */
export function parentOf(path: string): string | null {
  if (path === "") return null;
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

function foldDeepest(paths: ReadonlySet<string>): Set<string> {
  let deepest = 0;
  for (const path of paths) deepest = Math.max(deepest, stepsOf(path));
  const folded = new Set<string>();
  for (const path of paths) folded.add(stepsOf(path) < deepest ? path : (parentOf(path) ?? ""));
  return folded;
}

/** How often `parentOf` can be taken. */
function stepsOf(path: string): number {
  let steps = path.startsWith("@") ? 1 : 0;
  for (let at = path.indexOf("/"); at !== -1; at = path.indexOf("/", at + 1)) steps++;
  return steps;
}

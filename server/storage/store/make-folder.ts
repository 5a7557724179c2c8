/**
 * Makes a folder with those above it that are missing.
 *
 * Node's `mkdir` with `recursive` never ends, and keeps a core busy, where a folder is there in which none can be made: behind a
 * symbolic link whose disk is not mounted, and in /proc.
 */
import { mkdir, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";

/** `mode` is that of the folders it makes. Gives the topmost that was missing, undefined when none was. @throws Node's error, EEXIST when something else is in the way */
export async function makeFolder(folder: string, mode = 0o777): Promise<string | undefined> {
  const missing: string[] = [];
  for (let path = resolve(folder); !(await isFolder(path)) && path !== dirname(path); path = dirname(path))
    missing.unshift(path);
  for (const path of missing) await make(path, mode);
  return missing[0];
}

async function make(path: string, mode: number): Promise<void> {
  try {
    await mkdir(path, { mode });
  } catch (error) {
    // somebody else may have been quicker
    if (!(await isFolder(path))) throw error;
  }
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

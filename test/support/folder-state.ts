/** What shows that nobody wrote into a folder: its files, their sizes, and when they were changed. */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";

export async function stateOfFolder(folder: string): Promise<unknown> {
  const names = (await readdir(folder, { recursive: true })).sort();
  return Promise.all(
    names.map(async (name) => {
      const { ino, size, mtimeMs, ctimeMs } = await stat(join(folder, name));
      return { name, ino, size, mtimeMs, ctimeMs };
    }),
  );
}

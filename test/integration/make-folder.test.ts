/** Folders are made, or it is said at once why they cannot be. */
import { mkdtemp, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { makeFolder } from "../../server/storage/store/make-folder.ts";

let root = "";
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "mcm-folder-"));
});
afterEach(() => rm(root, { recursive: true }));

test("what is missing is made, by many at once too, and the topmost of it is told", async () => {
  const made = await Promise.all(Array.from({ length: 20 }, () => makeFolder(join(root, "a", "b", "c"))));
  expect(made).toContain(join(root, "a"));
  expect((await stat(join(root, "a", "b", "c"))).isDirectory()).toBe(true);
  expect(await makeFolder(join(root, "a", "b", "d"))).toBe(join(root, "a", "b", "d"));
  expect(await makeFolder(join(root, "a"))).toBeUndefined();
});

test("what is in the way is told at once: a file, a link to nowhere, a place without room for folders", async () => {
  await writeFile(join(root, "file"), "");
  await symlink(join(root, "unmounted"), join(root, "link"));
  for (const name of ["file", "link"]) {
    await expect(makeFolder(join(root, name))).rejects.toMatchObject({ code: "EEXIST" });
    await expect(makeFolder(join(root, name, "below"))).rejects.toMatchObject({ code: "EEXIST" });
  }
  if (process.platform === "linux") await expect(makeFolder("/proc/none/x")).rejects.toMatchObject({ code: "ENOENT" });
});

test("all that is made has the mode that was asked for", async () => {
  await makeFolder(join(root, "a", "b"), 0o700);
  const modes = await Promise.all([join(root, "a"), join(root, "a", "b")].map(async (path) => (await stat(path)).mode));
  if (process.platform !== "win32") expect(modes.map((mode) => mode & 0o777)).toEqual([0o700, 0o700]);
});

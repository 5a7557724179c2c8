/** Where the hub of a user is, and that nobody else gets there. */
import { mkdir, mkdtemp, rm, stat } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { dataDirOf, hubPlaceOf, makePrivate } from "../../../server/cli/mcp/hub-place.ts";

const USER = process.getuid?.() ?? -1;

describe("the folder", () => {
  test.each<[Record<string, string>, NodeJS.Platform, string | undefined, string]>([
    [{}, "linux", undefined, join(homedir(), ".local", "share", "mcp-context-manager")],
    [{ XDG_DATA_HOME: "/data" }, "linux", undefined, join("/data", "mcp-context-manager")],
    [{}, "darwin", undefined, join(homedir(), "Library", "Application Support", "mcp-context-manager")],
    [{ LOCALAPPDATA: "/local" }, "win32", undefined, join("/local", "mcp-context-manager")],
    [{ MCM_DATA_DIR: "mine" }, "linux", undefined, resolve("mine")],
    [{ MCM_DATA_DIR: "mine" }, "linux", "given", resolve("given")],
  ])("[HUB-1] %o on %s, named %s", (environment, platform, given, path) => {
    expect(dataDirOf(environment, platform, given)).toBe(path);
  });
});

describe("the socket", () => {
  test("[HUB-1] is in the folder, or, where such an address would be too long, in one of the user's", () => {
    expect(hubPlaceOf("/data", "linux", 7).socket).toBe("/data/hub.sock");
    const deep = `/${"d".repeat(103 - "//hub.sock".length)}`;
    expect(hubPlaceOf(deep, "linux", 7).socket).toBe(`${deep}/hub.sock`);
    const deeper = hubPlaceOf(`${deep}d`, "linux", 7).socket;
    expect(deeper).toMatch(/mcm-7\/[0-9a-f]{16}\.sock$/);
    expect(deeper).not.toBe(hubPlaceOf(`${deep}e`, "linux", 7).socket);
    expect(hubPlaceOf("C:\\data", "win32", -1).socket).toMatch(/^\\\\\.\\pipe\\mcm-[0-9a-f]{16}$/);
  });
});

describe.skipIf(USER < 0)("privacy", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "mcm-place-"));
  });
  afterEach(() => rm(folder, { recursive: true }));

  test("[HUB-4] folders are made for the user alone, and closed when they were open to others", async () => {
    const [fresh, open] = [join(folder, "a", "b"), join(folder, "open")];
    await mkdir(open, { mode: 0o755 });
    await makePrivate([fresh, open], USER);
    for (const path of [fresh, open]) expect(((await stat(path)).mode & 0o777).toString(8)).toBe("700");
  });

  test("[HUB-4] one that belongs to somebody else is refused", async () => {
    await expect(makePrivate([folder], USER + 1)).rejects.toThrow("belongs to another user");
  });
});

/**
 * Where the local hub of this user is: the folder of its data, and the socket at which it answers.
 *
 * Invariants (HUB-4):
 *  1. The folder is this user's and open to nobody else; so is everything in it, the socket too. One that is not is refused.
 *
 * Not here: who is the hub (hub.ts).
 */
import { createHash } from "node:crypto";
import { chmod, stat } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { ServiceError } from "../../../shared/errors.ts";
import type { Environment } from "../../config.ts";
import { makeFolder } from "../../storage/store/make-folder.ts";

export interface HubPlace {
  readonly dataDir: string;
  /** A path, or on Windows the name of a pipe. */
  readonly socket: string;
}

const FOLDER = "mcp-context-manager";
/** What the address of a Unix socket holds, on the system that holds least. */
const SOCKET_CHARS_MAX = 103;
const PRIVATE = 0o700;

/** As the system's conventions have it; `MCM_DATA_DIR` or a flag names another. */
export function dataDirOf(environment: Environment, platform: NodeJS.Platform, given?: string): string {
  const named = given ?? environment["MCM_DATA_DIR"] ?? "";
  if (named !== "") return resolve(named);
  return join(dataHomeOf(environment, platform), FOLDER);
}

function dataHomeOf(environment: Environment, platform: NodeJS.Platform): string {
  const { XDG_DATA_HOME: xdg = "", LOCALAPPDATA: local = "" } = environment;
  if (xdg !== "") return xdg;
  if (platform === "win32") return local === "" ? join(homedir(), "AppData", "Local") : local;
  return platform === "darwin" ? join(homedir(), "Library", "Application Support") : join(homedir(), ".local", "share");
}

export function hubPlaceOf(dataDir: string, platform: NodeJS.Platform, userId: number): HubPlace {
  const name = createHash("sha256").update(dataDir).digest("hex").slice(0, 16);
  if (platform === "win32") return { dataDir, socket: `\\\\.\\pipe\\mcm-${name}` };
  const beside = join(dataDir, "hub.sock");
  const short = join(tmpdir(), `mcm-${userId}`, `${name}.sock`);
  return { dataDir, socket: beside.length <= SOCKET_CHARS_MAX ? beside : short };
}

/** Makes the folders, or closes them to others. @throws {ServiceError} FORBIDDEN when one belongs to somebody else */
export async function makePrivate(folders: readonly string[], userId: number): Promise<void> {
  for (const folder of folders) {
    await makeFolder(folder, PRIVATE);
    const { uid, mode } = await stat(folder);
    if (userId >= 0 && uid !== userId) {
      throw new ServiceError(
        "FORBIDDEN",
        `${folder} belongs to another user. Name a folder of your own by --data-dir.`,
      );
    }
    if (userId >= 0 && (mode & 0o077) !== 0) await chmod(folder, PRIVATE);
  }
}

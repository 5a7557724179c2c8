/**
 * The debug panel's page at /panel/: files that the build made (client/panel → dist/panel), the same for everybody.
 *
 * Invariants (PANEL):
 *  1. Only what was there when the server started is answered, by its exact name: no address leads elsewhere.
 *  2. The page may load and ask this server, and nothing else; nothing of it is inline.
 *  3. What has a hash in its name is kept for ever, the page itself is asked for each time.
 *
 * Not here: what the panel does; it is a client as any other.
 */
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";

interface PanelFile {
  readonly body: Uint8Array<ArrayBuffer>;
  readonly type: string;
  readonly etag: string;
  readonly isHashed: boolean;
}

/** By its address behind /panel/. */
export type PanelFiles = ReadonlyMap<string, PanelFile>;

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'self'",
].join("; ");

/** Beside the built server, or in dist/ when it runs from its source. */
const FOLDERS = ["../../panel", "../../dist/panel"].map((path) => fileURLToPath(new URL(path, import.meta.url)));

/** Empty when the panel was not built. */
export async function builtPanel(folders: readonly string[] = FOLDERS): Promise<PanelFiles> {
  for (const folder of folders) {
    const found = await filesOf(folder);
    if (found.has("index.html")) return found;
  }
  return new Map();
}

async function filesOf(folder: string): Promise<PanelFiles> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = new Map<string, PanelFile>();
  for (const entry of entries) {
    const type = TYPES[extname(entry.name)];
    if (type === undefined || !entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const name = path.slice(folder.length).replaceAll("\\", "/").replace(/^\/+/, "");
    const body = new Uint8Array(await readFile(path));
    const etag = `"${createHash("sha256").update(body).digest("base64url").slice(0, 22)}"`;
    files.set(name, { body, type, etag, isHashed: name.startsWith("assets/") });
  }
  return files;
}

/** The answer to a GET of /panel or below; undefined when there is no such file. */
export function panelAnswer(files: PanelFiles, { url, headers }: Request): Response | undefined {
  const { pathname } = new URL(url);
  if (pathname === "/panel") return new Response(null, { status: 308, headers: { location: "panel/" } });
  const file = files.get(pathname.slice("/panel/".length) || "index.html");
  if (file === undefined) return undefined;
  const { body, type, etag, isHashed } = file;
  const kept = {
    etag,
    "cache-control": isHashed ? "public, max-age=31536000, immutable" : "no-cache",
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
  };
  if (headers.get("if-none-match") === etag) return new Response(null, { status: 304, headers: kept });
  return new Response(body, {
    headers: { ...kept, "content-type": type, "content-length": String(body.byteLength) },
  });
}

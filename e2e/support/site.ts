/** A page of e2e/fixtures: bundled by Vite, as a user would bundle it, and served on a free loopback port. */
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { build } from "vite";

const ROOT = join(import.meta.dirname, "../..");

const MEDIA_TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
};

export interface Site {
  /** Such as http://127.0.0.1:40123/. */
  readonly url: string;
  close(): Promise<void>;
}

/** Builds e2e/fixtures/<name> into artifacts/site/<name> and serves it. */
export async function serveSite(name: string): Promise<Site> {
  const folder = join(ROOT, "artifacts/site", name);
  await build({
    root: join(ROOT, "e2e/fixtures", name),
    configFile: false,
    logLevel: "warn",
    build: { outDir: folder, emptyOutDir: true, target: "es2022", minify: false },
  });
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    const file = join(folder, normalize(pathname === "/" ? "/index.html" : pathname));
    readFile(file).then(
      (body) => response.setHeader("content-type", MEDIA_TYPES[extname(file)] ?? "application/octet-stream").end(body),
      () => response.writeHead(404).end(),
    );
  });
  server.listen({ host: "127.0.0.1", port: 0 });
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the site has no port");
  return {
    url: `http://127.0.0.1:${address.port}/`,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

/** The panel's files over HTTP: what is answered, how it is kept, and that nothing else can be reached. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { builtPanel, panelAnswer } from "../../server/transport/panel.ts";
import type { PanelFiles } from "../../server/transport/panel.ts";
import { startTestServer } from "../support/running-server.ts";

let folder: string;
let files: PanelFiles;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "mcm-panel-"));
  await mkdir(join(folder, "panel/assets"), { recursive: true });
  await writeFile(join(folder, "secret.html"), "secret");
  await writeFile(join(folder, "panel/index.html"), "<!doctype html>");
  await writeFile(join(folder, "panel/assets/index-abc.js"), "0;");
  await writeFile(join(folder, "panel/assets/index-abc.css"), "a{}");
  await writeFile(join(folder, "panel/assets/icon-abc.svg"), "<svg/>");
  await writeFile(join(folder, "panel/notes.txt"), "not for the web");
  files = await builtPanel([join(folder, "nothing"), join(folder, "panel")]);
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const get = (path: string, headers: Record<string, string> = {}): Response | undefined =>
  panelAnswer(files, new Request(`http://localhost${path}`, { headers }));

describe("[PANEL-1] a file of the panel", () => {
  test.each([
    ["/panel/", "text/html; charset=utf-8", "no-cache"],
    ["/panel/index.html", "text/html; charset=utf-8", "no-cache"],
    ["/panel/assets/index-abc.js", "text/javascript; charset=utf-8", "public, max-age=31536000, immutable"],
    ["/panel/assets/index-abc.css", "text/css; charset=utf-8", "public, max-age=31536000, immutable"],
    ["/panel/assets/icon-abc.svg", "image/svg+xml", "public, max-age=31536000, immutable"],
  ])("%s has its type and is kept as long as its name says", (path, type, kept) => {
    const { status, headers } = get(path) ?? new Response();
    expect([status, headers.get("content-type"), headers.get("cache-control")]).toEqual([200, type, kept]);
  });

  test("is not sent again to who has it", async () => {
    const etag = get("/panel/")?.headers.get("etag") ?? "";
    const again = get("/panel/", { "if-none-match": etag });
    expect([again?.status, await again?.text()]).toEqual([304, ""]);
    expect(get("/panel/", { "if-none-match": '"other"' })?.status).toBe(200);
  });
});

test.each([
  "/panel/assets/",
  "/panel/nothing.js",
  "/panel/notes.txt",
  "/panel/../secret.html",
  "/panel/..%2fsecret.html",
  "/panel/%2e%2e/secret.html",
  "/panel/assets/..%5c..%5csecret.html",
  "/panel//index.html",
  "/panel/__proto__",
])("[PANEL-1] %s is none", (path) => {
  expect(get(path)).toBeUndefined();
});

test("[PANEL-2] the page may load and ask its own server, and nothing else; nothing is inline", () => {
  const policy = get("/panel/")?.headers.get("content-security-policy") ?? "";
  expect(policy).toContain("default-src 'none'");
  expect(policy).not.toMatch(/unsafe|\*|https?:|data:/);
  expect(get("/panel/")?.headers.get("x-content-type-options")).toBe("nosniff");
});

describe("[PANEL-3] a running server", () => {
  test("sends /panel to /panel/, has nothing else there, and refuses pages of other sites", async () => {
    const server = await startTestServer();
    const short = await fetch(`${server.url}/panel`, { redirect: "manual" });
    expect([short.status, short.headers.get("location")]).toEqual([308, "panel/"]);
    const missing = await fetch(`${server.url}/panel/assets/none.js`);
    expect(await missing.json()).toMatchObject({ code: "NOT_FOUND" });
    const site = await fetch(`${server.url}/panel/`, { headers: { origin: "https://elsewhere.example" } });
    expect(site.status).toBe(403);
    await server.close();
  });
});

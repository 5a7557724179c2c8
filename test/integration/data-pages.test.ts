/** The consoles of docs/backup.md and docs/reference/cli.md, typed into a real server: what it prints is what the pages say. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { LeveldbPersistence } from "y-leveldb";
import * as Y from "yjs";
import { LIMITS } from "../../shared/limits.ts";
import { runCli } from "../../server/cli/program.ts";
import { read } from "../arch/source.ts";
import { RestCaller } from "../support/rest-caller.ts";
import { startTestServer } from "../support/running-server.ts";
import type { TestServer } from "../support/running-server.ts";
import { noServer, TestIo } from "./cli-harness.ts";

let base: string;
let server: TestServer;

/** Where the page's folders are here. */
const here = (text: string): string => text.replaceAll("/backups", `${base}/backups`).replaceAll("./", `${base}/`);
const there = (text: string): string => text.replaceAll(`${base}/backups`, "/backups").replaceAll(`${base}/`, "./");

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), "mcm-pages-"));
  server = await startTestServer(join(base, "data"));
  const caller = new RestCaller(server.url, "ada");
  await caller.create("plan", { title: "Draft" });
  await caller.change("plan", [{ op: "replace", path: "/title", value: "Ship it" }], "1");
  await caller.create("notes", { a: 1 });
  for (const n of [2, 3]) await caller.change("notes", [{ op: "replace", path: "/a", value: n }], `n${n}`);

  const stored = new LeveldbPersistence(join(base, "yjs-data"));
  for (const name of ["design", "roadmap", "retro", "todo", "team/notes"]) {
    const doc = new Y.Doc();
    const updates: Uint8Array[] = [];
    doc.on("update", (update) => updates.push(update));
    doc.getText("prose").insert(0, name);
    if (name === "todo") doc.getText("prose").insert(0, "later: ");
    for (const update of updates) await stored.storeUpdate(name, update);
  }
  await stored.destroy();
});
afterEach(async () => {
  await server.close();
  await rm(base, { recursive: true, force: true });
});

/** `$ command` and what it prints. */
const stepsOf = (page: string): { command: string; prints: string }[] =>
  [...read(page).text.matchAll(/^```console\n(.*?)^```$/gms)]
    .flatMap(([, block = ""]) => block.split(/^\$ /m))
    .filter((text) => text.startsWith("mcm "))
    .map((text) => {
      const [command = "", ...lines] = text.trimEnd().split("\n");
      return { command, prints: lines.join("\n") };
    });

/** Speeds and sizes are others each time; what `read` says of the context is for people. */
function plain(text: string): string {
  return text
    .replaceAll(/\d+\.\d (?:MB|s)/g, "<n>")
    .replaceAll(/^plan, version .*$/gm, "")
    .trimEnd();
}

test.each([
  ["docs/backup.md", 13],
  ["docs/reference/cli.md", 4],
])("[DATA-2] [DATA-6] [DATA-11] [DATA-12] [DATA-14] [DATA-15] %s says what happens", async (page, count) => {
  const steps = stepsOf(page);
  expect(steps).toHaveLength(count);
  const files = new Map<string, Uint8Array>();
  for (const { command, prints } of steps) {
    const args = [...here(command).matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? "");
    const io = new TestIo({ MCM_URL: server.url });
    for (const [name, content] of files) io.binaries.set(name, content);
    if (args[1] === "serve") {
      await server.close();
      server = await startTestServer(args.at(-1));
      continue;
    }
    await runCli(args.slice(1), { io, start: noServer });
    for (const [name, content] of io.binaries) files.set(name, content);
    expect([command, plain(there([...io.lines, ...io.errors].join("\n")))]).toEqual([command, plain(prints)]);
  }
});

test("docs/backup.md has the limits of the product", () => {
  expect(read("docs/backup.md").text).toContain(`it did not stop within ${LIMITS.stopMsMax / 1000} s`);
});

/** Makes the pictures of docs/panel.md: `npm run panel:pictures`. The same agents do the same things each time. */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "@playwright/test";
import type { Page } from "@playwright/test";
import { connect } from "../client/index.ts";
import type { Client } from "../client/client.ts";
import { ServerProcess } from "../test/support/server-process.ts";
import { chromiumLaunch } from "./support/chromium.ts";

const FOLDER = join(import.meta.dirname, "../docs/images");

const PLAN = {
  title: "Release 2",
  owner: "planner",
  due: "2026-12-18",
  budget: 12500,
  tasks: {
    notes: { title: "Write the release notes", state: "doing", by: "writer" },
    build: { title: "Make the build green", state: "doing", by: "reviewer" },
    survey: { title: "Ask ten users", state: "open", by: null },
  },
  risks: ["the build", "holidays"],
  draft: { $text: "# Release 2\n\nContexts survive a restart, and nobody's edit is lost.\n" },
};

type Agents = readonly [Client, Client, Client];

async function agents(url: string): Promise<Agents> {
  const named = (actor: string): Promise<Client> => connect(url, { actor });
  return [await named("planner"), await named("writer"), await named("reviewer")];
}

async function work([planner, writer, reviewer]: Agents): Promise<void> {
  await planner.types.put("plan", {
    type: "object",
    properties: { budget: { type: "number" }, owner: { type: "string", "x-conflict": "manual" } },
  });
  for (const id of ["research", "style-guide", "inbox", "retrospective"])
    await writer.create({ id, tags: ["team"], name: `The ${id}` });
  const plan = await planner.open("release", { create: { type: "plan", name: "Release 2", data: PLAN } });
  const draft = await writer.open("release");
  const review = await reviewer.open("release");
  await plan.update([{ op: "add", path: "/tasks/demo", value: { title: "Record the demo", state: "open" } }], {
    message: "found missing",
  });
  await draft.update([{ op: "append_text", path: "/draft", text: "\n## What is new\n" }], { message: "outline" });
  await review.update([{ op: "replace", path: "/tasks/build/state", value: "done" }]);
  await draft.update([{ op: "replace", path: "/tasks/notes/state", value: "review" }], { message: "ready to be read" });
  plan.data.root.set("owner", "the planner");
  draft.data.root.set("owner", "the writer");
  await Promise.all([plan.saved(), draft.saved()]);
  await review.lock("/draft", { purpose: "reading the draft", ttlMs: 60_000 });
  await plan.lock(["/tasks/demo", "/due"], { purpose: "planning the demo", ttlMs: 120_000 });
  const refused = async (attempt: Promise<unknown>): Promise<void> => void (await attempt.catch(() => {}));
  await refused(draft.update([{ op: "append_text", path: "/draft", text: "More" }]));
  await refused(review.update([{ op: "replace", path: "/budget", value: "a lot" }]));
  await refused(draft.update([{ op: "remove", path: "/tasks/none" }]));
  // until all is over
  void draft.lock("/draft", { purpose: "the last paragraph", waitMs: 60_000 }).catch(() => {});
  draft.presence.set({});
  plan.presence.set({});
}

interface Sight {
  readonly name: string;
  readonly hash: string;
  readonly scheme?: "light" | "dark";
  readonly width?: number;
  /** What has to be there, and is done before the picture is taken. */
  readonly ready: (page: Page, all: Agents) => Promise<void>;
}

/** Somebody looks on at the writer's session, in which all that there is to a session happens. */
async function lookOn(page: Page, [planner, writer]: Agents): Promise<void> {
  const plan = await planner.open("inbox");
  const draft = await writer.open("inbox");
  await page.getByRole("link", { name: "Traffic of writer on inbox" }).click();
  await page.getByText("Nothing yet").waitFor();
  await draft.update([{ op: "add", path: "/todo", value: { notes: "open", text: { $text: "" } } }]);
  await draft.lock("/todo", { purpose: "sorting" });
  draft.presence.set({ at: "/todo" });
  draft.data.root.set("state", "sorted");
  await draft.saved();
  await plan.update([{ op: "add", path: "/done", value: ["survey", "notes"] }]);
  await plan.update([{ op: "remove", path: "/todo" }]).catch(() => {});
  await draft.update([{ op: "remove", path: "/nothing" }]).catch(() => {});
  await draft.update([{ op: "append_text", path: "/todo/text", text: "Ask ten users." }]);
  draft.data.root.set("state", "done");
  await draft.saved();
  await page.getByRole("option", { name: "in update" }).first().click();
}

const SIGHTS: readonly Sight[] = [
  { name: "contexts", hash: "#/contexts", ready: (page) => page.getByRole("link", { name: "release" }).waitFor() },
  {
    name: "document",
    hash: "#/contexts/release?path=/draft",
    ready: async (page) => {
      await page.getByRole("textbox", { name: "Text at /draft" }).waitFor();
      await page.locator(".line.selected .by").waitFor();
    },
  },
  {
    name: "timeline",
    hash: "#/contexts/release/timeline",
    scheme: "dark",
    ready: async (page) => {
      await page.getByRole("button", { name: "Version 4 by writer" }).click();
      await page.getByRole("list", { name: "Difference" }).getByText("review").waitFor();
    },
  },
  { name: "locks", hash: "#/contexts/release/locks", ready: (page) => page.getByText("the last paragraph").waitFor() },
  {
    name: "conflicts",
    hash: "#/contexts/release/conflicts",
    ready: (page) => page.getByText("Kept by the merge").waitFor(),
  },
  {
    name: "refusals",
    hash: "#/contexts/release/refusals",
    scheme: "dark",
    ready: (page) => page.getByText("SCHEMA_VIOLATION").waitFor(),
  },
  { name: "health", hash: "#/health", ready: (page) => page.waitForTimeout(9000) },
  { name: "traffic", hash: "#/sessions", ready: lookOn },
  {
    name: "narrow",
    hash: "#/contexts/release",
    scheme: "dark",
    width: 390,
    ready: (page) => page.getByRole("treeitem").first().waitFor(),
  },
];

async function takePictures(url: string, all: Agents): Promise<void> {
  const browser = await chromium.launch({ ...chromiumLaunch(), headless: true });
  for (const { name, hash, scheme = "light", width = 1080, ready } of SIGHTS) {
    const page = await browser.newPage({ viewport: { width, height: 620 }, colorScheme: scheme, locale: "en-US" });
    await page.addInitScript(() => sessionStorage.setItem("mcm.name", "ada"));
    await page.goto(`${url}/panel/${hash}`);
    await ready(page, all);
    await page.screenshot({ path: join(FOLDER, `panel-${name}.png`) });
    await page.close();
  }
  await browser.close();
}

await mkdir(FOLDER, { recursive: true });
const dataDir = await mkdtemp(join(tmpdir(), "mcm-pictures-"));
const server = await ServerProcess.start({ dataDir });
const all = await agents(server.url);
await work(all);
await takePictures(server.url, all);
await Promise.allSettled(all.map((client) => client.close()));
await server.kill();
await rm(dataDir, { recursive: true, force: true });

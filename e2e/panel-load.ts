/**
 * Whether the panel stays smooth: `npm run panel:load -- <seconds>`. 1,000 contexts, and one of 1 MB that changes 500 times a
 * second. Prints the long tasks and the memory of the page for each view; nothing here passes or fails.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "@playwright/test";
import type { Page } from "@playwright/test";
import { connect } from "../client/index.ts";
import type { Client } from "../client/client.ts";
import type { Context } from "../client/context.ts";
import { ServerProcess } from "../test/support/server-process.ts";
import { chromiumLaunch } from "./support/chromium.ts";

const CONTEXTS = 1000;
const CHANGES_PER_S = 500;
const MEMBERS = 10_000;
const SECONDS = Number(process.argv[2] ?? 20);
const VIEWS = ["#/contexts", "#/contexts/big", "#/contexts/big/timeline"];

/** Some 1 MB as JSON. */
function bigData(): { readonly items: Record<string, { readonly n: number; readonly text: string }> } {
  const text = "lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod";
  return { items: Object.fromEntries(Array.from({ length: MEMBERS }, (_, n) => [`item${n}`, { n, text }])) };
}

function write(big: Context): () => void {
  const items = big.data.getMap("items");
  let count = 0;
  let done = 0;
  const startedAt = Date.now();
  const timer = setInterval(() => {
    const due = ((Date.now() - startedAt) / 1000) * CHANGES_PER_S;
    // each is a change of its own
    for (; done < due; done++) {
      const item: unknown = items.get(`item${count++ % MEMBERS}`);
      if (item instanceof Object && "set" in item && typeof item.set === "function") item.set("n", count);
    }
  }, 10);
  return () => clearInterval(timer);
}

async function watchLongTasks(page: Page): Promise<void> {
  await page.addInitScript(() => {
    const tasks: number[] = [];
    new PerformanceObserver((list) => tasks.push(...list.getEntries().map(({ duration }) => duration))).observe({
      type: "longtask",
    });
    Reflect.set(globalThis, "longTasks", tasks);
  });
}

async function longTasksOf(page: Page): Promise<readonly number[]> {
  return page.evaluate(() => {
    const tasks: unknown = Reflect.get(globalThis, "longTasks");
    return Array.isArray(tasks) ? tasks.splice(0).map(Number) : [];
  });
}

async function heapMb(page: Page): Promise<number> {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("HeapProfiler.collectGarbage");
  const { usedSize } = await devtools.send("Runtime.getHeapUsage");
  await devtools.detach();
  return Math.round(usedSize / 1e5) / 10;
}

async function measure(page: Page, url: string, hash: string): Promise<void> {
  await page.goto(`${url}/panel/${hash}`);
  await page.waitForSelector(".table-row, .line, .change");
  if (hash === "#/contexts/big") await page.getByRole("button", { name: "Unfold all" }).click();
  await page.waitForTimeout(3000);
  await longTasksOf(page);
  const before = await heapMb(page);
  await longTasksOf(page);
  await page.waitForTimeout(SECONDS * 1000);
  const tasks = await longTasksOf(page);
  const after = await heapMb(page);
  const longest = Math.round(Math.max(0, ...tasks));
  process.stdout.write(
    `${hash}: ${tasks.length} tasks over 50 ms in ${SECONDS} s, longest ${longest} ms, ` +
      `${tasks.filter((ms) => ms > 100).length} over 100 ms; heap ${before} MB, then ${after} MB\n`,
  );
}

async function fill(client: Client): Promise<Context> {
  for (let count = 1; count < CONTEXTS; count++) await client.create({ id: `context-${count}`, data: { count } });
  return client.open("big", { create: { data: bigData() } });
}

const dataDir = await mkdtemp(join(tmpdir(), "mcm-load-"));
const server = await ServerProcess.start({ dataDir });
const client = await connect(server.url, { actor: "writer", timeoutMs: 60_000 });
const big = await fill(client);
const stop = write(big);
const browser = await chromium.launch({ ...chromiumLaunch(), headless: true });
const page = await browser.newPage({ viewport: { width: 1280, height: 800 }, locale: "en-US" });
await watchLongTasks(page);
for (const hash of VIEWS) await measure(page, server.url, hash);
stop();
process.stdout.write(`The context is at version ${big.version}.\n`);
await browser.close();
await client.close().catch(() => {});
await server.kill();
await rm(dataDir, { recursive: true, force: true });

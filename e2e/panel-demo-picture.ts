/** Makes the README's picture, of `mcm demo` while its writer types: a part of `npm run panel:pictures`. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { chromium } from "@playwright/test";
import { chromiumLaunch } from "./support/chromium.ts";

const ROOT = join(import.meta.dirname, "..");

const demo = spawn(process.execPath, ["dist/server/main.js", "demo", "--port", "0", "--no-open"], {
  cwd: ROOT,
  stdio: ["ignore", "pipe", "inherit"],
});
const [ready = ""]: string[] = await once(createInterface({ input: demo.stdout }), "line");
const [, address = ""] = /^Ready at (\S+):/.exec(ready) ?? [];
const browser = await chromium.launch(chromiumLaunch());
const page = await browser.newPage({ viewport: { width: 1080, height: 400 }, locale: "en-US" });
await page.addInitScript(() => sessionStorage.setItem("mcm.name", "you"));
await page.goto(address);
await page.getByRole("treeitem", { name: /^why/ }).click();
const text = page.getByRole("textbox", { name: "Text at /sections/why" });
await text.getByText("nobody is told").waitFor();
await page.screenshot({ path: join(ROOT, "docs/images/demo.png") });
await browser.close();
demo.kill("SIGTERM");
await once(demo, "exit");

/**
 * Makes the README's moving picture: `mcm demo` in the panel, one chapter, with what the demo says below. A part of
 * `npm run panel:pictures`; nothing in it is played but the choice of the view.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { chromium } from "@playwright/test";
import type { Page } from "@playwright/test";
import { animate } from "./support/apng.ts";
import type { Shot } from "./support/apng.ts";
import { chromiumLaunch } from "./support/chromium.ts";

const ROOT = join(import.meta.dirname, "..");
const SIZE = { width: 900, height: 480 };
/** So slow that a view is open while it is still true. */
const SPEED = "0.35";
const FRAME_MS = 120;
const CAPTION_PX = 54;

interface Scene {
  /** What the demo says when it begins. */
  readonly says: RegExp;
  readonly hash: string;
  /** What has to be seen before the first picture. */
  readonly shows: (page: Page) => Promise<void>;
  readonly ms: number;
}

const row = (page: Page, text: RegExp): Promise<void> => page.getByRole("row", { name: text }).first().waitFor();
const line = (page: Page, name: RegExp): Promise<void> => page.getByRole("treeitem", { name }).first().waitFor();

const SCENES: readonly Scene[] = [
  { says: /plans the section/, hash: "demo-plan", shows: (page) => line(page, /^status/), ms: 1100 },
  { says: /sees that writer has it/, hash: "demo-plan", shows: (page) => line(page, /^owner/), ms: 900 },
  {
    says: /locks .* and types/,
    hash: "demo-article?path=/sections/why",
    shows: (page) => page.getByRole("textbox", { name: "Text at /sections/why" }).waitFor(),
    ms: 2200,
  },
  {
    says: /wants to correct it already/,
    hash: "demo-article/refusals",
    shows: (page) => row(page, /LOCKED/),
    ms: 1200,
  },
  { says: /waits in line/, hash: "demo-article/locks", shows: (page) => row(page, /proofreading/), ms: 1200 },
  {
    says: /corrects/,
    hash: "demo-article?path=/sections/why",
    shows: (page) => page.getByText("instead, not the whole").first().waitFor(),
    ms: 1000,
  },
  {
    says: /is told of the conflict/,
    hash: "demo-article/conflicts",
    shows: (page) => page.getByRole("article").getByText("Settled by").waitFor(),
    ms: 1300,
  },
  {
    says: /is back, and what it wrote/,
    hash: "demo-research?path=/facts",
    shows: (page) => line(page, /^why-3/),
    ms: 1200,
  },
  {
    says: /takes back what/,
    hash: "demo-research/timeline",
    shows: (page) =>
      page
        .getByRole("button", { name: /by planner/ })
        .first()
        .waitFor(),
    ms: 1200,
  },
];

/** Below the panel, by properties: its policy forbids styles of others. */
async function caption(page: Page, said: string): Promise<void> {
  const [, who = "", what = ""] = /^(\S+)\s+(.*)$/.exec(said) ?? [];
  await page.evaluate(
    ([name, text, px]) => {
      const place = document.getElementById("panel");
      const old = document.getElementById("caption");
      const bar = old ?? document.body.appendChild(document.createElement("div"));
      bar.id = "caption";
      if (place !== null) place.style.height = `calc(100% - ${px}px)`;
      const { style } = bar;
      [style.position, style.left, style.right, style.bottom, style.height] = ["fixed", "0", "0", "0", `${px}px`];
      [style.boxSizing, style.padding, style.overflow] = ["border-box", "8px 16px", "hidden"];
      [style.background, style.color, style.font] = ["#10141b", "#e4e8ef", "14px/19px monospace"];
      const strong = document.createElement("b");
      strong.style.color = "#8ea6ff";
      strong.textContent = `${name} `;
      bar.replaceChildren(strong, text);
    },
    [who, what, CAPTION_PX] as const,
  );
}

async function filmed(page: Page, ms: number): Promise<Shot[]> {
  const shots: Shot[] = [];
  for (let left = ms; left > 0;) {
    const began = performance.now();
    const png = await page.screenshot({ caret: "initial" });
    await page.waitForTimeout(Math.max(0, FRAME_MS - (performance.now() - began)));
    const took = Math.round(performance.now() - began);
    shots.push({ png, ms: took });
    left -= took;
  }
  return shots;
}

const demo = spawn(
  process.execPath,
  ["dist/server/main.js", "demo", "--port", "0", "--no-open", "--speed", SPEED, "--rounds", "1"],
  { cwd: ROOT, stdio: ["ignore", "pipe", "inherit"] },
);
const said: string[] = [];
const lines = createInterface({ input: demo.stdout });
lines.on("line", (text) => void said.push(text));
const heard = async (wanted: RegExp): Promise<string> => {
  for (;;) {
    const found = said.find((text) => wanted.test(text));
    if (found !== undefined) return found;
    await once(lines, "line");
  }
};
const [, origin = ""] = /^Ready at (\S+?)\/panel/.exec(await heard(/^Ready/)) ?? [];
const browser = await chromium.launch(chromiumLaunch());
const page = await browser.newPage({ viewport: SIZE, locale: "en-US", colorScheme: "light" });
await page.addInitScript(() => sessionStorage.setItem("mcm.name", "you"));
await page.goto(`${origin}/panel/#/contexts/demo-plan`);
const film: Shot[] = [];
for (const { says, hash, shows, ms } of SCENES) {
  const words = await heard(says);
  await page.evaluate((to) => (location.hash = to), `#/contexts/${hash}`);
  await shows(page);
  await caption(page, words);
  film.push(...(await filmed(page, ms)));
}
await browser.close();
demo.kill("SIGTERM");
await once(demo, "exit");
await writeFile(join(ROOT, "docs/images/demo.png"), animate(film));

/** What the panel's specs share: a picture of each view in both themes and widths, judged by axe-core. */
import { AxeBuilder } from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { expect, picture } from "./test.ts";

const WIDE = { width: 1280, height: 760 };

/** Each theme and each width once; `MCM_PICTURES=all` takes all four. */
const SIGHTS = [
  { colorScheme: "light", ...WIDE },
  { colorScheme: "dark", width: 390, height: 780 },
  ...(process.env["MCM_PICTURES"] === "all"
    ? ([
        { colorScheme: "dark", ...WIDE },
        { colorScheme: "light", width: 390, height: 780 },
      ] as const)
    : []),
] as const;

const OF_THE_SIGHT = ["color-contrast", "scrollable-region-focusable"];

/** Nobody is kept out of what is shown now, however it is shown; the pictures are for people. */
export async function expectGoodView(page: Page, name: string): Promise<void> {
  for (const [index, { colorScheme, width, height }] of SIGHTS.entries()) {
    const isFirst = index === 0;
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height });
    await page.screenshot({ path: picture(`panel-${name}-${colorScheme}-${width}`) });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    expect(wide, `${name} at ${width} px is wider than the page`).toBe(0);
    const axe = new AxeBuilder({ page });
    // names and roles are the same in every sight: after the first one only what can differ is looked at
    const { violations } = await (isFirst ? axe : axe.withRules(OF_THE_SIGHT)).analyze();
    const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
    const told = serious.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 200)).join(" | ")}`);
    expect(told, `${name}, ${colorScheme}, ${width} px`).toEqual([]);
  }
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize(WIDE);
}

/** What the page logs as an error, or throws, or asks of another server. */
export function troubleOf(page: Page, serverUrl: string): string[] {
  const trouble: string[] = [];
  const own = new URL(serverUrl).host;
  page.on("pageerror", (error) => trouble.push(String(error)));
  page.on("console", (message) => {
    // the browser logs a refused request as an error, which is what some specs are about
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource"))
      trouble.push(message.text());
  });
  page.on("request", (request) => {
    if (new URL(request.url()).host !== own) trouble.push(`asked ${request.url()}`);
  });
  return trouble;
}

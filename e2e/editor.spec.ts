/**
 * Two people in stock editors and an agent on the SDK write one text at the same time; one of the people goes offline for
 * a while. Nobody's words are lost and all end with the same text.
 */
import type { Browser, BrowserContext, Page } from "@playwright/test";
import { connect } from "../client/index.ts";
import { RestCaller } from "../test/support/rest-caller.ts";
import { layLine } from "./support/line.ts";
import { serveSite } from "./support/site.ts";
import type { Site } from "./support/site.ts";
import { expect, picture, test } from "./support/test.ts";

let site: Site;

test.beforeAll(async () => {
  site = await serveSite("editor");
});

test.afterAll(() => site.close());

interface Person {
  readonly page: Page;
  readonly context: BrowserContext;
}

async function open(browser: Browser, server: string, name: string, color: string): Promise<Person> {
  const context = await browser.newContext({ viewport: { width: 800, height: 420 } });
  const page = await context.newPage();
  const query = new URLSearchParams({ sync: `${server.replace(/^http/, "ws")}/sync`, context: "story", name, color });
  await page.goto(`${site.url}?${query}`);
  await expect(page.locator(".cm-content")).toBeVisible();
  return { page, context };
}

const textOn = (page: Page): Promise<string> => page.evaluate("editorText()");

/** Types at the end of the line that begins with `start`. */
async function write(page: Page, start: string, words: string): Promise<void> {
  await page.locator(".cm-line", { hasText: start }).click();
  await page.keyboard.press("End");
  await page.keyboard.type(words, { delay: 5 });
}

test("two editors and an agent write at once, one of them offline for a while", async ({ browser, server }) => {
  const rest = new RestCaller(server.url, "host");
  await rest.create("story", { text: { $text: "Ada:\nBob:\nAgent:" } });
  const ada = await open(browser, server.url, "Ada", "#c2410c");
  const line = await layLine(server.url);
  const bob = await open(browser, line.url, "Bob", "#1d4ed8");
  const client = await connect(server.url, { actor: "agent" });
  const agent = await client.open("story");
  const agentText = agent.data.getText("text");
  const everybody = async (): Promise<string[]> => [await textOn(ada.page), await textOn(bob.page), agentText.toJSON()];

  await test.step("all three at once", async () => {
    await Promise.all([
      write(ada.page, "Ada:", " one two three"),
      write(bob.page, "Bob:", " four five six"),
      (async () => {
        for (const word of [" seven", " eight", " nine"]) {
          agentText.insert(agentText.length, word);
          await agent.saved();
        }
      })(),
    ]);
    await expect
      .poll(everybody)
      .toEqual(Array.from({ length: 3 }, () => "Ada: one two three\nBob: four five six\nAgent: seven eight nine"));
    await ada.page.screenshot({ path: picture("editor-1-together") });
  });

  await test.step("Bob is offline; everybody goes on", async () => {
    await bob.context.setOffline(true);
    line.cut();
    await expect(bob.page.locator("#status")).toHaveText(/disconnected|connecting/);
    await Promise.all([
      write(bob.page, "Bob:", " [written offline]"),
      write(ada.page, "Ada:", " [Bob is away]"),
      agent.update([{ op: "edit_text", path: "/text", old: "eight", new: "EIGHT" }]),
    ]);
    await expect
      .poll(() => textOn(ada.page))
      .toBe("Ada: one two three [Bob is away]\nBob: four five six\nAgent: seven EIGHT nine");
    expect(await textOn(bob.page)).toBe(
      "Ada: one two three\nBob: four five six [written offline]\nAgent: seven eight nine",
    );
    await bob.page.screenshot({ path: picture("editor-2-bob-offline") });
  });

  await test.step("Bob is back: all converge, REST shows the same", async () => {
    await bob.context.setOffline(false);
    line.mend();
    const end = "Ada: one two three [Bob is away]\nBob: four five six [written offline]\nAgent: seven EIGHT nine";
    await expect.poll(everybody).toEqual([end, end, end]);
    expect((await rest.read("story")).data).toEqual({ text: end });
    await expect(ada.page.locator(".cm-ySelectionInfo", { hasText: "Bob" })).toBeAttached();
    await ada.page.screenshot({ path: picture("editor-3-converged-ada") });
    await bob.page.screenshot({ path: picture("editor-3-converged-bob") });
  });

  await client.close();
  line.close();
  await Promise.all([ada.context.close(), bob.context.close()]);
});

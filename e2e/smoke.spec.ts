/**
 * The browser itself: starts here, runs script, draws text. A failure in this file is about the machine, not about our code.
 */
import { expect, test } from "@playwright/test";

test("a browser from npm starts and runs a page", async ({ page }) => {
  await page.setContent(`<title>smoke</title><output></output>`);
  await page.evaluate(() => {
    const output = document.querySelector("output");
    if (output !== null) output.textContent = new Intl.NumberFormat("en").format(1234);
  });
  await expect(page).toHaveTitle("smoke");
  await expect(page.locator("output")).toHaveText("1,234");
});

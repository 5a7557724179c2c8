/** Looking on at a session in the panel: its frames as they come, standing still for who reads them, and its end. */
import { connect } from "../client/index.ts";
import { expectGoodView, troubleOf } from "./support/panel.ts";
import { expect, test } from "./support/test.ts";

// with a trace each step costs as much again
test.use({ trace: "off" });
test.setTimeout(120_000);

test("[PANEL-12] [PANEL-30] [PANEL-31] a session is followed, read, and closed", async ({ page, server }) => {
  const planner = await connect(server.url, { actor: "planner" });
  const plan = await planner.open("plan", { create: { data: { title: "A" } } });
  const trouble = troubleOf(page, server.url);
  await page.goto(`${server.url}/panel/#/sessions`);
  await page.getByRole("link", { name: "Traffic of planner on plan" }).click();
  await expect(page.getByText("Nothing yet")).toBeVisible();
  const list = page.getByRole("listbox", { name: "Frames" });
  const frames = list.getByRole("option");
  await plan.update([{ op: "replace", path: "/title", value: "hidden" }]);
  plan.data.root.set("state", "hidden");
  await plan.saved();
  await expect(frames.filter({ hasText: "commit" })).toHaveCount(2);
  await expect(frames.filter({ hasText: "request" })).toContainText("change");
  await expect(page.getByText("live", { exact: true })).toBeVisible();

  await list.focus();
  await list.press("Home");
  await list.press("ArrowDown");
  await expect(frames.nth(1)).toHaveAttribute("aria-selected", "true");
  const chosen = page.getByRole("complementary", { name: "Chosen frame" });
  await expect(chosen).toContainText("direction");
  const standing = await frames.count();
  await plan.update([{ op: "replace", path: "/title", value: "hidden too" }]);
  await expect(page.getByRole("button", { name: /^Resume \(\d+ new\)$/ })).toBeVisible();
  await expect(frames).toHaveCount(standing);
  await page.getByRole("button", { name: /^Resume/ }).click();
  await page.getByRole("combobox", { name: "Type" }).selectOption("commit");
  await expect(frames).toHaveCount(3);
  await page.getByRole("combobox", { name: "Direction" }).selectOption("in");
  await expect(frames).toHaveCount(0);
  await page.getByRole("combobox", { name: "Type" }).selectOption("");
  await page.getByRole("combobox", { name: "Direction" }).selectOption("");
  await frames.filter({ hasText: "update" }).first().click();
  await expect(chosen.getByRole("link", { name: "/state" })).toBeVisible();
  await expectGoodView(page, "traffic");
  expect(await page.locator("body").innerText()).not.toContain("hidden");

  const isBack = new Promise((resolve) => plan.on("status", (status) => status === "online" && resolve(status)));
  await page.getByRole("button", { name: "Close session" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Close it" }).click();
  await expect(page.getByRole("status").filter({ hasText: "4503" })).toContainText("The server ended the session");
  await expect(page.getByText("ended", { exact: true })).toBeVisible();
  await isBack;
  await page.reload();
  await expect(page.getByText("There is no such session")).toBeVisible();

  await page.getByRole("link", { name: "See those there are." }).click();
  await page.getByRole("button", { name: "Close planner’s session on plan" }).click();
  await expect(page.getByRole("dialog")).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toBeHidden();
  await expect(page.getByRole("link", { name: "Traffic of planner on plan" })).toBeVisible();
  expect(trouble).toEqual([]);
  await planner.close();
});

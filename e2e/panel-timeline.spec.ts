/** The panel's timeline: who changed what, the document at any version, and taking things back, while somebody else looks on. */
import { connect } from "../client/index.ts";
import { expectGoodView, troubleOf } from "./support/panel.ts";
import { expect, test } from "./support/test.ts";

// with a trace each step costs as much again
test.use({ trace: "off" });
test.setTimeout(120_000);

test("[PANEL-12] [PANEL-16] a person goes back in time and takes things back", async ({ browser, page, server }) => {
  const planner = await connect(server.url, { actor: "planner" });
  const writer = await connect(server.url, { actor: "writer" });
  const plan = await planner.open("plan", { create: { data: { title: "Plan", tasks: {}, notes: { $text: "" } } } });
  const same = await writer.open("plan");
  await plan.update([{ op: "add", path: "/tasks/t1", value: { title: "Ask", state: "open" } }], {
    message: "split up",
  });
  await plan.update([{ op: "add", path: "/tasks/t2", value: { title: "Build", state: "open" } }]);
  await same.update([{ op: "append_text", path: "/notes", text: "First draft.\n" }], { message: "draft" });
  await same.update([{ op: "replace", path: "/tasks/t1/state", value: "done" }]);
  await same.update([{ op: "replace", path: "/title", value: "Plan of the writer" }]);
  const other = await (await browser.newContext()).newPage();
  await other.goto(`${server.url}/panel/#/contexts/plan`);
  const trouble = troubleOf(page, server.url);
  await page.goto(`${server.url}/panel/#/contexts/plan/timeline`);
  const changes = page.getByRole("list", { name: "Changes, the newest first" });
  await expect(changes.getByRole("listitem")).toHaveCount(5);

  await expect(changes.getByRole("button", { name: "Version 5 by writer" })).toContainText(/\d B/);
  await expect(page.getByText("acknowledged", { exact: true })).toBeVisible();
  // what a change did
  await changes.getByRole("button", { name: "Version 4 by writer" }).click();
  await expect(page.getByRole("list", { name: "Difference" })).toContainText("/tasks/t1/state");
  await expect(page.getByRole("list", { name: "Difference" })).toContainText("done");
  await page.getByLabel("Compare from version").fill("0");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("list", { name: "Difference" }).getByRole("listitem")).toHaveCount(3);
  await expectGoodView(page, "timeline-difference");
  // the document at a version, by keys
  await page.getByRole("button", { name: "Document", exact: true }).click();
  await page.getByLabel("Version shown").focus();
  await page.keyboard.press("Home");
  await expect(page.getByText("v0 of 5")).toBeVisible();
  await expect(page.getByRole("list", { name: "The document at this version" })).toContainText("{0}");
  await page.keyboard.press("ArrowRight");
  await expect(page.getByRole("list", { name: "The document at this version" })).toContainText("Ask");
  await expectGoodView(page, "timeline");
  // new ones come by themselves, and the filter holds
  await plan.update([{ op: "replace", path: "/tasks/t2/state", value: "doing" }]);
  await expect(changes.getByRole("listitem")).toHaveCount(6);
  await page.getByLabel("Changes of").selectOption("writer");
  await expect(changes.getByRole("listitem")).toHaveCount(3);
  await page.getByLabel("Changes of").selectOption("");
  await page.getByLabel("Changes at path").fill("/tasks/t2");
  await page.keyboard.press("Enter");
  await expect(changes.getByRole("listitem")).toHaveCount(2);
  await page.getByLabel("Changes at path").fill("");
  await page.keyboard.press("Enter");
  // a part is restored
  await page.getByLabel("Version shown").fill("2");
  await page.getByRole("button", { name: "tasks {2}" }).click();
  await page.getByRole("button", { name: "Restore…" }).click();
  const dialog = page.getByRole("dialog");
  await expect(dialog.getByLabel("Only at path")).toHaveValue("/tasks");
  await expect(dialog.getByRole("list", { name: "Difference" })).toContainText("/tasks/t1/state");
  await dialog.getByLabel("Why").fill("too early");
  await expectGoodView(page, "timeline-restore");
  await dialog.getByRole("button", { name: "Restore", exact: true }).click();
  await expect(dialog).toBeHidden();
  await expect(other.locator('.line[title="/tasks/t1/state"]')).toContainText("open");
  expect(plan.get("/title")).toBe("Plan of the writer");
  // one actor is undone
  await page.getByRole("button", { name: "Undo…" }).click();
  await dialog.getByLabel("Of whom").selectOption("writer");
  await expect(dialog.getByRole("list", { name: "Difference" })).toContainText("Plan of the writer");
  await dialog.getByRole("button", { name: "Undo", exact: true }).click();
  await expect(other.locator('.line[title="/title"]')).not.toContainText("writer");
  await expect.poll(() => plan.get("/notes")).toBe("");
  await expect(changes.getByText("too early")).toBeVisible();
  expect(trouble).toEqual([]);
  await other.context().close();
  await planner.close();
  await writer.close();
});

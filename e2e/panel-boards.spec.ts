/** The panel's boards: locks and conflicts, as agents make them and a person settles them. */
import { connect } from "../client/index.ts";
import { expectGoodView, troubleOf } from "./support/panel.ts";
import { expect, test } from "./support/test.ts";

// with a trace each step costs as much again
test.use({ trace: "off" });
test.setTimeout(120_000);

test("[PANEL-12] [PANEL-17] [PANEL-18] locks are released and conflicts settled", async ({ browser, page, server }) => {
  const planner = await connect(server.url, { actor: "planner" });
  const writer = await connect(server.url, { actor: "writer" });
  await planner.types.put("plan", {
    type: "object",
    properties: { owner: { type: "string", "x-conflict": "manual" } },
  });
  const plan = await planner.open("plan", { create: { type: "plan", data: { owner: "-", tasks: { t1: {} } } } });
  const same = await writer.open("plan");
  const other = await (await browser.newContext()).newPage();
  await other.goto(`${server.url}/panel/#/contexts/plan`);
  const trouble = troubleOf(page, server.url);
  await page.goto(`${server.url}/panel/#/contexts/plan/locks`);
  await expect(page.getByText("Nothing is locked")).toBeVisible();
  const lease = await plan.lock(["/tasks/t1", "/owner"], { purpose: "rewriting the plan" });
  await same.lock("/notes", { mode: "shared", ttlMs: 60_000 });
  await expect(page.getByRole("row")).toHaveCount(3);
  await expect(page.getByRole("row", { name: /planner/ })).toContainText("rewriting the plan");
  const next = same.lock("/tasks/t1", { purpose: "reading it", waitMs: 60_000 });
  await expect(page.getByRole("row")).toHaveCount(5);
  await expect(page.getByRole("row", { name: /reading it/ })).toContainText("next");
  await expectGoodView(page, "locks");
  const lost = new Promise((resolve) => lease.onLost(resolve));
  await page.getByRole("button", { name: /Release planner.s lock/ }).click();
  await lost;
  await expect(page.getByRole("row", { name: /reading it/ })).toContainText("Release");
  await expect(page.getByRole("row")).toHaveCount(3);
  await (await next).release();

  await page.getByRole("link", { name: "Conflicts" }).click();
  await expect(page.getByText("No conflicts")).toBeVisible();
  plan.data.root.set("owner", "the planner");
  same.data.root.set("owner", "the writer");
  const conflict = page.getByRole("article");
  await expect(conflict).toContainText("Kept by the merge");
  await expectGoodView(page, "conflicts");
  const lostValue = await conflict.locator(".lost pre").innerText();
  await conflict.getByRole("button", { name: "Take what was lost" }).click();
  await expect(conflict).toContainText("Settled by");
  await expect(other.locator('.line[title="/owner"]')).toContainText(lostValue);
  await page.getByRole("button", { name: "open", exact: true }).click();
  await expect(page.getByText("No conflicts")).toBeVisible();
  expect(trouble).toEqual([]);
  await other.context().close();
  await planner.close();
  await writer.close();
});

test("[PANEL-12] [PANEL-19] refused writes say why", async ({ page, server }) => {
  const planner = await connect(server.url, { actor: "planner" });
  const writer = await connect(server.url, { actor: "writer" });
  await planner.types.put("plan", { type: "object", properties: { done: { type: "boolean" } } });
  const plan = await planner.open("plan", { create: { type: "plan", data: { done: false, tasks: {} } } });
  const same = await writer.open("plan");
  const trouble = troubleOf(page, server.url);
  await page.goto(`${server.url}/panel/#/contexts/plan/refusals`);
  await expect(page.getByText("Nothing was refused")).toBeVisible();
  await plan.lock("/tasks", { purpose: "rewriting" });
  const refused = (it: Promise<unknown>): Promise<void> => expect(it).rejects.toThrow();
  await refused(same.update([{ op: "add", path: "/tasks/t1", value: {} }]));
  await refused(same.update([{ op: "replace", path: "/done", value: "yes" }]));
  await refused(same.update([{ op: "remove", path: "/nothing" }]));
  const rows = page.getByRole("row");
  await expect(rows).toHaveCount(4);
  await expect(rows.filter({ hasText: "LOCKED" })).toContainText("planner");
  await expect(rows.filter({ hasText: "SCHEMA_VIOLATION" })).toContainText("/done");
  await expectGoodView(page, "refusals");
  await rows.filter({ hasText: "SCHEMA_VIOLATION" }).getByRole("link", { name: "/done" }).click();
  await expect(page.getByRole("complementary", { name: "Selected value" })).toContainText("/done");
  // those of other sites are denied, which the audit log has
  await fetch(`${server.url}/v1/contexts`, { headers: { origin: "https://elsewhere.example" } });
  await page.getByRole("link", { name: "Denied" }).click();
  await expect(page.getByRole("row", { name: /request.site/ })).toBeVisible();
  await expectGoodView(page, "denied");
  expect(trouble).toEqual([]);
  await planner.close();
  await writer.close();
});

/** The panel's views of the server itself: sessions, figures, alerts; and a token that may not see them. */
import { connect } from "../client/index.ts";
import type { StatsView } from "../shared/protocol/rest-monitoring.ts";
import { expectGoodView, troubleOf } from "./support/panel.ts";
import { expect, test } from "./support/test.ts";

// with a trace each step costs as much again
test.use({ trace: "off" });
test.setTimeout(120_000);

test("[PANEL-12] [PANEL-20] sessions come and go, and figures are drawn", async ({ browser, page, server }) => {
  const planner = await connect(server.url, { actor: "planner" });
  const plan = await planner.open("plan", { create: { data: { n: 0 } } });
  const other = await (await browser.newContext()).newPage();
  await other.goto(`${server.url}/panel/#/contexts/plan`);
  const trouble = troubleOf(page, server.url);
  // what Chromium says on a machine without a locale
  await page.addInitScript(() =>
    Object.defineProperty(navigator, "language", { value: "en-US@posix", configurable: true }),
  );
  await page.goto(`${server.url}/panel/#/sessions`);
  const sessions = page.getByRole("list", { name: "Sessions" });
  await expect(sessions.getByRole("listitem")).toHaveCount(2);
  await expect(sessions.getByRole("listitem").filter({ hasText: "planner" })).toContainText("mcm.v1");
  await expectGoodView(page, "sessions");
  await planner.open("elsewhere", { create: {} });
  await expect(sessions.getByRole("listitem")).toHaveCount(3);
  await page.goto(`${server.url}/panel/#/contexts/plan/sessions`);
  await expect(sessions.getByRole("listitem")).toHaveCount(3); // its own too
  await other.context().close();
  await expect(sessions.getByRole("listitem")).toHaveCount(2);

  await page.getByRole("link", { name: "Health" }).click();
  await expect(page.getByRole("heading", { name: "Health" })).toBeVisible();
  for (let count = 1; count <= 30; count++) await plan.update([{ op: "replace", path: "/n", value: count }]);
  // on a busy machine there are some
  await expect(page.getByRole("region", { name: "Alerts" })).toBeVisible();
  await expect(page.getByRole("img", { name: /^Latency, .* commit \d/ })).toBeVisible();
  await expect(page.getByRole("img")).toHaveCount(4);
  await expect(page.locator("canvas")).toHaveCount(4);
  await expectGoodView(page, "health");
  expect(trouble).toEqual([]);
  await planner.close();
});

test("[PANEL-20] an alert says what is the matter; a server without figures is said to be one", async ({
  page,
  server,
}) => {
  const raisedAt = new Date().toISOString();
  const alert = {
    id: "1",
    name: "log-lag",
    level: "critical",
    summary: "The log is late.",
    advice: "Look at the disk.",
  };
  await page.route("**/v1/alerts", (route) =>
    route.fulfill({ json: { alerts: [{ ...alert, contextId: "plan", raisedAt }], cleared: [] } }),
  );
  const standbys = { needed: 1, named: 1, connected: 0 };
  const engine = { isReachable: true, isPrimary: true, connections: { open: 3, inUse: 0, waiting: 0 }, reconnects: 0 };
  await page.route("**/v1/stats", async (route) => {
    const stats = (await (await route.fetch()).json()) as StatsView;
    await route.fulfill({ json: { ...stats, log: { ...stats.log, engine: { ...engine, standbys } } } });
  });
  await page.goto(`${server.url}/panel/#/health`);
  await expect(page.getByRole("article")).toContainText("Look at the disk.");
  await expect(page.getByText("0 standbys of 1 needed")).toBeVisible();
  const refuse = (code: string, status: number) =>
    page.route("**/v1/sessions?**", (route) => route.fulfill({ status, json: { code, detail: "no", details: {} } }));
  await refuse("NOT_FOUND", 404);
  await page.getByRole("link", { name: "Sessions" }).click();
  await expect(page.getByText("This server does not tell of its sessions")).toBeVisible();
  await refuse("FORBIDDEN", 403);
  await page.getByRole("link", { name: "Health" }).click();
  await page.getByRole("link", { name: "Sessions" }).click();
  await expect(page.getByText("Your token may not see its sessions")).toBeVisible();
});

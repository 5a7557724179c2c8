/** The panel as people use it: entering, finding a context, and working in its document with somebody else, live. */
import { randomUUID } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "../client/index.ts";
import { issueToken } from "../server/security/issue-token.ts";
import { secretKeyOf } from "../server/security/own-key.ts";
import { SCOPES } from "../shared/permission.ts";
import { ServerProcess } from "../test/support/server-process.ts";
import { AUDIENCE, SECRET } from "../test/support/tokens.ts";
import { expectGoodView, troubleOf } from "./support/panel.ts";
import { expect, test } from "./support/test.ts";

const PLAN = {
  title: "Ship release 2",
  done: false,
  budget: 12500,
  tasks: {
    t1: { title: "Write the notes", state: "open", tags: ["docs"] },
    t2: { title: "Fix the build", state: "done" },
  },
  notes: { $text: "Agenda\n" },
};

// with a trace each step costs as much again
test.use({ trace: "off" });
test.setTimeout(120_000);

test("[PANEL-12] contexts are found and opened", async ({ page, server }) => {
  const trouble = troubleOf(page, server.url);
  const client = await connect(server.url, { actor: "planner" });
  await client.types.put("task", { type: "object" });
  await client.create({ id: "plan", name: "Release 2", tags: ["release"], data: PLAN });
  for (let count = 0; count < 60; count++) await client.create({ id: `job-${count}`, type: "task" });
  await page.goto(`${server.url}/panel`);
  await expect(page.getByRole("heading", { name: "Contexts" })).toBeVisible();
  await expect(page.getByText("61", { exact: true })).toBeVisible();
  expect(await page.locator(".table-row").count()).toBeLessThan(45);
  await expectGoodView(page, "contexts");
  await page.getByLabel("Type").selectOption("task");
  await expect(page.getByRole("link", { name: "plan" })).toHaveCount(0);
  await page.getByLabel("Type").selectOption("");
  await page.getByLabel("Search contexts").fill("release");
  await expect(page.locator(".table-row")).toHaveCount(1);
  await client.create({ id: "release-notes" });
  await expect(page.locator(".table-row")).toHaveCount(2);
  const notes = await client.open("release-notes");
  await notes.lock("/draft");
  await notes.lock("/title");
  await page.getByLabel("Sort by").selectOption("locks");
  await expect(page.locator(".table-row").first()).toContainText(/Size \d+ B.*Sessions 1.*Locks 2.*Conflicts 0/);
  await notes.close();
  await page.getByRole("link", { name: "plan", exact: true }).click();
  await expect(page.getByRole("treeitem", { name: /title/ }).first()).toContainText("Ship release 2");
  expect(trouble).toEqual([]);
  await client.close();
});

test("[PANEL-11] [PANEL-12] two people work in one document, by keys and by pointer", async ({
  browser,
  page,
  server,
}) => {
  const client = await connect(server.url, { actor: "planner" });
  const plan = await client.open("plan", { create: { data: PLAN } });
  const other = await (await browser.newContext()).newPage();
  const trouble = [troubleOf(page, server.url), troubleOf(other, server.url)];
  const enter = async (it: typeof page, name: string): Promise<void> => {
    await it.addInitScript((who) => sessionStorage.setItem("mcm.name", who), name);
    await it.goto(`${server.url}/panel/#/contexts/plan`);
    await expect(it.getByText("live", { exact: true })).toBeVisible();
  };
  await enter(page, "ada");
  await enter(other, "bob");
  const lineOf = (it: typeof page, path: string) => it.locator(`.line[title="${path}"]`);

  // a value, in place, by keys alone
  await page.getByRole("tree").focus();
  await page.keyboard.press("Home");
  await page.keyboard.press("Enter");
  await page.getByLabel("Value of /title").fill("Ship release 3");
  await page.keyboard.press("Enter");
  await expect(lineOf(other, "/title")).toContainText("Ship release 3");
  await expect(page.getByRole("tree")).toBeFocused();
  // who wrote it, where a pointer rests
  await lineOf(other, "/title").hover();
  await expect(lineOf(other, "/title").locator(".by")).toContainText("ada · v1");
  // what is no JSON is not sent
  await lineOf(other, "/budget").dblclick();
  await other.getByLabel("Value of /budget").fill("much");
  await other.keyboard.press("Enter");
  await expect(other.getByText("Not JSON.")).toBeVisible();
  await other.getByLabel("Value of /budget").fill("99");
  await other.keyboard.press("Enter");
  await expect.poll(() => plan.get("/budget")).toBe(99);
  // each sees where the other looks
  await lineOf(page, "/tasks/t2").click();
  await expect(other.getByRole("button", { name: "ada looks at /tasks/t2. Go there" })).toBeVisible();
  // a member is added, and removed
  await page.getByLabel("Name", { exact: true }).fill("owner");
  await page.getByLabel("Value, as JSON").fill('"bob"');
  await page.getByRole("button", { name: "Add", exact: true }).click();
  await expect(lineOf(other, "/tasks/t2/owner")).toContainText("bob");
  await lineOf(other, "/tasks/t2/owner").click();
  await other.getByRole("button", { name: "Remove /tasks/t2/owner" }).click();
  await expect(lineOf(page, "/tasks/t2/owner")).toHaveCount(0);
  // a refused edit says why
  const lease = await plan.lock("/title", { purpose: "rewriting" });
  await lineOf(page, "/title").dblclick();
  await page.getByLabel("Value of /title").fill("mine");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("alert")).toContainText("planner");
  await lease.release();
  // one text, with carets
  await lineOf(page, "/notes").click();
  await lineOf(other, "/notes").click();
  await page.getByRole("textbox", { name: "Text at /notes" }).click();
  await page.keyboard.press("Control+End");
  await page.keyboard.type("1. Who writes?");
  await expect(other.getByRole("textbox", { name: "Text at /notes" })).toContainText("1. Who writes?");
  await expect(other.locator(".cm-peer")).toHaveText("ada");
  await other.getByRole("textbox", { name: "Text at /notes" }).click();
  await other.keyboard.press("Control+Home");
  await other.keyboard.type("Today: ");
  await expect.poll(() => plan.get("/notes")).toBe("Today: Agenda\n1. Who writes?");
  await expectGoodView(page, "document");
  expect(trouble).toEqual([[], []]);
  await other.context().close();
  await client.close();
});

test("[PANEL-9] a token is asked for, is in no address, and shows what it may see", async ({ page }) => {
  const dataDir = await mkdtemp(join(tmpdir(), "mcm-e2e-panel-"));
  const secret = join(dataDir, "secret");
  await writeFile(secret, SECRET);
  const flags = ["--auth", "jwt", "--jwt-secret-file", secret];
  const server = await ServerProcess.start({ dataDir: join(dataDir, "data"), flags });
  const tokenOf = async (subject: string): Promise<string> => {
    const claims = { subject, audience: AUDIENCE, scopes: SCOPES, grants: [], lifetimeMs: 60_000 };
    const issued = { key: secretKeyOf(SECRET), claims, nowMs: Date.now(), tokenId: randomUUID() };
    return (await issueToken(issued)).token;
  };
  const ada = await connect(server.url, { token: await tokenOf("ada") });
  const plan = await ada.open("plan", { create: { data: PLAN } });
  await ada.create({ id: "secret" });
  await plan.setAcl({ grants: [{ principal: "bob", role: "reader" }] });
  const addresses: string[] = [];
  page.on("request", (request) => addresses.push(request.url()));
  page.on("websocket", (socket) => addresses.push(socket.url()));

  await page.goto(`${server.url}/panel/`);
  await page.getByLabel("Token").fill("nonsense");
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("alert")).toContainText("UNAUTHENTICATED");
  await expectGoodView(page, "sign-in");
  const token = await tokenOf("bob");
  await page.getByLabel("Token").fill(token);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.locator(".table-row")).toHaveCount(1);
  await page.getByRole("link", { name: "plan" }).click();
  await expect(page.getByText("read only")).toBeVisible();
  await expect(page.getByLabel("Value, as JSON")).toHaveCount(0);
  await page.reload();
  await expect(page.getByText("read only")).toBeVisible();
  await page.getByRole("button", { name: "Sign out" }).click();
  await expect(page.getByLabel("Token")).toHaveValue("");
  expect(await page.evaluate(() => [...Object.values(sessionStorage), ...Object.values(localStorage)])).toEqual([]);
  expect(addresses.filter((url) => url.includes(token))).toEqual([]);
  expect(addresses.some((url) => url.startsWith("ws:"))).toBe(true);
  await ada.close();
  await server.kill();
  await rm(dataDir, { recursive: true, force: true });
});

/**
 * The SDK in a browser with IndexedDB: what is written while the server is away survives a reload of the page, and arrives
 * once when the server is back.
 */
import { RestCaller } from "../test/support/rest-caller.ts";
import { serveSite } from "./support/site.ts";
import type { Site } from "./support/site.ts";
import { expect, picture, test } from "./support/test.ts";

let site: Site;

test.beforeAll(async () => {
  site = await serveSite("offline");
});

test.afterAll(() => site.close());

test("offline edits survive a reload and are delivered once", async ({ page, server }) => {
  const rest = new RestCaller(server.url, "host");
  await rest.create("notes", { notes: [] });
  const notes = page.locator("li");
  const add = async (note: string): Promise<void> => {
    await page.getByLabel("Note").fill(note);
    await page.getByRole("button", { name: "Add" }).click();
  };

  await page.goto(`${site.url}?${new URLSearchParams({ server: server.url, context: "notes" })}`);
  await expect(page.locator("#status")).toHaveText("online");
  await add("with the server");
  await expect(page.locator("#saved")).toHaveText("saved");
  // the page is of another origin than the server: REST answers it too
  const read = (url: string): Promise<unknown> => fetch(url).then((response) => response.json());
  expect(await page.evaluate(read, `${server.url}/v1/contexts/notes`)).toMatchObject({ id: "notes" });

  await server.kill();
  await expect(page.locator("#status")).toHaveText("offline");
  await add("without the server");
  await page.reload();
  await expect(notes).toHaveText(["with the server", "without the server"]);
  await add("after a reload");
  await expect(page.locator("#saved")).toHaveText("not saved");
  await page.screenshot({ path: picture("offline-1-without-server") });
  await page.reload();
  await expect(notes).toHaveText(["with the server", "without the server", "after a reload"]);

  await server.restart();
  await expect(page.locator("#status")).toHaveText("online");
  await expect(page.locator("#saved")).toHaveText("saved");
  const everything = ["with the server", "without the server", "after a reload"];
  expect((await rest.read("notes")).data).toEqual({ notes: everything });
  const changes = await rest.changes("notes");

  // once: another reload, which syncs what the page keeps, brings nothing new
  await page.reload();
  await expect(page.locator("#status")).toHaveText("online");
  await expect(page.locator("#saved")).toHaveText("saved");
  await expect(notes).toHaveText(everything);
  expect(await rest.changes("notes")).toEqual(changes);
  await page.screenshot({ path: picture("offline-2-delivered") });
});

/**
 * Tokens and rights in a browser: a page goes on while its tokens end one after the other, none of which is in an address, and is
 * read-only from the moment its reader may not write.
 */
import { randomUUID } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "../client/index.ts";
import { issueToken } from "../server/security/issue-token.ts";
import { secretKeyOf } from "../server/security/own-key.ts";
import { SCOPES } from "../shared/permission.ts";
import type { Role } from "../shared/permission.ts";
import { ServerProcess } from "../test/support/server-process.ts";
import { AUDIENCE, SECRET } from "../test/support/tokens.ts";
import { serveSite } from "./support/site.ts";
import type { Site } from "./support/site.ts";
import { expect, picture, test } from "./support/test.ts";

const TOKEN_MS = 4000;

let site: Site;
let dataDir: string;
let server: ServerProcess;

test.beforeAll(async () => {
  site = await serveSite("rights");
  dataDir = await mkdtemp(join(tmpdir(), "mcm-e2e-rights-"));
  const secret = join(dataDir, "secret");
  await writeFile(secret, SECRET);
  server = await ServerProcess.start({
    dataDir: join(dataDir, "data"),
    flags: ["--auth", "jwt", "--jwt-secret-file", secret],
  });
});

test.afterAll(async () => {
  await server.kill();
  await site.close();
  await rm(dataDir, { recursive: true, force: true });
});

async function tokenOf(subject: string): Promise<string> {
  const claims = { subject, audience: AUDIENCE, scopes: SCOPES, grants: [], lifetimeMs: TOKEN_MS };
  const issued = { key: secretKeyOf(SECRET), claims, nowMs: Date.now(), tokenId: randomUUID() };
  return (await issueToken(issued)).token;
}

test("a page outlives its tokens, and is read-only when its reader is", async ({ page }) => {
  const client = await connect(server.url, { token: () => tokenOf("ada") });
  const note = await client.open<{ note: string }>("note", { create: { data: { note: { $text: "" } } } });
  const grant = (role: Role): Promise<unknown> => note.setAcl({ grants: [{ principal: "bob", role }] });
  await grant("writer");

  const addresses: string[] = [];
  page.on("websocket", (socket) => addresses.push(socket.url()));
  let asked = 0;
  await page.exposeFunction("giveToken", () => {
    asked++;
    return tokenOf("bob");
  });
  await page.goto(`${site.url}?${new URLSearchParams({ server: server.url, context: "note" })}`);
  const input = page.getByLabel("Note");
  await expect(input).toBeEditable();
  await input.fill("by bob");
  await expect.poll(() => note.get("/note")).toBe("by bob");

  await expect.poll(() => asked, { timeout: 20_000 }).toBeGreaterThan(2);
  await expect(page.locator("#status")).toHaveText("online");
  await input.fill("by bob, with another token");
  await expect.poll(() => note.get("/note")).toBe("by bob, with another token");

  await grant("reader");
  await expect(input).not.toBeEditable();
  await note.update([{ op: "append_text", path: "/note", text: ". Seen" }]);
  await expect(input).toHaveValue("by bob, with another token. Seen");
  await page.screenshot({ path: picture("rights-1-read-only") });
  await grant("writer");
  await expect(input).toBeEditable();
  await expect(page.locator("#status")).toHaveText("online");
  expect(addresses).toEqual([`${server.url.replace("http", "ws")}/sync/note`]);
  await client.close();
});

/** Playwright's test with a server of ours: one built server process on a data folder of its own for each test. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test as base } from "@playwright/test";
import { ServerProcess } from "../../test/support/server-process.ts";

export const test = base.extend<{ server: ServerProcess }>({
  server: async ({ browserName }, use) => {
    const dataDir = await mkdtemp(join(tmpdir(), `mcm-e2e-${browserName}-`));
    const server = await ServerProcess.start({ dataDir });
    await use(server);
    await server.kill();
    await rm(dataDir, { recursive: true, force: true });
  },
});

export { expect } from "@playwright/test";

/** Where a picture of a test is kept: artifacts/e2e/<name>.png. */
export function picture(name: string): string {
  return join(import.meta.dirname, "../../artifacts/e2e", `${name}.png`);
}

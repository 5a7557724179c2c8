/**
 * How `npm run e2e` runs: every spec in this folder, in a headless Chromium from npm, against servers the specs start themselves.
 *
 * Never retried: a test that passes at the second attempt is a finding.
 */
import { defineConfig } from "@playwright/test";
import { chromiumLaunch } from "./support/chromium.ts";

export default defineConfig({
  testDir: ".",
  outputDir: "../artifacts/e2e",
  timeout: 30_000,
  globalTimeout: 4 * 60_000,
  expect: { timeout: 10_000 },
  workers: 2,
  fullyParallel: true,
  retries: 0,
  forbidOnly: process.env["CI"] !== undefined,
  reporter: [["list"], ["json", { outputFile: "../artifacts/e2e.json" }]],
  use: {
    browserName: "chromium",
    headless: true,
    trace: "retain-on-failure",
    launchOptions: chromiumLaunch(),
  },
});

/** What `npm run audit` makes of npm's answers, which were recorded: a finding fails, no answer passes, all else fails. */
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, expect, test } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "mcm-audit-"));
afterEach(() => rmSync(join(folder, "npm"), { force: true }));

/** Runs the script with an npm that answers so. */
function judged(answer: string): { readonly passed: boolean; readonly said: string } {
  const npm = join(folder, "npm");
  writeFileSync(npm, `#!/bin/sh\ncat <<'END'\n${answer}\nEND\nexit 1\n`);
  chmodSync(npm, 0o755);
  const env = { ...process.env, PATH: `${folder}${delimiter}${process.env["PATH"]}` };
  const { status, stdout } = spawnSync(process.execPath, ["scripts/audit.mjs"], { env, encoding: "utf8" });
  return { passed: status === 0, said: stdout };
}

const report = (vulnerabilities: object): string =>
  JSON.stringify({ auditReportVersion: 2, vulnerabilities, metadata: {} });
const advisory = (severity: string) => ({
  source: 1,
  name: "leftpad",
  title: "Pads on the wrong side",
  url: "https://advisories.example/1",
  severity,
  range: "<2.0.0",
});
const found = (severity: string, more: object = {}) => ({
  name: "leftpad",
  severity,
  isDirect: true,
  via: [advisory(severity)],
  effects: [],
  range: "<2.0.0",
  fixAvailable: false,
  ...more,
});

test("nothing known passes, and so does what is not high", () => {
  expect(judged(report({}))).toEqual({ passed: true, said: "No known vulnerability of what is shipped.\n" });
  expect(judged(report({ leftpad: found("moderate"), other: found("low") })).passed).toBe(true);
});

test.each(["high", "critical"])("a %s finding fails and says what helps", (severity) => {
  const { passed, said } = judged(report({ leftpad: found(severity), fine: found("low") }));
  expect(passed).toBe(false);
  expect(said).toMatch(
    /^\w+: leftpad <2\.0\.0: Pads on the wrong side \(https:\/\/advisories\.example\/1\)\. no fixed/,
  );
  expect(said.trim().split("\n")).toHaveLength(1);
  const fix = { name: "leftpad", version: "2.0.0", isSemVerMajor: true };
  expect(judged(report({ leftpad: found(severity, { fixAvailable: fix }) })).said).toContain("use leftpad@2.0.0");
  const through = { name: "app", via: ["leftpad"], fixAvailable: true };
  expect(judged(report({ app: found(severity, through) })).said).toContain("through leftpad. npm audit fix");
});

const NO_ENDPOINT = {
  message: "405 Method Not Allowed - POST https://registry.example/-/npm/v1/security/advisories/bulk",
  method: "POST",
  uri: "https://registry.example/-/npm/v1/security/advisories/bulk",
  statusCode: 405,
  error: { summary: "", detail: "" },
};
const OFFLINE = {
  message:
    "request to https://registry.example/-/npm/v1/security/advisories/bulk failed, reason: getaddrinfo ENOTFOUND registry.example",
  error: { summary: "", detail: "" },
};

test.each([
  ["a registry that cannot be asked", NO_ENDPOINT],
  ["a machine without a network", OFFLINE],
])("%s passes, in one line", (_what, answer) => {
  const { passed, said } = judged(JSON.stringify(answer, undefined, 2));
  expect([passed, said.trim().split("\n").length]).toEqual([true, 1]);
  expect(said).toMatch(/^Not checked, the registry does not answer: /);
});

test.each([
  [
    "a missing lockfile",
    '{"error": {"code": "ENOLOCK", "summary": "This command requires an existing lockfile."}}',
    "ENOLOCK",
  ],
  ["an unknown report", '{"auditReportVersion": 9, "vulnerabilities": {}}', "auditReportVersion"],
  ["no JSON", "segmentation fault", "segmentation fault"],
])("%s fails", (_what, answer, says) => {
  const { passed, said } = judged(answer);
  expect(passed).toBe(false);
  expect(said).toContain(says);
});

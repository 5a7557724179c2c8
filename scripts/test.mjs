/**
 * Everything that must hold before a merge, in one run: `npm test` (all), `npm run check` (without chaos and e2e).
 *
 * 1. A failing step does not stop the run; the exit code is 0 only if no step failed.
 * 2. The last line is `N passed, N failed`: the tests of vitest and Playwright, plus one failed for a step that failed
 *    without a failing test (formatting, lint, types, a runner that crashed, unit or e2e without any test).
 * 3. Each runner prints its own output; the counts come from the JSON reports in artifacts/.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");

const QUICK_LAYERS = ["arch", "unit", "contract", "compat", "property", "sim", "integration", "nodes"];

const CHECK = [
  { name: "build", command: [process.execPath, "scripts/bootstrap.mjs", "build"] },
  script("format:check"),
  script("lint"),
  script("types"),
  script("knip"),
  script("audit"),
  vitest("check", QUICK_LAYERS, { mustRun: "/test/unit/" }),
];
const PHASES = { check: CHECK, all: [...CHECK, vitest("chaos", ["chaos"]), playwright()] };

const steps = PHASES[process.argv[2] ?? "all"];
if (steps === undefined) {
  console.error("Usage: node scripts/test.mjs [check|all]");
  process.exit(2);
}

mkdirSync(join(root, "artifacts"), { recursive: true });
const results = steps.map(runStep);

const broken = results.filter(({ failed }) => failed > 0).map(({ name }) => name);
if (broken.length > 0) console.log(`\nFailed: ${broken.join(", ")}.`);
const sum = (key) => results.reduce((total, result) => total + result[key], 0);
if (sum("skipped") > 0) console.log(`\n${sum("skipped")} skipped`);
console.log(`\n${sum("passed")} passed, ${sum("failed")} failed`);
process.exitCode = broken.length === 0 ? 0 : 1;

function runStep({ name, command, report, count, mustRun }) {
  console.log(`\n== ${name}`);
  if (report !== undefined) rmSync(join(root, report), { force: true });
  const startedAt = Date.now();
  const [program, ...args] = command;
  const { status, error } = spawnSync(program, args, {
    cwd: root,
    stdio: "inherit",
    shell: process.platform === "win32",
  });
  if (error !== undefined) console.log(`${program} did not start: ${error.message}`);
  console.log(`== ${name}: ${status === 0 ? "ok" : "FAILED"} in ${((Date.now() - startedAt) / 1000).toFixed(1)} s`);

  const counts = report === undefined ? { passed: 0, failed: 0, skipped: 0, files: [] } : readCounts(report, count);
  const ranNothing = mustRun !== undefined && !counts.files.some((file) => file.includes(mustRun));
  if (ranNothing) console.log(`No test ran in ${mustRun}: a run without them proves nothing.`);
  const failed = counts.failed === 0 && (status !== 0 || ranNothing) ? 1 : counts.failed;
  return { name, passed: counts.passed, failed, skipped: counts.skipped };
}

/** A missing or broken report means that the runner crashed; its exit code tells. */
function readCounts(report, count) {
  const path = join(root, report);
  if (existsSync(path)) return count(JSON.parse(readFileSync(path, "utf8")));
  return { passed: 0, failed: 1, skipped: 0, files: [] };
}

function script(name) {
  return { name, command: ["npm", "run", "--silent", name] };
}

function vitest(name, layers, { mustRun } = {}) {
  const report = `artifacts/vitest-${name}.json`;
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  const command = [
    "npx",
    "--no-install",
    "vitest",
    "run",
    ...layers.map((layer) => `--project=${layer}`),
    ...reporters,
  ];
  return { name: `vitest ${layers.join(" ")}`, command, report, mustRun, count: countVitest };
}

/** A file that fails to load has no tests to count: it counts as one that failed. */
function countVitest({ testResults }) {
  const tests = testResults.flatMap(({ assertionResults }) => assertionResults);
  const of = (status) => tests.filter((test) => test.status === status).length;
  const unloaded = testResults.filter(
    ({ status, assertionResults }) => status === "failed" && assertionResults.every((it) => it.status !== "failed"),
  );
  return {
    passed: of("passed"),
    failed: of("failed") + unloaded.length,
    skipped: tests.length - of("passed") - of("failed"),
    files: testResults
      .filter(({ assertionResults }) => assertionResults.some((it) => it.status === "passed"))
      .map(({ name }) => name.replaceAll("\\", "/")),
  };
}

function playwright() {
  return {
    name: "playwright",
    command: ["npm", "run", "--silent", "e2e"],
    report: "artifacts/e2e.json",
    mustRun: "e2e",
    count: countPlaywright,
  };
}

function countPlaywright({ stats, errors }) {
  return {
    passed: stats.expected,
    failed: stats.unexpected + stats.flaky + (stats.unexpected === 0 ? errors.length : 0),
    skipped: stats.skipped,
    files: stats.expected > 0 ? ["e2e"] : [],
  };
}

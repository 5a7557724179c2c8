/**
 * Known vulnerabilities in what our users install: asks `npm audit` and judges its answer. Of what only we use, and below
 * "high", it says nothing.
 *
 * 1. A finding fails, and is told with the package, what is wrong, and what helps.
 * 2. No answer is no finding: machines may be offline, and some registries cannot be asked. It says so in one line and passes.
 * 3. Everything else that npm complains about fails: a check that cannot run must not look like one that passed.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";

const SEVERITIES = ["high", "critical"];
// once, and not for long: without a network npm would try for more than a minute
const ARGS = ["audit", "--omit=dev", "--audit-level=high", "--json", "--fetch-retries=0", "--fetch-timeout=20000"];

const { stdout, stderr, error } = spawnSync("npm", ARGS, {
  cwd: join(import.meta.dirname, ".."),
  encoding: "utf8",
  shell: process.platform === "win32",
});
const verdict = error === undefined ? verdictOn(stdout, stderr) : fail([`npm did not start: ${error.message}`]);
for (const line of verdict.lines) console.log(line);
process.exitCode = verdict.passed ? 0 : 1;

function verdictOn(text, complaint) {
  const answer = parse(text);
  if (answer?.auditReportVersion === 2) return findings(answer);
  const { message } = answer ?? {};
  const isUnanswered =
    typeof message === "string" && (answer.statusCode !== undefined || /^request to \S+ failed/.test(message));
  if (isUnanswered)
    return { passed: true, lines: [`Not checked, the registry does not answer: ${message.split("\n")[0]}`] };
  return fail(["npm audit failed:", text.trim() || complaint.trim()]);
}

function findings({ vulnerabilities }) {
  const bad = Object.values(vulnerabilities).filter(({ severity }) => SEVERITIES.includes(severity));
  if (bad.length === 0) return { passed: true, lines: ["No known vulnerability of what is shipped."] };
  return fail(bad.map(lineOf));
}

/** What is wrong stands in `via` as objects; names there are packages that have the fault. */
function lineOf({ name, severity, via, range, fixAvailable }) {
  const why = via.map((it) => (typeof it === "string" ? `through ${it}` : `${it.title} (${it.url})`)).join("; ");
  const fix =
    typeof fixAvailable === "object"
      ? `use ${fixAvailable.name}@${fixAvailable.version}`
      : fixAvailable
        ? "npm audit fix"
        : "no fixed version yet: leave it out, or say in docs/decisions why it does no harm";
  return `${severity}: ${name} ${range}: ${why}. ${fix}`;
}

function fail(lines) {
  return { passed: false, lines };
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

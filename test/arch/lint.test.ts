/**
 * Every rule of .oxlintrc.json that we count on fires: one violation each, planted in a copy of the layout, linted in one run.
 *
 * A linter that silently skips (an unknown option, a glob that matches nothing, type information that is missing) is
 * worse than none; clean twins show that the overrides loosen what they should.
 */
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { ROOT } from "./source.ts";

const lines = (count: number, line: string) =>
  Array.from({ length: count }, (_, n) => line.replaceAll("#", String(n))).join("\n");
const declared = (count: number) => lines(count, "export const a# = #;");
const longFunction = `export function long(): void {\n${lines(61, "  void #;")}\n}`;

/** Rule, file, text; the same rule may be planted in several places. */
const PLANTED: readonly (readonly [rule: string, path: string, text: string])[] = [
  ["max-lines", "server/sync/max-lines.ts", declared(401)],
  ["max-lines", "test/unit/max-lines.test.ts", declared(601)],
  ["max-lines-per-function", "server/sync/long.ts", longFunction],
  ["max-params", "server/sync/params.ts", "export const f = (a: 1, b: 1, c: 1, d: 1, e: 1) => [a, b, c, d, e];"],
  [
    "max-depth",
    "server/sync/depth.ts",
    "export function f(a: boolean) { if (a) { if (a) { if (a) { if (a) { f(a); } } } } }",
  ],
  ["complexity", "server/sync/complex.ts", `export const f = (a: number) => ${lines(12, "a === # ? # :")} 0;`],
  ["no-explicit-any", "server/sync/any.ts", "export const f = (a: any) => String(a);"],
  ["no-non-null-assertion", "server/sync/bang.ts", "export const f = (a?: string) => a!;"],
  ["no-floating-promises", "server/sync/floating.ts", "async function f() {}\nexport function g() { f(); }"],
  ["no-misused-promises", "server/sync/misused.ts", "async function f() {}\nexport const g = () => [1].forEach(f);"],
  ["only-throw-error", "server/sync/throw.ts", 'export function f() { throw "text"; }'],
  [
    "switch-exhaustiveness-check",
    "server/sync/switch.ts",
    'export function f(a: "x" | "y") { switch (a) { case "x": return 1; } return 0; }',
  ],
  ["consistent-type-imports", "server/sync/types.ts", 'import { A } from "./any.ts";\nexport type B = A;'],
  ["no-cycle", "server/sync/cycle-a.ts", 'import { b } from "./cycle-b.ts";\nexport const a = () => b;'],
  ["no-cycle", "server/sync/cycle-b.ts", 'import { a } from "./cycle-a.ts";\nexport const b = () => a;'],
  ["no-default-export", "server/sync/default.ts", "export default 1;"],
  ["eqeqeq", "server/sync/equal.ts", "export const f = (a: unknown) => a == 1;"],
  ["filename-case", "server/sync/camelCase.ts", "export const a = 1;"],
  ["no-process-env", "server/sync/env.ts", 'export const a = process.env["A"];'],
  ["no-console", "server/sync/console.ts", "console.log(1);"],
  ["no-restricted-globals", "server/state/clock.ts", "export const a = new Date();"],
  ["no-restricted-globals", "shared/timer.ts", "setTimeout(() => {}, 1);"],
  ["no-restricted-globals", "server/sync/timer.ts", "setTimeout(() => {}, 1);"],
  ["no-restricted-globals", "client/process.ts", "export const a = process.pid;"],
  ["no-restricted-globals", "test/unit/sleep.test.ts", "setTimeout(() => {}, 1);"],
  ["no-restricted-properties", "server/state/random.ts", "export const a = Math.random();"],
  ["no-restricted-properties", "server/sync/now.ts", "export const a = Date.now();"],
  ["no-restricted-imports", "server/state/node.ts", 'export { readFile } from "node:fs/promises";'],
  ["no-restricted-imports", "server/state/shell.ts", 'export { a } from "../sync/timer.ts";'],
  ["no-restricted-imports", "shared/node.ts", 'export { readFile } from "node:fs/promises";'],
  ["no-restricted-imports", "client/server.ts", 'export { a } from "../server/state/clock.ts";'],
  ["no-restricted-imports", "client/node.ts", 'export { join } from "node:path";'],
  ["no-restricted-imports", "server/sync/shell.ts", 'export { a } from "../transport/ws.ts";'],
  ["no-restricted-imports", "server/transport/main.ts", 'export { a } from "../main.ts";'],
  ["no-focused-tests", "test/unit/only.test.ts", 'import { test } from "vitest";\ntest.only("a", () => {});'],
];

/** Allowed where they are. */
const CLEAN: readonly (readonly [path: string, text: string])[] = [
  ["server/cli/print.ts", "console.log(1);"],
  ["server/config.ts", 'export const a = process.env["A"];'],
  ["server/clock.ts", "export const a = Date.now();\nsetTimeout(() => {}, 1);"],
  ["server/transport/ws.ts", "export const a = 1;"],
  ["vite.config.ts", "export default {};"],
  ["test/unit/long.test.ts", longFunction],
  ["test/unit/lines.test.ts", declared(599)],
  ["test/integration/wait.test.ts", "setTimeout(() => {}, 1);"],
];

const root = mkdtempSync(join(tmpdir(), "mcm-lint-"));
const found = lint();

afterAll(() => rmSync(root, { recursive: true, force: true }));

test.each(PLANTED)("%s fires in %s", (rule, path) => {
  expect(found.get(path) ?? []).toContainEqual(expect.stringMatching(new RegExp(`\\(${rule}\\)$`)));
});

test.each(CLEAN)("%s may do that", (path) => {
  expect(found.get(path)).toBeUndefined();
});

/** Rules that fired, by file. */
function lint(): Map<string, string[]> {
  cpSync(join(ROOT, ".oxlintrc.json"), join(root, ".oxlintrc.json"));
  cpSync(join(ROOT, "tsconfig.json"), join(root, "tsconfig.json"));
  symlinkSync(join(ROOT, "node_modules"), join(root, "node_modules"));
  for (const [path, text] of [...PLANTED.map(([, ...file]) => file), ...CLEAN]) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  const fired = new Map<string, string[]>();
  for (const { filename, code } of runOxlint()) fired.set(filename, [...(fired.get(filename) ?? []), code]);
  return fired;
}

function runOxlint(): { filename: string; code: string }[] {
  let out: string;
  try {
    out = execFileSync(
      join(ROOT, "node_modules/.bin/oxlint"),
      ["-f", "json", "server", "client", "shared", "test", "vite.config.ts"],
      {
        cwd: root,
        encoding: "utf8",
      },
    );
  } catch (error) {
    out = (error as { stdout: string }).stdout; // violations make it exit with 1
  }
  return (JSON.parse(out) as { diagnostics: { filename: string; code: string }[] }).diagnostics;
}

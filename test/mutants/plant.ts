/**
 * Plants a mutant into a run of its test, which must notice it. The files of the repository are not touched.
 *
 * 1. The text that it replaces must be there exactly once: a mutant of code that is gone says so.
 * 2. The test must fail as a test does; a run that ends otherwise proves nothing.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import type { Mutant } from "./mutants.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

const reportSchema = z.object({
  testResults: z.array(z.object({ assertionResults: z.array(z.object({ status: z.string(), fullName: z.string() })) })),
});

/** Why the mutant is not caught; undefined when it is. */
export async function survival(mutant: Mutant): Promise<string | undefined> {
  const { name, file, text, test } = mutant;
  const places = (await readFile(join(ROOT, file), "utf8")).split(text).length - 1;
  if (places !== 1) return `its text is ${places} times in ${file}`;
  const folder = await mkdtemp(join(tmpdir(), "mcm-mutant-"));
  const report = join(folder, "report.json");
  try {
    const { code, said } = await run(name, test, report);
    if (code === 0) return "no test failed";
    const { testResults } = reportSchema.parse(JSON.parse(await readFile(report, "utf8")));
    const failed = testResults.flatMap(({ assertionResults }) => assertionResults).filter(isFailed);
    return failed.length > 0 ? undefined : `its test did not run:\n${said}`;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function isFailed({ status }: { readonly status: string }): boolean {
  return status === "failed";
}

async function run(name: string, test: Mutant["test"], report: string) {
  const args = ["run", "--config", "test/mutants/vitest.config.ts", "--project", test.layer, test.file];
  const child = spawn(
    process.execPath,
    [
      join(ROOT, "node_modules/vitest/vitest.mjs"),
      ...args,
      ...["-t", test.title, "--reporter=json", `--outputFile=${report}`],
    ],
    { cwd: ROOT, env: { ...process.env, MCM_MUTANT: name }, stdio: ["ignore", "pipe", "pipe"] },
  );
  const said: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (bytes: Buffer) => void said.push(bytes));
  const [code] = await once(child, "close");
  return { code: Number(code), said: Buffer.concat(said).toString() };
}

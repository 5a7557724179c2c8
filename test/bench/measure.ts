/**
 * One measurement: one scenario, one server, in a process of its own on the load's core. Started by main.ts, answers over IPC.
 *
 * 1. Whatever goes wrong becomes an answer with the reason; the server it started ends with it.
 *
 * Not here: repetition and order (plan.ts).
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { assertPinned } from "./cpu.ts";
import { SCENARIOS } from "./scenarios.ts";
import { SERVERS } from "./servers.ts";

export type Answer = { readonly values: Readonly<Record<string, number>> } | { readonly failed: string };

const { values: options } = parseArgs({
  options: {
    scenario: { type: "string", default: "" },
    server: { type: "string", default: "" },
    prepared: { type: "string", default: "" },
    quick: { type: "boolean", default: false },
  },
});

async function measure(): Promise<Answer> {
  assertPinned("load", process.pid);
  const scenario = SCENARIOS.find(({ id }) => id === options.scenario);
  const server = SERVERS.find(({ id }) => id === options.server);
  if (scenario === undefined || server === undefined) return { failed: "There is no such scenario or server." };
  const dataDir = await mkdtemp(join(tmpdir(), `mcm-bench-${server.id}-`));
  try {
    const values = await scenario.run({
      server,
      dataDir,
      preparedDir: options.prepared,
      count: (full, quick) => (options.quick ? quick : full),
    });
    return { values };
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
}

function answer(it: Answer): void {
  process.send?.(it, () => process.exit(0));
}

const failed = (error: unknown): Answer => ({ failed: error instanceof Error ? error.message : String(error) });

process.once("uncaughtException", (error) => answer(failed(error)));
process.once("disconnect", () => process.exit(1));
measure().then(answer, (error: unknown) => answer(failed(error)));

/**
 * Cold load: a server that has just started is asked for a document of many persisted edits.
 *
 * 1. The data folder is made once per run of the benchmark by the server itself, from updates sent one by one, and stopped politely when
 *    it has come to rest; every measurement starts on a fresh copy, so that a server that tidies up on first load does it each time.
 * 2. The clock runs from the connection's start to the last byte of the state. Not from "synced": a server may say that before it is.
 * 3. Persisted content that is missing is a failure, not a fast load.
 */
import { cp, mkdir, rename } from "node:fs/promises";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { untilQuiet } from "../cpu.ts";
import { openRoom, withServer } from "../scenario.ts";
import type { Bench, Scenario } from "../scenario.ts";
import type { RunningServer } from "../spawn-server.ts";
import { assertComplete, expectedOf, fed, joinForAll } from "./whole-state.ts";
import type { Expected } from "./whole-state.ts";

const ROOM = "cold";

export const coldLoad: Scenario = {
  id: "cold-load",
  title: "Cold load",
  what: "50,000 small edits all over a text persisted, restart, connect: until the client has all of it (1.1 MB).",
  needs: "persistence",
  metrics: {
    firstMs: { label: "first load after the edits, ms", better: "lower" },
    againMs: { label: "after another restart, ms", better: "lower" },
    cpuMs: { label: "server CPU of the first load, ms", better: "lower" },
    eventLoopMaxMs: { label: "longest event-loop turn of the first load, ms", better: "lower" },
  },
  async run(bench) {
    const expected = expectedOf(bench.count(50_000, 5000));
    const prepared = join(bench.preparedDir, `${bench.server.id}-${expected.updates.length}`);
    if (!existsSync(prepared)) await prepare(bench, prepared, expected.updates);
    await cp(prepared, bench.dataDir, { recursive: true });
    const first = await load(bench, expected);
    const again = await load(bench, expected);
    return { firstMs: first.ms, againMs: again.ms, cpuMs: first.cpuMs, eventLoopMaxMs: first.eventLoopMaxMs };
  },
};

async function prepare(bench: Bench, folder: string, updates: readonly Uint8Array[]): Promise<void> {
  const unfinished = `${folder}.unfinished`;
  await mkdir(unfinished, { recursive: true });
  const feed = async (running: RunningServer): Promise<void> => {
    const users = await fed(await openRoom(bench, running, ROOM), running, updates);
    for (const user of users) user.close();
    await untilQuiet(running.pid);
  };
  await withServer(bench, feed, unfinished);
  await rename(unfinished, folder);
}

function load(bench: Bench, expected: Expected) {
  return withServer(bench, async (running) => {
    await running.watch();
    const cpuBefore = running.cpuMs();
    const start = performance.now();
    const joined = await joinForAll({ server: bench.server, url: running.url, name: ROOM }, expected);
    const cpuMs = running.cpuMs() - cpuBefore;
    joined.client.close();
    assertComplete(joined, expected);
    return { ms: joined.atMs - start, cpuMs, eventLoopMaxMs: await running.watched() };
  });
}

/**
 * Late join: a meeting starts, thirty people open the same large document at once.
 *
 * 1. One joiner's bytes are checked with a real document after the clock has stopped.
 */
import { openRoom, withServer } from "../scenario.ts";
import type { Scenario } from "../scenario.ts";
import { assertComplete, expectedOf, fed, joinForAll } from "./whole-state.ts";

const JOINERS = 30;

export const lateJoin: Scenario = {
  id: "late-join",
  title: "Late join",
  what: "30 clients at once join a document of 1 MB (45,000 edits all over a text) that is in use.",
  needs: "state",
  metrics: {
    allMs: { label: "until all have all of it, ms", better: "lower" },
    cpuMsPerJoin: { label: "server CPU per join, ms", better: "lower" },
    eventLoopMaxMs: { label: "longest event-loop turn, ms", better: "lower" },
    peakMb: { label: "growth of peak RSS, MB", better: "lower" },
  },
  run: (bench) =>
    withServer(bench, async (running) => {
      const expected = expectedOf(bench.count(45_000, 5000));
      const room = await openRoom(bench, running, "late");
      const users = await fed(room, running, expected.updates);
      await running.settledRssKb();
      const peakBefore = running.peakRssKb();
      await running.watch();
      const cpuBefore = running.cpuMs();
      const start = performance.now();
      const joined = await Promise.all(Array.from({ length: JOINERS }, () => joinForAll(room, expected)));
      const cpuMs = running.cpuMs() - cpuBefore;
      const peakMb = Math.max(0, running.peakRssKb() - peakBefore) / 1024;
      const eventLoopMaxMs = await running.watched();
      for (const client of [...users, ...joined.map((it) => it.client)]) client.close();
      const [witness] = joined;
      if (witness !== undefined) assertComplete(witness, expected);
      return {
        allMs: Math.max(...joined.map(({ atMs }) => atMs)) - start,
        cpuMsPerJoin: cpuMs / JOINERS,
        eventLoopMaxMs,
        peakMb,
      };
    }),
};

/**
 * Loaded into every server under test (node --import): answers what only the process itself can tell, and ends an orphan.
 *
 * 1. Idle until asked: no timer, no listener on the event loop's work.
 * 2. The histogram counts the time from one tick of its timer to the next; a tick that came when it was due is no delay.
 *
 * Not here: CPU and memory, which are read from outside (cpu.ts).
 */
import { monitorEventLoopDelay } from "node:perf_hooks";

const RESOLUTION_MS = 5;
let delays;

process.on("message", (question) => {
  if (question === "collect-garbage") {
    globalThis.gc();
    process.send({ done: true });
  }
  if (question === "watch-event-loop") {
    delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
    delays.enable();
    process.send({ done: true });
  }
  if (question === "event-loop") process.send({ maxMs: Math.max(0, delays.max / 1e6 - RESOLUTION_MS) });
});
process.on("disconnect", () => process.exit(1));
process.channel?.unref();

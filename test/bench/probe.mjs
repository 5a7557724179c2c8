/**
 * Loaded into every server under test (node --import): answers what only the process itself can tell, and ends an orphan.
 *
 * 1. Idle until asked: no timer, no profiler, no listener on the event loop's work.
 * 2. The histogram counts the time from one tick of its timer to the next; a tick that came when it was due is no delay.
 * 3. With BENCH_PROFILE_DIR set, what happens between "watch" and "watched" is also profiled into a file there.
 *
 * Not here: CPU and memory, which are read from outside (cpu.ts).
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { Session } from "node:inspector/promises";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";

const RESOLUTION_MS = 5;
const profileDir = process.env.BENCH_PROFILE_DIR;

let delays;
let profiler;

const answers = {
  async "collect-garbage"() {
    globalThis.gc();
    return {};
  },
  async watch() {
    if (profileDir !== undefined) await startProfile();
    delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
    delays.enable();
    return {};
  },
  async watched() {
    delays.disable();
    if (profileDir !== undefined) await writeProfile();
    return { eventLoopMaxMs: Math.max(0, delays.max / 1e6 - RESOLUTION_MS) };
  },
};

async function startProfile() {
  profiler = new Session();
  profiler.connect();
  await profiler.post("Profiler.enable");
  await profiler.post("Profiler.start");
}

async function writeProfile() {
  const { profile } = await profiler.post("Profiler.stop");
  profiler.disconnect();
  mkdirSync(profileDir, { recursive: true });
  writeFileSync(
    join(profileDir, `${process.pid}-${Math.round(performance.now())}.cpuprofile`),
    JSON.stringify(profile),
  );
}

process.on("message", (question) => {
  void answers[question]().then((answer) => process.send(answer));
});
process.on("disconnect", () => process.exit(1));
process.channel?.unref();

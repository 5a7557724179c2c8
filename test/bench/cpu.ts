/**
 * What a process costs, read from outside it: CPU of all its threads, memory, and whether it has come to rest (Linux).
 *
 * 1. CPU is the scheduler's own nanoseconds where the kernel gives them, else the 10 ms ticks of `stat`: a server that does
 *    its work in 80 ms cannot be told from one that does it in 90 by ticks.
 * 2. Threads that ended are counted in neither; none of the servers measured ends threads while it works.
 *
 * Not here: what a process says of itself (probe.mjs).
 */
import { spawn, spawnSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { constants, cpus, setPriority } from "node:os";
import { setTimeout as delay } from "node:timers/promises";

const TICKS_PER_SECOND = 100;
const NS_PER_MS = 1e6;

/** The cores the server and the load run on; undefined where pinning is not possible. (availableParallelism would count only the cores this process is pinned to.) */
export const PINNING: { readonly server: string; readonly load: string } | undefined =
  cpus().length > 1 && spawnSync("taskset", ["-c", "0", "true"]).status === 0 ? { server: "0", load: "1" } : undefined;

/** `argv` as a command that runs on one core, or as it is where that is not possible. */
export function pinned(role: "server" | "load", argv: readonly string[]): readonly string[] {
  return PINNING === undefined ? argv : ["taskset", "-c", PINNING[role], ...argv];
}

/** @throws {Error} if the process may run elsewhere than on its core: a run that silently shares a core measures nothing */
export function assertPinned(role: "server" | "load", pid: number): void {
  const cores = /^Cpus_allowed_list:\s+(.*)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  if (PINNING !== undefined && cores !== PINNING[role]) {
    throw new Error(`The ${role} should run on core ${PINNING[role]}, it may run on ${cores ?? "any"}.`);
  }
}

/**
 * Runs `work` while a program that does nothing but count takes what is left of the server's core, at the lowest priority.
 * What comes of that is the kernel's doing: some let a thread that wakes wait for the end of a tick.
 */
export async function besideBusyProgram<Result>(work: () => Promise<Result>): Promise<Result> {
  const [file = "", ...args] = pinned("server", [process.execPath, "--eval", "for (;;);"]);
  const program = spawn(file, args, { stdio: "ignore" });
  try {
    setPriority(program.pid ?? 0, constants.priority.PRIORITY_LOW);
    return await work();
  } finally {
    program.kill("SIGKILL");
  }
}

/** CPU time in ms that all threads of a process have used. */
export function cpuMs(pid: number): number {
  let ns = 0;
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    ns += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, "utf8").split(" ")[0]);
  }
  return ns > 0 ? ns / NS_PER_MS : tickMs(pid);
}

/** Of a process and its children, those that ended too. */
export function familyCpuMs(pid: number): number {
  const [, , endedUser, endedSystem] = ticksOf(pid);
  const endedMs = ((endedUser + endedSystem) * 1000) / TICKS_PER_SECOND;
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number);
  return children.reduce((sum, child) => sum + cpuIfThere(child), cpuMs(pid) + endedMs);
}

function cpuIfThere(pid: number): number {
  try {
    return cpuMs(pid);
  } catch {
    return 0;
  }
}

function tickMs(pid: number): number {
  const [user, system] = ticksOf(pid);
  return ((user + system) * 1000) / TICKS_PER_SECOND;
}

/** Of the process itself, and of its children that ended. */
function ticksOf(pid: number): readonly [user: number, system: number, endedUser: number, endedSystem: number] {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // fields are counted after the name, which may hold spaces: the times are the 12th to 15th from there
  const [user = 0, system = 0, endedUser = 0, endedSystem = 0] = stat
    .slice(stat.lastIndexOf(")") + 2)
    .split(" ")
    .slice(11, 15)
    .map(Number);
  return [user, system, endedUser, endedSystem];
}

/** Resident memory in KB, now or at its highest since the process began. */
export function rssKb(pid: number, which: "now" | "peak" = "now"): number {
  const field = which === "now" ? "VmRSS" : "VmHWM";
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(status)?.[1]);
}

/** Resolves once the process uses less than 2 % of a core for half a second: queues drained, timers aside. */
export async function untilQuiet(pid: number, timeoutMs = 120_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (let calm = 0; calm < 2;) {
    if (performance.now() > deadline) throw new Error(`Process ${pid} did not come to rest in ${timeoutMs} ms.`);
    const before = cpuMs(pid);
    await delay(250);
    calm = cpuMs(pid) - before < 5 ? calm + 1 : 0;
  }
}

/**
 * One seed from beginning to end: a safety phase with faults, in which nothing may be wrong, then a liveness phase without,
 * in which everything must come right.
 */
import { EventQueue, drain } from "./event-queue.ts";
import { strike } from "./faults.ts";
import { drawAccessNature } from "./access/access-habits.ts";
import { drawLockNature } from "./locks/lock-habits.ts";
import { FAULTS, drawNature } from "./nature.ts";
import type { Nature } from "./nature.ts";
import { Random } from "./random.ts";
import type { Sabotage } from "./server-life.ts";
import { checkPresence, checkSettled } from "./settled.ts";
import { Stage } from "./stage.ts";
import { World } from "./world.ts";

export interface RunOptions {
  readonly seed: number;
  /** Edits, changes and reads of the safety phase. */
  readonly ops?: number;
  /** What is not played, whatever the seed draws. Without locks there are no rights either. */
  readonly without?: readonly ("locks" | "access")[];
  readonly sabotage?: Sabotage;
  readonly print?: (line: string) => void;
}

export interface RunResult {
  readonly seed: number;
  /** The first broken rule; undefined when all was well. */
  readonly violation: string | undefined;
  /** Fingerprint of all that happened. */
  readonly trace: string;
  readonly events: number;
  readonly simulatedMs: number;
}

export const OPS = 120;
/** Any number will do. */
const ACCESS = 0x5a5a;
/** Longer than a context stays in memory that nobody uses. */
const NIGHT_MS = 100_000;
const SETTLE_MS = 30_000;
const LOOK_BACK_MS = 10_000;
/** A state that is not renewed is gone after 30 s; the server looks every 5. */
const PRESENCE_MS = 36_000;
/** Long enough for a goodbye to come through. */
const LEAVE_MS = 5000;

export async function runSeed(options: RunOptions): Promise<RunResult> {
  const { seed, ops = OPS, without = [], sabotage = {}, print } = options;
  const events = new EventQueue(print);
  const random = new Random(seed);
  const nature: Nature = { ...drawNature(random), ...drawMore(seed, without) };
  events.note(`seed ${seed} ${JSON.stringify(nature)}`);
  const world = new World({ events, random: random.fork(), nature, sabotage });
  const stage = new Stage(world, random, nature);
  const mend = sabotage.spoil?.();
  const phases = [
    () => stage.setUp(),
    () => safetyPhase(stage, ops),
    () => livenessPhase(stage),
    () => farewell(stage),
  ];
  try {
    for (const phase of phases) if (events.violation === undefined) await phase();
  } finally {
    mend?.();
  }
  for (const client of stage.clients) client.awareness.destroy();
  return {
    seed,
    violation: events.violation,
    trace: events.digest(),
    events: events.executed,
    simulatedMs: events.nowMs,
  };
}

/** Of streams of their own: a run without them is what it was before there were any. */
export function drawMore(
  seed: number,
  without: Required<RunOptions>["without"] = [],
): Pick<Nature, "locks" | "access"> {
  const locks = without.includes("locks") ? undefined : drawLockNature(new Random(~seed));
  if (locks === undefined) return {};
  const access = without.includes("access") ? undefined : drawAccessNature(new Random(~seed ^ ACCESS));
  return { locks, ...(access && { access }) };
}

/** Things happen at drawn intervals; nothing may be wrong at any time. */
async function safetyPhase(stage: Stage, ops: number): Promise<void> {
  const { world, random, nature } = stage;
  let delayMs = 0;
  for (let i = 0; i < ops; i++) {
    delayMs += random.between(0, nature.paceMsMax);
    if (random.below(1000) < nature.nights) {
      world.after(delayMs, () => stage.goHome());
      delayMs += NIGHT_MS;
      world.after(delayMs, () => stage.comeBack());
    }
    for (const fault of FAULTS) {
      if (random.below(1000) < nature.faults[fault]) world.after(delayMs, () => strike(fault, stage));
    }
    world.after(delayMs, () => stage.act());
  }
  await world.events.runUntil(world.nowMs() + delayMs + nature.paceMsMax);
}

/** What broke is repaired; some time later everything must have come right. */
async function livenessPhase(stage: Stage): Promise<void> {
  const { world } = stage;
  world.note("faults end");
  world.disk.heal();
  const links = new Set([...world.links, ...stage.clients.flatMap(({ currentLink }) => currentLink ?? [])]);
  for (const link of links) if (link.isDisturbed) link.cut({ clientMs: 0, serverMs: 0 });
  stage.settleAccess();
  stage.letGo();
  stage.actOnceMore();
  await world.events.runUntil(world.nowMs() + SETTLE_MS);
  stage.lookBack();
  await world.events.runUntil(world.nowMs() + LOOK_BACK_MS);
  world.go(world.probe());
  await drain();
  checkSettled(stage);
}

/** Some clients leave and some vanish without a word: the first are gone at once, in the end nobody sees any of them. */
async function farewell(stage: Stage): Promise<void> {
  const { world, random, clients, callers } = stage;
  world.note("some leave");
  for (const client of clients.filter(() => random.percent(30))) client.disconnect();
  await world.events.runUntil(world.nowMs() + LEAVE_MS);
  checkPresence(stage);
  world.note("some vanish");
  for (const client of clients.filter((it) => it.isHere && random.percent(40))) {
    client.currentLink?.cut({ clientMs: 0, serverMs: "never" });
    client.disconnect();
  }
  await world.events.runUntil(world.nowMs() + PRESENCE_MS);
  checkPresence(stage);
  for (const caller of callers) caller.endFeed();
}

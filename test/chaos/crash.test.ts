/**
 * Promise P1 with a real process: `kill -9` at random moments, while SDK, stock Yjs and REST clients write.
 *
 * In each trial a server is written to, killed, started again on the same data with all clients gone, and judged; the next
 * trial begins on it. Trials share contexts in blocks, so that logs grow past their checkpoints and earlier trials'
 * content is judged again. On several nodes one is killed in each trial, in turn, and the next one judged; who cannot leave
 * without a trace (stock clients) is at the one that is killed, the others are everywhere. `MCM_CRASH_TRIALS=1000` runs more (on nodes `MCM_CRASH_NODE_TRIALS`), `MCM_CRASH_SEED=7` other ones. A seed fixes what is
 * written and when the kill is due; what the server was doing at that moment is up to the machine.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import * as Y from "yjs";
import { Random } from "../sim/random.ts";
import { PostgresServer } from "../support/postgres-server.ts";
import { RestCaller } from "../support/rest-caller.ts";
import { ServerProcess } from "../support/server-process.ts";
import { HISTORY_CHANGES, checkExactness, checkSurvival } from "./crash-checks.ts";
import type { Settled } from "./crash-checks.ts";
import { historian } from "./crash-historian.ts";
import { Journal } from "./crash-journal.ts";
import { EMPTY_DATA } from "./crash-model.ts";
import { Past } from "./crash-past.ts";
import { missingUpdates } from "./crash-sights.ts";
import type { Participant } from "./crash-stage.ts";
import { feedReader, restAsker, sdkAsker, sdkEditor, stockEditor } from "./crash-writers.ts";

const TRIALS = Number(process.env["MCM_CRASH_TRIALS"] ?? 12);
const SEED = Number(process.env["MCM_CRASH_SEED"] ?? Date.now() % 1_000_000);
const NODE_TRIALS = Number(process.env["MCM_CRASH_NODE_TRIALS"] ?? 2);
const NODES = 3;
const TRIALS_PER_CONTEXT = 10;
const TRIAL_MS_MAX = 20_000;
/** The kill is due when so many things were told or shown, at most. */
const SEEN_MAX = 600;

const EARLY_ACK = new URL("early-ack.mjs", import.meta.url).href;

const CAST: Readonly<Record<string, Participant>> = {
  "sdk-editor-1": sdkEditor,
  "sdk-editor-2": sdkEditor,
  "sdk-asker": sdkAsker,
  "stock-editor-1": stockEditor,
  "stock-editor-2": stockEditor,
  "rest-asker-1": restAsker,
  "rest-asker-2": restAsker,
  "feed-reader": feedReader,
  historian,
};

interface Run {
  readonly trials: number;
  readonly seed: number;
  readonly nodeFlags?: readonly string[];
  /** The database of several nodes; one server with a folder otherwise. */
  readonly storage?: string;
}

/** Runs trials until one finds a fault; returns its faults and how much was told and shown on the way. */
async function run({
  trials,
  seed,
  nodeFlags = [],
  storage,
}: Run): Promise<{ readonly faults: readonly string[]; readonly seen: number }> {
  const random = new Random(seed);
  const dataDir = await mkdtemp(join(tmpdir(), "mcm-crash-"));
  const environment = storage === undefined ? {} : { MCM_STORAGE: storage };
  const options = { dataDir, nodeFlags, environment, flags: ["--history-changes", String(HISTORY_CHANGES)] };
  const nodes = [await ServerProcess.start(options)];
  if (storage !== undefined) while (nodes.length < NODES) nodes.push(await ServerProcess.start(options));
  const urlOf = (node: number): string => nodes[node % nodes.length]?.url ?? "";
  let settled = nothingSettled();
  let seen = 0;
  try {
    for (let trial = 0; trial < trials; trial++) {
      const contextId = `crash-${Math.floor(trial / TRIALS_PER_CONTEXT)}`;
      const judge = new RestCaller(urlOf(trial), "judge");
      if (trial % TRIALS_PER_CONTEXT === 0) {
        settled = nothingSettled();
        await judge.create(contextId, EMPTY_DATA);
      }
      const { epoch } = await judge.read(contextId);
      const journal = new Journal(epoch);
      journal.past.takeOver(settled.past);
      await writeAndKill(nodes, { contextId, trial, random: random.fork(), journal });
      seen += journal.seen;
      // of several nodes another one; else at another address: whoever still tries the old one stays away
      if (nodes.length === 1) nodes[0] = await ServerProcess.start(options);
      const place = { url: urlOf(trial + 1), contextId };
      const lost = await checkSurvival(place, journal, settled);
      const faults = lost.length > 0 ? lost : await checkExactness(place, journal, settled);
      if (faults.length > 0) return { faults: [`trial ${trial} of seed ${seed}:`, ...faults], seen };
      if (nodes.length > 1) nodes[trial % nodes.length] = await ServerProcess.start(options);
    }
    return { faults: [], seen };
  } finally {
    await Promise.all(nodes.map((node) => node.kill()));
    await rm(dataDir, { recursive: true, force: true });
  }
}

interface Trial {
  readonly contextId: string;
  readonly trial: number;
  readonly random: Random;
  readonly journal: Journal;
}

function nothingSettled(): Settled {
  return { live: new Map(), counters: new Map(), past: new Past() };
}

/** Resolves when the server, or a node, is dead and everybody has left; what was told and shown is in the journal. */
async function writeAndKill(
  nodes: readonly ServerProcess[],
  { contextId, trial, random, journal }: Trial,
): Promise<void> {
  const victim = nodes[trial % nodes.length];
  if (victim === undefined) throw new Error("there is no server");
  const dead = new AbortController();
  const names = Object.keys(CAST);
  let missing = names.length;
  let allEntered = (): void => {};
  const entered = new Promise<void>((resolve) => (allEntered = resolve));
  // most crashes come in full swing, some while clients connect
  const isInFullSwing = random.percent(90);
  const stage = { contextId, journal, dead: dead.signal };
  const everybody = Promise.all(
    Object.entries(CAST).map(([role, participant], index) => {
      const place = participant === stockEditor ? victim : (nodes[(trial + index) % nodes.length] ?? victim);
      const enters = async (): Promise<void> => {
        if (--missing === 0) allEntered();
        if (isInFullSwing) await entered;
      };
      const its = { url: place.url, survives: place !== victim, random: random.fork(), entered: enters };
      return participant({ ...stage, ...its }, `${role}-${trial}`);
    }),
  );
  const due = isInFullSwing
    ? entered.then(() => journal.whenSeen(journal.seen + random.below(SEEN_MAX)))
    : journal.whenSeen(random.below(50));
  await Promise.race([due.then(() => setTimeout(random.below(4))), everybody]);
  const killed = victim.kill();
  dead.abort();
  await Promise.all([killed, everybody]);
}

test(
  `[CTX-1] kill -9 loses nothing that was acked or shown: ${TRIALS} trials, seed ${SEED}`,
  { timeout: 60_000 + TRIALS * TRIAL_MS_MAX },
  async () => {
    const { faults, seen } = await run({ trials: TRIALS, seed: SEED });
    expect(faults).toEqual([]);
    // trials in which nothing happened would prove nothing
    expect(seen / TRIALS).toBeGreaterThan(SEEN_MAX / 5);
  },
);

test(
  `[NODE-7] [CTX-1] kill -9 of one of ${NODES} nodes in turn loses nothing that any acked or showed: ${NODE_TRIALS} trials, seed ${SEED}`,
  { timeout: 120_000 + NODE_TRIALS * TRIAL_MS_MAX * NODES },
  async () => {
    const postgres = await PostgresServer.start();
    try {
      const { faults, seen } = await run({ trials: NODE_TRIALS, seed: SEED, storage: await postgres.database() });
      expect(faults).toEqual([]);
      expect(seen / NODE_TRIALS).toBeGreaterThan(SEEN_MAX / 10);
    } finally {
      await postgres.stop();
    }
  },
);

describe("the judge itself", () => {
  test("finds a server that acknowledges before it writes", { timeout: 60_000 }, async () => {
    const faulty = run({ trials: 20, seed: SEED, nodeFlags: ["--import", EARLY_ACK] });
    // it may even refuse what it should not, having lost sight of what it acknowledged
    const found = await faulty.then(({ faults }) => faults.join("\n"), String);
    expect(found).toMatch(/was announced|was known to be|are gone|is nothing|gave [45]\d\d/);
  });

  const edited = (
    edit: (data: Y.Map<unknown>) => void,
    base?: Y.Doc,
  ): { readonly doc: Y.Doc; readonly update: Uint8Array } => {
    const doc = new Y.Doc();
    if (base !== undefined) Y.applyUpdate(doc, Y.encodeStateAsUpdate(base));
    const before = Y.encodeStateVector(doc);
    edit(doc.getMap("data"));
    return { doc, update: Y.encodeStateAsUpdate(doc, before) };
  };

  test("finds a lost insertion and a lost deletion", () => {
    const first = edited((data) => data.set("a", 1));
    const second = edited((data) => data.set("b", 2), first.doc);
    const third = edited((data) => data.delete("a"), first.doc);
    const state = Y.encodeStateAsUpdate(first.doc);
    const of = (update: Uint8Array) => missingUpdates(state, [{ by: "ada", update }]);
    expect(of(first.update)).toEqual([]);
    expect(of(second.update)).toHaveLength(1);
    expect(of(third.update)).toHaveLength(1);
  });
});

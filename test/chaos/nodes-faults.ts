/** The faults of a run, chosen by a seed: nodes and engine killed by -9, nodes that stand still, lines that fail. */
import { intBelow, pick } from "../support/editing-history.ts";
import type { Random } from "../support/editing-history.ts";
import type { PostgresServer } from "../support/postgres-server.ts";
import type { NodesStage, StagedNode } from "./nodes-stage.ts";

/** The commit of a turn: the request of which it matters most whether it arrived. */
const COMMIT = { words: "COMMIT", opening: "tcp_keepalives" };
const ANY_REQUEST = { words: "" };

type Fault = (node: StagedNode, random: Random, postgres: PostgresServer) => Promise<unknown>;

/** Those of lines are quick, and the more of them there are. */
const FAULTS = {
  reset: ({ proxy }) => Promise.resolve(proxy.reset()),
  "lost commit answer": ({ proxy }) => proxy.noReply(COMMIT),
  "lost answer": ({ proxy }) => proxy.noReply(ANY_REQUEST),
  "late commit": ({ proxy }, random) => proxy.late(COMMIT, 30 + intBelow(random, 400)),
  "late request": ({ proxy }, random) => proxy.late(ANY_REQUEST, 30 + intBelow(random, 400)),
  stall: async ({ proxy }, random) => {
    proxy.stall();
    await lasting(100 + intBelow(random, 1500));
    proxy.heal();
  },
  cut: async ({ proxy }, random) => {
    proxy.cut();
    await lasting(100 + intBelow(random, 1500));
    proxy.heal();
  },
  "node stands still": async ({ server }, random) => {
    server.signal("SIGSTOP");
    await lasting(200 + intBelow(random, 2500));
    server.signal("SIGCONT");
  },
  "node killed": async ({ server }) => {
    await server.kill();
    await server.restart();
  },
  "engine killed": async (_, __, postgres) => {
    await postgres.kill();
    await postgres.restart();
  },
  // the others may come back after it, and find their places taken
  "node and engine killed": async ({ server }, _, postgres) => {
    await Promise.all([server.kill(), postgres.kill()]);
    await postgres.restart();
    await server.restart();
  },
} satisfies Record<string, Fault>;

type FaultName = keyof typeof FAULTS;

const OF_LINES: readonly [FaultName, ...FaultName[]] = [
  "reset",
  "lost commit answer",
  "lost answer",
  "late commit",
  "late request",
  "stall",
  "cut",
];
const OF_PROCESSES: readonly [FaultName, ...FaultName[]] = [
  "node stands still",
  "node killed",
  "engine killed",
  "node and engine killed",
];
const PROCESS_CHANCE = 0.3;

/** One fault, from its beginning to its end. @returns its name */
export async function inflict(stage: NodesStage, postgres: PostgresServer, random: Random): Promise<string> {
  const node = stage.nodes[intBelow(random, stage.nodes.length)];
  if (node === undefined) throw new Error("a stage has nodes");
  const name = pick(random, random() < PROCESS_CHANCE ? OF_PROCESSES : OF_LINES);
  await FAULTS[name](node, random, postgres);
  return name;
}

/** A part of the fault, not a wait for anything. */
function lasting(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

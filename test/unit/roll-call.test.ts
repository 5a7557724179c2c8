/** Which nodes there are, and when what one was to say may be lost. */
import { expect, test } from "vitest";
import { HintLine } from "../../server/storage/postgres/lines/hint-line.ts";
import { PeerLine } from "../../server/storage/postgres/lines/peer-line.ts";
import { RollCall } from "../../server/storage/postgres/lines/roll-call.ts";
import { parseContextId } from "../../shared/ids.ts";
import { LIMITS } from "../../shared/limits.ts";
import { turns } from "../support/event-loop.ts";
import { FakeEngine } from "../support/fake-lines.ts";
import type { FakeLine } from "../support/fake-lines.ts";
import { ManualClock } from "../support/manual-clock.ts";

/** A node, and how often it was told of a gap since it has its line. */
interface Node {
  readonly line: FakeLine;
  readonly roll: RollCall;
  gaps: number;
}

const clock = new ManualClock();

async function startNode(engine: FakeEngine): Promise<Node> {
  const line = engine.newLine();
  const node: Node = { line, roll: new RollCall(line, clock), gaps: -1 };
  node.roll.onGap(() => node.gaps++);
  await line.open();
  await looked();
  return node;
}

/** What was said is heard, and all have looked. */
async function looked(): Promise<void> {
  await turns(4);
  clock.advance(LIMITS.headsEveryMs);
  await turns(4);
}

async function start(count: number): Promise<readonly Node[]> {
  const engine = new FakeEngine();
  const nodes: Node[] = [];
  for (let n = 0; n < count; n++) nodes.push(await startNode(engine));
  return nodes;
}

function of(nodes: readonly Node[]): readonly [Node, Node, Node] {
  const [a, b, c] = nodes;
  if (a === undefined || b === undefined || c === undefined) throw new Error("three nodes");
  return [a, b, c];
}

const gapsOf = (nodes: readonly Node[]): readonly number[] => nodes.map(({ gaps }) => gaps);

test("those are there that listen, without oneself", async () => {
  const [a, b, c] = of(await start(3));
  expect(await a.roll.others()).toEqual(new Set([b.line.node, c.line.node]));
  b.line.cut();
  expect(await a.roll.others()).toEqual(new Set([c.line.node]));
});

test("[EVENT-5] a node that is gone without a goodbye is a gap to all others, once, when nothing of it can be under way", async () => {
  const nodes = await start(3);
  const [, b] = of(nodes);
  // its line is gone, and what it sent may still be carried out
  b.line.cut();
  await looked();
  expect(gapsOf(nodes)).toEqual([0, 0, 0]);
  b.line.isConnected = false;
  await looked();
  await looked();
  expect(gapsOf(nodes)).toEqual([1, 0, 1]);
});

test("[EVENT-5] nodes that are started and stopped are no gap to anybody", async () => {
  const engine = new FakeEngine();
  const [a, b] = [await startNode(engine), await startNode(engine)];
  await b.line.leave();
  await looked();
  const c = await startNode(engine);
  await looked();
  expect(gapsOf([a, c])).toEqual([0, 0]);
  // one that comes again and is killed then is another matter
  b.line.isConnected = true;
  await b.line.open();
  await looked();
  expect(gapsOf([a, c])).toEqual([1, 1]);
  b.line.kill();
  await looked();
  expect(gapsOf([a, c])).toEqual([2, 2]);
});

test("[EVENT-5] a line that was lost is a gap to its node at once, and to the others, however many lines, once a look", async () => {
  const nodes = await start(3);
  const [a, b, c] = of(nodes);
  for (const { line } of [b, c]) line.cut();
  for (const { line } of [b, c]) await line.open();
  expect([b.gaps, c.gaps]).toEqual([1, 1]);
  await looked();
  expect(a.gaps).toBe(1);
  await looked();
  expect(a.gaps).toBe(1);
});

test("an engine that does not say who is there is asked again", async () => {
  const nodes = await start(3);
  const [a, b, c] = of(nodes);
  for (const { line } of [a, c]) line.isMute = true;
  b.line.kill();
  await looked();
  expect(gapsOf(nodes)).toEqual([0, 0, 0]);
  for (const { line } of [a, c]) line.isMute = false;
  await looked();
  expect(gapsOf(nodes)).toEqual([1, 0, 1]);
});

test.each(["hints", "words"])("[EVENT-5] a node says goodbye when all %s that wait are said", async (what) => {
  const engine = new FakeEngine();
  const line = engine.newLine();
  const hints = new HintLine(line);
  const peers = new PeerLine(line, clock);
  await line.open();
  for (const id of ["a", "b", "c"]) {
    if (what === "hints") hints.tell({ contextId: parseContextId(id), seq: 1 });
    else peers.say("records", id);
  }
  await hints.leave();
  expect(engine.said.at(-1)).toBe("mcm_roll goodbye");
  expect(engine.said).toHaveLength(3);
});

test("[EVENT-5] at peerQueueCharsMax all that waits is said; beyond it what gave way is a gap to the others", async () => {
  const engine = new FakeEngine();
  const other = await startNode(engine);
  const line = engine.newLine();
  const peers = new PeerLine(line, clock);
  await line.open();
  await looked();
  const half = "x".repeat(LIMITS.peerQueueCharsMax / 2 - 'records ""'.length);
  const sayThree = (last: string): void => {
    peers.say("records", null);
    for (const word of [half, last]) peers.say("records", word);
  };
  // the first is under way: it waits no more
  sayThree(half);
  await turns(1000);
  await looked();
  expect(other.gaps).toBe(0);
  sayThree(`${half}x`);
  await turns(1000);
  await looked();
  expect(other.gaps).toBe(1);
});

/** What a node asks of all others, and what it is told in a bounded time. */
import { expect, test } from "vitest";
import type { Peers } from "../../server/storage/peers.ts";
import { PeerLine } from "../../server/storage/postgres/lines/peer-line.ts";
import type { Json } from "../../shared/json.ts";
import { LIMITS } from "../../shared/limits.ts";
import { turns } from "../support/event-loop.ts";
import { FakeEngine } from "../support/fake-lines.ts";
import type { FakeLine } from "../support/fake-lines.ts";
import { ManualClock } from "../support/manual-clock.ts";

interface Node {
  readonly line: FakeLine;
  readonly peers: Peers;
}

const clock = new ManualClock();
const NOBODY = { answers: [], silent: 0 };

/** Each answers with its number and what it was asked. */
async function start(count: number): Promise<{ readonly nodes: readonly Node[]; readonly engine: FakeEngine }> {
  const engine = new FakeEngine();
  const nodes: Node[] = [];
  for (let n = 0; n < count; n++) {
    const line = engine.newLine();
    const peers = new PeerLine(line, clock);
    peers.answer("sessions", (question) => [n, question]);
    await line.open();
    nodes.push({ line, peers });
  }
  return { nodes, engine };
}

function at(nodes: readonly Node[], n: number): Node {
  const node = nodes[n];
  if (node === undefined) throw new Error(`there is no node ${n}`);
  return node;
}

test("[NODE-44] a node that is alone has its answer without a question", async () => {
  const { nodes, engine } = await start(1);
  expect(await at(nodes, 0).peers.ask("sessions", {})).toEqual(NOBODY);
  expect(engine.said).toEqual([]);
});

test("[NODE-44] all others answer, whoever asks, and what is asked at the same time is told apart", async () => {
  const { nodes } = await start(3);
  const [first, second] = await Promise.all([
    at(nodes, 0).peers.ask("sessions", "ä"),
    at(nodes, 1).peers.ask("sessions", { b: [1] }),
  ]);
  expect(first).toEqual({
    answers: expect.arrayContaining([
      [1, "ä"],
      [2, "ä"],
    ]),
    silent: 0,
  });
  expect(second).toEqual({
    answers: expect.arrayContaining([
      [0, { b: [1] }],
      [2, { b: [1] }],
    ]),
    silent: 0,
  });
  expect([first, second].map(({ answers }) => answers.length)).toEqual([2, 2]);
});

test("[NODE-44] who does not answer within peerAnswerMs is silent, and heard no more", async () => {
  const { nodes } = await start(3);
  let answer = (_value: Json): void => undefined;
  at(nodes, 2).peers.answer("sessions", () => new Promise((resolve) => (answer = resolve)));
  let told: unknown;
  const asked = at(nodes, 0).peers.ask("sessions", 1);
  void asked.then((answers) => (told = answers));
  await turns(20);
  clock.advance(LIMITS.peerAnswerMs - 1);
  await turns(20);
  expect(told).toBeUndefined();
  clock.advance(1);
  expect(await asked).toEqual({ answers: [[1, 1]], silent: 1 });
  answer("late");
  await turns(20);
  expect(told).toEqual({ answers: [[1, 1]], silent: 1 });
});

test("[NODE-44] who fails, or does not know what it is asked, is silent at once", async () => {
  const { nodes } = await start(3);
  at(nodes, 1).peers.answer("refusals", () => {
    throw new Error("it cannot say");
  });
  expect(await at(nodes, 0).peers.ask("refusals", {})).toEqual({ answers: [], silent: 2 });
});

test("[NODE-44] an answer of peerAnswerCharsMax arrives, one that is larger is none; a question too", async () => {
  const { nodes } = await start(2);
  const id = "00000000-0000-4000-8000-000000000000";
  const room = LIMITS.peerAnswerCharsMax - JSON.stringify({ id, answer: "" }).length;
  at(nodes, 1).peers.answer("refusals", (length) => "x".repeat(Number(length)));
  const { answers, silent } = await at(nodes, 0).peers.ask("refusals", room);
  expect([JSON.stringify(answers[0]).length - 2, silent]).toEqual([room, 0]);
  expect(await at(nodes, 0).peers.ask("refusals", room + 1)).toEqual({ answers: [], silent: 1 });
  const most = LIMITS.peerAnswerCharsMax - JSON.stringify({ id, about: "webhooks", question: "" }).length;
  at(nodes, 1).peers.answer("webhooks", (question) => JSON.stringify(question).length - 2);
  expect(await at(nodes, 0).peers.ask("webhooks", "x".repeat(most))).toEqual({ answers: [most], silent: 0 });
  expect(await at(nodes, 0).peers.ask("webhooks", "x".repeat(most + 1))).toEqual({ answers: [], silent: 1 });
});

test("[NODE-44] peerQuestionsMax questions wait at once; what is asked beyond is not told", async () => {
  const { nodes } = await start(2);
  at(nodes, 1).peers.answer("webhooks", () => new Promise<Json>(() => undefined));
  const asked = Array.from({ length: LIMITS.peerQuestionsMax }, () => at(nodes, 0).peers.ask("webhooks", {}));
  await turns(20);
  expect(await at(nodes, 0).peers.ask("sessions", {})).toEqual({ answers: [], silent: 1 });
  clock.advance(LIMITS.peerAnswerMs);
  await Promise.all(asked);
  expect(await at(nodes, 0).peers.ask("sessions", {})).toEqual({ answers: [[1, {}]], silent: 0 });
});

test("[NODE-44] who loses its line has what was answered by then, and is told how many others there were", async () => {
  const { nodes } = await start(3);
  at(nodes, 2).peers.answer("sessions", () => new Promise<Json>(() => undefined));
  const asked = at(nodes, 0).peers.ask("sessions", 1);
  await turns(20);
  at(nodes, 0).line.cut();
  expect(await asked).toEqual({ answers: [[1, 1]], silent: 1 });
  expect(await at(nodes, 0).peers.ask("sessions", 2)).toEqual({ answers: [], silent: 2 });
});

test("[NODE-44] an answer goes to who asked, and to no other node", async () => {
  const { nodes, engine } = await start(3);
  await at(nodes, 0).peers.ask("sessions", 1);
  const answers = engine.said.filter((notice) => notice.includes(" answer {"));
  expect(answers).toHaveLength(2);
  for (const notice of answers) expect(notice).toContain(`mcm_node_${at(nodes, 0).line.node} `);
});

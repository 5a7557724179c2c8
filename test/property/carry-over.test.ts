/**
 * SDK replicas on the real service, with lines that break and go deaf, and compactions at any time: every edit is in the
 * data once, or was handed to the application.
 */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import * as Y from "yjs";
import { openReplica } from "../../client/open-replica.ts";
import type { Replica } from "../../client/replica.ts";
import { ServiceError } from "../../shared/errors.ts";
import { readData } from "../../shared/read-data.ts";
import { intBelow, pick, randomFrom } from "../support/editing-history.ts";
import type { Random } from "../support/editing-history.ts";
import { LocalLine } from "../support/local-line.ts";
import { PLAN, caller, startPlan, turns } from "../support/service-rig.ts";
import type { ServiceRig } from "../support/service-rig.ts";

const SEEDS = 60;
const STEPS = 60;

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval"] }));
afterEach(() => void vi.useRealTimers());

/** Someone who edits, and remembers what became of it. */
interface Author {
  readonly replica: Replica;
  readonly line: LocalLine;
  readonly tokens: string[];
  /** All bytes that were handed back. */
  handed: string;
}

interface World {
  readonly random: Random;
  readonly rig: ServiceRig;
  readonly authors: Author[];
  /** Tokens that somebody may have deleted again. */
  readonly deleted: Set<string>;
  compactions: number;
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");

async function join(rig: ServiceRig, name: string): Promise<Author> {
  const line = new LocalLine(rig.service, caller(name));
  const provider = { url: "ws://local/sync", contextId: PLAN, params: {}, WebSocket: line.WebSocket };
  const opened = openReplica({ provider, timeoutMs: 10_000 });
  await passing(200);
  const author: Author = { replica: await opened, line, tokens: [], handed: "" };
  author.replica.events.on("rejected", ({ update }) => {
    author.handed += text(update);
  });
  return author;
}

async function passing(ms: number): Promise<void> {
  await turns(3);
  await vi.advanceTimersByTimeAsync(ms);
  await turns(3);
}

function edit({ random, deleted }: World, author: Author, token: string): void {
  const data = author.replica.doc.getMap("data");
  const list = data.get("list");
  const words = data.get("words");
  const nested = data.get("nested");
  if (!(list instanceof Y.Array && words instanceof Y.Text && nested instanceof Y.Map)) throw new Error("no such data");
  const dice = random();
  if (dice < 0.1 && list.length > 0) {
    const at = intBelow(random, list.length);
    deleted.add(String(list.get(at)));
    return list.delete(at);
  }
  if (dice < 0.15) return words.format(0, Math.min(3, words.length), { bold: true });
  if (dice < 0.25) return void nested.set(pick(random, ["a", "b", "c"]), intBelow(random, 100));
  author.tokens.push(token);
  if (dice < 0.45) return list.insert(intBelow(random, list.length + 1), [token]);
  if (dice < 0.7) {
    // between words, so that each stays whole
    const ends = words
      .toJSON()
      .split("")
      .flatMap((unit, index) => (unit === " " ? [index + 1] : []));
    return words.insert(pick(random, [0, ...ends]), `${token} `);
  }
  if (dice < 0.85) return void nested.set(token, new Y.Map([["is", token.length]]));
  return void data.set(token, { whole: [token.length] });
}

async function step(world: World, number: number): Promise<void> {
  const { random, rig, authors } = world;
  const author = authors[intBelow(random, authors.length)];
  if (author === undefined) return;
  const { line } = author;
  const dice = random();
  if (dice < 0.08) {
    line.isUp = false;
    line.cut();
  } else if (dice < 0.14) line.isDeaf = true;
  else if (dice < 0.18) line.cut();
  else if (dice < 0.34) {
    line.isUp = true;
    // who was deaf has missed something: only a new connection helps
    if (line.isDeaf) line.cut();
    line.isDeaf = false;
  } else if (dice < 0.4) {
    world.compactions++;
    const compacted = rig.service.history.compact(caller("admin"), PLAN);
    if (random() < 0.5) edit(world, author, `t${number}x;`);
    await compacted;
  } else if (dice < 0.55) await passing(pick(random, [0, 10, 300]));
  else edit(world, author, `t${number};`);
  await turns(intBelow(random, 3));
}

async function settle({ authors }: World): Promise<void> {
  for (const { line } of authors) {
    line.isUp = true;
    if (line.isDeaf) line.cut();
    line.isDeaf = false;
  }
  for (let i = 0; i < 100; i++) {
    await passing(1000);
    if (authors.every(({ replica }) => replica.status === "online" && replica.pending.isEmpty)) return;
  }
  throw new Error(`not settled: ${authors.map(({ replica }) => replica.status).join()}`);
}

const countOf = (whole: string, part: string): number => whole.split(part).length - 1;

async function run(seed: number): Promise<{ compactions: number; handed: number; kept: number }> {
  const rig = await startPlan({ list: [], words: { $text: "" }, nested: {} });
  const world: World = { random: randomFrom(seed), rig, authors: [], deleted: new Set(), compactions: 0 };
  for (const name of ["ada", "bob", "eve"]) world.authors.push(await join(rig, name));
  for (let number = 0; number < STEPS; number++) await step(world, number);
  await settle(world);
  await turns(5);
  const { data } = await rig.service.read(caller("ada"), PLAN, { path: "" });
  const found = JSON.stringify(data);
  const outcome = { compactions: world.compactions, handed: 0, kept: 0 };
  for (const { replica, tokens, handed } of world.authors) {
    expect(readData(replica.doc, ""), `seed ${seed}`).toEqual(data);
    for (const token of tokens) {
      const count = countOf(found, token);
      expect(count, `seed ${seed}, ${token}`).toBeLessThanOrEqual(1);
      if (count === 0 && !world.deleted.has(token)) {
        expect(handed, `seed ${seed}, ${token} is lost`).toContain(token);
        outcome.handed++;
      }
      outcome.kept += count;
    }
    replica.close(new ServiceError("CLOSED", "The test is over."));
    await replica.dispose();
  }
  return outcome;
}

test(`[SDK-31] [SDK-32] ${SEEDS} times ${STEPS} random steps of three authors`, { timeout: 120_000 }, async () => {
  let [compactions, handed, kept] = [0, 0, 0];
  for (let seed = 1; seed <= SEEDS; seed++) {
    const outcome = await run(seed);
    compactions += outcome.compactions;
    handed += outcome.handed;
    kept += outcome.kept;
  }
  // the test is about something
  expect(compactions).toBeGreaterThan(SEEDS);
  expect(handed).toBeGreaterThan(0);
  expect(kept).toBeGreaterThan(20 * handed);
});

/**
 * SDK replicas on the real service, under locks that others take and give back at any time, or rights that come and go, over
 * lines that break and go deaf: every edit is in the data once, or was handed to its author, whole; replicas equal the server.
 */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import * as Y from "yjs";
import { openReplica } from "../../client/open-replica.ts";
import type { Replica } from "../../client/replica.ts";
import { ServiceError } from "../../shared/errors.ts";
import type { Grant } from "../../shared/permission.ts";
import { readData } from "../../shared/read-data.ts";
import { intBelow, pick, randomFrom } from "../support/editing-history.ts";
import type { Random } from "../support/editing-history.ts";
import { LocalLine } from "../support/local-line.ts";
import { PLAN, caller, startPlan, turns } from "../support/service-rig.ts";
import type { ServiceRig } from "../support/service-rig.ts";

const SEEDS = 60;
const STEPS = 60;
const PLACES = ["/list", "/words", "/nested", "/nested/a", "/other"];

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval"] }));
afterEach(() => void vi.useRealTimers());

interface Author {
  readonly replica: Replica;
  readonly line: LocalLine;
  /** The tokens of each edit: it is in the data with all of them, or with none. */
  readonly edits: string[][];
  /** All bytes that were handed back. */
  handed: string;
}

interface World {
  readonly random: Random;
  readonly rig: ServiceRig;
  readonly authors: Author[];
  /** What gets in the way of edits. */
  readonly hinder: Hinder;
  readonly held: string[];
  /** Tokens that somebody may have deleted again, or put into what somebody deleted. */
  readonly deleted: Set<string>;
}

type Hinder = (world: World) => Promise<void>;

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");

async function join(rig: ServiceRig, name: string): Promise<Author> {
  const line = new LocalLine(rig.service, caller(name));
  const provider = { url: "ws://local/sync", contextId: PLAN, params: {}, WebSocket: line.WebSocket };
  const opened = openReplica({ provider, timeoutMs: 10_000 });
  await passing(200);
  const author: Author = { replica: await opened, line, edits: [], handed: "" };
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

function edit(world: World, author: Author, number: number): void {
  const { doc } = author.replica;
  // in two places now and then: one of them may be locked
  const tokens = world.random() < 0.2 ? [`t${number};`, `u${number};`] : [`t${number};`];
  doc.transact(() => tokens.forEach((token) => insert(world, doc, token)));
  author.edits.push(tokens);
}

interface Data {
  readonly root: Y.Map<unknown>;
  readonly list: Y.Array<unknown>;
  readonly words: Y.Text;
  readonly nested: Y.Map<unknown>;
  readonly deep: Y.Map<unknown>;
}

function dataOf(doc: Y.Doc): Data {
  const root = doc.getMap("data");
  const [list, words, nested] = ["list", "words", "nested"].map((key) => root.get(key));
  const deep = nested instanceof Y.Map ? nested.get("a") : undefined;
  if (list instanceof Y.Array && words instanceof Y.Text && nested instanceof Y.Map && deep instanceof Y.Map)
    return { root, list, words, nested, deep };
  throw new Error("no such data");
}

type Insert = (data: Data, token: string, random: Random) => unknown;

/** Each as often as it stands here. */
const INSERTS: readonly Insert[] = [
  ({ list }, token, random) => list.insert(intBelow(random, list.length + 1), [token]),
  ({ list }, token, random) => list.insert(intBelow(random, list.length + 1), [token]),
  ({ words }, token, random) => {
    const places = [0, ...[...words.toJSON().matchAll(/ /g)].map(({ index }) => index + 1)];
    words.insert(places[intBelow(random, places.length)] ?? 0, `${token} `);
  },
  ({ deep }, token) => deep.set(token, new Y.Map([["is", token.length]])),
  ({ deep }, token, random) => {
    // into what an earlier edit made, which may have been refused
    const made: Y.Map<unknown>[] = [...deep.values()].filter((value) => value instanceof Y.Map);
    const place = made[intBelow(random, made.length + 1)] ?? deep;
    place.set(token, true);
  },
  ({ nested }, token) => nested.set(token, 1),
  ({ root }, token) => root.set(token, { whole: [token.length] }),
];

function insert({ random, deleted }: World, doc: Y.Doc, token: string): void {
  const data = dataOf(doc);
  const { list } = data;
  if (random() < 0.1 && list.length > 0) {
    const at = intBelow(random, list.length);
    deleted.add(String(list.get(at)));
    list.delete(at);
  }
  INSERTS[intBelow(random, INSERTS.length)]?.(data, token, random);
}

async function lockOrUnlock({ random, rig, held }: World): Promise<void> {
  const holder = caller("holder");
  const lockId = random() < 0.5 ? held.shift() : undefined;
  if (lockId !== undefined) return rig.service.locks.release(holder, PLAN, lockId);
  const lock = rig.service.locks.acquire(holder, PLAN, {
    paths: [PLACES[intBelow(random, PLACES.length)] ?? ""],
    ttlMs: 600_000,
  });
  held.push(
    ...(await lock.then(
      (it) => [it.lockId],
      () => [],
    )),
  );
}

/** What bob may do, and the other bob; ada writes everywhere. */
async function changeRights({ random, rig }: World): Promise<void> {
  const principal = "bob";
  const paths = PLACES.filter(() => random() < 0.5);
  const some = paths.length === 0 ? [] : [{ principal, role: "writer", paths } as const];
  const bobs = pick<readonly Grant[]>(random, [[{ principal, role: "writer" }], some, []]);
  const grants: readonly Grant[] = [{ principal: "*", role: "reader" }, { principal: "ada", role: "writer" }, ...bobs];
  await rig.service.access.setAcl(caller("creator"), PLAN, { grants });
}

async function step(world: World, number: number): Promise<void> {
  const { random, authors } = world;
  const author = authors[intBelow(random, authors.length)];
  if (author === undefined) return;
  const { line } = author;
  const dice = random();
  if (dice < 0.05) {
    line.isUp = false;
    line.cut();
  } else if (dice < 0.1) line.isDeaf = true;
  else if (dice < 0.14) line.cut();
  else if (dice < 0.3) {
    line.isUp = true;
    // who was deaf has missed something: only a new connection helps
    if (line.isDeaf) line.cut();
    line.isDeaf = false;
  } else if (dice < 0.42) await world.hinder(world);
  else if (dice < 0.52) await passing(pick(random, [0, 10, 300]));
  else edit(world, author, number);
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

async function run(seed: number, hinder: Hinder): Promise<{ handed: number; kept: number }> {
  const rig = await startPlan({ list: [], words: { $text: "" }, nested: { a: {} }, other: 0 });
  const world: World = { random: randomFrom(seed), rig, authors: [], hinder, held: [], deleted: new Set() };
  for (const name of ["ada", "bob", "bob"]) world.authors.push(await join(rig, name));
  for (let number = 0; number < STEPS; number++) await step(world, number);
  await settle(world);
  await turns(5);
  const { data } = await rig.service.read(caller("ada"), PLAN, { path: "" });
  const found = JSON.stringify(data);
  const outcome = { handed: 0, kept: 0 };
  for (const { replica, edits, handed } of world.authors) {
    expect(readData(replica.doc, ""), `seed ${seed}`).toEqual(data);
    for (const tokens of edits) {
      const counts = tokens.map((token) => countOf(found, token));
      const isHanded = tokens.every((token) => handed.includes(token));
      const isGone = tokens.some((token) => world.deleted.has(token));
      const which = `seed ${seed}, ${tokens.join(" and ")}`;
      expect(Math.max(...counts), `${which}, twice`).toBeLessThanOrEqual(1);
      if (isHanded) expect(Math.max(...counts), `${which}, refused`).toBe(0);
      else if (!isGone) expect(Math.min(...counts), `${which}, lost`).toBe(1);
      if (isHanded) outcome.handed++;
      else outcome.kept++;
    }
    replica.close(new ServiceError("CLOSED", "The test is over."));
    await replica.dispose();
  }
  return outcome;
}

async function everySeed(hinder: Hinder): Promise<void> {
  let [handed, kept] = [0, 0];
  for (let seed = 1; seed <= SEEDS; seed++) {
    const outcome = await run(seed, hinder);
    handed += outcome.handed;
    kept += outcome.kept;
  }
  // the test is about something
  expect(handed).toBeGreaterThan(SEEDS);
  expect(kept).toBeGreaterThan(handed);
}

const TIMES = `${SEEDS} times ${STEPS} random steps of three authors`;

test(`[SDK-11] ${TIMES} under locks`, { timeout: 120_000 }, () => everySeed(lockOrUnlock));

test(`[SDK-55] ${TIMES} under rights`, { timeout: 120_000 }, () => everySeed(changeRights));

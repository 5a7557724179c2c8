/**
 * The scanner against random honest clients, and against damaged and invented updates.
 *
 * MCM_FUZZ multiplies the counts; MCM_SEED replaces the fixed seed, which is printed when something fails.
 */
import { describe, expect, test } from "vitest";
import * as Y from "yjs";
import { ServiceError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import { covers, parsePath } from "../../shared/path.ts";
import { touchOf } from "../../server/state/update/touched-paths.ts";
import type { Touch } from "../../server/state/update/touched-paths.ts";
import { scanUpdate } from "../../server/state/update/update-scanner.ts";
import { intBelow, pick, randomFrom, runHistory } from "../support/editing-history.ts";
import type { Random } from "../support/editing-history.ts";
import { same } from "../support/same.ts";
import { TYPE, any, assemble, deleted, embed, format, gc, text, type } from "../support/update-assembler.ts";
import type { DeletedRange, Id, Section } from "../support/update-assembler.ts";

const SEED = Number(process.env["MCM_SEED"] ?? 20_261);
const TIMES = Number(process.env["MCM_FUZZ"] ?? 1);
const HISTORIES = 1000 * TIMES;
const MUTATIONS = 20_000 * TIMES;
const INVENTIONS = 10_000 * TIMES;
const TIMEOUT_MS = 120_000 * Math.max(1, TIMES);

/** What a reader can see of a document: `data` as JSON, and the other roots whole. */
function viewOf(doc: Y.Doc): { data: unknown; others: Map<string, string> } {
  const others = new Map<string, string>();
  for (const [name, root] of doc.share) {
    // a root is made when it is named, whether or not anything is put there
    if (name !== "data" && listed(root) !== EMPTY) others.set(name, listed(root));
  }
  return { data: doc.getMap("data").toJSON(), others };
}

const EMPTY = "[[],[]]";

/** A root whose class nobody chose has no toJSON of its own. */
function listed(root: Y.ContentType["type"]): string {
  const values: unknown[] = [];
  for (let item = root._start; item !== null; item = item.right) if (!item.deleted) values.push(shown(item));
  const keyed = [...root._map]
    .filter(([, item]) => !item.deleted)
    .map(([key, item]) => JSON.stringify([key, shown(item)]));
  return JSON.stringify([values.flat(), keyed.sort()]);
}

function shown(item: Y.Item): unknown {
  if (item.content instanceof Y.ContentType) return [listed(item.content.type)];
  return item.content instanceof Y.ContentFormat ? [item.content.key] : item.content.getContent();
}

/** Steps of the paths at which two values differ, as near to the leaves as objects go. */
function differences(before: unknown, after: unknown, at: readonly string[] = ["data"]): (readonly string[])[] {
  if (!isObject(before) || !isObject(after)) return JSON.stringify(before) === JSON.stringify(after) ? [] : [at];
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...keys].flatMap((key) => differences(before[key], after[key], [...at, key]));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
}

/** Judges, applies, and holds the verdict against what happened. */
function judgeAndApply(doc: Y.Doc, update: Uint8Array): Touch {
  const touch = touchOf(doc, scanUpdate(update));
  const before = viewOf(doc);
  const vector = Y.decodeStateVector(Y.encodeStateVector(doc));
  let isChanged = false;
  const onUpdate = (): void => void (isChanged = true);
  doc.on("update", onUpdate);
  Y.applyUpdate(doc, update);
  doc.off("update", onUpdate);
  same([doc.store.pendingStructs, doc.store.pendingDs], [null, null]);
  same(isChanged, !touch.isNoop);
  for (const { client, from, to } of touch.advances) {
    same(vector.get(client) ?? 0, from);
    same(Y.getState(doc.store, client), to);
    vector.set(client, to);
  }
  same(Y.decodeStateVector(Y.encodeStateVector(doc)), vector);
  expectCovered(touch.paths, before, viewOf(doc));
  return touch;
}

function expectCovered(
  paths: readonly string[],
  before: ReturnType<typeof viewOf>,
  after: ReturnType<typeof viewOf>,
): void {
  const touched = paths.map(parsePath);
  same(paths.length <= LIMITS.touchedPathsMax, true);
  same(paths.toSorted(), paths);
  touched.forEach((path, i) => touched.forEach((other, j) => same(i !== j && covers(path, other), false)));
  for (const change of differences(before.data, after.data)) {
    const isCovered = touched.some((path) => covers(path, change));
    if (!isCovered) throw new Error(`${change.join("/")} changed, touched were ${JSON.stringify(paths)}`);
  }
  for (const name of new Set([...before.others.keys(), ...after.others.keys()])) {
    if (before.others.get(name) === after.others.get(name)) continue;
    const isAtRoot = touched.some(
      (path) => path.length === 0 || path[0] === name || (name === "" && path.length === 1),
    );
    same(isAtRoot, true);
  }
}

function expectUsable(...docs: readonly Y.Doc[]): void {
  for (const doc of docs) {
    let emitted = 0;
    doc.on("update", () => emitted++);
    doc.getMap("data").set("after", 1);
    same(emitted, 1);
    doc.getMap("data").clear();
    same(doc.getMap("data").toJSON(), {});
    const copy = load(Y.encodeStateAsUpdate(doc));
    same(copy.getMap("data").toJSON(), {});
  }
}

function newServer(): Y.Doc {
  const server = new Y.Doc();
  server.clientID = 1_000_000;
  server.getMap("data");
  return server;
}

describe("honest clients", () => {
  test(
    `[SCAN-15] none of ${HISTORIES} histories has an update refused; touched paths cover what changed`,
    { timeout: TIMEOUT_MS },
    () => {
      let updates = 0;
      for (let run = 0; run < HISTORIES; run++) {
        const server = newServer();
        try {
          runHistory(randomFrom(SEED + run), 30, server, ({ update, onlyKey }) => {
            const touch = judgeAndApply(server, update);
            if (onlyKey !== undefined && !touch.isNoop) same(touch.paths, [onlyKey]);
            updates++;
          });
        } catch (error) {
          throw new Error(`MCM_SEED=${SEED + run} fails in its first history`, { cause: error });
        }
      }
      expect(updates).toBeGreaterThan(HISTORIES * 10);
    },
  );
});

/** A document's state and an honest update for it. */
interface Sample {
  readonly state: Uint8Array;
  readonly doc: Y.Doc;
  readonly update: Uint8Array;
}

function samples(count: number): Sample[] {
  const found: Sample[] = [];
  for (let run = 0; run < count; run++) {
    const server = newServer();
    const received: [state: Uint8Array, update: Uint8Array][] = [];
    runHistory(randomFrom(SEED + run), 40, server, ({ update }) => {
      received.push([Y.encodeStateAsUpdate(server), update]);
      Y.applyUpdate(server, update);
    });
    const random = randomFrom(run);
    for (let i = 0; i < 4; i++) {
      const [state, update] = received[intBelow(random, received.length)] ?? [];
      if (state !== undefined && update !== undefined) found.push({ state, update, doc: load(state) });
    }
  }
  return found;
}

function load(state: Uint8Array): Y.Doc {
  const doc = newServer();
  Y.applyUpdate(doc, state);
  return doc;
}

/** Judges by the sample's own document, which is only read; applies to a fresh one. */
/** The last for what goes on in the middle of what was voided. */
const REFUSALS: ReadonlySet<string> = new Set(["MALFORMED_UPDATE", "TOO_LARGE", "LIMIT_EXCEEDED", "FORBIDDEN"]);

function isAccepted(sample: Sample, update: Uint8Array): boolean {
  try {
    touchOf(sample.doc, scanUpdate(update));
  } catch (error) {
    if (error instanceof ServiceError && REFUSALS.has(error.code)) return false;
    throw error;
  }
  const doc = load(sample.state);
  judgeAndApply(doc, update);
  // a second replica that gets the result instead of the update
  const other = load(Y.encodeStateAsUpdate(doc));
  if (!mixesUpItsOwn(update)) same(viewOf(other), viewOf(doc));
  expectUsable(doc, other);
  return true;
}

/** Of one client's own items Yjs's undo makes neighbours in the wrong order; where such go, replicas may disagree. */
function mixesUpItsOwn(update: Uint8Array): boolean {
  return scanUpdate(update).structs.some(
    ({ client, origin, rightOrigin }) => origin?.client === client && rightOrigin?.client === client,
  );
}

const MUTATIONS_OF_BYTES: readonly [Mutate, ...Mutate[]] = [
  (random, bytes) => withByte(bytes, intBelow(random, bytes.length), (byte) => byte ^ (1 << intBelow(random, 8))),
  (random, bytes) =>
    withByte(bytes, intBelow(random, bytes.length), (byte) => byte + pick(random, [1, -1, 2, 64] as const)),
  (random, bytes) => withByte(bytes, intBelow(random, bytes.length), () => intBelow(random, 256)),
  (random, bytes) => withByte(bytes, intBelow(random, bytes.length), () => intBelow(random, 12)),
  (random, bytes) => bytes.slice(0, intBelow(random, bytes.length)),
  (random, bytes) => spliced(bytes, intBelow(random, bytes.length), 1 + intBelow(random, 4), new Uint8Array()),
  (random, bytes) => spliced(bytes, intBelow(random, bytes.length), 0, Uint8Array.of(intBelow(random, 256))),
  (random, bytes, other) => {
    const from = intBelow(random, other.length);
    return spliced(bytes, intBelow(random, bytes.length), 3, other.slice(from, from + intBelow(random, 9)));
  },
];
type Mutate = (random: Random, bytes: Uint8Array, other: Uint8Array) => Uint8Array;

function withByte(bytes: Uint8Array, at: number, change: (byte: number) => number): Uint8Array {
  return bytes.with(at, change(bytes[at] ?? 0));
}

function spliced(bytes: Uint8Array, at: number, removed: number, added: Uint8Array): Uint8Array {
  return Uint8Array.from([...bytes.subarray(0, at), ...added, ...bytes.subarray(at + removed)]);
}

/** Well-formed structs with random references: the fields are right, what they say is not. */
function invent(random: Random, doc: Y.Doc): Uint8Array {
  const clients = [...doc.store.clients.keys(), 50, 51];
  const ends = new Map(clients.map((client) => [client, Y.getState(doc.store, client)]));
  const anyId = (): Id => {
    const client = clients[intBelow(random, clients.length)] ?? 50;
    return [client, intBelow(random, (ends.get(client) ?? 0) + (random() < 0.2 ? 3 : 0))];
  };
  const sections: Section[] = [];
  for (const client of clients) {
    if (random() < (client < 50 ? 0.8 : 0.3)) continue;
    const end = ends.get(client) ?? 0;
    const clock = Math.max(0, end - (random() < 0.3 ? intBelow(random, 4) : 0));
    const structs = Array.from({ length: 1 + intBelow(random, 5) }, () => inventStruct(random, anyId, [client, end]));
    sections.push({ client, clock, structs });
    ends.set(client, end + structs.length);
  }
  const deletes = Array.from({ length: intBelow(random, 4) }, (): DeletedRange => [
    ...anyId(),
    1 + intBelow(random, 3),
  ]);
  return assemble(sections, deletes);
}

function inventStruct(random: Random, anyId: () => Id, own: Id): Uint8Array {
  const dice = random();
  const neighbour = random() < 0.3 ? own : anyId();
  const place =
    dice < 0.3
      ? { origin: neighbour }
      : dice < 0.5
        ? { origin: neighbour, rightOrigin: anyId() }
        : dice < 0.6
          ? { rightOrigin: anyId() }
          : {
              parent: pick(random, [anyId(), anyId(), "data", "prose", "page", "new"] as const),
              ...(random() < 0.6 && { key: "a" }),
            };
  return pick(random, [
    () => text(place, "xyz"),
    () => any(place, 1, null),
    () => any(place, { a: 1 }),
    () => type(place, pick(random, [TYPE.map, TYPE.array, TYPE.text, TYPE.fragment, TYPE.xmlText] as const)),
    () => type(place, TYPE.element, "p"),
    () => deleted(place, 2),
    () => format(place, "bold", "true"),
    () => embed(place, '{"a":1}'),
    () => gc(1 + intBelow(random, 3)),
  ] as const)();
}

describe("hostile clients", () => {
  function fuzz(count: number, make: (random: Random, sample: Sample, other: Sample) => Uint8Array): number {
    const pool = samples(60);
    const random = randomFrom(SEED);
    let accepted = 0;
    for (let i = 0; i < count; i++) {
      const sample = pool[intBelow(random, pool.length)];
      const other = pool[intBelow(random, pool.length)];
      if (sample === undefined || other === undefined) continue;
      const update = make(random, sample, other);
      try {
        if (isAccepted(sample, update)) accepted++;
      } catch (error) {
        const hex = (bytes: Uint8Array): string =>
          Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
        const detail = `state ${hex(sample.state)} update ${hex(update)}`;
        throw new Error(`MCM_SEED=${SEED}, number ${i}: ${detail}`, { cause: error });
      }
    }
    return accepted;
  }

  test(
    `[SCAN-16] of ${MUTATIONS} damaged updates each is refused, or harmless and rightly described`,
    { timeout: TIMEOUT_MS },
    () => {
      const accepted = fuzz(MUTATIONS, (random, { update }, other) => {
        let bytes = update;
        for (let i = 1 + intBelow(random, 2); i > 0 && bytes.length > 0; i--) {
          bytes = pick(random, MUTATIONS_OF_BYTES)(random, bytes, other.update);
        }
        return bytes;
      });
      expect(accepted).toBeGreaterThan(MUTATIONS / 100);
    },
  );

  test(
    `[SCAN-16] of ${INVENTIONS} invented updates each is refused, or harmless and rightly described`,
    { timeout: TIMEOUT_MS },
    () => {
      expect(fuzz(INVENTIONS, (random, { doc }) => invent(random, doc))).toBeGreaterThan(INVENTIONS / 100);
    },
  );
});

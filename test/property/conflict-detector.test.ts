/**
 * The detector against ground truth: random clients on nested maps and texts, of which is kept who had seen what when
 * they wrote. The truth is worked out from that, and from which value shows in the end; not from how Yjs links its items.
 *
 * MCM_FUZZ multiplies the counts; MCM_SEED replaces the fixed seed, which is printed when something fails.
 */
import { describe, expect, test } from "vitest";
import * as Y from "yjs";
import type { Detected } from "../../server/state/conflict/conflict-detector.ts";
import { intBelow, pick, randomFrom } from "../support/editing-history.ts";
import type { Random } from "../support/editing-history.ts";
import { ConflictLab, LabClient } from "../support/conflict-lab.ts";

const SEED = Number(process.env["MCM_SEED"] ?? 20_262);
const TIMES = Number(process.env["MCM_FUZZ"] ?? 1);
const RUNS = 3000 * TIMES;

type Id = string;
const idOf = ({ client, clock }: { client: number; clock: number }): Id => `${client}:${clock}`;

/** Content comes into containers later: only what they are is compared. */
const MAP = { a: "map" };
const TEXT = { a: "text" };

/** One write of a key, or of a run of text. */
interface Op {
  readonly author: Writer;
  /** Id of the item that holds the map or text; "" for `data`. */
  readonly container: Id;
  /** Null for an insertion into a text. */
  readonly key: string | null;
  readonly kind: "set" | "delete";
  /** What it set, or deleted. */
  readonly item: Id;
  /** What stood last at the key in the author's document, deleted or not. */
  readonly before: Id | undefined;
  readonly value: unknown;
  /** How many of the server's ops the author had received. */
  readonly received: number;
  /** Its number at the server; Infinity while it has none. */
  at: number;
}

/** A transaction of a client, with what it could not know yet. */
interface Edit {
  readonly update: Uint8Array;
  readonly ops: readonly Op[];
  readonly vector: Map<number, number>;
}

interface Writer {
  readonly client: LabClient;
  edits: Edit[];
  received: number;
}

/** How a key stands at the server: the newest write that counts, and others that did the same. */
interface Standing {
  op: Op;
  readonly same: Op[];
}

type Told = readonly [kind: string, path: string, winner: string, loser: string];

class World {
  readonly #random: Random;
  readonly lab = new ConflictLab(1_000_000);
  readonly writers: Writer[] = [];
  readonly #standing = new Map<string, Standing>();
  /** Ops that set something, by item. */
  readonly #sets = new Map<Id, Op>();
  #count = 0;
  #number = 0;

  constructor(random: Random) {
    this.#random = random;
    const ids = [11, 12, 13, 14].sort(() => random() - 0.5).slice(0, 2 + intBelow(random, 2));
    for (const id of ids) this.writers.push({ client: new LabClient(id, this.lab.doc), edits: [], received: 0 });
  }

  edit(writer: Writer): void {
    const ops: Op[] = [];
    const vector = Y.decodeStateVector(Y.encodeStateVector(writer.client.doc));
    const times = this.#random() < 0.8 ? 1 : 3;
    const update = writer.client.edit((data) => {
      for (let i = 0; i < times; i++) this.#editIn(writer, data, ops);
    });
    if (ops.length > 0) writer.edits.push({ update, ops, vector });
  }

  receive(writer: Writer): void {
    writer.client.receive(this.lab.doc);
    writer.received = this.#count;
  }

  #editIn(writer: Writer, map: Y.Map<unknown>, ops: Op[]): void {
    const random = this.#random;
    const key = pick(random, ["a", "b"] as const);
    const value = map.get(key);
    if (value instanceof Y.Map && random() < 0.65) return this.#editIn(writer, value, ops);
    if (value instanceof Y.Text && random() < 0.65) return this.#type(writer, value, ops);
    const last = map._map.get(key);
    const before = last === undefined ? undefined : idOf(last.lastId);
    const about = { author: writer, container: containerOf(map), key, before, received: writer.received, at: Infinity };
    if (last !== undefined && !last.deleted && random() < 0.25) {
      map.delete(key);
      ops.push({ ...about, kind: "delete", item: idOf(last.lastId), value: undefined });
      return undefined;
    }
    const [content, json] = this.#newValue();
    map.set(key, content);
    const item = map._map.get(key);
    if (item === undefined) throw new Error("a value that was set is there");
    const op: Op = { ...about, kind: "set", item: idOf(item.lastId), value: json };
    this.#sets.set(op.item, op);
    ops.push(op);
    return undefined;
  }

  #type(writer: Writer, text: Y.Text, ops: Op[]): void {
    const letters = `<${this.#number++}>`;
    const clock = Y.getState(writer.client.doc.store, writer.client.doc.clientID);
    text.insert(intBelow(this.#random, text.length + 1), letters);
    ops.push({
      author: writer,
      container: containerOf(text),
      key: null,
      kind: "set",
      item: idOf({ client: writer.client.doc.clientID, clock }),
      before: undefined,
      value: letters,
      received: writer.received,
      at: Infinity,
    });
  }

  #newValue(): [content: unknown, json: unknown] {
    const random = this.#random;
    const dice = random();
    // no two containers say the same
    if (dice < 0.3) return [new Y.Map(Object.entries({ number: this.#number++ })), MAP];
    if (dice < 0.45) return [new Y.Text(`${this.#number++}`), TEXT];
    if (dice < 0.6) return ["same", "same"];
    const value = `v${this.#number++}`;
    return [value, value];
  }

  /** Delivers one update with the ops in it; what was told and what should have been. */
  deliver(update: Uint8Array, edits: readonly Edit[], way: "edit" | "merged" | "whole"): [Told[], Told[]] {
    const isWhole = way !== "edit";
    const vector = isWhole ? undefined : edits[0]?.vector;
    const knows =
      vector === undefined ? undefined : knowledgeOf(vector, edits[0]?.ops[0]?.author.client.doc.clientID ?? 0);
    const truth = new Truth(this, update, isWhole);
    const ops = edits.flatMap((edit) => edit.ops);
    const lost = knows === undefined ? [] : truth.unseenContent(knows);
    const late = truth.lateEdits(ops);
    const before = new Map([...truth.places(ops).keys()].map((place) => [place, this.#copyOf(place)]));
    const told = this.lab.take(update, { isWhole, ...(knows === undefined ? {} : { knows }) });
    const expected: Told[] = [];
    for (const [place, ofPlace] of truth.places(ops)) {
      const found = truth.rivalry(ofPlace, before.get(place));
      if (found !== undefined) expected.push(found);
      this.#settle(place, ofPlace);
    }
    for (const op of ops) op.at = this.#count++;
    return [told.map(toldOf), [...expected, ...late, ...lost]];
  }

  known(op: Op, by: Op): boolean {
    return op.author === by.author || op.at < by.received;
  }

  setOp(item: Id): Op | undefined {
    return this.#sets.get(item);
  }

  containerAt(id: Id): Y.Item["content"] | undefined {
    return this.itemAt(id)?.content;
  }

  itemAt(id: Id): Y.Item | undefined {
    const [client = 0, clock = 0] = id.split(":").map(Number);
    if (clock >= Y.getState(this.lab.doc.store, client)) return undefined;
    const item = Y.getItem(this.lab.doc.store, Y.createID(client, clock)) as Y.Item | Y.GC;
    return item instanceof Y.Item ? item : undefined;
  }

  typeAt(container: Id): Y.ContentType["type"] | undefined {
    if (container === "") return this.lab.doc.getMap("data");
    const item = this.itemAt(container);
    return item !== undefined && !item.deleted && item.content instanceof Y.ContentType ? item.content.type : undefined;
  }

  #copyOf(place: string): Standing | undefined {
    const standing = this.#standing.get(place);
    return standing === undefined ? undefined : { op: standing.op, same: [...standing.same] };
  }

  /** Which write counts at the key now. */
  #settle(place: string, ops: readonly Op[]): void {
    const op = this.#counting(ops);
    const standing = this.#standing.get(place);
    if (op === undefined || op === standing?.op) return;
    // a deletion of what another deletion had deleted says the same as that one
    const isRepeated = op.kind === "delete" && standing?.op.kind === "delete" && standing.op.item === op.item;
    if (isRepeated) standing.same.push(op);
    else this.#standing.set(place, { op, same: [] });
  }

  /** The write that made what shows, or the one of these that made it go. */
  #counting(ops: readonly Op[]): Op | undefined {
    const key = ops[0]?.key ?? null;
    const shown = key === null ? undefined : this.typeAt(ops[0]?.container ?? "")?._map.get(key);
    if (shown === undefined) return undefined;
    const id = idOf(shown.lastId);
    return shown.deleted ? ops.findLast((op) => op.kind === "delete" && op.item === id) : this.setOp(id);
  }
}

class Truth {
  readonly #world: World;
  readonly #deleted: ReturnType<typeof Y.decodeUpdate>["ds"];
  readonly #isWhole: boolean;

  constructor(world: World, update: Uint8Array, isWhole: boolean) {
    this.#world = world;
    this.#deleted = Y.decodeUpdate(update).ds;
    this.#isWhole = isWhole;
  }

  places(ops: readonly Op[]): Map<string, Op[]> {
    const places = new Map<string, Op[]>();
    for (const op of ops) {
      if (op.key === null) continue;
      const place = `${op.container} ${op.key}`;
      const ofPlace = places.get(place);
      if (ofPlace === undefined) places.set(place, [op]);
      else ofPlace.push(op);
    }
    return places;
  }

  /** Asked once the update is applied; `ops` are one author's at one key. */
  rivalry(ops: readonly Op[], standing: Standing | undefined): Told | undefined {
    const last = ops.at(-1);
    if (last === undefined || last.key === null || standing === undefined) return undefined;
    const type = this.#world.typeAt(last.container);
    const shown = type?._map.get(last.key);
    if (shown === undefined) return undefined;
    const first = this.#isWhole ? this.#begunAt(last, ops) : last;
    if (this.#isUnseen(standing, first, last)) return this.#told(last, standing.op, shown);
    return undefined;
  }

  #isUnseen({ op, same }: Standing, first: Op, last: Op): boolean {
    if ([op, ...same].some((one) => this.#world.known(one, first))) return false;
    if (op.kind === "delete" && last.kind === "delete") return false;
    if (!this.#isWhole) return true;
    const wins = this.#shows(last);
    // the author may have deleted it, or have received what came over it
    if (!wins && this.#isGone(last.item)) return false;
    if (op.kind === "set") return true;
    // whether the author had seen a deletion, only not having seen what it deleted tells
    const target = this.#world.setOp(op.item);
    return last.kind === "set" && target !== undefined && !this.#world.known(target, first);
  }

  /** The oldest of the author's writes that stand upon each other, of those that came together. */
  #begunAt(last: Op, ops: readonly Op[]): Op {
    let first = last;
    const setBefore = (id: Id | undefined): Op | undefined =>
      ops.find((op) => op.kind === "set" && op.item === id && op !== first);
    if (first.kind === "delete") first = ops.find((op) => op.kind === "set" && op.item === last.item) ?? last;
    for (let op = setBefore(first.before); op !== undefined; op = setBefore(first.before)) first = op;
    return first;
  }

  #told(last: Op, other: Op, shown: Y.Item): Told | undefined {
    const incomingWins = idOf(shown.lastId) !== other.item;
    if (last.value === other.value && typeof last.value === "string") return undefined;
    const path = this.#pathOf(last.container, last.key);
    const kind = last.kind === "set" && other.kind === "set" ? "set-set" : "set-delete";
    const incoming = `in ${nameOf(last)}`;
    const present = `at ${nameOf(other)}`;
    return incomingWins ? [kind, path, incoming, present] : [kind, path, present, incoming];
  }

  #shows(op: Op): boolean {
    const shown = op.key === null ? undefined : this.#world.typeAt(op.container)?._map.get(op.key);
    return shown !== undefined && idOf(shown.lastId) === op.item;
  }

  /** Asked before the update is applied: writes into what is not there any more, one for each subtree. */
  lateEdits(ops: readonly Op[]): Told[] {
    const tops = new Map<Id, Op>();
    for (const op of ops) {
      if (op.kind === "delete" || this.#isGone(op.item)) continue;
      const top = this.#topOf(op.container, ops);
      if (top !== undefined) tops.set(top, op);
    }
    return [...tops.keys()].map((top) => ["lost-edits", this.#pathOfItem(top), "at", "in"]);
  }

  /** The outermost container that is gone at the server; undefined when all are there, or come with the update. */
  #topOf(container: Id, ops: readonly Op[]): Id | undefined {
    let top: Id | undefined;
    for (let id = container; id !== "";) {
      const op = this.#world.setOp(id);
      if (op === undefined) throw new Error("a container was set");
      const isNew = ops.includes(op);
      if (isNew) top = undefined;
      else if (this.#world.typeAt(id) === undefined) top = id;
      id = op.container;
    }
    // what was written into a new container is told with the container
    return ops.some((op) => op.item === container) ? undefined : top;
  }

  /** Asked before the update is applied: live content that it deletes with what it lies in, unseen by the sender. */
  unseenContent(knows: (client: number, clock: number) => boolean): Told[] {
    const told: Told[] = [];
    const walk = (type: Y.ContentType["type"]): void => {
      for (const item of [...type._map.values()].filter((one) => !one.deleted)) {
        if (!(item.content instanceof Y.ContentType)) continue;
        if (!this.#isGone(idOf(item.id))) walk(item.content.type);
        else if (hasUnseen(item.content.type, knows))
          told.push(["lost-edits", this.#pathOfItem(idOf(item.id)), "in", "at"]);
      }
    };
    walk(this.#world.lab.doc.getMap("data"));
    return told;
  }

  #isGone(id: Id): boolean {
    const [client = 0, clock = 0] = id.split(":").map(Number);
    return Y.isDeleted(this.#deleted, Y.createID(client, clock));
  }

  #pathOfItem(id: Id): string {
    const op = this.#world.setOp(id);
    if (op === undefined) throw new Error("a container was set");
    return this.#pathOf(op.container, op.key);
  }

  #pathOf(container: Id, key: string | null): string {
    return container === "" ? `/${key}` : `${this.#pathOfItem(container)}/${key}`;
  }
}

function hasUnseen(type: Y.ContentType["type"], knows: (client: number, clock: number) => boolean): boolean {
  const items = [...type._map.values()];
  for (let item = type._start; item !== null; item = item.right) items.push(item);
  return items.some((item) => {
    if (item.deleted) return false;
    for (let i = 0; i < item.length; i++) if (!knows(item.id.client, item.id.clock + i)) return true;
    return item.content instanceof Y.ContentType && hasUnseen(item.content.type, knows);
  });
}

function knowledgeOf(vector: Map<number, number>, own: number): (client: number, clock: number) => boolean {
  return (client, clock) => client === own || clock < (vector.get(client) ?? 0);
}

function containerOf(type: Y.ContentType["type"]): Id {
  return type._item === null ? "" : idOf(type._item.id);
}

function nameOf(op: Op): string {
  return op.kind === "delete" ? "deletion" : `${op.item}=${JSON.stringify(op.value)}`;
}

function toldOf({ kind, path, winner, loser }: Detected): Told {
  if (kind === "lost-edits") return [kind, path, winner.isIncoming ? "in" : "at", loser.isIncoming ? "in" : "at"];
  const side = ({ id, isIncoming, value }: Detected["winner"]): string => {
    const shown = typeof value === "object" && value !== null ? containerValue(value) : value;
    return `${isIncoming ? "in" : "at"} ${id === null ? "deletion" : `${idOf(id)}=${JSON.stringify(shown)}`}`;
  };
  return [kind, path, side(winner), side(loser)];
}

function containerValue(value: object): object {
  return "$text" in value ? TEXT : MAP;
}

interface Tally {
  told: Record<string, number>;
  updates: number;
}

function run(seed: number, tally: Tally): void {
  const random = randomFrom(seed);
  const world = new World(random);
  const check = ([told, expected]: [Told[], Told[]], way: string): void => {
    expect(told.map(String).sort(), `MCM_SEED=${seed}, ${way}`).toEqual(expected.map(String).sort());
    for (const [kind] of told) tally.told[kind] = (tally.told[kind] ?? 0) + 1;
    tally.updates++;
  };
  for (let step = 0; step < 12; step++) {
    const writer = pick(random, world.writers as [Writer, ...Writer[]]);
    const dice = random();
    if (dice < 0.55) world.edit(writer);
    else if (dice < 0.7) world.receive(writer);
    else send(random, world, { writer, check });
  }
  for (const writer of world.writers) send(random, world, { writer, check });
}

function send(
  random: Random,
  world: World,
  { writer, check }: { writer: Writer; check: (result: [Told[], Told[]], way: string) => void },
): void {
  const { edits } = writer;
  if (edits.length === 0) return;
  writer.edits = [];
  const dice = random();
  if (dice < 0.2) check(world.deliver(Y.mergeUpdates(edits.map((edit) => edit.update)), edits, "merged"), "merged");
  else if (dice < 0.4) check(world.deliver(writer.client.wholeFor(world.lab.doc), edits, "whole"), "whole");
  else {
    const turns = edits.map((edit) => () => check(world.deliver(edit.update, [edit], "edit"), "edit"));
    if (dice < 0.7) world.lab.takeTogether(turns);
    else for (const turn of turns) turn();
  }
  if (random() < 0.2) for (const { update } of edits) expect(world.lab.take(update, { isWhole: true })).toEqual([]);
}

describe("conflicts against ground truth", () => {
  test(
    `[CONFLICT-1] of ${RUNS} random histories each tells every conflict, and no other`,
    { timeout: 120_000 * TIMES },
    () => {
      const tally: Tally = { told: {}, updates: 0 };
      for (let i = 0; i < RUNS; i++) run(SEED + i, tally);
      for (const kind of ["set-set", "set-delete", "lost-edits"]) expect(tally.told[kind]).toBeGreaterThan(RUNS / 20);
      if (process.env["MCM_FUZZ"] !== undefined) process.stdout.write(`${JSON.stringify(tally)}\n`);
    },
  );
});

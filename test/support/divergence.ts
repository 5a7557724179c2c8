/**
 * Stock clients, SDK replicas and JSON callers in one context, whose rights change under them while others take locks: does
 * every replica that lives equal the server, is what was refused to be found nowhere, and what was not, kept?
 *
 * Every edit writes a word that occurs nowhere else. What became of it is judged by the log, the wires and the documents,
 * and not by what the code under test says; who might have written it, by a reading of the lists of its own.
 */
import { isDeepStrictEqual } from "node:util";
import { WebsocketProvider } from "y-websocket";
import * as Y from "yjs";
import { openReplica } from "../../client/open-replica.ts";
import type { Replica } from "../../client/replica.ts";
import { ServiceError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { Grant } from "../../shared/permission.ts";
import { readData } from "../../shared/read-data.ts";
import type { LogEntry } from "../../server/storage/change-log.ts";
import { verifiedCaller } from "./callers.ts";
import { intBelow, pick, randomFrom } from "./editing-history.ts";
import type { Random } from "./editing-history.ts";
import { LocalLine } from "./local-line.ts";
import { PLAN, startService, turns } from "./service-rig.ts";
import type { ServiceRig } from "./service-rig.ts";

const OWNER = "owner";
const NAMES = ["ada", "bob", "cyd"] as const;
const PLACES = ["/a", "/b", "/c/d", "/text", "/list", "@page", ""];
const STEPS = 40;

/** One edit, and what its author was told. */
interface Edit {
  readonly word: string;
  isHandedBack: boolean;
  /** Its author may have written over it, or deleted it, before it was sent. */
  readonly mayVanish: boolean;
}

interface Party {
  readonly name: string;
  readonly line: LocalLine;
  readonly edits: Edit[];
  /** Undefined when it is over: its document is nobody's replica any more. */
  readonly doc: () => Y.Doc | undefined;
  readonly isSettled: () => boolean;
  readonly close: () => Promise<void>;
}

export interface DivergenceOptions {
  readonly seed: number;
  /** Lets time pass for everybody: fake timers of the test. */
  readonly passing: (ms: number) => Promise<void>;
}

/** What a run had to do with, so that a test knows that it was about something. */
export interface DivergenceOutcome {
  readonly sessions: number;
  readonly kept: number;
  readonly refused: number;
  readonly faults: readonly string[];
}

export async function runDivergence({ seed, passing }: DivergenceOptions): Promise<DivergenceOutcome> {
  const world = new DivergenceWorld(seed, passing);
  await world.begin();
  for (let step = 0; step < STEPS; step++) await world.step();
  await world.settle();
  return world.judge();
}

class DivergenceWorld {
  readonly #random: Random;
  readonly #seed: number;
  readonly #passing: (ms: number) => Promise<void>;
  readonly #parties: Party[] = [];
  readonly #wires: { readonly name: string; bytes: string }[] = [];
  readonly #jsonEdits: { readonly word: string; isRefused: boolean }[] = [];
  readonly #held: string[] = [];
  #rig!: ServiceRig;
  #words = 0;
  #sessions = 0;

  constructor(seed: number, passing: (ms: number) => Promise<void>) {
    this.#random = randomFrom(seed);
    this.#seed = seed;
    this.#passing = passing;
  }

  async begin(): Promise<void> {
    this.#rig = await startService();
    const data = { a: {}, b: {}, c: { d: {} }, text: { $text: "" }, list: [] };
    await this.#rig.guard.create(verifiedCaller(OWNER), { id: PLAN, data });
    await this.#grant();
    for (let i = 0; i < 4; i++) await this.#join();
  }

  async step(): Promise<void> {
    const random = this.#random;
    const dice = random();
    const party = this.#parties[intBelow(random, this.#parties.length)];
    if (dice < 0.08) await this.#grant();
    else if (dice < 0.16) await this.#lockOrUnlock();
    else if (dice < 0.2) await this.#join();
    else if (dice < 0.3) await this.#changeJson();
    else if (dice < 0.36) this.#trouble(party);
    else if (dice < 0.46) await this.#passing(pick(random, [0, 10, 300]));
    else if (party !== undefined) this.#edit(party);
    await turns(intBelow(random, 3));
  }

  async settle(): Promise<void> {
    for (const { line } of this.#parties) {
      line.isUp = true;
      if (line.isDeaf) line.cut();
      line.isDeaf = false;
    }
    // a stock client says that it is in step before it hears that it is closed: quiet for some seconds is what counts
    let quietCount = 0;
    for (let i = 0; i < 60; i++) {
      await this.#passing(1000);
      quietCount = this.#parties.every((party) => party.isSettled()) ? quietCount + 1 : 0;
      if (quietCount === 5) return;
    }
    throw new Error(`seed ${this.#seed} did not settle`);
  }

  async judge(): Promise<DivergenceOutcome> {
    const faults: string[] = [];
    const { storage, guard } = this.#rig;
    const { data } = await guard.read(verifiedCaller(OWNER), PLAN, { path: "" });
    for (const { name, doc } of this.#parties) {
      const replica = doc();
      const own = replica && readData(replica, "");
      if (own !== undefined && !isDeepStrictEqual(own, data))
        faults.push(`${name} differs: ${JSON.stringify(own)} instead of ${JSON.stringify(data)}`);
    }
    const entries = await storage.read(PLAN, 0, LIMITS.listLimitMax);
    faults.push(...trespasses(entries));
    const log = entries.map(({ update }) => text(update)).join(" ");
    let [kept, refused] = [0, 0];
    for (const edit of this.#allEdits()) {
      if (log.includes(edit.word)) kept++;
      else refused++;
      faults.push(...this.#faultsOf(edit, log));
    }
    for (const party of this.#parties) await party.close();
    return { sessions: this.#sessions, kept, refused, faults };
  }

  /** A word that is in the log was admitted; one that is not there was refused or not sent, and is nowhere. */
  #faultsOf({ word, by, isOver, isRefused, isOwed }: JudgedEdit, log: string): string[] {
    const isLogged = log.includes(word);
    if (isLogged && isRefused) return [`${word} was refused and is in the log`];
    if (isLogged) return [];
    // its author is told at which path it was refused
    const seen = this.#wires.filter(({ name, bytes }) => name !== by && bytes.includes(word)).map(({ name }) => name);
    const holders = this.#parties.filter(({ doc }) => {
      const replica = doc();
      return replica !== undefined && text(Y.encodeStateAsUpdate(replica)).includes(word);
    });
    return [
      ...seen.map((name) => `${word} is not in the log and was sent to ${name}`),
      ...holders.map(({ name }) => `${word} is not in the log and in the replica of ${name}`),
      ...(isOwed && !isOver ? [`${word} is lost: neither in the log nor handed back`] : []),
    ];
  }

  *#allEdits(): Generator<JudgedEdit> {
    for (const { name: by, edits, doc } of this.#parties)
      for (const { word, isHandedBack, mayVanish } of edits)
        yield { word, by, isRefused: isHandedBack, isOwed: !isHandedBack && !mayVanish, isOver: doc() === undefined };
    for (const edit of this.#jsonEdits) yield { ...edit, by: "", isOwed: !edit.isRefused, isOver: false };
  }

  /** A new list, now and then for everybody, mostly for some at some places. */
  async #grant(): Promise<void> {
    const random = this.#random;
    const grants = NAMES.flatMap((principal): Grant[] => {
      const dice = random();
      if (dice < 0.1) return [];
      if (dice < 0.25) return [{ principal, role: "reader" }];
      if (dice < 0.5) return [{ principal, role: "writer" }];
      const paths = PLACES.filter(() => random() < 0.4);
      return [paths.length === 0 ? { principal, role: "reader" } : { principal, role: "writer", paths }];
    });
    // not awaited: edits are on their way meanwhile
    const granted = this.#rig.guard.access.setAcl(verifiedCaller(OWNER), PLAN, { grants });
    if (random() < 0.5) await granted;
  }

  async #lockOrUnlock(): Promise<void> {
    const { locks } = this.#rig.guard;
    const lockId = this.#random() < 0.5 ? this.#held.shift() : undefined;
    if (lockId !== undefined) return locks.release(verifiedCaller(OWNER), PLAN, lockId);
    const path = PLACES[intBelow(this.#random, PLACES.length)] ?? "";
    const lock = locks.acquire(verifiedCaller(OWNER), PLAN, { paths: [path], ttlMs: 600_000 });
    await lock.then(
      (granted) => this.#held.push(granted.lockId),
      () => undefined,
    );
  }

  #trouble(party: Party | undefined): void {
    if (party === undefined) return;
    const { line } = party;
    const what = pick(this.#random, ["cut", "down", "deaf", "up", "up"] as const);
    if (what === "deaf") line.isDeaf = true;
    else if (what === "up" && line.isDeaf) line.isDeaf = false;
    if (what !== "deaf") line.cut();
    line.isUp = what !== "down";
  }

  async #changeJson(): Promise<void> {
    const word = this.#word();
    const name = pick(this.#random, NAMES);
    const place = pick(this.#random, ["/a", "/b", "/c/d"]);
    const edit = { word, isRefused: false };
    this.#jsonEdits.push(edit);
    const ops = [{ op: "add", path: `${place}/${word}`, value: true }] as const;
    const changed = this.#rig.guard.change(verifiedCaller(name), PLAN, { ops }).catch(() => {
      edit.isRefused = true;
    });
    if (this.#random() < 0.5) await changed;
  }

  #edit({ doc, edits }: Party): void {
    const replica = doc();
    if (replica === undefined || !replica.getMap("data").has("a")) return;
    const word = this.#word();
    const write = WRITES[intBelow(this.#random, WRITES.length)];
    if (write === undefined) return;
    edits.push({ word, isHandedBack: false, mayVanish: VANISHING.has(write) });
    replica.transact(() => {
      writeWord(this.#random, replica, word, write);
      // in two places at once now and then: all of it is taken, or none
      if (this.#random() < 0.15) writeWord(this.#random, replica, word, write);
    });
  }

  async #join(): Promise<void> {
    this.#sessions++;
    const name = pick(this.#random, NAMES);
    const isExtended = this.#random() < 0.6;
    const wire = { name: `${name} ${this.#sessions}`, bytes: "" };
    this.#wires.push(wire);
    const tap = (message: Uint8Array): void => void (wire.bytes += text(message));
    const line = new LocalLine(this.#rig.service, verifiedCaller(name), { isExtended, tap });
    const party = isExtended ? await this.#openSdk(wire.name, line) : this.#openStock(wire.name, line);
    if (party !== undefined) this.#parties.push(party);
  }

  async #openSdk(name: string, line: LocalLine): Promise<Party | undefined> {
    const provider = { url: "ws://local/sync", contextId: PLAN, params: {}, WebSocket: line.WebSocket };
    const opening = openReplica({ provider, timeoutMs: 10_000 });
    opening.catch(() => undefined);
    await this.#passing(300);
    const replica: Replica | undefined = await opening.catch(() => undefined);
    if (replica === undefined) return undefined;
    const edits: Edit[] = [];
    replica.events.on("rejected", ({ update }) => {
      for (const edit of edits) if (text(update).includes(edit.word)) edit.isHandedBack = true;
    });
    return {
      name,
      line,
      edits,
      doc: () => (replica.status === "closed" ? undefined : replica.doc),
      isSettled: () => replica.status === "closed" || (replica.status === "online" && replica.pending.isEmpty),
      close: async () => {
        replica.close(new ServiceError("CLOSED", "The test is over."));
        await replica.dispose();
      },
    };
  }

  #openStock(name: string, line: LocalLine): Party {
    const doc = new Y.Doc();
    const provider = new WebsocketProvider("ws://local/sync", PLAN, doc, {
      WebSocketPolyfill: line.WebSocket,
      disableBc: true,
    });
    let isOver = false;
    provider.on("closed", () => (isOver = true));
    return {
      name,
      line,
      edits: [],
      doc: () => (isOver ? undefined : doc),
      isSettled: () => isOver || provider.synced,
      close: async () => {
        provider.destroy();
        doc.destroy();
      },
    };
  }

  #word(): string {
    return `w${this.#seed}x${++this.#words};`;
  }
}

interface JudgedEdit {
  readonly word: string;
  /** Whose wire it may be on. */
  readonly by: string;
  readonly isRefused: boolean;
  /** It must be in the log, unless its author's session is over. */
  readonly isOwed: boolean;
  readonly isOver: boolean;
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");

interface Places {
  readonly doc: Y.Doc;
  readonly data: Y.Map<unknown>;
  readonly a: Y.Map<unknown>;
  readonly b: Y.Map<unknown>;
  readonly d: Y.Map<unknown>;
  readonly words: Y.Text;
  readonly list: Y.Array<unknown>;
}

type WriteWord = (places: Places, word: string, random: Random) => unknown;

const setSame: WriteWord = ({ b }, word) => b.set("same", word);
const insertElement: WriteWord = ({ list }, word, random) => list.insert(intBelow(random, list.length + 1), [word]);
const deleteAndSet: WriteWord = ({ list, a }, word) => {
  if (list.length > 0) list.delete(0);
  a.set("last", word);
};
const VANISHING: ReadonlySet<WriteWord> = new Set([setSame, insertElement, deleteAndSet]);

const WRITES: readonly WriteWord[] = [
  ({ a }, word) => a.set(word, 1),
  setSame,
  ({ d }, word) => d.set(word, new Y.Map([["deep", word]])),
  ({ words }, word, random) => words.insert(intBelow(random, 2) * words.length, word),
  insertElement,
  ({ doc }, word) => doc.getText("page").insert(0, word),
  ({ data }, word) => data.set(word, true),
  deleteAndSet,
];

function writeWord(random: Random, doc: Y.Doc, word: string, write: WriteWord): void {
  const places = placesOf(doc);
  if (places !== undefined) write(places, word, random);
}

/** Undefined when somebody removed one of them. */
function placesOf(doc: Y.Doc): Places | undefined {
  const data = doc.getMap("data");
  const [a, b, c, words, list] = ["a", "b", "c", "text", "list"].map((key) => data.get(key));
  const d = c instanceof Y.Map ? c.get("d") : undefined;
  const isWhole = a instanceof Y.Map && b instanceof Y.Map && d instanceof Y.Map;
  if (!isWhole || !(words instanceof Y.Text) || !(list instanceof Y.Array)) return undefined;
  return { doc, data, a, b, d, words, list };
}

/** Changes of the log by who might not make them, by a reading of the lists of its own. */
function trespasses(entries: readonly LogEntry[]): string[] {
  let grants: readonly Grant[] = [];
  return entries.flatMap(({ kind, seq, actor, origin, paths, meta }) => {
    if (meta !== undefined) ({ grants } = meta.acl);
    if (kind !== "change" || actor === OWNER || origin === "resolver") return [];
    const mine = grants.filter(({ principal, role }) => principal === actor && role !== "reader");
    const covers = (own: string, path: string): boolean =>
      own === "" || path === own || path.startsWith(`${own}/`) || (own === "@page" && path.startsWith("@page"));
    const bad = paths.filter(
      (path) => !mine.some((it) => it.paths === undefined || it.paths.some((own) => covers(own, path))),
    );
    return bad.map((path) => `entry ${seq}: ${actor} changed ${path}`);
  });
}

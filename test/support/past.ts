/**
 * A past to look back on: several agents write one context, by live edits (also without having seen each other's), by
 * JSON changes, with voids and new epochs between; what comes out is a base and the log after it.
 *
 * Not here: admission; what agents do here is what a server would have let through.
 */
import * as Y from "yjs";
import type { JsonOp } from "../../shared/change.ts";
import { parseActor } from "../../shared/ids.ts";
import type { Actor } from "../../shared/ids.ts";
import type { Json, JsonObject } from "../../shared/json.ts";
import { readData } from "../../shared/read-data.ts";
import { recreate } from "../../server/state/compaction.ts";
import { applyJsonOps } from "../../server/state/json/json-changes.ts";
import { writeInitialData } from "../../server/state/json/json-data.ts";
import { touchOf } from "../../server/state/update/touched-paths.ts";
import { scanUpdate } from "../../server/state/update/update-scanner.ts";
import type { Checkpoint, LogEntry } from "../../server/storage/change-log.ts";
import { NODE, checkpointOf } from "./stored-state.ts";

export const actorOf = (name: string): Actor => parseActor(name);

export type Edit = (data: Y.Map<unknown>, doc: Y.Doc) => void;

const NOTHING = Y.encodeStateAsUpdate(new Y.Doc());

export class Past {
  readonly base: Checkpoint;
  readonly entries: LogEntry[] = [];
  /** The data after each version. */
  readonly versions: Json[];
  readonly #agents = new Map<string, Y.Doc>();
  #server: Y.Doc;
  #authorId = NODE;
  #nextClient = 100;

  constructor(data: JsonObject = {}) {
    this.#server = documentOf(data, NODE);
    this.base = checkpointOf(this.#server);
    this.versions = [readData(this.#server, "")];
  }

  get version(): number {
    return this.versions.length - 1;
  }

  get head(): { readonly seq: number; readonly version: number } {
    return { seq: this.entries.length, version: this.version };
  }

  get data(): Json {
    return readData(this.#server, "");
  }

  /** A live edit on what everybody wrote so far. */
  edit(name: string, edit: Edit, message?: string): void {
    this.sees(name);
    this.editApart(name, edit, message);
  }

  /** A live edit on what the agent saw last. */
  editApart(name: string, edit: Edit, message?: string): void {
    const doc = this.#docOf(name);
    const before = Y.encodeStateVector(doc);
    const updates: Uint8Array[] = [];
    const take = (update: Uint8Array): void => void updates.push(update);
    doc.on("update", take);
    doc.transact(() => edit(doc.getMap("data"), doc));
    doc.off("update", take);
    const update = updates[0] ?? Y.encodeStateAsUpdate(doc, before);
    const { paths } = touchOf(this.#server, scanUpdate(update));
    Y.applyUpdate(this.#server, update);
    this.#append({ kind: "change", actor: actorOf(name), paths, update, message });
  }

  sees(name: string): void {
    const doc = this.#docOf(name);
    Y.applyUpdate(doc, Y.encodeStateAsUpdate(this.#server, Y.encodeStateVector(doc)));
  }

  /** A JSON change, written by the server; one that it worked out itself, if you like. */
  ops(name: string, ops: readonly JsonOp[], message?: string): void {
    this.#server.clientID = this.#authorId;
    const updates: Uint8Array[] = [];
    const take = (update: Uint8Array): void => void updates.push(update);
    this.#server.on("update", take);
    const { paths } = applyJsonOps(this.#server, ops, undefined, { isPlanned: true });
    this.#server.off("update", take);
    const [update] = updates;
    if (update !== undefined) this.#append({ kind: "change", actor: actorOf(name), paths, update, message });
  }

  /** A refused edit: nothing of it is left. */
  void(name: string): void {
    this.#append({
      kind: "void",
      actor: actorOf(name),
      paths: ["/refused"],
      update: NOTHING,
    });
  }

  /** Everything is written anew by the server; all agents begin with new documents. */
  recreate(): void {
    const authorSalt = this.#authorId + 10 - NODE;
    this.#authorId = NODE + authorSalt;
    const update = recreate(this.#server, this.#authorId);
    this.#server = new Y.Doc();
    Y.applyUpdate(this.#server, update);
    this.#agents.clear();
    this.#append({ kind: "epoch", actor: actorOf("keeper"), paths: [], update, authorSalt });
  }

  #docOf(name: string): Y.Doc {
    let doc = this.#agents.get(name);
    if (doc === undefined) {
      doc = new Y.Doc();
      doc.clientID = this.#nextClient++;
      this.#agents.set(name, doc);
    }
    return doc;
  }

  #append({
    message,
    ...entry
  }: Pick<LogEntry, "kind" | "actor" | "paths" | "update" | "authorSalt"> & {
    readonly message?: string | undefined;
  }): void {
    if (entry.kind === "change") this.versions.push(this.data);
    const seq = this.entries.length + 1;
    this.entries.push({
      ...entry,
      seq,
      version: this.version,
      atMs: 1000 + seq,
      origin: "sync",
      ...(message === undefined ? {} : { message }),
    });
  }
}

function documentOf(data: JsonObject, clientID: number): Y.Doc {
  const doc = new Y.Doc();
  doc.clientID = clientID;
  writeInitialData(doc, data);
  return doc;
}

/** What stands at a path of the agent's document, as the Yjs type that it must be. */
export function textAt(data: Y.Map<unknown>, ...keys: readonly string[]): Y.Text {
  const found = at(data, keys);
  if (found instanceof Y.Text) return found;
  throw new Error(`no text at /${keys.join("/")}`);
}

export function mapAt(data: Y.Map<unknown>, ...keys: readonly string[]): Y.Map<unknown> {
  const found = at(data, keys);
  if (found instanceof Y.Map) return found;
  throw new Error(`no object at /${keys.join("/")}`);
}

export function listAt(data: Y.Map<unknown>, ...keys: readonly string[]): Y.Array<unknown> {
  const found = at(data, keys);
  if (found instanceof Y.Array) return found;
  throw new Error(`no array at /${keys.join("/")}`);
}

function at(data: Y.Map<unknown>, keys: readonly string[]): unknown {
  return keys.reduce<unknown>((found, key) => (found instanceof Y.Map ? found.get(key) : undefined), data);
}

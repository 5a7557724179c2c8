/**
 * What a frame of a session says, for people who look on: its type, and ids, clocks, numbers, paths and codes in it.
 *
 * Invariants (TAP):
 *  1. Total: any bytes give facts; nothing is thrown. They are bounded whatever the frame holds.
 *  2. Facts are picked one by one: no content of documents, presence, requests or answers, no token, no text that somebody
 *     made up, but for names, keys and paths.
 *
 * Not here: who looks on (session-tap.ts), what frames do (session.ts).
 */
import * as decoding from "lib0/decoding";
import type { Change } from "../../shared/change.ts";
import { ServiceError } from "../../shared/errors.ts";
import type { ErrorDetails } from "../../shared/errors.ts";
import { isJsonObject } from "../../shared/json.ts";
import type { Json, JsonObject } from "../../shared/json.ts";
import { LIMITS } from "../../shared/limits.ts";
import { LOCK_MODES } from "../../shared/lock.ts";
import { parseJson, readJson } from "../../shared/protocol/frame-parts.ts";
import { FRAME, SYNC } from "../../shared/protocol/frames.ts";
import { decodeServerExtension } from "../../shared/protocol/server-frames.ts";
import type { Response, WireError } from "../../shared/protocol/server-frames.ts";
import type { FrameName } from "../../shared/traffic.ts";
import { scanUpdate } from "../state/update/update-scanner.ts";
import type { ScannedStruct, ScannedUpdate } from "../state/update/update-scanner.ts";

export interface FrameFacts {
  readonly type: FrameName;
  readonly facts: JsonObject;
}

/** Where an update writes. */
export type PlacesOf = (update: ScannedUpdate) => readonly string[];

export function factsOf(message: Uint8Array, placesOf: PlacesOf): FrameFacts {
  const decoder = decoding.createDecoder(message);
  const type = typeOf(decoder);
  if (message.byteLength > LIMITS.tapFrameBytesMax) return { type, facts: { isTooLarge: true } };
  try {
    return { type, facts: READERS[type](decoder, placesOf) };
  } catch (error) {
    const rule = error instanceof ServiceError ? error.details["rule"] : undefined;
    return { type, facts: { isMalformed: true, ...(typeof rule === "string" ? { rule } : {}) } };
  }
}

const BY_FRAME = new Map<number, FrameName>([
  [FRAME.awareness, "awareness"],
  [FRAME.auth, "auth"],
  [FRAME.queryAwareness, "query-awareness"],
  [FRAME.hello, "hello"],
  [FRAME.ack, "ack"],
  [FRAME.rejected, "rejected"],
  [FRAME.commit, "commit"],
  [FRAME.request, "request"],
  [FRAME.response, "response"],
  [FRAME.event, "event"],
  [FRAME.token, "token"],
  [FRAME.base, "base"],
]);

const BY_STEP = new Map<number, FrameName>([
  [SYNC.step1, "step1"],
  [SYNC.step2, "step2"],
  [SYNC.update, "update"],
]);

/** Leaves the decoder where the frame's own fields begin. */
function typeOf(decoder: decoding.Decoder): FrameName {
  try {
    const frame = decoding.readVarUint(decoder);
    const known = frame === FRAME.sync ? BY_STEP.get(decoding.readVarUint(decoder)) : BY_FRAME.get(frame);
    return known ?? "unknown";
  } catch {
    return "unknown";
  }
}

type FactsReader = (decoder: decoding.Decoder, placesOf: PlacesOf) => JsonObject;

const nothing: FactsReader = () => ({});
const data: FactsReader = (decoder, placesOf) => updateFacts(decoding.readVarUint8Array(decoder), placesOf);

const READERS: Readonly<Record<FrameName, FactsReader>> = {
  step1: (decoder) => vectorFacts(decoding.createDecoder(decoding.readVarUint8Array(decoder))),
  step2: data,
  update: data,
  awareness: (decoder) => awarenessFacts(decoding.createDecoder(decoding.readVarUint8Array(decoder))),
  auth: nothing,
  "query-awareness": nothing,
  hello: extension(FRAME.hello),
  ack: extension(FRAME.ack),
  rejected: extension(FRAME.rejected),
  commit: extension(FRAME.commit),
  request: requestFacts,
  response: extension(FRAME.response),
  event: extension(FRAME.event),
  token: nothing,
  base: (decoder) => ({ version: decoding.readVarUint(decoder) }),
  unknown: nothing,
};

function extension(frame: number): FactsReader {
  return (decoder) => {
    const said = decodeServerExtension(frame, decoder);
    switch (said.type) {
      case "hello":
        return picked({ ...said.hello }, ["epoch", "version", "yjsClientId"]);
      case "ack":
        return { ...said.ack };
      case "rejected":
        return { frame: said.rejected.frame, ...errorFacts(said.rejected) };
      case "commit":
        return commitFacts(said.changes);
      case "response":
        return responseFacts(said.response);
      case "event":
        return eventFacts(said.event);
      default:
        return {};
    }
  };
}

function vectorFacts(decoder: decoding.Decoder): JsonObject {
  const clients: JsonObject[] = [];
  const count = decoding.readVarUint(decoder);
  for (let i = 0; i < Math.min(count, LIMITS.tapListMax); i++)
    clients.push({ id: decoding.readVarUint(decoder), clock: decoding.readVarUint(decoder) });
  return listed("clients", clients, count);
}

function updateFacts(update: Uint8Array, placesOf: PlacesOf): JsonObject {
  const scanned = scanUpdate(update);
  const { structs, deletes } = scanned;
  const clients = runsOf(structs);
  const paths = placesOf(scanned);
  return {
    structs: structs.length,
    deletes: deletes.length,
    ...(structs.length === 0 ? {} : { kinds: kindsOf(structs), ...listed("clients", clients) }),
    ...(paths.length === 0
      ? {}
      : listed(
          "paths",
          paths.map((path) => cut(path)),
        )),
  };
}

/** The clocks that each client's structs take, from the first on and before `to`. */
function runsOf(structs: readonly ScannedStruct[]): readonly JsonObject[] {
  const runs = new Map<number, { id: number; from: number; to: number }>();
  for (const { client, clock, length } of structs) {
    const run = runs.get(client);
    if (run === undefined) runs.set(client, { id: client, from: clock, to: clock + length });
    else run.to = clock + length;
  }
  return [...runs.values()];
}

function kindsOf(structs: readonly ScannedStruct[]): JsonObject {
  const kinds: Record<string, number> = {};
  for (const { kind } of structs) kinds[kind] = (kinds[kind] ?? 0) + 1;
  return kinds;
}

function awarenessFacts(decoder: decoding.Decoder): JsonObject {
  const clients: JsonObject[] = [];
  const count = decoding.readVarUint(decoder);
  for (let i = 0; i < Math.min(count, LIMITS.tapListMax); i++) {
    const [id, clock] = [decoding.readVarUint(decoder), decoding.readVarUint(decoder)];
    clients.push({ id, clock, ...stateFacts(decoding.readVarString(decoder)) });
  }
  return listed("clients", clients, count);
}

/** Who is present, how much they say, and of what. */
function stateFacts(text: string): JsonObject {
  const state = parseJson(text);
  if (!isJsonObject(state)) return { hasLeft: true };
  const { actor } = state;
  return {
    chars: text.length,
    ...(typeof actor === "string" ? { actor: cut(actor) } : {}),
    ...listed(
      "keys",
      Object.keys(state).map((key) => cut(key, KEY_CHARS_MAX)),
    ),
  };
}

const KEY_CHARS_MAX = 40;

function requestFacts(decoder: decoding.Decoder): JsonObject {
  const id = decoding.readVarUint(decoder);
  const method = decoding.readVarString(decoder);
  const params = readJson(decoder);
  const known = /^[a-z-]{1,40}$/.test(method) ? { method } : {};
  if (!isJsonObject(params)) return { id, ...known };
  const { changes, paths, lockId, mode } = params;
  const lockMode = LOCK_MODES.find((name) => name === mode);
  const ops = Array.isArray(changes) ? changes.filter(isJsonObject) : [];
  const touched = ops.flatMap(({ path, from }) => [path, from]);
  return {
    id,
    ...known,
    ...numbersOf(params, ["ifVersion", "ttlMs", "waitMs", "yjsClientId"]),
    ...(typeof lockId === "string" && UUID.test(lockId) ? { lockId } : {}),
    ...(lockMode === undefined ? {} : { mode: lockMode }),
    ...(Array.isArray(changes) ? { changes: changes.length } : {}),
    ...pathsOf(Array.isArray(paths) ? paths : touched),
  };
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

function responseFacts(response: Response): JsonObject {
  const { id, ok } = response;
  if (!response.ok) return { id, ok, ...errorFacts(response.error) };
  const { result } = response;
  return isJsonObject(result)
    ? { id, ok, ...picked(result, ["version", "seq", "replayed", "lockId"]), ...pathsOf(result["paths"]) }
    : { id, ok };
}

/** Its message is for the client, and its details may have the value that is there now. */
function errorFacts({ code, details }: WireError): JsonObject {
  return { code, ...picked(details, ["rule", "path"]), ...pathsOf(details["paths"]) };
}

function commitFacts(changes: readonly Change[]): JsonObject {
  const [first] = changes;
  if (first === undefined) return { changes: 0 };
  let updateBytes = 0;
  for (const { update } of changes) updateBytes += update.byteLength;
  return {
    changes: changes.length,
    version: changes.at(-1)?.version ?? first.version,
    updateBytes,
    ...listed("actors", unique(changes.map(({ actor }) => actor))),
    ...listed("origins", unique(changes.map(({ origin }) => origin))),
    ...pathsOf(changes.flatMap(({ paths }) => paths)),
  };
}

function eventFacts(event: JsonObject): JsonObject {
  const { type, conflict, paths } = event;
  return {
    ...(typeof type === "string" ? { event: type } : {}),
    ...picked(event, ["version", "mayWrite", "isAdmin", "op", "lockId", "actor", "seq", "mode", "ttlMs"]),
    ...(isJsonObject(conflict) ? picked(conflict, ["id", "path", "kind", "status"]) : {}),
    ...pathsOf(paths),
  };
}

function picked(from: ErrorDetails | JsonObject, names: readonly string[]): JsonObject {
  const facts: Record<string, Json> = {};
  for (const name of names) {
    const value = from[name];
    if (typeof value === "string") facts[name] = cut(value);
    else if (typeof value === "number" || typeof value === "boolean") facts[name] = value;
  }
  return facts;
}

function numbersOf(from: JsonObject, names: readonly string[]): JsonObject {
  return picked(
    from,
    names.filter((name) => typeof from[name] === "number"),
  );
}

function pathsOf(paths: unknown): JsonObject {
  const texts = Array.isArray(paths) ? paths.filter((path) => typeof path === "string") : [];
  return texts.length === 0 ? {} : listed("paths", unique(texts.map((text) => cut(text))));
}

/** The first of them; of more, how many there are. */
function listed(name: string, items: readonly Json[], count = items.length): JsonObject {
  const first = items.slice(0, LIMITS.tapListMax);
  return { [name]: first, ...(count > first.length ? { [`${name}Count`]: count } : {}) };
}

function unique(texts: readonly string[]): readonly string[] {
  return [...new Set(texts)];
}

/** A slice alone would keep the whole text in memory. */
function cut(text: string, charsMax: number = LIMITS.tapTextCharsMax): string {
  return text.length <= charsMax ? text : `${Array.from(text.slice(0, charsMax - 1)).join("")}…`;
}

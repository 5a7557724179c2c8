/** What is told of a frame to who looks on at a session: rules TAP-1 and TAP-2. */
import * as Y from "yjs";
import { describe, expect, test } from "vitest";
import type { Change } from "../../shared/change.ts";
import { parseActor } from "../../shared/ids.ts";
import type { Json, JsonObject } from "../../shared/json.ts";
import { LIMITS } from "../../shared/limits.ts";
import * as frames from "../../shared/protocol/frames.ts";
import * as answers from "../../shared/protocol/server-frames.ts";
import { factsOf } from "../../server/sync/frame-facts.ts";
import { placesOf } from "../../server/state/update/update-places.ts";

const SECRET = "nobody's business";
const LOCK_ID = "6d1f8f4e-2f3c-4f0a-9d2e-1c7f4a1f0b11";
const { tapListMax, tapTextCharsMax, tapFrameBytesMax } = LIMITS;

const told = (message: Uint8Array, doc = new Y.Doc()) => factsOf(message, (scanned) => placesOf(doc, scanned));
const factsIn = (message: Uint8Array): JsonObject => told(message).facts;

/** A document with values of all kinds, as one update of the client 7. */
function update(): Uint8Array {
  const doc = new Y.Doc();
  doc.clientID = 7;
  const data = doc.getMap("data");
  data.set("title", SECRET);
  data.set("tasks", new Y.Map([["t1", SECRET]]));
  data.set("draft", new Y.Text(SECRET));
  data.delete("title");
  return Y.encodeStateAsUpdate(doc);
}

function change(version: number, paths: readonly string[], by = "ada"): Change {
  const actor = parseActor(by);
  return { version, seq: version, atMs: 0, actor, origin: "sdk", message: SECRET, paths, update: update() };
}

const WIRE_ERROR = {
  code: "VERSION_CONFLICT",
  message: SECRET,
  details: { path: "/title", rule: "version", current: SECRET, value: { is: SECRET } },
} as const;

const KINDS: readonly (readonly [string, Uint8Array, string, JsonObject])[] = [
  ["a step 1", frames.encodeStep1(Y.encodeStateVector(new Map([[7, 3]]))), "step1", { clients: [{ id: 7, clock: 3 }] }],
  [
    "a step 2",
    frames.encodeStep2(update()),
    "step2",
    {
      structs: 5,
      deletes: 1,
      kinds: { deleted: 1, type: 2, any: 1, text: 1 },
      clients: [{ id: 7, from: 0, to: 4 + SECRET.length }],
      paths: ["/draft", "/tasks", "/title"],
    },
  ],
  [
    "presence",
    frames.encodeAwareness([
      { yjsClientId: 7, clock: 2, state: JSON.stringify({ actor: "ada", cursor: { at: SECRET } }) },
      { yjsClientId: 8, clock: 5, state: "null" },
    ]),
    "awareness",
    {
      clients: [
        { id: 7, clock: 2, chars: 51, actor: "ada", keys: ["actor", "cursor"] },
        { id: 8, clock: 5, hasLeft: true },
      ],
    },
  ],
  ["a question for presence", Uint8Array.of(frames.FRAME.queryAwareness), "query-awareness", {}],
  ["a token", frames.encodeToken(SECRET), "token", {}],
  ["y-websocket's auth", Uint8Array.of(frames.FRAME.auth, 0, 1, 65), "auth", {}],
  ["a base", frames.encodeBase(9), "base", { version: 9 }],
  [
    "a change that is asked for",
    frames.encodeRequest(4, "change", {
      changes: [
        { op: "replace", path: "/title", value: SECRET },
        { op: "move", from: "/a", path: "/b" },
      ],
      ifVersion: 3,
      message: SECRET,
      idempotencyKey: SECRET,
      lockTokens: [12345],
    }),
    "request",
    { id: 4, method: "change", ifVersion: 3, changes: 2, paths: ["/title", "/b", "/a"] },
  ],
  [
    "a lock that is asked for",
    frames.encodeRequest(5, "lock", { paths: ["/a"], mode: "shared", waitMs: 50, lockId: LOCK_ID, purpose: SECRET }),
    "request",
    { id: 5, method: "lock", waitMs: 50, lockId: LOCK_ID, mode: "shared", paths: ["/a"] },
  ],
  [
    "a request of nobody's making",
    frames.encodeRequest(6, SECRET, { lockId: SECRET, mode: SECRET, ttlMs: SECRET, paths: [{ a: SECRET }] }),
    "request",
    { id: 6 },
  ],
  ["a request without parameters", frames.encodeRequest(7, "ping", SECRET), "request", { id: 7, method: "ping" }],
  [
    "hello",
    answers.encodeHello({
      protocol: 1,
      sessionId: "s",
      contextId: "plan",
      epoch: 2,
      version: 8,
      actor: "ada",
      firstEpoch: 1,
      yjsClientId: 7,
    }),
    "hello",
    { epoch: 2, version: 8, yjsClientId: 7 },
  ],
  ["an ack", answers.encodeAck({ frames: 3, version: 8 }), "ack", { frames: 3, version: 8 }],
  [
    "a rejection",
    answers.encodeRejected({ frame: 3, ...WIRE_ERROR }),
    "rejected",
    { frame: 3, code: "VERSION_CONFLICT", rule: "version", path: "/title" },
  ],
  [
    "a commit",
    answers.encodeCommit([change(7, ["/a"]), change(8, ["/a", "/b"], "bob")], { withUpdates: true }),
    "commit",
    {
      changes: 2,
      version: 8,
      updateBytes: 2 * update().byteLength,
      actors: ["ada", "bob"],
      origins: ["sdk"],
      paths: ["/a", "/b"],
    },
  ],
  ["a commit of nothing", answers.encodeCommit([], { withUpdates: true }), "commit", { changes: 0 }],
  [
    "an answer",
    answers.encodeResponse({ id: 4, ok: true, result: { version: 8, seq: 9, paths: ["/a"], value: SECRET } }),
    "response",
    { id: 4, ok: true, version: 8, seq: 9, paths: ["/a"] },
  ],
  ["a bare answer", answers.encodeResponse({ id: 4, ok: true, result: SECRET }), "response", { id: 4, ok: true }],
  [
    "a refusal",
    answers.encodeResponse({ id: 4, ok: false, error: WIRE_ERROR }),
    "response",
    { id: 4, ok: false, code: "VERSION_CONFLICT", rule: "version", path: "/title" },
  ],
  [
    "an event of a lock",
    answers.encodeEvent({ type: "lock", op: "acquire", lockId: LOCK_ID, actor: "ada", paths: ["/a"], purpose: SECRET }),
    "event",
    { event: "lock", op: "acquire", lockId: LOCK_ID, actor: "ada", paths: ["/a"] },
  ],
  [
    "an event of a conflict",
    answers.encodeEvent({ type: "conflict", conflict: { id: "8.0", path: "/a", kind: "key", winner: SECRET } }),
    "event",
    { event: "conflict", id: "8.0", path: "/a", kind: "key" },
  ],
  ["a type of nobody's making", Uint8Array.of(77, 1, 2), "unknown", {}],
  ["nothing", new Uint8Array(0), "unknown", {}],
];

describe("[TAP-1] of a frame are told its type, ids, clocks, numbers, paths and codes", () => {
  test.each(KINDS)("%s", (_what, message, type, facts) => {
    expect(told(message)).toEqual({ type, facts });
  });

  test("what cannot be read is told to be so, with the rule if it is an update", () => {
    const [type] = [frames.FRAME.sync];
    expect(factsIn(Uint8Array.of(type, frames.SYNC.update, 1, 0))).toEqual({ isMalformed: true, rule: "truncated" });
    expect(told(Uint8Array.of(frames.FRAME.ack, 0x80))).toEqual({ type: "ack", facts: { isMalformed: true } });
  });
});

describe("[TAP-2] content and tokens are in no frame", () => {
  test.each(KINDS)("%s", (_what, message) => {
    expect(JSON.stringify(told(message))).not.toContain(SECRET);
  });
});

describe("what is told is bounded", () => {
  const awareness = (count: number): Uint8Array =>
    frames.encodeAwareness(Array.from({ length: count }, (_, id) => ({ yjsClientId: id, clock: 0, state: "null" })));

  test("in the number of what a frame has many of", () => {
    const at = factsIn(awareness(tapListMax));
    expect([at["clients"], at["clientsCount"]]).toEqual([expect.objectContaining({ length: tapListMax }), undefined]);
    const past = factsIn(awareness(tapListMax + 1));
    expect([past["clients"], past["clientsCount"]]).toEqual([at["clients"], tapListMax + 1]);
  });

  test("in the length of names and paths", () => {
    const pathOf = (length: number): Json | undefined =>
      factsIn(answers.encodeEvent({ type: "x", paths: [`/${"p".repeat(length - 1)}`] }))["paths"];
    expect(pathOf(tapTextCharsMax)).toEqual([`/${"p".repeat(tapTextCharsMax - 1)}`]);
    expect(pathOf(tapTextCharsMax + 1)).toEqual([`/${"p".repeat(tapTextCharsMax - 2)}…`]);
  });

  test("in the work: of what is larger only the type is told", () => {
    // type, step, and a length of three bytes
    const ofBytes = (bytes: number): Uint8Array => frames.encodeUpdate(new Uint8Array(bytes - 5));
    expect(ofBytes(tapFrameBytesMax).byteLength).toBe(tapFrameBytesMax);
    expect(told(ofBytes(tapFrameBytesMax)).facts).toEqual({ isMalformed: true, rule: "trailing-bytes" });
    expect(told(ofBytes(tapFrameBytesMax + 1))).toEqual({ type: "update", facts: { isTooLarge: true } });
  });
});

describe("[TAP-1] the paths of an update", () => {
  const documentOf = (): { doc: Y.Doc; data: Y.Map<unknown> } => {
    const doc = new Y.Doc();
    const data = doc.getMap("data");
    data.set("tasks", new Y.Map([["t1", new Y.Map([["state", "open"]])]]));
    data.set("draft", new Y.Text("hello"));
    data.set("list", Y.Array.from([1, 2, 3]));
    return { doc, data };
  };
  const EDITS: readonly (readonly [string, (doc: Y.Doc) => void, readonly string[]])[] = [
    ["a letter in a text", (doc) => textIn(doc).insert(2, "x"), ["/draft"]],
    ["a letter that goes", (doc) => textIn(doc).delete(1, 1), ["/draft"]],
    ["a value that is replaced", (doc) => mapIn(doc, "t1").set("state", "done"), ["/tasks/t1/state"]],
    ["a value that is new", (doc) => mapIn(doc, "t1").set("by", "ada"), ["/tasks/t1/by"]],
    ["another root", (doc) => doc.getText("page").insert(0, "x"), ["@page"]],
    ["a key of the data", (doc) => doc.getMap("data").set("title", new Y.Map([["a", 1]])), ["/title"]],
  ];
  const textIn = (doc: Y.Doc): Y.Text => {
    const text = doc.getMap("data").get("draft");
    if (!(text instanceof Y.Text)) throw new Error("no text");
    return text;
  };
  const mapIn = (doc: Y.Doc, key: string): Y.Map<unknown> => {
    const tasks = doc.getMap("data").get("tasks");
    const map = tasks instanceof Y.Map ? tasks.get(key) : undefined;
    if (!(map instanceof Y.Map)) throw new Error("no map");
    return map;
  };

  test.each(EDITS)("%s: the same before it is applied and after", (_what, edit, paths) => {
    const { doc } = documentOf();
    const author = new Y.Doc();
    Y.applyUpdate(author, Y.encodeStateAsUpdate(doc));
    const before = Y.encodeStateVector(author);
    edit(author);
    const sent = Y.encodeStateAsUpdate(author, before);
    const message = frames.encodeUpdate(sent);
    expect(told(message, doc).facts["paths"]).toEqual(paths);
    Y.applyUpdate(doc, sent);
    expect(told(message, doc).facts["paths"]).toEqual(paths);
  });

  test("what refers to content that the document lacks has none", () => {
    const { doc } = documentOf();
    const before = Y.encodeStateVector(doc);
    textIn(doc).insert(0, "x");
    const sent = frames.encodeUpdate(Y.encodeStateAsUpdate(doc, before));
    expect(told(sent).facts).toMatchObject({ structs: 1 });
    expect(told(sent).facts["paths"]).toBeUndefined();
  });
});

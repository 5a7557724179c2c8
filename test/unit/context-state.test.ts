/** Admission to one document: rules STATE-1…7. */
import * as Y from "yjs";
import { describe, expect, test } from "vitest";
import type { JsonOp } from "../../shared/change.ts";
import { parseActor } from "../../shared/ids.ts";
import type { Actor } from "../../shared/ids.ts";
import type { JsonObject } from "../../shared/json.ts";
import { LIMITS } from "../../shared/limits.ts";
import { DocumentBroken } from "../../server/state/context-state.ts";
import type { ContextState } from "../../server/state/context-state.ts";
import type { OpsWrite, Verdict, Write } from "../../server/state/writes.ts";
import { readData } from "../../shared/read-data.ts";
import {
  NODE,
  admittedOf,
  at,
  checkpointOf,
  stateFrom,
  storedContext as stored,
  withTail,
} from "../support/stored-state.ts";

const ada = parseActor("ada");
const bob = parseActor("bob");

const stateOf = (data: JsonObject = {}): ContextState => stateFrom(stored(data));
const ops = (actor: Actor, list: readonly JsonOp[], version?: number): OpsWrite => ({
  kind: "ops",
  actor,
  origin: "rest",
  ops: list,
  ...(version === undefined ? {} : { ifVersion: { version, scope: "context" } }),
});
const update = (actor: Actor, bytes: Uint8Array): Write => ({ kind: "update", actor, update: bytes });

/** A client's document, and the update of its next edit. */
function client(
  from: ContextState,
  clientId: number,
): { doc: Y.Doc; edit: (change: (data: Y.Map<unknown>) => void) => Uint8Array } {
  const doc = new Y.Doc();
  Y.applyUpdate(doc, Y.encodeStateAsUpdate(from.doc));
  doc.clientID = clientId;
  return {
    doc,
    edit: (change) => {
      const updates: Uint8Array[] = [];
      const keep = (bytes: Uint8Array): void => void updates.push(bytes);
      doc.on("update", keep);
      doc.transact(() => change(doc.getMap("data")));
      doc.off("update", keep);
      return updates[0] ?? new Uint8Array([0, 0]);
    },
  };
}

const kinds = (verdicts: readonly Verdict[]): string[] =>
  verdicts.map((verdict) => (verdict.kind === "refused" ? verdict.error.code : verdict.kind));
const dataOf = (state: ContextState): unknown => readData(state.doc, "");

describe("[STATE-1] a refusal changes nothing", () => {
  test.each<[string, Write]>([
    ["MALFORMED_UPDATE", update(ada, Uint8Array.from([1, 2, 3]))],
    [
      "PATH_NOT_FOUND",
      ops(ada, [
        { op: "add", path: "/x", value: 1 },
        { op: "remove", path: "/nowhere" },
      ]),
    ],
    ["VERSION_CONFLICT", ops(ada, [{ op: "add", path: "/x", value: 1 }], 5)],
  ])("%s", (code, write) => {
    const state = stateOf({ a: 1 });
    const before = Y.encodeStateAsUpdate(state.doc);
    expect(kinds(state.admit([write], at(0)))).toEqual([code]);
    expect(Y.encodeStateAsUpdate(state.doc)).toEqual(before);
    expect([state.seq, state.version]).toEqual([0, 0]);
  });
});

describe("[STATE-2] client ids belong to actors", () => {
  test("an id belongs to whoever wrote under it first", () => {
    const state = stateOf();
    const honest = client(state, 100);
    expect(
      kinds(
        state.admit(
          [
            update(
              ada,
              honest.edit((data) => data.set("a", 1)),
            ),
          ],
          at(0),
        ),
      ),
    ).toEqual(["admitted"]);
    expect(
      kinds(
        state.admit(
          [
            update(
              bob,
              honest.edit((data) => data.set("b", 2)),
            ),
          ],
          at(0),
        ),
      ),
    ).toEqual(["CLIENT_ID_TAKEN"]);
    expect(dataOf(state)).toEqual({ a: 1 });
  });

  test("nobody writes under the server's own id", () => {
    const state = stateOf({ a: 1 });
    const forger = client(state, NODE);
    expect(
      kinds(
        state.admit(
          [
            update(
              ada,
              forger.edit((data) => data.set("a", 2)),
            ),
          ],
          at(0),
        ),
      ),
    ).toEqual(["CLIENT_ID_TAKEN"]);
  });

  test("owners come back with the state, from the checkpoint and from the tail", () => {
    const source = stateOf();
    const first = client(source, 100).edit((data) => data.set("a", 1));
    const tailed = withTail(stored(), admittedOf(stateOf().admit([update(ada, first)], at(0))));
    const fromTail = stateFrom(tailed);
    const checkpoint = checkpointOf(fromTail.doc, { seq: 1, version: 1, owners: [[100, ada]] });
    const fromCheckpoint = stateFrom({ ...tailed, checkpoint, tail: [] });
    for (const state of [fromTail, fromCheckpoint]) {
      const next = client(state, 100).edit((data) => data.set("b", 2));
      expect(kinds(state.admit([update(bob, next)], at(0)))).toEqual(["CLIENT_ID_TAKEN"]);
      expect(kinds(state.admit([update(ada, next)], at(0)))).toEqual(["admitted"]);
    }
  });
});

describe("[STATE-3] versions count changes", () => {
  test("what changes nothing takes no version", () => {
    const state = stateOf({ a: 1 });
    const edit = client(state, 100).edit((data) => data.set("b", 2));
    const verdicts = state.admit(
      [
        ops(ada, [{ op: "test", path: "/a", value: 1 }]),
        update(ada, edit),
        update(ada, edit),
        ops(ada, [{ op: "add", path: "/c", value: 3 }], 1),
      ],
      at(42),
    );
    expect(kinds(verdicts)).toEqual(["unchanged", "admitted", "unchanged", "admitted"]);
    expect([state.seq, state.version, state.updatedAtMs]).toEqual([2, 2, 42]);
  });

  test("an admitted change says what it touched and how far it moved its author's clock", () => {
    const state = stateOf();
    const [live, json] = state.admit(
      [
        update(
          ada,
          client(state, 100).edit((data) => data.set("b", 2)),
        ),
        ops(bob, [{ op: "add", path: "/c", value: 3 }]),
      ],
      at(42),
    );
    expect(live).toMatchObject({
      kind: "admitted",
      change: { actor: ada, origin: "sync", atMs: 42, paths: ["/b"], advances: [{ client: 100, to: 1 }] },
    });
    expect(json).toMatchObject({
      kind: "admitted",
      change: { actor: bob, origin: "rest", paths: ["/c"], advances: [{ client: NODE }] },
    });
  });
});

test("[STATE-4] a document that throws is given up, with the culprit named", () => {
  const state = stateOf();
  const edits = client(state, 100);
  const writes = [1, 2].map((value) =>
    update(
      ada,
      edits.edit((data) => data.set("a", value)),
    ),
  );
  state.doc.on("beforeTransaction", () => {
    throw new Error("a handler that must not throw");
  });
  expect(() => state.admit(writes, at(0))).toThrow(
    expect.objectContaining({ constructor: DocumentBroken, culprit: writes[0] }),
  );
});

test("[STATE-5] updates of one turn build on each other, in one transaction", () => {
  const state = stateOf();
  const { edit } = client(state, 100);
  const writes = [1, 2, 3].map((value) =>
    update(
      ada,
      edit((data) => data.set("a", value)),
    ),
  );
  let transactions = 0;
  state.doc.on("afterTransaction", () => void transactions++);
  expect(kinds(state.admit(writes, at(0)))).toEqual(["admitted", "admitted", "admitted"]);
  expect(transactions).toBe(1);
  expect(dataOf(state)).toEqual({ a: 3 });
});

test("[STATE-6] a full context refuses growth, takes deletes, and then has room again", () => {
  const state = stateOf();
  const chunk = "x".repeat(LIMITS.stringCharsMax);
  const add = (path: string, value: string): string[] =>
    kinds(state.admit([ops(ada, [{ op: "add", path, value }])], at(0)));
  for (let i = 0; i < 10; i++) expect(add(`/k${i}`, chunk)).toEqual(["admitted"]);
  expect(add("/one-more", "x")).toEqual(["LIMIT_EXCEEDED"]);
  const { edit } = client(state, 100);
  expect(
    kinds(
      state.admit(
        [
          update(
            ada,
            edit((data) => data.delete("k0")),
          ),
        ],
        at(0),
      ),
    ),
  ).toEqual(["admitted"]);
  const twoChunks = client(state, 200).edit((data) => ["big", "bigger"].forEach((key) => data.set(key, chunk)));
  expect(kinds(state.admit([update(ada, twoChunks)], at(0)))).toEqual(["LIMIT_EXCEEDED"]);
  expect(kinds(state.admit([ops(ada, [{ op: "remove", path: "/k1" }])], at(0)))).toEqual(["admitted"]);
  expect(add("/one-more", "x")).toEqual(["admitted"]);
});

test("[STATE-7] a state rebuilt from checkpoint and tail equals the one that lived through it", () => {
  const base = stored({ a: 1, list: [1, 2] });
  const state = stateFrom(base);
  const { edit } = client(state, 100);
  const writes = [
    update(
      ada,
      edit((data) => data.set("b", 2)),
    ),
    ops(bob, [{ op: "add", path: "/list/-", value: 3 }]),
    update(
      ada,
      edit((data) => data.delete("a")),
    ),
  ];
  const verdicts = state.admit(writes, at(9));
  const again = stateFrom(withTail(base, admittedOf(verdicts)));
  expect(Y.encodeStateAsUpdate(again.doc)).toEqual(Y.encodeStateAsUpdate(state.doc));
  expect([again.seq, again.version, again.clientIds.authorId]).toEqual([3, 3, NODE]);
});

test("[PRE-2] two who write the same value for one version: the second is refused, though nothing would change", () => {
  const state = stateOf({ n: 0, m: 0 });
  const set = (path: string, version: number): Write => ({
    ...ops(ada, [{ op: "replace", path, value: 1 }]),
    ifVersion: { version, scope: "paths" },
  });
  const verdicts = state.admit([set("/n", 0), set("/n", 0), set("/m", 0), set("/n", 1)], at(0));
  expect(kinds(verdicts)).toEqual(["admitted", "VERSION_CONFLICT", "admitted", "unchanged"]);
});

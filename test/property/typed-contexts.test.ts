/**
 * Typed contexts on random schemas and writes: what is accepted adds no violation, what is refused changes nothing, and the
 * shadow keeps saying what the document says. FC_SEED=… repeats a run.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import * as Y from "yjs";
import { applyJsonOps } from "../../server/state/json/json-changes.ts";
import { addedViolations } from "../../server/state/schema/violations.ts";
import type { JsonOp } from "../../shared/change.ts";
import { isJsonObject } from "../../shared/json.ts";
import type { Json, JsonObject } from "../../shared/json.ts";
import { readData } from "../../shared/read-data.ts";
import { data as anyData, opPlan, opsFrom, words } from "../support/random-json-ops.ts";
import type { OpPlan } from "../support/random-json-ops.ts";
import { TypedDocument } from "../support/typed-document.ts";

const seed = Number(process.env["FC_SEED"] ?? 20_261_122);

const key = fc.constantFrom("a", "b", "c", "n", "s", "t", "0", "1", "constructor");

/** Schemas over the same few keys as the data, without counters (those are compared one by one below). */
const schemas = fc.letrec<{ schema: JsonObject }>((tie) => ({
  schema: fc.oneof(
    { depthSize: "small", maxDepth: 3 },
    fc.constantFrom<JsonObject>(
      {},
      { type: "string" },
      { type: "number", minimum: 0 },
      { type: ["object", "array", "null"] },
    ),
    fc.constantFrom<JsonObject>(
      { "x-crdt": "text" },
      { type: "string", "x-crdt": "text", maxLength: 4 },
      { maxProperties: 2 },
    ),
    fc.constantFrom<JsonObject>(
      { uniqueItems: true, maxItems: 3 },
      { enum: [0, "a", null, {}] },
      { $ref: "#/$defs/shared" },
    ),
    fc.record({
      properties: fc.dictionary(key, tie("schema"), { maxKeys: 4 }),
      required: fc.uniqueArray(key, { maxLength: 2 }),
    }),
    fc.record({
      additionalProperties: fc.oneof(fc.constant(false), tie("schema")),
      properties: fc.dictionary(key, tie("schema")),
    }),
    fc.record({ items: tie("schema") }),
    fc.record({ anyOf: fc.array(tie("schema"), { minLength: 1, maxLength: 3 }) }),
    fc.record({ patternProperties: fc.record({ "^[ab]": tie("schema") }) }),
  ),
}));

/** For the members that the data always has. */
const USUAL = { n: { type: "number", maximum: 10 }, s: { maxLength: 5 }, t: { type: "string" } };

/** References lead to something flat, so that none goes in a circle. */
const typeSchema = fc
  .tuple(schemas.schema, fc.constantFrom<JsonObject>({ type: "string" }, { minProperties: 1 }, { "x-crdt": "text" }))
  .map(([schema, part]) => ({ allOf: [schema], properties: USUAL, maxProperties: 6, $defs: { shared: part } }));

interface LiveEdit {
  readonly path: readonly string[];
  readonly value: Json;
  readonly act: "set" | "delete" | "insert" | "clear";
}

const liveEdit: fc.Arbitrary<LiveEdit> = fc.record({
  path: fc.array(key, { minLength: 1, maxLength: 3 }),
  value: fc.oneof(anyData, words, fc.constantFrom<Json>(0, -1, null, true, [1, 1])),
  act: fc.constantFrom("set", "delete", "insert", "clear"),
});

type Step =
  | { readonly kind: "ops"; readonly plans: readonly OpPlan[] }
  | {
      readonly kind: "live";
      readonly edits: readonly LiveEdit[];
      readonly clientID: number;
      readonly isStale: boolean;
    };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant("ops" as const), plans: fc.array(opPlan, { minLength: 1, maxLength: 4 }) }),
  fc.record({
    kind: fc.constant("live" as const),
    edits: fc.array(liveEdit, { minLength: 1, maxLength: 4 }),
    clientID: fc.integer({ min: 10, max: 13 }),
    isStale: fc.boolean(),
  }),
);

type Shared = null | boolean | number | string | Y.Map<unknown> | Y.Array<unknown> | Y.Text;

function sharedOf(value: Json): Shared {
  if (typeof value === "string") return value.length > 2 ? new Y.Text(value) : value;
  if (isJsonObject(value)) return new Y.Map(Object.entries(value).map(([name, inner]) => [name, sharedOf(inner)]));
  if (typeof value !== "object" || value === null) return value;
  const array = new Y.Array<unknown>();
  array.push(value.map(sharedOf));
  return array;
}

/** As far along the path as there are types. */
function edit(doc: Y.Doc, { path, value, act }: LiveEdit): void {
  const at = path.slice(0, -1).reduce<unknown>((type, name) => innerType(type, name) ?? type, doc.getMap("data"));
  const last = path.at(-1) ?? "";
  if (at instanceof Y.Text) at.insert(0, "w");
  if (at instanceof Y.Array) editList(at, act, value);
  if (!(at instanceof Y.Map)) return;
  if (act === "delete") at.delete(last);
  else if (act === "clear") at.clear();
  else at.set(last, sharedOf(value));
}

function innerType(type: unknown, name: string): unknown {
  const inner: unknown = type instanceof Y.Map ? type.get(name) : type instanceof Y.Array ? type.get(0) : undefined;
  return inner instanceof Y.AbstractType ? inner : undefined;
}

function editList(list: Y.Array<unknown>, act: LiveEdit["act"], value: Json): void {
  if (act === "delete" && list.length > 0) list.delete(0);
  else list.insert(0, [sharedOf(value)]);
}

/** What a document in this state would hold after the operations, written to it without a rehearsal. */
function expected(state: Uint8Array, { schema }: TypedDocument, ops: readonly JsonOp[]): Json {
  const copy = new Y.Doc();
  Y.applyUpdate(copy, state);
  applyJsonOps(copy, schema.textsMarked(ops), "test");
  return readData(copy, "");
}

test("[TYPE-4] [TYPE-5] accepted writes add no violation, refused ones change nothing, and each is judged by the document", () => {
  let accepted = 0;
  let refusedBySchema = 0;
  fc.assert(
    fc.property(typeSchema, anyData, fc.array(step, { minLength: 1, maxLength: 15 }), (schema, data, steps) => {
      const it = new TypedDocument(schema, data);
      const clients = new Map<number, Y.Doc>();
      for (const plan of steps) {
        const state = Y.encodeStateAsUpdate(it.doc);
        const before = it.data;
        const violations = it.schema.violations(before);
        const added = (now: Json): number => addedViolations(violations, it.schema.violations(now)).length;
        const ops = plan.kind === "ops" ? opsFrom(plan.plans, isJsonObject(before) ? before : {}) : [];
        const refused = plan.kind === "ops" ? it.change(ops) : live(it, plan, clients);
        if (refused === undefined) {
          accepted++;
          expect(added(it.data)).toBe(0);
          if (plan.kind === "ops") expect(it.data).toEqual(expected(state, it, ops));
          continue;
        }
        expect(Y.encodeStateAsUpdate(it.doc)).toEqual(state);
        clients.clear();
        if (refused.code !== "SCHEMA_VIOLATION") continue;
        refusedBySchema++;
        if (plan.kind === "ops") expect(added(expected(state, it, ops))).toBeGreaterThan(0);
      }
    }),
    { seed, numRuns: 200 },
  );
  expect(accepted).toBeGreaterThan(300);
  expect(refusedBySchema).toBeGreaterThan(100);
});

/** Clients keep their document; a stale one edits without what came since its last edit. */
function live(
  it: TypedDocument,
  plan: Extract<Step, { kind: "live" }>,
  clients: Map<number, Y.Doc>,
): ReturnType<TypedDocument["receive"]> {
  const client = clients.get(plan.clientID) ?? it.replica(plan.clientID);
  clients.set(plan.clientID, client);
  if (!plan.isStale) Y.applyUpdate(client, Y.encodeStateAsUpdate(it.doc));
  client.transact(() => {
    for (const one of plan.edits) edit(client, one);
  });
  return it.receive(Y.encodeStateAsUpdate(client, Y.encodeStateVector(it.doc)));
}

test("[TYPE-7] counters are what the increments sum up to, whatever else is written", () => {
  const schema = {
    additionalProperties: { $ref: "#/$defs/any" },
    $defs: { any: { properties: { n: { "x-crdt": "counter" } }, additionalProperties: { $ref: "#/$defs/any" } } },
  };
  const maps = fc.dictionary(fc.constantFrom("a", "b"), fc.record({ n: fc.constantFrom(0, 1, 5), s: words }));
  const place = fc.constantFrom("/a", "/b", "/a/n", "/b/n", "/a/s", "/a/b", "/a/b/n");
  const value = fc.oneof<fc.Arbitrary<Json>[]>(
    fc.constantFrom(0, 1, "x"),
    fc.record({ n: fc.constantFrom(0, 1, 5) }),
    maps,
  );
  const op: fc.Arbitrary<JsonOp> = fc.oneof(
    fc.record({ op: fc.constantFrom("add" as const, "replace" as const), path: place, value }),
    fc.record({ op: fc.constant("remove" as const), path: place }),
    fc.record({ op: fc.constantFrom("move" as const, "copy" as const), path: place, from: place }),
    fc.record({
      op: fc.constant("increment" as const),
      path: fc.constantFrom("/a/n", "/b/n", "/a/b/n"),
      by: fc.constantFrom(1, -2),
    }),
    fc.record({ op: fc.constant("merge" as const), path: fc.constantFrom("", "/a"), value: maps }),
  );
  let accepted = 0;
  let refusedChanges = 0;
  fc.assert(
    fc.property(maps, fc.array(fc.array(op, { minLength: 1, maxLength: 4 }), { maxLength: 8 }), (data, changes) => {
      const it = new TypedDocument(schema, data);
      for (const ops of changes) {
        const before = countersIn(it.data);
        const refused = it.change(ops);
        if (refused?.code === "SCHEMA_VIOLATION") refusedChanges++;
        if (refused !== undefined) continue;
        accepted++;
        const after = countersIn(it.data);
        for (const [path, was] of before) {
          const now = after.get(path);
          const by = ops.reduce((sum, one) => sum + (one.op === "increment" && one.path === path ? one.by : 0), 0);
          // an increment that its own change takes back is no change
          expect([undefined, was, was + by]).toContain(now);
        }
      }
    }),
    { seed, numRuns: 200 },
  );
  expect(accepted).toBeGreaterThan(150);
  expect(refusedChanges).toBeGreaterThan(50);
});

/** The numbers called "n" below the top, by path. */
function countersIn(value: Json, path = ""): Map<string, number> {
  const counters = new Map<string, number>();
  for (const [name, inner] of Object.entries(isJsonObject(value) ? value : {})) {
    const at = `${path}/${name}`;
    if (name === "n" && path !== "" && typeof inner === "number") counters.set(at, inner);
    for (const [below, number] of countersIn(inner, at)) counters.set(below, number);
  }
  return counters;
}

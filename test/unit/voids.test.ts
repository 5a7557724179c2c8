/** What a refused live edit leaves behind: rules VOID-1 to VOID-3. */
import * as Y from "yjs";
import { describe, expect, test } from "vitest";
import { parseActor } from "../../shared/ids.ts";
import { readData } from "../../shared/read-data.ts";
import { recreateState } from "../../server/state/compaction.ts";
import { DocumentFold } from "../../server/state/document-fold.ts";
import { compileSchema } from "../../server/state/schema/context-schema.ts";
import type { Admitted } from "../../server/state/writes.ts";
import { Admission } from "../support/admission.ts";
import { intBelow, pick, randomFrom } from "../support/editing-history.ts";
import { NODE, stateFrom } from "../support/stored-state.ts";

const SECRET = "what nobody is to see";
const shows = (bytes: Uint8Array, text: string): boolean => Buffer.from(bytes).includes(text);
const kindsOf = (entries: readonly Admitted[]): string[] => entries.map(({ kind }) => kind);

/** The whole document, however often its neighbouring structs were merged on the way. */
function contentOf(doc: Y.Doc): Uint8Array {
  const copy = new Y.Doc();
  Y.applyUpdate(copy, Y.encodeStateAsUpdate(doc));
  return Y.encodeStateAsUpdate(copy);
}

/** Another client, which has only what the log says. */
function reader(admission: Admission): Y.Doc {
  const doc = new Y.Doc();
  Y.applyUpdateV2(doc, admission.base.checkpoint.state);
  for (const { update } of admission.entries) Y.applyUpdate(doc, update);
  expect([doc.store.pendingStructs, doc.store.pendingDs]).toEqual([null, null]);
  return doc;
}

describe("[VOID-1] a refused live edit", () => {
  test("leaves its clocks in the log, with code and paths, without content and version", () => {
    const admission = new Admission({ a: 1 });
    const bob = admission.client("bob", 200);
    admission.lock("ann", ["/a"]);
    expect(bob.edit((data) => data.set("a", SECRET))).toBe("LOCKED");
    const [, entry] = admission.entries;
    expect(entry).toMatchObject({
      kind: "void",
      actor: "bob",
      origin: "sync",
      message: "LOCKED",
      paths: ["/a"],
      advances: [{ client: 200, from: 0, to: 1 }],
    });
    expect(shows(entry?.update ?? new Uint8Array(), SECRET)).toBe(false);
    expect([admission.state.seq, admission.state.version]).toEqual([2, 0]);
    expect(admission.data).toEqual({ a: 1 });
  });

  test("also when its content is what is wrong, or its session lost the lock", () => {
    const schema = compileSchema({ properties: { n: { type: "number" } } });
    const admission = new Admission({}, { schema });
    const bob = admission.client("bob", 200);
    expect(bob.edit((data) => data.set("n", SECRET))).toBe("SCHEMA_VIOLATION");
    const { lockId } = bob.lock(["/b"], 10);
    admission.nowMs = 10;
    admission.expire(lockId);
    expect(bob.edit((data) => data.set("b", SECRET))).toBe("FENCE_STALE");
    expect(kindsOf(admission.entries)).toEqual(["void", "lock", "lock", "void"]);
    expect(admission.data).toEqual({});
  });

  test("that deletes as well as it writes, deletes nothing; one that only deletes leaves nothing", () => {
    const admission = new Admission({ a: 1, b: { c: 2 } });
    const bob = admission.client("bob", 200);
    admission.lock("ann", ["/a"]);
    const both = bob.make((data) => {
      data.set("a", 2);
      data.delete("b");
    });
    expect(admission.outcome(bob.write(both))).toBe("LOCKED");
    expect(admission.data).toEqual({ a: 1, b: { c: 2 } });
    const eve = admission.client("eve", 300);
    expect(eve.edit((data) => data.delete("a"))).toBe("LOCKED");
    expect(kindsOf(admission.entries)).toEqual(["lock", "void"]);
  });

  test("of several authors' clocks, as a step 2 brings, takes all of them", () => {
    const admission = new Admission({ a: 1 });
    const [bob, eve] = [admission.client("bob", 200), admission.client("bob", 201)];
    admission.lock("ann", ["/a"]);
    Y.applyUpdate(
      bob.doc,
      eve.make((data) => data.set("x", 1)),
    );
    bob.make((data) => data.set("a", SECRET));
    const whole = Y.encodeStateAsUpdate(bob.doc, Y.encodeStateVector(admission.state.doc));
    expect(admission.outcome({ ...bob.write(whole), isAnswer: true })).toBe("LOCKED");
    expect(admission.entries.at(-1)).toMatchObject({ kind: "void", advances: [{ client: 201 }, { client: 200 }] });
    expect(Y.decodeStateVector(Y.encodeStateVector(reader(admission)))).toEqual(
      Y.decodeStateVector(Y.encodeStateVector(admission.state.doc)),
    );
  });

  test("that is damaged, or under somebody else's id, takes no clocks", () => {
    const admission = new Admission({ a: 1 });
    admission.client("ann", 100).edit((data) => data.set("mine", 1));
    admission.lock("ann", ["/a"]);
    const forger = admission.client("bob", 100);
    expect(forger.edit((data) => data.set("a", 2))).toBe("CLIENT_ID_TAKEN");
    expect(admission.outcome(forger.write(Uint8Array.of(9, 9, 9)))).toBe("MALFORMED_UPDATE");
    expect(kindsOf(admission.entries)).toEqual(["change", "lock"]);
  });

  test("that was refused before is refused again, and takes nobody else's clocks with it", () => {
    const admission = new Admission({ a: 1 });
    const [ann, bob] = [admission.client("ann", 100), admission.client("bob", 200)];
    expect(ann.edit((data) => data.set("mine", 1))).toBe("admitted");
    admission.lock("ann", ["/a"]);
    const refused = bob.make((data) => data.set("a", 2));
    expect(admission.outcome(bob.write(refused))).toBe("LOCKED");
    expect(admission.outcome({ ...bob.write(refused), source: {} })).toBe("FORBIDDEN");
    const forged = Y.mergeUpdates([refused, ann.make((data) => data.set("theirs", 1))]);
    expect(admission.outcome({ ...bob.write(forged), source: {} })).toBe("CLIENT_ID_TAKEN");
    expect(kindsOf(admission.entries)).toEqual(["change", "lock", "void"]);
    expect(admission.state.clientIds.ownerOf(100)).toBe("ann");
  });
});

describe("[VOID-2] after a refusal", () => {
  test("its author's other edits are taken, and everybody has the same without what was refused", () => {
    const admission = new Admission({ a: 1 });
    const bob = admission.client("bob", 200);
    admission.lock("ann", ["/a"]);
    expect(bob.edit((data) => data.set("b", 1))).toBe("admitted");
    expect(bob.edit((data) => data.set("a", SECRET))).toBe("LOCKED");
    expect(bob.edit((data) => data.set("c", 2))).toBe("admitted");
    expect(admission.data).toEqual({ a: 1, b: 1, c: 2 });
    expect(readData(reader(admission), "")).toEqual(admission.data);
    expect(admission.entries.some(({ update }) => shows(update, SECRET))).toBe(false);
  });

  test("what its session typed on before it learned of it is refused with it, and not shown either", () => {
    const admission = new Admission({ t: { $text: "" }, free: 0 });
    const bob = admission.client("bob", 200);
    const letters = "secret".split("").map((letter, at) =>
      bob.make((data) => {
        const text = data.get("t");
        if (text instanceof Y.Text) text.insert(at, `<${letter}>`);
      }),
    );
    const elsewhere = bob.make((data) => data.set("free", 1));
    admission.lock("ann", ["/t"]);
    const verdicts = admission.admit(...letters.map((update) => bob.write(update)), bob.write(elsewhere));
    expect(verdicts.map((verdict) => (verdict.kind === "refused" ? verdict.error.code : verdict.kind))).toEqual([
      ...letters.map(() => "LOCKED"),
      "admitted",
    ]);
    expect(admission.data).toEqual({ t: "", free: 1 });
    for (const letter of "secret".split("")) {
      expect(admission.entries.some(({ update }) => shows(update, `<${letter}>`))).toBe(false);
    }
    expect(admission.state.version).toBe(1);
  });

  test("an honest edit in what others deleted meanwhile is still taken: it may come back", () => {
    const admission = new Admission({ a: { b: 1 } });
    const bob = admission.client("bob", 200);
    const late = bob.make((data) => {
      const map = data.get("a");
      if (map instanceof Y.Map) map.set("b", 2);
    });
    admission.ops("ann", [{ op: "remove", path: "/a" }]);
    expect(admission.outcome(bob.write(late))).toBe("admitted");
  });
});

describe("[VOID-3] a context with voids", () => {
  const withVoids = (): Admission => {
    const admission = new Admission({ a: 1, list: [1, 2, 3] });
    const bob = admission.client("bob", 200);
    const { lockId } = admission.lock("ann", ["/a"], { ttlMs: 10 });
    bob.edit((data) => data.set("x", 1));
    bob.edit((data) => data.set("a", SECRET));
    bob.edit((data) => data.set("y", 2));
    admission.nowMs = 10;
    admission.expire(lockId);
    bob.edit((data) => data.set("z", 3));
    admission.ops("ann", [{ op: "add", path: "/list/-", value: 4 }]);
    return admission;
  };

  test("is the same from the log, from a checkpoint at any place in it, and compacted", () => {
    const admission = withVoids();
    expect(kindsOf(admission.entries)).toEqual(["lock", "change", "void", "change", "lock", "change", "change"]);
    const { stored } = admission;
    const wanted = Y.encodeStateAsUpdate(admission.state.doc);
    for (let seq = 0; seq <= stored.tail.length; seq++) {
      const before = new DocumentFold(stored.checkpoint, { nodeClientId: NODE });
      before.apply(stored.tail.slice(0, seq));
      const checkpoint = before.checkpoint();
      const loaded = stateFrom({ ...stored, checkpoint, tail: stored.tail.slice(seq) });
      expect(Y.encodeStateAsUpdate(loaded.doc)).toEqual(wanted);
      expect([loaded.seq, loaded.version, loaded.updatedAtMs]).toEqual([7, 4, 10]);
      expect(loaded.clientIds.ownerOf(200)).toBe("bob");
      expect([...loaded.voids]).toEqual([[200, 1]]);
    }
    const compact = new Y.Doc();
    Y.applyUpdate(compact, recreateState({ state: Y.encodeStateAsUpdateV2(admission.state.doc), authorId: 5 }).update);
    expect(readData(compact, "")).toEqual(admission.data);
  });

  test("a client id that wrote nothing but what was refused belongs to its author, also after a restart", () => {
    const admission = new Admission({ a: 1 });
    admission.lock("ann", ["/a"]);
    admission.client("bob", 200).edit((data) => data.set("a", 2));
    const eve = admission.client("eve", 200);
    const forged = eve.write(eve.make((data) => data.set("b", 1)));
    expect(admission.outcome(forged)).toBe("CLIENT_ID_TAKEN");
    const again = stateFrom(admission.stored).admit([forged], { atMs: 0, monotonicMs: 0 });
    expect(again).toMatchObject([{ kind: "refused", error: { code: "CLIENT_ID_TAKEN" } }]);
  });

  test("is still checked against its type: the copy that writes are tried on has the voids too", () => {
    const schema = compileSchema({ properties: { n: { type: "number" } } });
    const admission = new Admission({ a: 1, n: 1 }, { schema });
    const bob = admission.client("bob", 200);
    admission.lock("ann", ["/a"]);
    expect(bob.edit((data) => data.set("n", 2))).toBe("admitted");
    expect(bob.edit((data) => data.set("a", 2))).toBe("LOCKED");
    expect(bob.edit((data) => data.set("m", "free"))).toBe("admitted");
    expect(admission.client("eve", 300).edit((data) => data.set("n", "no number"))).toBe("SCHEMA_VIOLATION");
    expect(admission.client("eve", 301).edit((data) => data.set("n", 3))).toBe("admitted");
    const late = admission.client("bob", 201);
    expect(late.edit((data) => data.set("a", 2))).toBe("LOCKED");
    expect(late.edit((data) => data.set("n", "no number"))).toBe("SCHEMA_VIOLATION");
    expect(admission.data).toEqual({ a: 1, n: 3, m: "free" });
  });

  test.each([1, 2, 3, 4, 5])("random edits under random locks fold to what is in memory (seed %i)", (seed) => {
    const random = randomFrom(seed);
    const admission = new Admission({ t: { $text: "text" }, m: { a: 1 }, list: [1] });
    const keys = ["t", "m", "list", "a", "b"] as const;
    let clients = 0;
    for (let step = 0; step < 40; step++) {
      const bob = admission.client("bob", 1000 + ++clients);
      const locked = `/${pick(random, keys)}`;
      const { lockId } = admission.lock("ann", [locked], { ttlMs: 1 });
      const outcomes = Array.from({ length: 3 }, () =>
        bob.edit((data) => {
          const key = pick(random, keys);
          const value = data.get(key);
          const secret = `${SECRET} ${key}`;
          if (value instanceof Y.Text) value.insert(intBelow(random, value.length + 1), secret);
          else if (value instanceof Y.Array && random() < 0.7) value.push([secret]);
          else if (value instanceof Y.Map && random() < 0.7) value.set(pick(random, keys), secret);
          else if (random() < 0.2) data.delete(key);
          else data.set(key, pick<unknown>(random, [secret, new Y.Map(), new Y.Text(secret)]));
        }),
      );
      for (const outcome of outcomes) expect(["admitted", "unchanged", "LOCKED"]).toContain(outcome);
      const after = admission.nowMs++;
      expect([after, admission.expire(lockId)]).toEqual([step, "admitted"]);
    }
    const refused = admission.entries.filter(({ kind }) => kind === "void");
    expect(refused.length).toBeGreaterThan(10);
    expect(refused.some(({ update }) => shows(update, SECRET))).toBe(false);
    expect(contentOf(stateFrom(admission.stored).doc)).toEqual(contentOf(admission.state.doc));
    expect(contentOf(reader(admission))).toEqual(contentOf(admission.state.doc));
    expect(readData(reader(admission), "")).toEqual(admission.data);
  });
});

test("[VOID-1] [STATE-6] voids count for the size of the context", () => {
  const admission = new Admission({ a: 1 });
  admission.lock("ann", ["/a"]);
  const before = admission.state.size.bytes;
  admission.client("bob", 200).edit((data) => data.set("a", 2));
  expect(admission.state.size.bytes).toBeGreaterThan(before);
  expect(parseActor("bob")).toBe(admission.entries.at(-1)?.actor);
});

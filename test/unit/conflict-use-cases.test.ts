/** Listing and resolving conflicts: rules CONFLICT-10 to CONFLICT-12. */
import { callerOf } from "../support/callers.ts";
import * as Y from "yjs";
import { describe, expect, test } from "vitest";
import type { Conflict } from "../../shared/conflict.ts";
import { parseActor, parseContextId } from "../../shared/ids.ts";
import type { JsonObject } from "../../shared/json.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { ContextAccess } from "../../server/context-access.ts";
import {
  conflictOf,
  conflictRecordKey,
  conflictWrite,
  recordOf,
  resolvedBy,
} from "../../server/state/conflict/conflict-record.ts";
import { applyJsonOps } from "../../server/state/json/json-changes.ts";
import { writeInitialData } from "../../server/state/json/json-data.ts";
import type { ChangeLog, RecordWrite } from "../../server/storage/change-log.ts";
import { ConflictUseCases } from "../../server/use-cases/conflicts.ts";
import { readData } from "../../shared/read-data.ts";
import { ManualClock } from "../support/manual-clock.ts";

const ID = parseContextId("plan");
const ada = parseActor("ada");
const caller = callerOf("ada");

function conflict(id: string, more: Partial<Conflict> = {}): Conflict {
  return {
    id,
    path: "/k",
    kind: "set-set",
    policy: "manual",
    winner: { actor: ada, version: 2, value: "winner" },
    loser: { version: 1, value: { $text: "loser" } },
    status: "open",
    atMs: 5,
    version: 2,
    ...more,
  };
}

/** A context in memory: as the write path, it writes a conflict's record together with the change that resolves it. */
class Desk {
  readonly doc = new Y.Doc();
  readonly records = new Map<string, JsonObject>();
  readonly messages: (string | undefined)[] = [];
  version = 7;

  constructor(conflicts: readonly Conflict[], data: JsonObject = { k: "winner" }) {
    writeInitialData(this.doc, data);
    this.write(conflicts.map(conflictWrite));
  }

  write(writes: readonly RecordWrite[]): void {
    for (const { key, value } of writes) if (value !== null) this.records.set(key, value);
  }

  get data(): unknown {
    return readData(this.doc, "");
  }

  useCases(): ConflictUseCases {
    const { access, storage } = this;
    return new ConflictUseCases({
      access,
      storage,
      clock: new ManualClock(),
      figures: { conflictSettled: () => undefined },
    });
  }

  readonly access: Pick<ContextAccess, "change"> = {
    change: async ({ identity: { actor } }, _id, { plan, resolves, message }) => {
      const { paths } = applyJsonOps(this.doc, plan(this.doc), actor);
      this.messages.push(message);
      if (paths.length === 0) return { version: this.version, seq: 0, paths, replayed: false };
      const placed = { version: ++this.version, actor, atMs: 900 };
      await Promise.resolve();
      if (resolves !== undefined) this.write([conflictWrite(resolvedBy(resolves, placed))]);
      return { version: placed.version, seq: 9, paths, replayed: false };
    },
  };

  readonly storage: Pick<ChangeLog, "summary" | "readRecord" | "listRecords" | "writeRecords"> = {
    summary: async (id) => (id === ID ? { meta: undefined as never, head: undefined as never } : undefined),
    readRecord: async (_id, _collection, key) => this.records.get(key),
    listRecords: async (_id, _collection, { after, limit, reverse }) => {
      const keys = [...this.records.keys()].sort();
      if (reverse === true) keys.reverse();
      const from = after === undefined ? 0 : keys.findIndex((key) => (reverse === true ? key < after : key > after));
      const page = from === -1 ? [] : keys.slice(from, from + limit);
      return page.map((key) => ({ key, value: this.records.get(key) ?? {} }));
    },
    writeRecords: async (_id, writes) => this.write(writes),
  };
}

describe("[CONFLICT-10] resolving", () => {
  test.each<[take: "winner" | "loser", data: unknown, version: number]>([
    ["loser", { k: "loser" }, 8],
    ["winner", { k: "winner" }, 7],
  ])("takes the %s", async (take, data, version) => {
    const desk = new Desk([conflict("3.0")]);
    const outcome = await desk.useCases().resolve(caller, ID, { conflictId: "3.0", take, message: "because" });
    expect(desk.data).toEqual(data);
    expect(outcome.version).toBe(version);
    expect(outcome.conflict).toMatchObject({ status: "resolved", resolution: { version, actor: ada } });
    expect(conflictOf(desk.records.get("0000000000000003.0000") ?? {})).toEqual(outcome.conflict);
    expect(desk.messages).toEqual(["because"]);
  });

  test("writes what it is given, or lets the present stand without a version", async () => {
    const desk = new Desk([conflict("3.0"), conflict("3.1")]);
    const useCases = desk.useCases();
    const written = await useCases.resolve(caller, ID, {
      conflictId: "3.0",
      take: [{ op: "add", path: "/k", value: 5 }],
    });
    expect([desk.data, written.version]).toEqual([{ k: 5 }, 8]);
    const stands = await useCases.resolve(caller, ID, { conflictId: "3.1", take: [] });
    expect([desk.data, stands.version]).toEqual([{ k: 5 }, 8]);
    expect(stands.conflict.resolution).toEqual({ version: 8, actor: ada, atMs: new ManualClock().nowMs() });
  });

  test("takes a deletion, and of lost edits what stands there", async () => {
    const deletion = conflict("1.0", { kind: "set-delete", loser: {} });
    const edits = conflict("1.1", { kind: "lost-edits", winner: {}, loser: { value: ["x"] } });
    const desk = new Desk([deletion, edits], { k: "winner", l: 1 });
    await desk.useCases().resolve(caller, ID, { conflictId: "1.0", take: "loser" });
    expect(desk.data).toEqual({ l: 1 });
    await desk.useCases().resolve(caller, ID, { conflictId: "1.1", take: "winner" });
    expect(desk.data).toEqual({ l: 1 });
    expect(desk.records.get("0000000000000001.0001")).toMatchObject({ status: "resolved" });
  });

  test.each<[code: string, conflictId: string, more: Partial<Conflict>]>([
    ["CONFLICT_RESOLVED", "3.0", { status: "resolved" }],
    ["CONFLICT_NOT_FOUND", "3.7", {}],
    ["CONFLICT_NOT_FOUND", "not an id", {}],
    ["INVALID_CHANGE", "3.0", { loser: { value: { $array: 5000 } } }],
    ["INVALID_CHANGE", "3.0", { isNested: true }],
    ["INVALID_CHANGE", "3.0", { kind: "lost-edits" }],
  ])("is refused with %s (%s)", async (code, conflictId, more) => {
    const desk = new Desk([conflict("3.0", more)]);
    const before = new Map(desk.records);
    await expect(desk.useCases().resolve(caller, ID, { conflictId, take: "loser" })).rejects.toMatchObject({ code });
    expect([desk.data, desk.records]).toEqual([{ k: "winner" }, before]);
  });

  test("an unknown context is told as such", async () => {
    const useCases = new Desk([]).useCases();
    const id = parseContextId("other");
    const code = "CONTEXT_NOT_FOUND";
    await expect(useCases.resolve(caller, id, { conflictId: "3.0", take: "loser" })).rejects.toMatchObject({ code });
    await expect(useCases.list(caller, id, { limit: 5 })).rejects.toMatchObject({ code });
  });

  test.each([
    ["loser", "loser"],
    ["winner", "winner"],
    ["loser", "winner"],
  ] as const)("of two at once the second is refused (%s, %s)", async (first, second) => {
    const desk = new Desk([conflict("3.0")]);
    const useCases = desk.useCases();
    const results = await Promise.allSettled(
      [first, second].map((take) => useCases.resolve(caller, ID, { conflictId: "3.0", take })),
    );
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
    expect(results[1]).toMatchObject({ reason: { code: "CONFLICT_RESOLVED" } });
    expect(desk.data).toEqual({ k: first });
  });

  test("one that was refused does not stand in the next one's way", async () => {
    const desk = new Desk([conflict("3.0")]);
    const useCases = desk.useCases();
    const bad = useCases.resolve(caller, ID, { conflictId: "3.0", take: [{ op: "remove", path: "/nowhere" }] });
    const good = useCases.resolve(caller, ID, { conflictId: "3.0", take: "loser" });
    await expect(bad).rejects.toMatchObject({ code: "PATH_NOT_FOUND" });
    await expect(good).resolves.toMatchObject({ version: 8 });
  });
});

describe("[CONFLICT-11] listing", () => {
  const ids = (items: readonly Conflict[]): string[] => items.map(({ id }) => id);

  test("newest first, page by page; `next` is there only when more follows", async () => {
    const useCases = new Desk(["9.0", "9.1", "10.0", "100.2"].map((id) => conflict(id))).useCases();
    const first = await useCases.list(caller, ID, { limit: 2 });
    expect([ids(first.items), first.next]).toEqual([["100.2", "10.0"], "10.0"]);
    const second = await useCases.list(caller, ID, { limit: 2, after: "10.0" });
    expect([ids(second.items), second.next]).toEqual([["9.1", "9.0"], undefined]);
    const all = await useCases.list(caller, ID, { limit: 4 });
    expect(all.next).toBeUndefined();
    await expect(useCases.list(caller, ID, { limit: 2, after: "x" })).rejects.toMatchObject({
      code: "INVALID_REQUEST",
    });
  });

  test("by status and by path, above and below it", async () => {
    const found = [
      conflict("1.0", { path: "/a" }),
      conflict("2.0", { path: "/a/b", status: "resolved" }),
      conflict("3.0", { path: "/ab" }),
      conflict("4.0", { path: "/a/b/c" }),
    ];
    const useCases = new Desk(found).useCases();
    expect(ids((await useCases.list(caller, ID, { limit: 9, path: "/a/b" })).items)).toEqual(["4.0", "2.0", "1.0"]);
    expect(ids((await useCases.list(caller, ID, { limit: 9, status: "open" })).items)).toEqual(["4.0", "3.0", "1.0"]);
    await expect(useCases.list(caller, ID, { limit: 9, path: "a" })).rejects.toMatchObject({ code: "INVALID_REQUEST" });
  });

  test("a page looks through a bounded number of records, and goes on from there", async () => {
    const count = 10 * LIMITS.listLimitMax + 1;
    const found = Array.from({ length: count }, (_, i) =>
      conflict(`${i + 1}.0`, { status: i === 0 ? "open" : "recorded" }),
    );
    const useCases = new Desk(found).useCases();
    const first = await useCases.list(caller, ID, { limit: 1, status: "open" });
    expect(first).toEqual({ items: [], next: "2.0" });
    const second = await useCases.list(caller, ID, { limit: 1, status: "open", after: "2.0" });
    expect(second).toEqual({ items: [found[0]] });
  });
});

describe("[CONFLICT-12] records", () => {
  test("keys order as positions do", () => {
    const ordered = ["0.0", "1.9", "1.10", "2.0", "10.0", "9007199254740991.0"];
    const keys = ordered.map((id) => conflictRecordKey(id) ?? "");
    expect([...keys].sort()).toEqual(keys);
    for (const id of ["", "1", "1.", "01.0", "1.00", "1.0.0", "-1.0", "1.10000", "a.b"]) {
      expect(conflictRecordKey(id)).toBeUndefined();
    }
  });

  test("a conflict comes back as it was", () => {
    const whole = conflict("17.3", {
      isNested: true,
      resolution: { version: 9, actor: ada, atMs: 4 },
      winner: {},
      loser: { value: null },
    });
    for (const one of [whole, conflict("1.0")]) {
      expect(conflictOf(JSON.parse(JSON.stringify(recordOf(one))) as JsonObject)).toEqual(one);
    }
  });

  test("a record that is none is told as damage", () => {
    const record = recordOf(conflict("1.0"));
    for (const key of ["id", "path", "kind", "policy", "winner", "loser", "status", "atMs", "version"]) {
      expect(() => conflictOf({ ...record, [key]: false })).toThrow(expect.objectContaining({ code: "DATA_DAMAGED" }));
    }
    expect(() => conflictOf({ ...record, resolution: {} })).toThrow(expect.objectContaining({ code: "DATA_DAMAGED" }));
  });
});

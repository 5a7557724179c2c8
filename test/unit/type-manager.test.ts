/** The registry of types, a folder of them, and their use cases: rules TYPE-9 to TYPE-11. */
import { callerOf } from "../support/callers.ts";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import * as Y from "yjs";
import type { ContextAccess } from "../../server/context-access.ts";
import { writeInitialData } from "../../server/state/json/json-data.ts";
import type { RecordWrite } from "../../server/storage/change-log.ts";
import { MemoryChangeLog } from "../../server/storage/log/memory-change-log.ts";
import { TypeManager } from "../../server/types/type-manager.ts";
import { TypeUseCases } from "../../server/use-cases/context-types.ts";
import { ServiceError } from "../../shared/errors.ts";
import type { ContextId } from "../../shared/ids.ts";
import type { JsonObject } from "../../shared/json.ts";
import { LIMITS } from "../../shared/limits.ts";
import { alice, bob, emptyCheckpoint, idOf, metaOf } from "../support/log-fixtures.ts";
import { ManualClock } from "../support/manual-clock.ts";

const ANY: JsonObject = { type: "object" };
const NAMED: JsonObject = { type: "object", required: ["name"] };

let log: MemoryChangeLog;
let clock: ManualClock;

beforeEach(async () => {
  clock = new ManualClock();
  log = new MemoryChangeLog({ clock });
  await log.open();
});

afterEach(() => log.close());

const manager = async (
  storage: ConstructorParameters<typeof TypeManager>[0]["storage"] = log,
): Promise<TypeManager> => {
  const types = new TypeManager({ storage, clock });
  await types.load();
  return types;
};

describe("registering", () => {
  test("[TYPE-9] a type is there at once, and after a restart", async () => {
    const types = await manager();
    const { type } = await types.put("plan", NAMED, alice);
    expect(type).toEqual({ name: "plan", schema: NAMED, revision: 1, updatedAtMs: clock.nowMs(), updatedBy: "alice" });
    expect(types.schemaOf("plan")?.violations({})).toHaveLength(1);
    await types.put("board", ANY, bob);
    const again = await manager();
    expect(again.get("plan")).toEqual(type);
    expect(again.list().map(({ name }) => name)).toEqual(["board", "plan"]);
    expect(again.schemaOf("plan")?.violations({})).toHaveLength(1);
  });

  test("[TYPE-9] the revision counts schemas that differ", async () => {
    const types = await manager();
    const revisions: number[] = [];
    for (const schema of [NAMED, NAMED, ANY, NAMED])
      revisions.push((await types.put("plan", schema, alice)).type.revision);
    expect(revisions).toEqual([1, 1, 2, 3]);
    expect((await manager()).get("plan")).toMatchObject({ revision: 3, schema: NAMED });
  });

  test("[TYPE-9] registrations take effect one after the other, once they are durable", async () => {
    const written: string[] = [];
    const open: (() => void)[] = [];
    const storage = {
      listRecords: async () => [],
      writeRecords: (_id: ContextId | undefined, [write]: readonly RecordWrite[]) =>
        new Promise<void>((resolve) => {
          written.push(write?.key ?? "");
          open.push(resolve);
        }),
    };
    const types = await manager(storage);
    const told: string[] = [];
    const forget = types.onChange((name) => told.push(name));
    const first = types.put("a", NAMED, alice);
    const second = types.put("a", ANY, alice);
    const third = types.delete("a");
    await expect.poll(() => written).toEqual(["a"]);
    expect([types.schemaOf("a"), told]).toEqual([undefined, []]);
    open.shift()?.();
    expect((await first).type.revision).toBe(1);
    await expect.poll(() => written).toEqual(["a", "a"]);
    expect(types.get("a")?.revision).toBe(1);
    open.shift()?.();
    expect((await second).type.revision).toBe(2);
    await expect.poll(() => written).toHaveLength(3);
    forget();
    open.shift()?.();
    await third;
    expect(told).toEqual(["a", "a"]);
    expect(types.get("a")).toBeUndefined();
  });

  test("[TYPE-9] what could not be written does not hold, and stops no other", async () => {
    let isFull = true;
    const storage = {
      listRecords: log.listRecords.bind(log),
      writeRecords: (...all: Parameters<MemoryChangeLog["writeRecords"]>) =>
        isFull ? Promise.reject(new ServiceError("STORE_UNAVAILABLE", "full")) : log.writeRecords(...all),
    };
    const types = await manager(storage);
    await expect(types.put("a", NAMED, alice)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect(types.schemaOf("a")).toBeUndefined();
    isFull = false;
    expect((await types.put("a", NAMED, alice)).type.revision).toBe(1);
  });

  test("[TYPE-9] a deleted type is gone, also after a restart", async () => {
    const types = await manager();
    await types.put("plan", NAMED, alice);
    await types.delete("plan");
    expect([types.get("plan"), types.schemaOf("plan"), types.list()]).toEqual([undefined, undefined, []]);
    expect((await manager()).list()).toEqual([]);
    await expect(types.delete("plan")).rejects.toMatchObject({ code: "TYPE_NOT_FOUND" });
  });

  test.each(["", "-a", "a/b", "a b", "ä", `a${"b".repeat(128)}`])("[TYPE-9] %j is no name", async (name) => {
    await expect((await manager()).put(name, ANY, alice)).rejects.toMatchObject({ code: "INVALID_REQUEST" });
  });

  test("[TYPE-9] there are as many as the limit; those that are there can still be replaced", async () => {
    const storage = {
      listRecords: async () => [],
      writeRecords: async () => {},
    };
    const types = await manager(storage);
    for (let at = 0; at < LIMITS.typesMax; at++) await types.put(`t${at}`, ANY, alice);
    await expect(types.put("more", ANY, alice)).rejects.toMatchObject({ code: "LIMIT_EXCEEDED" });
    await expect(types.put("t0", NAMED, alice)).resolves.toBeDefined();
  });

  test("[TYPE-9] more types than one page of the log are all loaded", async () => {
    const value = { schema: ANY, revision: 1, updatedAtMs: 1, updatedBy: "alice" };
    const writes = Array.from({ length: 250 }, (_, at) => ({ collection: "types", key: `t${at}`, value }) as const);
    await log.writeRecords(undefined, writes);
    expect((await manager()).list()).toHaveLength(250);
  });

  test.each<[string, JsonObject]>([
    [
      "a schema that this release does not take",
      { schema: { foo: 1 }, revision: 1, updatedAtMs: 1, updatedBy: "alice" },
    ],
    ["half a record", { schema: {} }],
  ])("[TYPE-9] the start is refused by name: %s", async (_name, value) => {
    await log.writeRecords(undefined, [{ collection: "types", key: "plan", value }]);
    await expect(manager()).rejects.toMatchObject({
      code: "DATA_DAMAGED",
      message: expect.stringContaining("type plan"),
    });
  });

  test("[TYPE-9] a name that is not registered, or none, is not checked", async () => {
    const types = await manager();
    expect([types.schemaOf("plan"), types.schemaOf(undefined), types.schemaOf("constructor")]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });
});

describe("a folder", () => {
  let folder: string;
  const file = (name: string, text: string): Promise<void> => writeFile(join(folder, name), text);

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "mcm-types-"));
  });
  afterEach(() => rm(folder, { recursive: true }));

  test("[TYPE-11] each file is a type; unchanged ones are as they were", async () => {
    await file("plan.json", JSON.stringify(NAMED));
    await file("board.v2.json", `\uFEFF${JSON.stringify(ANY)}`);
    await file("README.md", "no type");
    await mkdir(join(folder, "old.json"));
    const types = await manager();
    await types.loadFolder(folder);
    expect(types.list().map(({ name, revision, updatedBy }) => [name, revision, updatedBy])).toEqual([
      ["board.v2", 1, "server"],
      ["plan", 1, "server"],
    ]);
    await file("plan.json", JSON.stringify(NAMED, null, 2));
    await file("board.v2.json", JSON.stringify(NAMED));
    const again = await manager();
    await again.loadFolder(folder);
    expect(again.list().map(({ revision }) => revision)).toEqual([2, 1]);
  });

  test.each([
    ["what is no JSON", "zz.json", "{", /zz\.json cannot be used\. .*line 1/],
    ["what is no object", "zz.json", "[]", /zz\.json cannot be used\. It holds no object/],
    [
      "what is no schema",
      "zz.json",
      '{"type": "strin"}',
      /zz\.json cannot be used\. The schema cannot be used: at \/type/,
    ],
    ["a key twice", "zz.json", '{"type": "object", "type": "array"}', /zz\.json cannot be used/],
    ["a name that is none", "z z.json", "{}", /z z\.json cannot be used\. The type's name/],
  ])("[TYPE-11] %s stops the start by name, and nothing is registered", async (_name, name, text, says) => {
    await file("plan.json", JSON.stringify(NAMED));
    await file(name, text);
    const types = await manager();
    await expect(types.loadFolder(folder)).rejects.toMatchObject({
      code: "INVALID_SCHEMA",
      message: expect.stringMatching(says),
    });
    expect(types.list()).toEqual([]);
  });

  test("[TYPE-11] a folder that is not there stops the start", async () => {
    const types = await manager();
    await expect(types.loadFolder(join(folder, "nowhere"))).rejects.toThrow(/folder of types .*nowhere cannot be used/);
  });
});

describe("the contexts of a type", () => {
  const caller = callerOf("alice");
  const contents = new Map<string, JsonObject | undefined>();
  const looks: string[] = [];

  /** Contexts that the log lists; `undefined` for one that is deleted before it is looked at. */
  const useCases = async (
    contexts: Readonly<Record<string, readonly [type: string, data: JsonObject | undefined]>>,
  ): Promise<TypeUseCases> => {
    contents.clear();
    looks.length = 0;
    for (const [id, [type, data]] of Object.entries(contexts)) {
      contents.set(id, data);
      await log.create({ ...metaOf(id), type }, emptyCheckpoint());
    }
    return new TypeUseCases({ access: { look }, types: await manager(), storage: log, clock });
  };

  const look: ContextAccess["look"] = async (id, task) => {
    looks.push(id);
    const data = contents.get(id);
    if (data === undefined) throw new ServiceError("CONTEXT_NOT_FOUND", "gone");
    const doc = new Y.Doc();
    writeInitialData(doc, data);
    const head = { seq: 0, version: 0, lockSeq: 0, updatedAtMs: 0 };
    return { meta: metaOf(id), head, result: task(doc) };
  };

  test("[TYPE-10] are checked and reported", async () => {
    const types = await useCases({
      a: ["plan", {}],
      b: ["board", {}],
      c: ["plan", { name: { $text: "C" } }],
      d: ["plan", undefined],
      e: ["plan", { other: 1 }],
    });
    const { type, report } = await types.put(caller, "plan", { schema: NAMED });
    const violations = [{ path: "", message: 'must have the member "name"' }];
    expect(type).toMatchObject({ name: "plan", revision: 1, updatedBy: "alice" });
    expect(report).toEqual({
      checked: 3,
      invalid: [
        { id: "a", violations },
        { id: "e", violations },
      ],
    });
    expect(looks).toEqual(["a", "c", "d", "e"]);
    expect(await types.get(caller, "plan")).toEqual(type);
    expect(await types.list(caller)).toEqual([type]);
  });

  test("[TYPE-10] a dry run only reports", async () => {
    const types = await useCases({ a: ["plan", {}] });
    const { type, report } = await types.put(caller, "plan", { schema: NAMED, dryRun: true });
    expect([type.revision, report.checked, report.invalid.length]).toEqual([1, 1, 1]);
    await expect(types.get(caller, "plan")).rejects.toMatchObject({ code: "TYPE_NOT_FOUND" });
    await types.put(caller, "plan", { schema: ANY });
    const next = await types.put(callerOf(bob), "plan", { schema: NAMED, dryRun: true });
    expect(next.type).toMatchObject({ revision: 2, updatedBy: "bob" });
    expect((await types.get(caller, "plan")).schema).toEqual(ANY);
    const same = await types.put(callerOf(bob), "plan", { schema: ANY, dryRun: true });
    expect(same.type).toMatchObject({ revision: 1, updatedBy: "alice" });
  });

  test("[TYPE-10] a schema that is none is refused before anything is looked at", async () => {
    const types = await useCases({ a: ["plan", {}] });
    await expect(types.put(caller, "plan", { schema: { type: 1 }, dryRun: true })).rejects.toMatchObject({
      code: "INVALID_SCHEMA",
    });
    await expect(types.put(caller, "plan", { schema: { type: 1 } })).rejects.toMatchObject({ code: "INVALID_SCHEMA" });
    expect(looks).toEqual([]);
  });

  test("[TYPE-10] all of them, over the pages of the log; few violations of each, and others get their turn", async () => {
    const many = Object.fromEntries(Array.from({ length: 30 }, (_, at) => [`k${at}`, 1]));
    const contexts = Array.from(
      { length: LIMITS.listLimitMax + 20 },
      (_, at) => [`c${String(at).padStart(4, "0")}`, ["plan", many] as const] as const,
    );
    const types = await useCases(Object.fromEntries(contexts));
    let turns = 0;
    const turn = clock.defer.bind(clock);
    clock.defer = (task) => {
      turns++;
      turn(task);
    };
    const { report } = await types.put(caller, "plan", { schema: { additionalProperties: { type: "string" } } });
    expect(report.checked).toBe(contexts.length);
    expect(report.invalid).toHaveLength(LIMITS.invalidContextsToldMax);
    expect(report.invalid.every(({ violations }) => violations.length === LIMITS.violationsToldMax)).toBe(true);
    expect(turns).toBeGreaterThanOrEqual(contexts.length);
  });

  test("[TYPE-10] what goes wrong on the way is told; asking again makes no new revision", async () => {
    const types = await useCases({ [idOf("a")]: ["plan", {}] });
    contents.set("a", JSON.parse('{"$text": 1}'));
    await expect(types.put(caller, "plan", { schema: NAMED })).rejects.toMatchObject({ code: "INVALID_CHANGE" });
    contents.set("a", { name: 1 });
    expect(await types.put(caller, "plan", { schema: NAMED })).toMatchObject({
      type: { revision: 1 },
      report: { checked: 1, invalid: [] },
    });
  });

  test("[TYPE-9] deleting a type leaves its contexts alone", async () => {
    const types = await useCases({ a: ["plan", {}] });
    await types.put(caller, "plan", { schema: NAMED });
    await types.delete(caller, "plan");
    await expect(types.get(caller, "plan")).rejects.toMatchObject({ code: "TYPE_NOT_FOUND" });
    expect(await log.summary(idOf("a"))).toMatchObject({ meta: { type: "plan" } });
  });
});

/** What `mcm verify` finds in data folders, and what it leaves alone: rules DATA-6 and DATA-7. */
import { cp, mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ClassicLevel } from "classic-level";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as Y from "yjs";
import { LIMITS } from "../../shared/limits.ts";
import { systemClock } from "../../server/clock.ts";
import { authorIdOf } from "../../server/state/author-id.ts";
import { DocumentFold } from "../../server/state/document-fold.ts";
import type { Checkpoint } from "../../server/storage/change-log.ts";
import { InlineCheckpointBuilder } from "../../server/storage/checkpoint/checkpoint.ts";
import { LevelChangeLog } from "../../server/storage/log/level-change-log.ts";
import * as keys from "../../server/storage/log/log-keys.ts";
import { decodeRun, encodeRun } from "../../server/storage/log/entry-codec.ts";
import { decodeCheckpoint, decodeHead, encodeCheckpoint, encodeHead } from "../../server/storage/log/record-codec.ts";
import { StorageManager } from "../../server/storage/storage-manager.ts";
import { verifyFolder } from "../../server/storage/verify/verify-folder.ts";
import type { VerifyReport } from "../../server/storage/verify/verify-folder.ts";
import { mcm } from "../support/cli-runner.ts";
import { alice, emptyCheckpoint, entryOf, epochOf, idOf, metaOf, Typist } from "../support/log-fixtures.ts";
import { intBelow, randomFrom } from "../support/editing-history.ts";
import { stateOfFolder } from "../support/folder-state.ts";

const TIMES = Number(process.env["MCM_FUZZ"] ?? 1);

type Database = ClassicLevel<Uint8Array, Uint8Array>;

const [plan, notes] = [idOf("plan"), idOf("notes")];
let base: string;
let sound: string;
let copies = 0;

/** Contexts with a long log, checkpoints, an epoch, locks, a base that moved, records beside the log, keys, and one deleted. */
beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), "mcm-verify-"));
  sound = join(base, "sound");
  const limits = { ...LIMITS, checkpointTailEntries: 25 };
  const log = new LevelChangeLog({ folder: join(sound, "log"), limits });
  const storage = new StorageManager({ log, clock: systemClock, limits, checkpoints: new InlineCheckpointBuilder() });
  await storage.start();
  for (const id of [plan, notes, idOf("gone"), idOf("quiet")]) await storage.create(metaOf(id), emptyCheckpoint());
  await write(storage, plan, 60);
  await write(storage, notes, 90);
  await storage.settled();
  await keep(storage, plan, 30, "draft");
  await keep(storage, notes, 10, "old");
  const notesBase = await checkpointAt(storage, notes, 40);
  await storage.trim(notes, notesBase);
  await storage.writeRecords(undefined, [{ collection: "types", key: "task", value: { name: "task", schema: {} } }]);
  await storage.recordIdempotent(idOf("gone"), { key: "k", fingerprint: "f", version: 0, seq: 0, paths: [], atMs: 1 });
  await storage.remove(idOf("gone"));
  await storage.settled();
  await storage.close();
});
afterAll(() => rm(base, { recursive: true, force: true }));

async function write(storage: StorageManager, id: typeof plan, count: number): Promise<void> {
  let typist = new Typist(5);
  for (let n = 1; n <= count; n++) {
    const idempotency = n % 10 === 0 ? { idempotency: { key: `k${n}`, fingerprint: "f" } } : {};
    if (n % 29 === 0) {
      // an epoch: a new document, under an id of its own
      typist = new Typist(n);
      typist.type("anew ");
      const update = Y.encodeStateAsUpdate(typist.doc);
      await storage.append(id, { seq: n - 1 }, [epochOf(n, n, { update, atMs: n })], idempotency);
      typist = new Typist(1000 + n);
      typist.receive(update);
    } else if (n % 17 === 0) {
      const event = { op: "acquire", lockId: `lock-${n}`, paths: ["/a"], mode: "exclusive", ttlMs: 1000 } as const;
      await storage.append(id, { seq: n - 1 }, [
        entryOf(n, { kind: "lock", update: Uint8Array.of(0, 0), paths: ["/a"], lock: event }),
      ]);
    } else {
      await storage.append(id, { seq: n - 1 }, [typist.type(`word ${n} `)], idempotency);
    }
  }
}

async function checkpointAt(storage: StorageManager, id: typeof plan, seq: number): Promise<Checkpoint> {
  const from = await storage.checkpointBefore(id, seq);
  if (from === undefined) throw new Error("no checkpoint");
  const fold = new DocumentFold(from, { nodeClientId: storage.nodeClientId });
  fold.apply(await storage.read(id, from.seq, seq - from.seq));
  return fold.checkpoint();
}

async function keep(storage: StorageManager, id: typeof plan, seq: number, name: string): Promise<void> {
  const checkpoint = await checkpointAt(storage, id, seq);
  const { version } = checkpoint;
  const value = { name, version, seq, actor: alice, atMs: 1 };
  await storage.writeCheckpoint(id, checkpoint, {
    isKept: true,
    records: [{ collection: "checkpoints", key: name, value }],
  });
}

async function copyOf(folder: string): Promise<string> {
  const copy = join(base, `copy-${++copies}`);
  await cp(folder, copy, { recursive: true });
  return copy;
}

/** A copy of the folder after `change`, verified. */
async function after(change: (database: Database) => Promise<void>): Promise<VerifyReport> {
  const folder = await copyOf(sound);
  const database: Database = new ClassicLevel(join(folder, "log"), { keyEncoding: "view", valueEncoding: "view" });
  await change(database);
  await database.close();
  const report = await verifyFolder(folder);
  await rm(folder, { recursive: true });
  return report;
}

/** The keys under a letter, of the context with this number. */
async function keysOf(
  database: Database,
  letter: "c" | "h" | "i" | "k" | "l" | "r",
  number?: number,
): Promise<Uint8Array[]> {
  const all = await database.keys(keys.allOf(letter)).all();
  return number === undefined ? all : all.filter((key) => keys.contextNumberOf(key) === number);
}

async function numberOf(database: Database, id: typeof plan): Promise<number> {
  const [value] = await database.values({ gte: keys.contextKey(id), lte: keys.contextKey(id) }).all();
  // its number is the first varint of the body, and small
  return value?.[5] ?? 0;
}

const flipped = (value: Uint8Array, at: number): Uint8Array =>
  value.map((byte, index) => (index === at ? byte ^ 4 : byte));

test("[DATA-6] a sound folder is whole, all of it was looked at, and nothing in it changed", async () => {
  const before = await stateOfFolder(sound);
  const report = await verifyFolder(sound);
  expect(report).toMatchObject({ isSound: true, problems: [], damaged: [], contexts: 3 });
  expect(report.entries).toBe(60 + (90 - 40));
  // the base, the newest and the kept ones: plan has three, notes has the one below its base too, quiet its first
  expect(report.checkpoints).toBe(3 + 3 + 1);
  expect(await stateOfFolder(sound)).toEqual(before);
});

describe("[DATA-7] damage is found, with the context's name and what of it can be read", () => {
  test("one bit anywhere in any record", async () => {
    const random = randomFrom(3);
    const folder = join(await copyOf(sound), "log");
    const database: Database = new ClassicLevel(folder, { keyEncoding: "view", valueEncoding: "view" });
    const records = (await database.iterator().all()).filter(([, value]) => value.length > 0);
    await database.close();
    expect(records.length).toBeGreaterThan(120);
    for (let round = 0; round < 20 * TIMES; round++) {
      const [key, value] = records[intBelow(random, records.length)] ?? [new Uint8Array(), new Uint8Array()];
      const report = await after((copy) => copy.put(key, flipped(value, intBelow(random, value.length))));
      expect({ key, isSound: report.isSound }).toEqual({ key, isSound: false });
    }
  });

  test("a run of the log that is gone: the content is whole, the history has a hole", async () => {
    const report = await after(async (database) => {
      const runs = await keysOf(database, "l", await numberOf(database, plan));
      await database.del(runs[6] ?? new Uint8Array());
    });
    expect(report).toMatchObject({
      isSound: false,
      problems: [],
      damaged: [
        {
          id: "plan",
          problems: ["Entry 7 is missing"],
          saved: "its content as of version 55; of its history the entries up to 6",
        },
      ],
    });
  });

  test("the newest checkpoint that cannot be read: the log gives the content", async () => {
    const report = await after(async (database) => {
      const checkpoints = await keysOf(database, "k", await numberOf(database, plan));
      const key = checkpoints.at(-1) ?? new Uint8Array();
      await database.put(key, flipped((await database.get(key)) ?? new Uint8Array(), 30));
    });
    const [{ id, problems, saved } = { id: "", problems: [], saved: "" }] = report.damaged;
    expect([id, saved]).toEqual(["plan", "its content as of version 55"]);
    expect(problems).toEqual([
      expect.stringMatching(/^The checkpoint at entry \d+ does not match its checksum$/),
      expect.stringMatching(/^The checkpoint at version \d+ is missing or cannot be read$/),
    ]);
  });

  test("the end of the log that is gone, and the checkpoint before it too: the content as of then", async () => {
    const report = await after(async (database) => {
      const number = await numberOf(database, plan);
      for (const key of (await keysOf(database, "l", number)).slice(-4)) await database.del(key);
    });
    expect(report.damaged).toMatchObject([
      {
        id: "plan",
        version: 55,
        problems: ["Entries 57 to 60 are missing"],
        saved: "its content as of version 52 of 55; of its history the entries up to 56",
      },
    ]);
  });

  test("a name without records, records without a name, a head that is gone", async () => {
    expect(
      (
        await after(async (database) => {
          const number = await numberOf(database, idOf("quiet"));
          for (const letter of ["h", "k"] as const)
            for (const key of await keysOf(database, letter, number)) await database.del(key);
        })
      ).damaged,
    ).toMatchObject([{ id: "quiet", saved: "nothing of it can be read" }]);
    expect((await after((database) => database.del(keys.contextKey(notes)))).problems).toEqual([
      expect.stringMatching(/^There are \d+ records of context number \d, and no context has it$/),
    ]);
    expect(
      (await after(async (database) => database.del(keys.headKey(await numberOf(database, plan))))).damaged,
    ).toMatchObject([{ id: "plan", problems: ["The head is missing"], saved: "its content as of version 55" }]);
  });

  test("records that are sound and do not belong together", async () => {
    const rewritten = async (
      letter: "h" | "k" | "l",
      at: number,
      change: (key: Uint8Array, value: Uint8Array) => Uint8Array,
    ) => {
      const report = await after(async (database) => {
        const key = (await keysOf(database, letter, await numberOf(database, plan))).at(at) ?? new Uint8Array();
        await database.put(key, change(key, (await database.get(key)) ?? new Uint8Array()));
      });
      expect(report).toMatchObject({ isSound: false, problems: [] });
      return report.damaged.flatMap(({ problems }) => problems).join("; ");
    };
    const head = (change: Partial<ReturnType<typeof decodeHead>["head"]>) => (key: Uint8Array, value: Uint8Array) => {
      const decoded = decodeHead({ key, value, name: "head" });
      return encodeHead(key, { ...decoded, head: { ...decoded.head, ...change } });
    };
    expect(await rewritten("h", 0, head({ seq: 61 }))).toMatch(/Entry 61 is missing/);
    expect(await rewritten("h", 0, head({ version: 54 }))).toMatch(
      /The head says entry 60, version 54; the log ends at 60, version 55/,
    );
    expect(await rewritten("h", 0, head({ lockSeq: 3 }))).toMatch(/The head says lock entry 3, and it is 58/);
    const sizes = (key: Uint8Array, value: Uint8Array) => {
      const decoded = decodeHead({ key, value, name: "head" });
      return encodeHead(key, { ...decoded, logBytes: decoded.logBytes + 1 });
    };
    expect(await rewritten("h", 0, sizes)).toMatch(/bytes of log, and there are/);
    const other = (key: Uint8Array, value: Uint8Array) => {
      const decoded = decodeCheckpoint({ key, value, name: "checkpoint" });
      const doc = new Y.Doc();
      Y.applyUpdateV2(doc, decoded.state);
      doc.clientID = 7;
      doc.getText("text").insert(0, "Never written. ");
      return encodeCheckpoint(key, { ...decoded, state: Y.encodeStateAsUpdateV2(doc) });
    };
    expect(await rewritten("k", 1, other)).toMatch(
      /The checkpoint at version \d+ and the log before it give different content/,
    );
    const owners = (key: Uint8Array, value: Uint8Array) =>
      encodeCheckpoint(key, { ...decodeCheckpoint({ key, value, name: "checkpoint" }), owners: [[77, alice]] });
    expect(await rewritten("k", 1, owners)).toMatch(/give different owners of Yjs client ids/);
    const version = (key: Uint8Array, value: Uint8Array) => {
      const entries = decodeRun({ key, value, name: "run" });
      return encodeRun(key, 3, entries);
    };
    expect(await rewritten("l", 20, version)).toMatch(/Entry 21 says that it is version 4, after version/);
    const lost = (key: Uint8Array, value: Uint8Array) => {
      const entries = decodeRun({ key, value, name: "run" }).map((entry) => ({
        ...entry,
        update: new Typist(99).type("elsewhere").update,
      }));
      return encodeRun(key, (entries[0]?.version ?? 1) - 1, entries);
    };
    expect(await rewritten("l", 3, lost)).toMatch(/give different|cannot be replayed/);
  });

  test("idempotency keys and named checkpoints without their other half", async () => {
    expect(
      (
        await after(async (database) => {
          const [key = new Uint8Array()] = await keysOf(database, "i");
          await database.del(key);
        })
      ).problems,
    ).toEqual([expect.stringMatching(/^There are \d+ idempotency records and \d+ keys to delete them by/)]);
    const report = await after(async (database) => {
      const number = await numberOf(database, plan);
      const key = keys.headKey(number);
      const decoded = decodeHead({ key, value: (await database.get(key)) ?? new Uint8Array(), name: "head" });
      await database.put(
        key,
        encodeHead(key, { ...decoded, checkpoints: decoded.checkpoints.map((one) => ({ ...one, isKept: false })) }),
      );
    });
    expect(report.damaged).toMatchObject([
      { id: "plan", problems: ['The named checkpoint "draft" has no checkpoint'] },
    ]);
  });

  test("a key that nobody wrote", async () => {
    const report = await after((database) => database.put(Buffer.from("zz"), Buffer.from("?")));
    expect(report.problems).toEqual(["The key 7a7a is none of this program's"]);
    for (const letter of ["h", "i", "k", "l", "p", "r", "t"]) {
      const cut = await after((database) => database.put(Buffer.from(`${letter}1`), Buffer.from("?")));
      const key = `${Buffer.from(letter).toString("hex")}31`;
      expect(cut).toMatchObject({ problems: [`The key ${key} is none of this program's`], damaged: [] });
    }
  });

  test("files: one bit in a table is told with what lies there, a lost manifest ends it", async () => {
    const folder = await copyOf(sound);
    // opened once more, so that there is a table
    await new ClassicLevel(join(folder, "log")).open();
    const [table = ""] = (await readdir(join(folder, "log"))).filter((name) => name.endsWith(".ldb"));
    const path = join(folder, "log", table);
    const bytes = await readFile(path);
    for (const share of [0.1, 0.4, 0.7]) {
      const damaged = Buffer.from(bytes);
      const at = Math.floor(bytes.length * share);
      damaged[at] = (damaged[at] ?? 0) ^ 1;
      await writeFile(path, damaged);
      const copy = await copyOf(folder);
      const report = await verifyFolder(copy);
      expect(report.isSound).toBe(false);
      expect(report.problems[0]).toMatch(new RegExp(`${table} has a wrong checksum at byte \\d+, which holds `));
    }
    await truncate(path, bytes.length - 60);
    expect((await verifyFolder(await copyOf(folder))).problems[0]).toMatch(/does not end as a table does/);
    await rm(path);
    expect((await verifyFolder(await copyOf(folder))).problems[0]).toMatch(/is missing/);
    await rm(join(folder, "log", "CURRENT"));
    await expect(verifyFolder(folder)).rejects.toMatchObject({
      code: "DATA_DAMAGED",
      message: expect.stringContaining("CURRENT is missing"),
    });
  });
});

test("[DATA-6] [STORE-12] a folder of layout 1 is whole before it is taken over, and after", async () => {
  const folder = join(base, "layout-1");
  await cp(join(import.meta.dirname, "../fixtures/layout-1"), join(folder, "log"), { recursive: true });
  await rm(join(folder, "log", "README.md"));
  const before = await stateOfFolder(folder);
  expect(await verifyFolder(folder)).toMatchObject({ isSound: true, contexts: 2, entries: 4 });
  expect(await stateOfFolder(folder)).toEqual(before);
  // a backup of it, without taking it over, goes into service like any other
  const backup = join(base, "layout-1-backup");
  expect(await mcm("http://127.0.0.1:1", ["backup", "--data-dir", folder, "--out", backup])).toMatchObject({ code: 0 });
  expect(await stateOfFolder(folder)).toEqual(before);
  for (const taken of [folder, backup]) {
    expect(await verifyFolder(taken)).toMatchObject({ isSound: true, contexts: 2 });
    const storage = new StorageManager({
      log: new LevelChangeLog({ folder: join(taken, "log") }),
      clock: systemClock,
      checkpoints: new InlineCheckpointBuilder(),
    });
    await storage.start();
    const stored = await storage.load(plan);
    expect(stored?.meta.epoch).toBe(taken === backup ? 2 : 1);
    await storage.append(plan, { seq: stored?.head.seq ?? 0 }, [new Typist(77).follow(stored).type("five")]);
    await storage.close();
    expect(await verifyFolder(taken)).toMatchObject({ isSound: true, damaged: [] });
  }
});

test("[DATA-6] a folder that a server writes meanwhile is told as that, also when it looks damaged", async () => {
  const folder = await copyOf(sound);
  const log = new LevelChangeLog({ folder: join(folder, "log") });
  await log.open();
  let written = Promise.resolve();
  const onProgress = (): void => {
    written = written.then(async () => void (await log.create(metaOf(`new-${++copies}`), emptyCheckpoint())));
  };
  // what is written is seen at the end at the latest
  const verifying = verifyFolder(folder, { onProgress });
  await expect(verifying).rejects.toMatchObject({ code: "DATA_DIR_LOCKED" });
  await written;
  await log.close();
});

test("[DATA-6] the command: what is told, as text and as JSON, and its exit codes", async () => {
  expect(await mcm("http://127.0.0.1:1", ["verify", sound])).toMatchObject({
    code: 0,
    err: "",
    out: expect.stringMatching(/ is whole: 3 contexts, 110 entries, 7 checkpoints \(\d+\.\d MB in \d+\.\d s, /),
  });
  const folder = await copyOf(sound);
  const database: Database = new ClassicLevel(join(folder, "log"), { keyEncoding: "view", valueEncoding: "view" });
  const runs = await keysOf(database, "l", await numberOf(database, plan));
  await database.del(runs[6] ?? new Uint8Array());
  await database.close();
  const { code, out } = await mcm("http://127.0.0.1:1", ["verify", folder]);
  expect(code).toBe(5);
  expect(out.split("\n").slice(0, 3)).toEqual([
    'Context "plan", version 55:',
    "  Entry 7 is missing",
    "  Can be read: its content as of version 55; of its history the entries up to 6",
  ]);
  expect(JSON.parse((await mcm("http://127.0.0.1:1", ["verify", folder, "--json"])).out)).toMatchObject({
    isSound: false,
    damaged: [{ id: "plan", version: 55 }],
  });
  expect(await mcm("http://127.0.0.1:1", ["verify", join(base, "nothing")])).toMatchObject({ code: 5 });
  expect(authorIdOf(1, { authorSalt: 2 })).toBe(3);
});

/** The new epoch of a restored context: rules DATA-4 and DATA-5. */
import { expect, test } from "vitest";
import * as Y from "yjs";
import { readData } from "../../shared/read-data.ts";
import { authorIdOf } from "../../server/state/author-id.ts";
import { DocumentFold } from "../../server/state/document-fold.ts";
import type { StoredContext } from "../../server/storage/change-log.ts";
import { InlineCheckpointBuilder, renewDocument } from "../../server/storage/checkpoint/checkpoint.ts";
import { KeyValueChangeLog } from "../../server/storage/log/key-value-change-log.ts";
import { SoleWriterCore } from "../../server/storage/log/sole-writer-core.ts";
import { BACKUP_MARK, EPOCH_MARK, RESTORED, RestoredContexts } from "../../server/storage/restored-contexts.ts";
import { emptyCheckpoint, idOf, metaOf, SALT, Typist } from "../support/log-fixtures.ts";
import { FaultyStore, failNth } from "../support/faulty-store.ts";
import { ManualClock } from "../support/manual-clock.ts";

const plan = idOf("plan");
const NEVER = failNth(Infinity);

interface Rig {
  readonly log: KeyValueChangeLog;
  readonly store: FaultyStore;
  readonly restored: RestoredContexts;
  /** Records that were asked for. */
  readonly asked: string[];
}

/** A log with one context of three changes, as a backup holds it, or as it was. */
async function start(isBackup = true): Promise<Rig> {
  const store = new FaultyStore(NEVER);
  const clock = new ManualClock();
  const log = new KeyValueChangeLog(new SoleWriterCore({ store, clock }));
  await log.open();
  await log.create(metaOf("plan"), emptyCheckpoint());
  const typist = new Typist(5);
  const entries = [typist.set("a", 1), typist.set("b", 2), typist.set("a", 3)];
  await log.append(plan, { seq: 0 }, entries);
  if (isBackup) {
    await log.writeRecords(undefined, [{ collection: RESTORED, key: BACKUP_MARK, value: {} }]);
    await log.writeRecords(plan, [{ collection: RESTORED, key: EPOCH_MARK, value: {} }]);
  }
  const asked: string[] = [];
  const watched = {
    load: log.load.bind(log),
    append: log.append.bind(log),
    readRecord: async (...args: Parameters<typeof log.readRecord>) => {
      asked.push(args.join("/"));
      return log.readRecord(...args);
    },
    nodeClientId: log.nodeClientId,
  };
  const restored = new RestoredContexts({ log: watched, builder: new InlineCheckpointBuilder(), clock });
  await restored.opened();
  return { log, store, restored, asked };
}

function docOf({ log }: Rig, stored: StoredContext | undefined): DocumentFold {
  if (stored === undefined) throw new Error("no context");
  const fold = new DocumentFold(stored.checkpoint, { nodeClientId: log.nodeClientId });
  fold.apply(stored.tail);
  return fold;
}

test("[DATA-5] the first load begins an epoch; content, version and history stay, the old client ids are retired, the mark goes", async () => {
  const rig = await start();
  const stored = await rig.restored.load(plan);
  expect(stored).toMatchObject({ meta: { epoch: 2, firstEpoch: 1 }, head: { seq: 4, version: 3, lockSeq: 4 } });
  expect(stored?.tail.at(-1)).toMatchObject({ kind: "epoch", actor: "server", origin: "server", paths: [] });
  const fold = docOf(rig, stored);
  expect(readData(fold.doc, "")).toEqual({ a: 3, b: 2 });
  expect([...fold.retired]).toEqual([5]);
  const authorId = authorIdOf(rig.log.nodeClientId, stored?.meta ?? metaOf("plan"));
  expect([...fold.doc.store.clients.keys()]).toEqual([authorId]);
  expect(authorId).not.toBe(authorIdOf(rig.log.nodeClientId, { authorSalt: SALT }));
  expect(await rig.log.read(plan, 0, 3)).toHaveLength(3);
  expect(await rig.log.readRecord(plan, RESTORED, EPOCH_MARK)).toBeUndefined();
  expect((await rig.restored.load(plan))?.head.seq).toBe(4);
});

test("[DATA-5] loads at once begin one epoch between them", async () => {
  const rig = await start();
  const loaded = await Promise.all([rig.restored.load(plan), rig.restored.load(plan), rig.restored.load(plan)]);
  expect(loaded.map((stored) => stored?.meta.epoch)).toEqual([2, 2, 2]);
  expect((await rig.log.summary(plan))?.head.seq).toBe(4);
});

test("[DATA-5] where no backup was restored nothing is asked for, and nothing begins", async () => {
  const rig = await start(false);
  rig.asked.length = 0;
  expect(await rig.restored.load(plan)).toMatchObject({ meta: { epoch: 1 }, head: { seq: 3 } });
  expect(rig.asked).toEqual([]);
  expect(await rig.restored.load(idOf("none"))).toBeUndefined();
});

test.each(["nothing", "everything"] as const)(
  "[DATA-5] an epoch entry that fails, of which %s is left: the context is not handed out, and the next load makes up for it",
  async (leaves) => {
    const rig = await start();
    rig.store.plan = failNth(1, { operations: ["batch"], leaves });
    await expect(rig.restored.load(plan)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    rig.store.plan = NEVER;
    await rig.log.close();
    await rig.log.open();
    expect(await rig.restored.load(plan)).toMatchObject({ meta: { epoch: 2 }, head: { seq: 4 } });
    expect(await rig.log.readRecord(plan, RESTORED, EPOCH_MARK)).toBeUndefined();
  },
);

test("[DATA-4] the salt is one under which nobody has written, in this epoch or an earlier one", () => {
  const typist = new Typist(authorIdOf(7, { authorSalt: 30 }));
  const { update } = typist.type("by somebody");
  const base = { ...emptyCheckpoint(), retired: [authorIdOf(7, { authorSalt: 31 })] };
  const tail = [{ kind: "change", seq: 1, version: 1, actor: metaOf("plan").createdBy, atMs: 1, update } as const];
  const renew = (salts: readonly number[]) => renewDocument({ base, tail, nodeClientId: 7 }, salts);
  const { authorSalt, update: made } = renew([30, 31, 32, 33]);
  expect(authorSalt).toBe(32);
  const doc = new Y.Doc();
  Y.applyUpdate(doc, made);
  expect(doc.getText("text").toJSON()).toBe("by somebody");
  expect(() => renew([30, 31])).toThrow(/every client id/);
});

/** Exports, imports and backups behind the facade: rules DATA-2, DATA-8, DATA-10 and DATA-17. */
import { expect, test } from "vitest";
import * as Y from "yjs";
import { LIMITS } from "../../shared/limits.ts";
import { joinUpdates, splitUpdates } from "../../shared/protocol/update-list.ts";
import { systemClock } from "../../server/clock.ts";
import type { ImportContent, ImportRequest } from "../../server/context-service.ts";
import { authorIdOf } from "../../server/state/author-id.ts";
import { MemoryChangeLog } from "../../server/storage/log/memory-change-log.ts";
import { sendBackup } from "../../server/storage/backup/backup-stream.ts";
import { DataUseCases } from "../../server/use-cases/data.ts";
import type { DataUseCasesOptions } from "../../server/use-cases/data.ts";
import { InlineDocumentMaker } from "../../server/use-cases/document-maker.ts";
import { caller, startService, turns } from "../support/service-rig.ts";
import { parseContextId } from "../../shared/ids.ts";

const ada = caller("ada");
const id = parseContextId("plan");

interface Parts {
  readonly log: MemoryChangeLog;
  readonly data: DataUseCases;
}

async function start(options: Partial<DataUseCasesOptions> = {}): Promise<Parts> {
  const log = new MemoryChangeLog();
  await log.open();
  const data = new DataUseCases({
    access: { look: () => Promise.reject(new Error("not asked for")) },
    remove: async (_, context) => void (await log.remove(context)),
    onCreated: () => undefined,
    assertOpen: () => undefined,
    storage: {
      create: (meta, checkpoint) => log.create(meta, checkpoint),
      summary: (context) => log.summary(context),
      load: (context) => log.load(context),
      backup: (write) => sendBackup(log, 5, write),
      nodeClientId: log.nodeClientId,
    },
    types: { freshSchemaOf: async () => undefined },
    clock: systemClock,
    documents: new InlineDocumentMaker(),
    events: { emit: () => undefined },
    ...options,
  });
  return { log, data };
}

const json =
  (data = {}): ImportRequest["content"] =>
  async () => ({ kind: "json", data, roots: {} });
const updates =
  (...list: readonly Uint8Array[]): ImportRequest["content"] =>
  async () => ({ kind: "updates", list: joinUpdates(list) });

function updateUnder(clients: readonly number[]): Uint8Array {
  const whole = new Y.Doc();
  for (const client of clients) {
    const doc = new Y.Doc();
    doc.clientID = client;
    doc.getMap("data").set(`k${client}`, client);
    Y.applyUpdate(whole, Y.encodeStateAsUpdate(doc));
  }
  return Y.encodeStateAsUpdate(whole);
}

test("[DATA-10] so many imports hold their input at once; the next is told to come again, and reads nothing", async () => {
  const { data } = await start();
  let release = (): void => undefined;
  const gate = new Promise<void>((resolve) => (release = resolve));
  const read: string[] = [];
  const held = (name: string): ImportRequest => ({
    id: parseContextId(name),
    content: async (): Promise<ImportContent> => {
      read.push(name);
      await gate;
      return { kind: "json", data: {}, roots: {} };
    },
  });
  const running = Array.from({ length: LIMITS.importsInFlightMax }, (_, n) => data.import(ada, held(`c${n}`)));
  await turns();
  await expect(data.import(ada, held("late"))).rejects.toMatchObject({ code: "RATE_LIMITED" });
  expect(read).toHaveLength(LIMITS.importsInFlightMax);
  release();
  await Promise.all(running);
  expect(await data.import(ada, held("late"))).toMatchObject({ head: { version: 0 } });
});

test("[DATA-2] so many backups run at once; one that fails makes room", async () => {
  let fail = (): void => undefined;
  const gate = new Promise<never>((_, reject) => (fail = () => reject(new Error("gone"))));
  const { data } = await start();
  const running = Array.from({ length: LIMITS.backupsInFlightMax }, () => data.backup(ada, () => gate));
  const failed = Promise.all(running.map((one) => expect(one).rejects.toThrow("gone")));
  await turns();
  await expect(data.backup(ada, async () => {})).rejects.toMatchObject({ code: "RATE_LIMITED" });
  fail();
  await failed;
  await data.backup(ada, async () => {});
});

test("[DATA-8] the server writes under an id that the document does not know", async () => {
  const { log, data } = await start({
    clock: {
      ...systemClock,
      randomUint32: (() => {
        const drawn = [3, 3, 9];
        return () => drawn.shift() ?? 0;
      })(),
    },
  });
  const taken = authorIdOf(log.nodeClientId, { authorSalt: 3 });
  const { meta } = await data.import(ada, { id, content: updates(updateUnder([taken, 77])) });
  expect(meta.authorSalt).toBe(9);
  const stored = await log.load(id);
  expect(stored?.checkpoint).toMatchObject({ owners: [], retired: [], authorSalt: 9, seq: 0, version: 0 });
});

test("[DATA-10] as many client ids as a context may know, and no more", async () => {
  const clients = Array.from({ length: LIMITS.clientIdsMax + 1 }, (_, n) => n + 1);
  const { data } = await start({
    documents: {
      encode: () => Promise.reject(new Error()),
      assemble: async (list) => {
        const given = splitUpdates(list);
        return {
          state: given[0] ?? new Uint8Array(),
          clients: clients.slice(0, LIMITS.clientIdsMax + given.length - 1),
          applied: 1,
          repeated: 0,
          voids: [],
          refused: 0,
          refusals: [],
        };
      },
    },
  });
  const state = Y.encodeStateAsUpdateV2(new Y.Doc());
  await data.import(ada, { id, content: updates(state) });
  await expect(data.import(ada, { id: parseContextId("b"), content: updates(state, state) })).rejects.toMatchObject({
    code: "LIMIT_EXCEEDED",
  });
});

test("[DATA-17] what is replaced stays until there is something to put in its place; a failure before that harms nothing", async () => {
  const removed: string[] = [];
  const { log, data } = await start({ remove: async (_, context) => void removed.push(context) });
  await data.import(ada, { id, content: json({ old: true }) });
  await expect(data.import(ada, { id, content: json() })).rejects.toMatchObject({ code: "ALREADY_EXISTS" });
  await expect(
    data.import(ada, { id, replace: true, content: () => Promise.reject(new Error("cut")) }),
  ).rejects.toThrow("cut");
  await expect(data.import(ada, { id, replace: true, content: updates(Uint8Array.of(7)) })).rejects.toMatchObject({
    code: "MALFORMED_UPDATE",
  });
  expect(removed).toEqual([]);
  expect(await log.summary(id)).toBeDefined();
});

test("[CTX-6] a server that stops refuses them", async () => {
  const { service } = await startService();
  await service.close();
  for (const work of [
    service.data.import(ada, { id, content: json() }),
    service.data.backup(ada, async () => {}),
    service.data.exportYjs(ada, id, 1),
    service.data.exportJson(ada, id),
  ])
    await expect(work).rejects.toMatchObject({ code: "SHUTTING_DOWN" });
});

/**
 * A real editing history in the log of a whole service: old versions, differences, restore and blame against independent
 * replays, worked out on the real worker thread.
 *
 * TRACE_TXNS=30000 TRACE_SAMPLES=200 takes all of it.
 */
import { setImmediate } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import * as Y from "yjs";
import { isJsonObject } from "../../shared/json.ts";
import type { Json } from "../../shared/json.ts";
import { encodeUpdate } from "../../shared/protocol/frames.ts";
import { HistoryThread } from "../../server/history/history-runner.ts";
import type { Session } from "../../server/sync/session.ts";
import { Desk, TEXT } from "../demo/desk.ts";
import type { Shipment } from "../demo/desk.ts";
import { loadTrace } from "../demo/trace-file.ts";
import { BlameModel } from "../support/blame-model.ts";
import { intBelow, randomFrom } from "../support/editing-history.ts";
import { GatedLog } from "../support/gated-log.ts";
import { patched } from "../support/json-patch.ts";
import { RecordingConnection } from "../support/recording-connection.ts";
import { PLAN, caller, startService } from "../support/service-rig.ts";
import type { ServiceRig } from "../support/service-rig.ts";

const trace = loadTrace("friendsforever", Number(process.env["TRACE_TXNS"] ?? 3000));
const samples = Number(process.env["TRACE_SAMPLES"] ?? 25);
const by = caller("reader");
const runner = new HistoryThread();
const random = randomFrom(11);

let rig: ServiceRig;
let base: Uint8Array;
/** What was sent, one for each version from 1 on. */
const sent: (Shipment & { readonly author: number })[] = [];

beforeAll(async () => {
  rig = await startService(new GatedLog(), runner);
  await rig.service.create(caller("creator"), { id: PLAN, data: { [TEXT]: { $text: "" }, title: "friends" } });
  const state = (await rig.storage.load(PLAN))?.checkpoint.state;
  if (state === undefined) throw new Error("the context is not there");
  base = state;
  const sessions = await Promise.all(
    Array.from({ length: trace.authors }, (_, author) => sessionOf(`author-${author}`)),
  );
  const desks = sessions.map((_, author) => new Desk(Y.convertUpdateFormatV2ToV1(base), author));
  for (const { author, seen, patches } of trace.txns) {
    const desk = desks[author];
    if (desk === undefined) throw new Error(`the trace has no author ${author}`);
    for (const [other, count] of seen.entries()) {
      if (other !== author)
        desk.take(
          other,
          sent.filter((it) => it.author === other),
          count,
        );
    }
    sent.push({ ...desk.write(patches), author });
    sessions[author]?.receive(encodeUpdate(sent.at(-1)?.update ?? new Uint8Array()));
    if (sent.length % 500 === 0) await arrived();
  }
  await arrived();
}, 120_000);

afterAll(async () => {
  await rig.service.close();
  await runner.close();
  await rig.storage.close();
});

async function sessionOf(name: string): Promise<Session> {
  const connection = new RecordingConnection();
  return rig.service.openSession({ ...caller(name), origin: "sync" }, PLAN, {
    connection,
    isExtended: false,
    create: false,
  });
}

async function arrived(): Promise<void> {
  while ((await rig.service.read(by, PLAN, { path: "/title" })).head.version < sent.length) await setImmediate();
}

function replayed(version: number): Json {
  const doc = new Y.Doc();
  Y.applyUpdateV2(doc, base);
  for (const { update } of sent.slice(0, version)) Y.applyUpdate(doc, update);
  return doc.getMap("data").toJSON();
}

const anyVersion = (): number => intBelow(random, sent.length + 1);
const present = async (): Promise<Json> => (await rig.service.read(by, PLAN, { path: "" })).data;

test("[HIST-1] random versions equal an independent replay of the prefix", async () => {
  for (const version of Array.from({ length: 20 }, anyVersion)) {
    expect((await rig.service.read(by, PLAN, { path: "", version })).data).toEqual(replayed(version));
  }
}, 60_000);

test("[HIST-4] the difference of two random versions, applied to the one, gives the other", async () => {
  for (let sample = 0; sample < samples; sample++) {
    const [from, to] = [anyVersion(), anyVersion()];
    const { changes } = await rig.service.history.diff(by, PLAN, { from, to, path: "" });
    expect(patched(replayed(from), changes)).toEqual(replayed(to));
  }
}, 180_000);

test("[BLAME-5] every character is its author's, at the version that brought it", async () => {
  const model = new BlameModel(base);
  for (const [index, { update, author }] of sent.entries()) model.apply(update, `author-${author} ${index + 1}`);
  const { lines, version } = await rig.service.history.blame(by, PLAN, { path: `/${TEXT}` });
  expect(version).toBe(sent.length);
  const told = lines.flatMap(({ path, start = 0, text = "", actor, version: at }) =>
    Array.from({ length: text.length }, (_, i) => `${path}@${start + i} ${actor} ${at}`),
  );
  expect(told.sort()).toEqual(model.lines().filter((line) => line.startsWith(`/${TEXT}@`)));
}, 60_000);

/** Characters by the author: those still there, and those that the other deleted. */
function charactersOf(author: number): string[] {
  const doc = new Y.Doc();
  Y.applyUpdateV2(doc, base);
  const visible: { readonly char: string; readonly by: number }[] = [];
  const taken: string[] = [];
  let writer = 0;
  textIn(doc).observe(({ delta }) => {
    let at = 0;
    for (const { retain = 0, insert, delete: count = 0 } of delta) {
      at += retain;
      for (const gone of visible.splice(at, count)) if (gone.by === author && writer !== author) taken.push(gone.char);
      const chars = typeof insert === "string" ? insert.split("") : [];
      visible.splice(at, 0, ...chars.map((char) => ({ char, by: writer })));
      at += chars.length;
    }
  });
  for (const { update, author: next } of sent) {
    writer = next;
    Y.applyUpdate(doc, update);
  }
  return [...visible.filter((it) => it.by === author).map(({ char }) => char), ...taken];
}

function textIn(doc: Y.Doc): Y.Text {
  const text = doc.getMap("data").get(TEXT);
  if (text instanceof Y.Text) return text;
  throw new Error(`there is no text at /${TEXT}`);
}

test("[UNDO-5] one author's part of the text goes; the other's characters stay, and those deleted come back", async () => {
  const actor = caller("author-0").identity.actor;
  const undo = { actor, from: 0, to: sent.length, path: `/${TEXT}`, dryRun: true };
  const { changes } = await rig.service.history.undo(by, PLAN, undo);
  const [change] = changes;
  expect(changes).toHaveLength(1);
  const value =
    change !== undefined && "value" in change && isJsonObject(change.value) ? change.value["$text"] : undefined;
  expect(typeof value === "string" && value.split("").sort()).toEqual(charactersOf(1).sort());
}, 60_000);

// last: it writes
test("[HIST-10] restore of a version, and then of the newest one, gives what there was", async () => {
  const before = await present();
  const newest = sent.length;
  const version = Math.floor(newest / 3);
  await rig.service.history.restore(by, PLAN, { version, path: "" });
  expect(await present()).toEqual(replayed(version));
  await rig.service.history.restore(by, PLAN, { version: newest, path: "" });
  expect(await present()).toEqual(before);
  expect(before).toEqual(replayed(newest));
});

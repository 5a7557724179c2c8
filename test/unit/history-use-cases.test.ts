/** Restore, undo and named versions as a caller has them, on the whole service without sockets and disk. */
import { describe, expect, test } from "vitest";
import * as Y from "yjs";
import type { JsonOp } from "../../shared/change.ts";
import type { JsonObject } from "../../shared/json.ts";
import { LIMITS } from "../../shared/limits.ts";
import { InlineHistory } from "../../server/history/history-runner.ts";
import type { HistoryRunner } from "../../server/history/history-runner.ts";
import { parseActor } from "../../shared/ids.ts";
import { GatedLog } from "../support/gated-log.ts";
import { PLAN, caller, openEditor, startPlan, startService, turns } from "../support/service-rig.ts";
import type { ServiceRig } from "../support/service-rig.ts";

const by = caller("keeper");
const code = (name: string): unknown => expect.objectContaining({ code: name });

const write = ({ service }: ServiceRig, name: string, ...ops: JsonOp[]) => service.change(caller(name), PLAN, { ops });
const dataOf = async ({ service }: ServiceRig) => (await service.read(by, PLAN, { path: "" })).data;
const lastOf = async ({ service }: ServiceRig) =>
  (await service.changes(by, PLAN, { newestFirst: true, limit: 1 })).items[0];

/** Something happens between an answer and what is made of it. */
class DisturbedRunner extends InlineHistory {
  asked = 0;
  disturb: (() => Promise<unknown>) | undefined;
  always: (() => Promise<unknown>) | undefined;

  override async ask(...[excerpt, task]: Parameters<HistoryRunner["ask"]>): Promise<string> {
    this.asked++;
    const answer = await super.ask(excerpt, task);
    const { disturb } = this;
    this.disturb = undefined;
    await disturb?.();
    await this.always?.();
    return answer;
  }
}

/** Version 1: a task by ann. Version 2: its title by bob. Version 3: another task by ann. */
async function threeVersions(
  data: JsonObject = { tasks: {}, note: { $text: "first" } },
  runner: HistoryRunner = new InlineHistory(),
): Promise<ServiceRig> {
  const rig = await startService(new GatedLog(), runner);
  await rig.service.create(caller("creator"), { id: PLAN, data });
  await write(rig, "ann", { op: "add", path: "/tasks/t1", value: { title: "one" } });
  await write(rig, "bob", { op: "replace", path: "/tasks/t1/title", value: "ONE" });
  await write(rig, "ann", { op: "add", path: "/tasks/t2", value: { title: "two" } });
  return rig;
}

describe("restore", () => {
  test("[HIST-10] the whole is a change that is listed as such, with a message of its own", async () => {
    const rig = await threeVersions();
    const outcome = await rig.service.history.restore(by, PLAN, { version: 1, path: "" });
    expect(outcome).toMatchObject({ version: 4, kept: [], dryRun: false });
    expect(await dataOf(rig)).toEqual({ tasks: { t1: { title: "one" } }, note: "first" });
    expect(await lastOf(rig)).toMatchObject({
      version: 4,
      actor: "keeper",
      origin: "restore",
      message: "restore version 1",
      paths: ["/tasks/t1/title", "/tasks/t2"],
    });
    await rig.service.history.restore(by, PLAN, { version: 3, path: "", message: "no, back" });
    expect(await dataOf(rig)).toEqual({ tasks: { t1: { title: "ONE" }, t2: { title: "two" } }, note: "first" });
    expect(await lastOf(rig)).toMatchObject({ message: "no, back" });
  });

  test("[HIST-11] a subtree: later work elsewhere stays; what was not there goes, what is gone comes back", async () => {
    const rig = await threeVersions();
    await write(rig, "bob", { op: "edit_text", path: "/note", old: "first", new: "second" });
    await rig.service.history.restore(by, PLAN, { version: 1, path: "/tasks/t1" });
    expect(await dataOf(rig)).toEqual({ tasks: { t1: { title: "one" }, t2: { title: "two" } }, note: "second" });
    await rig.service.history.restore(by, PLAN, { version: 2, path: "/tasks/t2" });
    await write(rig, "bob", { op: "remove", path: "/tasks/t1" });
    await rig.service.history.restore(by, PLAN, { version: 2, path: "/tasks/t1" });
    expect(await dataOf(rig)).toEqual({ tasks: { t1: { title: "ONE" } }, note: "second" });
  });

  test("[HIST-11] a place whose parent is gone is refused and says what to restore", async () => {
    const rig = await threeVersions();
    await write(rig, "bob", { op: "remove", path: "/tasks" });
    await expect(rig.service.history.restore(by, PLAN, { version: 1, path: "/tasks/t1/title" })).rejects.toMatchObject({
      code: "PATH_NOT_FOUND",
      message: expect.stringContaining("gone as well"),
      details: { path: "/tasks" },
    });
    await expect(
      rig.service.history.restore(by, PLAN, { version: 1, path: "/tasks/t1/title", dryRun: true }),
    ).rejects.toEqual(code("PATH_NOT_FOUND"));
  });

  test("[HIST-12] a dry run says what would be written, and writes nothing; so does restoring what is there", async () => {
    const rig = await threeVersions();
    expect(await rig.service.history.restore(by, PLAN, { version: 2, path: "", dryRun: true })).toEqual({
      version: 3,
      changes: [{ op: "remove", path: "/tasks/t2" }],
      kept: [],
      dryRun: true,
    });
    expect(await rig.service.history.restore(by, PLAN, { version: 3, path: "" })).toMatchObject({
      version: 3,
      changes: [],
    });
    expect((await lastOf(rig))?.version).toBe(3);
  });

  test("[HIST-10] a text stays a text, and what others type meanwhile is merged", async () => {
    const rig = await threeVersions();
    const editor = await openEditor(rig, "eve");
    await write(rig, "ann", { op: "edit_text", path: "/note", old: "first", new: "the very first" });
    const { service } = rig;
    await service.history.restore(by, PLAN, { version: 3, path: "/note" });
    expect((await dataOf(rig)) as object).toMatchObject({ note: "first" });
    await write(rig, "bob", { op: "append_text", path: "/note", text: "!" });
    expect((await dataOf(rig)) as object).toMatchObject({ note: "first!" });
    editor.session.closed();
  });

  test("[HIST-13] other roots come back with the whole, also XML and what is empty now", async () => {
    const rig = await startPlan({});
    const editor = await openEditor(rig, "eve");
    editor.edit(() => {
      editor.doc.getText("notes").insert(0, "hello");
      editor.doc.getXmlFragment("page").insert(0, [new Y.XmlElement("p")]);
    });
    await turns();
    editor.edit(() => {
      editor.doc.getText("notes").delete(0, 5);
      editor.doc.getXmlFragment("page").delete(0, 1);
    });
    await turns();
    const outcome = await rig.service.history.restore(by, PLAN, { version: 1, path: "" });
    expect(outcome.kept).toEqual([]);
    const read = async (path: string) => (await rig.service.read(by, PLAN, { path })).data;
    expect(await read("@notes")).toBe("hello");
    expect(await read("@page")).toBe("<p></p>");
    await rig.service.history.restore(by, PLAN, { version: 2, path: "@notes" });
    expect(await read("@page")).toBe("<p></p>");
    expect(await read("@notes")).toBe("");
  });

  test("[HIST-10] a version from before a compaction is restored into the new epoch", async () => {
    const rig = await threeVersions();
    await rig.service.history.compact(by, PLAN);
    await write(rig, "bob", { op: "replace", path: "/tasks", value: {} });
    await rig.service.history.restore(by, PLAN, { version: 3, path: "" });
    expect(await dataOf(rig)).toEqual({ tasks: { t1: { title: "ONE" }, t2: { title: "two" } }, note: "first" });
    const { lines } = await rig.service.history.blame(by, PLAN, { path: "/note" });
    expect(lines).toMatchObject([{ path: "/note", text: "first", version: 0, actor: "creator" }]);
  });
});

describe("undo", () => {
  test("[UNDO-9] one actor's changes go, in a change of its own; what stayed is told", async () => {
    const rig = await threeVersions();
    const actor = parseActor("ann");
    const dry = await rig.service.history.undo(by, PLAN, { actor, from: 0, to: 3, dryRun: true });
    expect(dry).toMatchObject({ version: 3, dryRun: true });
    expect((await lastOf(rig))?.version).toBe(3);
    const outcome = await rig.service.history.undo(by, PLAN, { actor, from: 2, to: 3 });
    expect(outcome).toEqual({ version: 4, changes: [{ op: "remove", path: "/tasks/t2" }], kept: [], dryRun: false });
    expect(await lastOf(rig)).toMatchObject({ origin: "undo", actor: "keeper", message: "undo ann, versions 3 to 3" });
    expect(await dataOf(rig)).toEqual({ tasks: { t1: { title: "ONE" } }, note: "first" });
  });

  test("[UNDO-9] somebody writes there while it is worked out: it is worked out anew; elsewhere does not matter", async () => {
    const runner = new DisturbedRunner();
    const rig = await threeVersions(undefined, runner);
    await write(rig, "ann", { op: "add", path: "/x", value: 1 });
    const undo = () => rig.service.history.undo(by, PLAN, { actor: parseActor("ann"), from: 3, to: 4 });
    runner.disturb = () => write(rig, "bob", { op: "replace", path: "/x", value: "bob's" });
    expect(await undo()).toMatchObject({ version: 5, changes: [], kept: [{ path: "/x", by: { actor: "bob" } }] });
    expect(await dataOf(rig)).toMatchObject({ x: "bob's" });
    await write(rig, "ann", { op: "add", path: "/y", value: 1 });
    runner.disturb = () => write(rig, "bob", { op: "add", path: "/z", value: 1 });
    const asked = runner.asked;
    await rig.service.history.undo(by, PLAN, { actor: parseActor("ann"), from: 5, to: 6 });
    expect(runner.asked).toBe(asked + 1);
    expect(Object.keys((await dataOf(rig)) as object)).toEqual(["tasks", "note", "x", "z"]);
  });

  test("[UNDO-9] somebody who always writes there wins in the end, and the undo is refused", async () => {
    const runner = new DisturbedRunner();
    const rig = await threeVersions(undefined, runner);
    const values = Array.from({ length: 99 }, (_, index) => index);
    runner.always = () => write(rig, "bob", { op: "add", path: "/tasks/t2/n", value: values.pop() ?? 0 });
    const undo = rig.service.history.undo(by, PLAN, { actor: parseActor("ann"), from: 2, to: 3 });
    await expect(undo).rejects.toEqual(code("VERSION_CONFLICT"));
    expect(runner.asked).toBeLessThan(20);
  });

  test("[UNDO-9] a range that holds nothing is refused", async () => {
    const rig = await threeVersions();
    const undo = (from: number, to: number) =>
      rig.service.history.undo(by, PLAN, { actor: parseActor("ann"), from, to });
    await expect(undo(2, 2)).rejects.toEqual(code("INVALID_REQUEST"));
    await expect(undo(9, 12)).rejects.toEqual(code("VERSION_NOT_FOUND"));
    expect(await undo(1, 2)).toMatchObject({ version: 3, changes: [] });
  });
});

describe("named checkpoints", () => {
  test("[HIST-14] a version gets a name, the present one unless said; newest first", async () => {
    const rig = await threeVersions();
    const { history } = rig.service;
    expect(await history.nameCheckpoint(by, PLAN, { name: "now", message: "done" })).toMatchObject({
      name: "now",
      version: 3,
      seq: 3,
      actor: "keeper",
      message: "done",
    });
    await history.nameCheckpoint(by, PLAN, { name: "Anfang/ä", version: 0 });
    await history.nameCheckpoint(by, PLAN, { name: "one", version: 1 });
    expect((await history.checkpoints(by, PLAN)).map(({ name, version }) => [name, version])).toEqual([
      ["now", 3],
      ["one", 1],
      ["Anfang/ä", 0],
    ]);
    expect((await rig.storage.checkpoints(PLAN)).filter(({ isKept }) => isKept).map(({ version }) => version)).toEqual([
      0, 1, 3,
    ]);
  });

  test("[HIST-15] a name is used once, also by two at once; a bad one, too many, and versions there are not are refused", async () => {
    const rig = await threeVersions();
    const { history } = rig.service;
    const name = (it: string, version = 1) => history.nameCheckpoint(by, PLAN, { name: it, version });
    const both = await Promise.allSettled([name("same"), name("same", 2)]);
    expect(both.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
    await expect(name("same")).rejects.toEqual(code("ALREADY_EXISTS"));
    await expect(name("later", 4)).rejects.toEqual(code("VERSION_NOT_FOUND"));
    for (const bad of ["", "a\nb", "x".repeat(LIMITS.checkpointNameCharsMax + 1), "€".repeat(90)]) {
      await expect(name(bad)).rejects.toEqual(code("INVALID_REQUEST"));
    }
    for (let i = 1; i < LIMITS.namedCheckpointsMax; i++) await name(`c${i}`);
    await expect(name("one more")).rejects.toEqual(code("LIMIT_EXCEEDED"));
  });

  test("[HIST-16] forgetting a name lets go of its checkpoint with the last name of the version", async () => {
    const rig = await threeVersions();
    const { history } = rig.service;
    const kept = async () =>
      (await rig.storage.checkpoints(PLAN)).filter(({ isKept }) => isKept).map(({ version }) => version);
    for (const name of ["a", "b"]) await history.nameCheckpoint(by, PLAN, { name, version: 2 });
    await history.forgetCheckpoint(by, PLAN, "a");
    expect(await kept()).toEqual([2]);
    await history.forgetCheckpoint(by, PLAN, "b");
    expect(await kept()).toEqual([]);
    expect(await history.checkpoints(by, PLAN)).toEqual([]);
    await expect(history.forgetCheckpoint(by, PLAN, "b")).rejects.toEqual(code("CHECKPOINT_NOT_FOUND"));
  });

  test("[HIST-14] a named version is read after the log before it is gone", async () => {
    const rig = await threeVersions();
    const { service, storage } = rig;
    await service.history.nameCheckpoint(by, PLAN, { name: "early", version: 1 });
    await service.history.nameCheckpoint(by, PLAN, { name: "late", version: 3 });
    const base = await storage.checkpointBefore(PLAN, 3);
    if (base !== undefined) await storage.trim(PLAN, base);
    expect((await service.read(by, PLAN, { path: "/tasks", version: 1 })).data).toEqual({ t1: { title: "one" } });
    await expect(service.read(by, PLAN, { path: "", version: 2 })).rejects.toEqual(code("VERSION_NOT_FOUND"));
    await service.history.restore(by, PLAN, { version: 1, path: "" });
    expect(await dataOf(rig)).toEqual({ tasks: { t1: { title: "one" } }, note: "first" });
  });
});

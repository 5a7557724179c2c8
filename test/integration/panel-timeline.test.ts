/** The panel's timeline with a real server: what comes, what was, how it differs, and taking it back. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { NewestChanges } from "../../client/panel/store/newest-changes.ts";
import { PastDocument } from "../../client/panel/store/past-document.ts";
import { Reverting } from "../../client/panel/store/reverting.ts";
import type { JsonObject } from "../../shared/json.ts";
import { finallyDo, opened, panelOn, sdk, until } from "../support/panel-desk.ts";
import { startTestServer } from "../support/running-server.ts";
import type { TestServer } from "../support/running-server.ts";

let server: TestServer;
let contexts = 0;

// one for all: each would start a thread of its own for the past
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.close());

async function timeline(data: JsonObject = { title: "A", tasks: {} }) {
  const { url } = server;
  const id = `plan-${++contexts}`;
  const ada = await (await sdk(url, "ada")).open(id, { create: { data } });
  const bob = await (await sdk(url, "bob")).open(id);
  const { panel, machine } = await panelOn(url);
  const it = await opened(panel, `#/contexts/${id}/timeline`);
  const reached = (version: number): Promise<unknown> =>
    until(() => {
      machine.draw();
      return it.version.value >= version;
    });
  return { ada, bob, machine, panel, it, reached };
}

const set = (path: string, value: number | string) => [{ op: "add", path, value }] as const;

describe("[PANEL-13] the changes", () => {
  test("come in front, once a picture; older ones when they are asked for", async () => {
    const { ada, it, machine, reached } = await timeline({});
    for (let count = 1; count <= 230; count++) ada.data.root.set("n", count);
    await ada.saved();
    await reached(ada.version);
    const changes = new NewestChanges(it);
    finallyDo(changes.start());
    await until(() => changes.list.value !== undefined);
    const first = changes.list.value?.[0]?.version ?? 0;
    await ada.update(set("/x", 1), { message: "why" });
    await until(() => {
      machine.draw();
      return changes.list.value?.[0]?.version === first + 1;
    });
    expect(changes.list.value?.[0]).toMatchObject({ actor: "ada", origin: "sdk", paths: ["/x"], message: "why" });
    // a change that came live has the size that it is listed with
    const [listed] = (await ada.history({ order: "newest", limit: 1 })).changes;
    expect(changes.list.value?.[0]).toEqual(listed);
    expect(listed?.bytes).toBeGreaterThan(0);
    const versions = changes.list.value?.map(({ version }) => version) ?? [];
    expect(versions).toEqual(versions.map((_, index) => first + 1 - index));
  });

  test("of one actor, or at one path, are found; what comes is held to it", async () => {
    const { ada, bob, it, machine, reached } = await timeline();
    await ada.update(set("/tasks/t1", 1));
    await bob.update(set("/title", "B"));
    await reached(2);
    const changes = new NewestChanges(it);
    finallyDo(changes.start());
    await until(() => changes.list.value?.length === 2);
    changes.find({ actor: "", path: "/tasks" });
    await until(() => changes.list.value?.length === 1);
    await bob.update(set("/title", "C"));
    await bob.update(set("/tasks/t2", 2));
    await until(() => {
      machine.draw();
      return changes.list.value?.length === 2;
    });
    expect(changes.list.value?.map(({ version }) => version)).toEqual([4, 1]);
    changes.find({ actor: "ada", path: "" });
    await until(() => changes.list.value?.[0]?.actor === "ada");
    expect([changes.list.value?.length, changes.actors.value]).toEqual([1, ["ada", "bob"]]);
  });
});

describe("[PANEL-14] the document as it was", () => {
  test("is shown at any version; while a slider moves, only where it stands at last", async () => {
    const { ada, it, machine, reached } = await timeline({});
    for (let count = 1; count <= 12; count++) await ada.update(set("/n", count));
    await reached(12);
    const past = new PastDocument(it);
    finallyDo(() => past.stop());
    const seen: (number | undefined)[] = [];
    past.past.subscribe((at) => seen.push(at?.version));
    for (let version = 0; version <= 12; version++) past.show(version);
    await until(() => past.past.value?.version === 12);
    expect(seen).toEqual([undefined, 0, 12]);
    past.show(3, 2);
    await until(() => past.difference.value?.to === 3);
    expect(past.difference.value?.lines).toEqual([{ path: "/n", kind: "changed", before: 2, after: 3 }]);
    machine.draw();
    expect(past.tree.lines.value.map(({ key, head }) => [key, head])).toEqual([["n", "3"]]);
  });

  test("says so when the history does not keep it", async () => {
    const { it } = await timeline();
    const past = new PastDocument(it);
    finallyDo(() => past.stop());
    past.show(99);
    await until(() => past.problem.value !== undefined);
    expect(past.problem.value?.code).toBe("VERSION_NOT_FOUND");
  });
});

describe("[PANEL-16] taking back", () => {
  test("a part of the document is tried first, and then done", async () => {
    const { ada, it, reached } = await timeline();
    await ada.update(set("/tasks/t1", 1));
    await ada.update(set("/title", "B"));
    await reached(2);
    const reverting = new Reverting(it);
    await reverting.carryOut("too early");
    await reverting.ask({ what: "restore", version: 0, path: "/tasks" });
    expect(reverting.trial.value?.lines).toEqual([{ path: "/tasks/t1", kind: "removed", before: 1 }]);
    expect(it.context.get()).toEqual({ title: "B", tasks: { t1: 1 } });
    await reverting.carryOut("wrong branch");
    expect([reverting.question.value, it.context.get()]).toEqual([undefined, { title: "B", tasks: {} }]);
    const { changes } = await it.context.history({ order: "newest", limit: 1 });
    expect(changes).toMatchObject([{ version: 3, origin: "restore", message: "wrong branch" }]);
  });

  test("an actor's changes leaves what others wrote since, and says so", async () => {
    const { ada, bob, it, reached } = await timeline();
    await ada.update(set("/title", "ada's"));
    await ada.update(set("/tasks/t1", "ada's"));
    await bob.update(set("/title", "bob's"));
    await reached(3);
    const reverting = new Reverting(it);
    await reverting.ask({ what: "undo", actor: "ada", from: 0, path: "" });
    expect(reverting.trial.value?.lines).toMatchObject([{ path: "/tasks/t1", kind: "removed" }]);
    expect(reverting.trial.value?.kept).toMatchObject([
      { path: "/title", reason: "changed-since", by: { actor: "bob" } },
    ]);
    await reverting.carryOut("");
    expect(it.context.get()).toEqual({ title: "bob's", tasks: {} });
  });

  test("what cannot be done is told", async () => {
    const { it, panel } = await timeline();
    const reverting = new Reverting(it);
    await reverting.ask({ what: "restore", version: 9, path: "" });
    expect([reverting.trial.value, reverting.isBusy.value]).toEqual([undefined, false]);
    expect(panel.notices.list.value).toMatchObject([{ kind: "failed", code: "VERSION_NOT_FOUND" }]);
  });
});

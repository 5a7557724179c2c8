/** Who wrote last what a pointer rests on. */
import { expect, test } from "vitest";
import { LastWriters } from "../../../client/panel/store/last-writer.ts";
import { ServiceError } from "../../../shared/errors.ts";
import type { BlameLine } from "../../../shared/history.ts";
import { parseActor } from "../../../shared/ids.ts";
import { PanelMachine } from "../../support/panel-machine.ts";

const line = (path: string, version: number): BlameLine => ({
  path,
  version,
  actor: parseActor(`by${version}`),
  atMs: 1,
});

function writers(lines: readonly BlameLine[]) {
  const clock = new PanelMachine("http://panel.test");
  const asked: string[] = [];
  const blame = async (path: string): Promise<readonly BlameLine[]> => {
    asked.push(path);
    return lines;
  };
  return { clock, asked, it: new LastWriters({ blame }, clock) };
}

test("[PANEL-8] a pointer that rests asks once, one that passes does not", async () => {
  const { clock, asked, it } = writers([line("/a/x", 3), line("/a/y", 9), line("/a/z", 4)]);
  it.pointAt("/b");
  await clock.pass(100);
  it.pointAt("/a");
  await clock.pass(200);
  expect(it.known.value.get("/a")).toMatchObject({ actor: "by9", version: 9 });
  it.pointAt("/a");
  await clock.pass(200);
  expect(asked).toEqual(["/a"]);
});

test("[PANEL-8] an answer counts until a change touches its path", async () => {
  const { clock, asked, it } = writers([line("/a", 1)]);
  it.pointAt("/a");
  await clock.pass(200);
  it.changed(["/b"]);
  expect(it.known.value.has("/a")).toBe(true);
  it.changed(["/a/x"]);
  expect(it.known.value.has("/a")).toBe(false);
  await clock.pass(800);
  expect([it.known.value.has("/a"), asked]).toEqual([true, ["/a", "/a"]]);
});

test("[PANEL-8] what is older than the history has no writer that is known", async () => {
  const { clock, it } = writers([{ path: "/a" }]);
  it.pointAt("/a");
  await clock.pass(200);
  expect(it.known.value.get("/a")).toBe("none");
});

test("[PANEL-8] a server that cannot say it now is asked again, and what is gone has no writer", async () => {
  const errors = [
    new ServiceError("STORE_UNAVAILABLE", "The log is being reopened."),
    new ServiceError("PATH_NOT_FOUND", "There is no /a."),
  ];
  const clock = new PanelMachine("http://panel.test");
  const it = new LastWriters({ blame: () => Promise.reject(errors.shift() ?? new Error("asked too often")) }, clock);
  it.pointAt("/a");
  await clock.pass(200);
  expect(it.known.value.has("/a")).toBe(false);
  await clock.pass(800);
  expect(it.known.value.get("/a")).toBe("none");
});

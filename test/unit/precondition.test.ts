/** Writes that name a version: rules PRE-2 to PRE-4, on the pure check. */
import * as Y from "yjs";
import { describe, expect, test } from "vitest";
import { ServiceError } from "../../shared/errors.ts";
import { parseActor } from "../../shared/ids.ts";
import { checkPaths, checkVersion, statedPaths } from "../../server/state/precondition.ts";
import type { Precondition, Present } from "../../server/state/precondition.ts";
import { TouchIndex } from "../../server/state/touch-index.ts";

const ada = parseActor("ada");
const bob = parseActor("bob");

/** Version 12; /a changed in 11 by ada, /b/c in 12 by bob; what came before 10 is not in the index. */
function present(): Present {
  const doc = new Y.Doc();
  doc.getMap("data").set("a", 1);
  doc.getMap("data").set("b", new Y.Map([["c", "new"]]));
  const touches = new TouchIndex(10);
  touches.record(["/a"], { version: 11, actor: ada, atMs: 1000 });
  touches.record(["/b/c"], { version: 12, actor: bob, atMs: 2000 });
  return { doc, version: 12, touches };
}

const paths = (version: number, older?: Precondition["older"]): Precondition => ({
  version,
  scope: "paths",
  ...(older === undefined ? {} : { older }),
});

function refusal(check: () => void): ServiceError["details"] | undefined {
  try {
    check();
  } catch (error) {
    if (error instanceof ServiceError && error.code === "VERSION_CONFLICT") return error.details;
    throw error;
  }
  return undefined;
}

describe("[PRE-2] a version holds for the paths that the write touches", () => {
  test.each([
    [10, ["/x"], true],
    [10, ["/a"], false],
    [11, ["/a"], true],
    [11, ["/b"], false],
    [11, ["/b/c/d"], false],
    [11, ["/b/d"], true],
    [11, [""], false],
    [12, [""], true],
    [11, ["/a", "/b/c"], false],
  ])("version %i, %j: %s", (version, touched, holds) => {
    expect(refusal(() => checkPaths(paths(version), touched, present())) === undefined).toBe(holds);
    checkVersion(paths(version), present());
  });

  test("a write that says what stands there already names its path too", () => {
    const stated = statedPaths([
      { op: "replace", path: "/n", value: 1 },
      { op: "merge", path: "/m", value: { "a/b": { c: 1 }, d: null } },
      { op: "copy", path: "/to", from: "/from" },
      { op: "test", path: "/t", value: 1 },
      { op: "increment", path: "/i", by: 1 },
    ]);
    expect(stated).toEqual(["/n", "/m/a~1b/c", "/m/d", "/to"]);
  });

  test("the refusal says who wrote when, and what stands there now", () => {
    expect(refusal(() => checkPaths(paths(11), ["/b"], present()))).toEqual({
      currentVersion: 12,
      ifVersion: 11,
      path: "/b",
      changedBy: { actor: "bob", version: 12, at: "1970-01-01T00:00:02.000Z" },
      value: { c: "new" },
    });
    const emptied = present();
    emptied.doc.getMap("data").delete("b");
    expect(refusal(() => checkPaths(paths(11), ["/b"], emptied))).not.toHaveProperty("value");
  });
});

describe("[PRE-3] a version holds for the whole context when that is asked", () => {
  test.each([
    [12, true],
    [11, false],
    [13, false],
  ])("version %i: %s", (version, holds) => {
    expect(refusal(() => checkVersion({ version, scope: "context" }, present())) === undefined).toBe(holds);
  });

  test("a change that touched no path counts too, and nobody else's is named for it", () => {
    const later = { ...present(), version: 13 };
    const context = (version: number): Precondition => ({ version, scope: "context" });
    expect(refusal(() => checkVersion(context(12), later))).toEqual({ currentVersion: 13, ifVersion: 12 });
    expect(refusal(() => checkVersion(context(11), later))).toMatchObject({ changedBy: { version: 12 } });
  });

  test("a version that is not there yet holds for nothing", () => {
    expect(refusal(() => checkVersion(paths(13), present()))).toEqual({ currentVersion: 12, ifVersion: 13 });
  });
});

describe("[PRE-4] what cannot be known counts as changed", () => {
  const older = (floor: number, upTo: number): Precondition["older"] => {
    const index = new TouchIndex(floor);
    index.record(["/z"], { version: upTo, actor: bob, atMs: 0 });
    return { index, upTo };
  };

  test("an old version needs the changes between it and what is in memory", () => {
    expect(refusal(() => checkPaths(paths(7), ["/x"], present()))).toEqual({ currentVersion: 12, ifVersion: 7 });
    expect(refusal(() => checkPaths(paths(7, older(7, 10)), ["/x"], present()))).toBeUndefined();
    expect(refusal(() => checkPaths(paths(7, older(7, 10)), ["/z"], present()))).toMatchObject({ path: "/z" });
    expect(refusal(() => checkPaths(paths(7, older(7, 10)), ["/a"], present()))).toMatchObject({ path: "/a" });
  });

  test("a gap on either side of them counts too", () => {
    expect(refusal(() => checkPaths(paths(7, older(8, 10)), ["/x"], present()))).toBeDefined();
    expect(refusal(() => checkPaths(paths(7, older(7, 9)), ["/x"], present()))).toBeDefined();
  });
});

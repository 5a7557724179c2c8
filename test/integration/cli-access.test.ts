/** Access lists on the command line, against a real HTTP server over a fake that lets everybody do everything. */
import { beforeEach, describe, expect, test } from "vitest";
import { CliHarness } from "./cli-harness.ts";

const cli = new CliHarness();
const { mcm } = cli;

beforeEach(async () => {
  await mcm(["create", "plan", "--data", "{}"]);
});

const grants = async (): Promise<unknown> => JSON.parse((await mcm(["acl", "plan", "--json"])).out).grants;
const acl = (...args: readonly string[]) => mcm(["acl", "plan", ...args]);

describe("[CLI-14] acl", () => {
  test("shows the list", async () => {
    expect(await acl()).toEqual({ code: 0, out: "", err: "The list is empty." });
    await acl("--grant", "bob:writer:/notes,/tasks/t1", "--grant", "*:reader");
    expect((await acl()).out).toMatch(/^PRINCIPAL +ROLE +PATHS\nbob +writer +\/notes \/tasks\/t1\n\* +reader$/);
  });

  test("grants in the place of what there was, and takes away", async () => {
    const bob = { principal: "bob", role: "reader" };
    const eve = { principal: "eve", role: "admin" };
    expect((await acl("--grant", "bob:reader", "--grant", "eve:admin")).out).toMatch(/bob .*\neve /);
    expect(await grants()).toEqual([bob, eve]);
    await acl("--grant", "bob:writer:/a", "--grant", "bob:writer:/b,/c");
    const writer = (...paths: string[]) => ({ principal: "bob", role: "writer", paths });
    expect(await grants()).toEqual([eve, writer("/a"), writer("/b", "/c")]);
    await acl("--revoke", "bob", "--grant", "ann:reader");
    expect(await grants()).toEqual([eve, { principal: "ann", role: "reader" }]);
    await acl("--revoke", "eve", "--grant", "eve:reader", "--revoke", "ann");
    expect(await grants()).toEqual([{ principal: "eve", role: "reader" }]);
  });

  test("takes principals with colons, up to the first role", async () => {
    await acl("--grant", "auth0|x:y:writer:/a:writer", "--grant", "::admin");
    expect(await grants()).toEqual([
      { principal: "auth0|x:y", role: "writer", paths: ["/a:writer"] },
      { principal: ":", role: "admin" },
    ]);
  });

  test("replaces the list by a file, or by what it printed", async () => {
    await acl("--grant", "bob:reader");
    const printed = (await acl("--json")).out;
    await acl("--revoke", "bob");
    const restored = await mcm(["acl", "plan", "--set", "-"], (io) => void io.files.set("-", printed));
    expect(restored).toMatchObject({ code: 0, out: expect.stringMatching(/bob +reader/) });
  });

  test.each([
    ["no role", ["--grant", "bob"], /principal:role/],
    ["another role", ["--grant", "bob:owner"], /reader, writer, admin/],
    ["no principal", ["--grant", ":reader"], /principal:role/],
    ["paths of a reader", ["--grant", "bob:reader:/a"], /Paths go with role writer/],
    ["what is no path", ["--grant", "bob:writer:/a,notes"], /starts with neither/],
    ["both ways at once", ["--set", "-", "--grant", "bob:reader"], /--set goes without/],
    ["a file that is no list", ["--set", "-"], /not an access list: grants/],
    ["somebody who is not listed", ["--revoke", "bbo"], /bbo is not in the list, which names bob; nothing was changed/],
  ])("refuses %s, and changes nothing", async (_what, args, says) => {
    await acl("--grant", "bob:reader");
    const result = await mcm(["acl", "plan", ...args], (io) => void io.files.set("-", "{}"));
    expect(result).toMatchObject({ code: 2, out: "", err: expect.stringMatching(says) });
    expect(await grants()).toEqual([{ principal: "bob", role: "reader" }]);
  });
});

test("[CLI-14] unlock --force releases anybody's lock", async () => {
  const [lockId = ""] = (await mcm(["lock", "plan", "/a"])).out.split(" ");
  const unlock = ["unlock", "plan", lockId, "--actor", "bob"];
  expect(await mcm(unlock)).toMatchObject({ code: 3, err: expect.stringMatching(/FORBIDDEN/) });
  expect(await mcm([...unlock, "--force"])).toMatchObject({ code: 0, out: `${lockId} is released` });
});

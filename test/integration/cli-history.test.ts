/**
 * The commands on the past, conflicts and types, against a real HTTP server over a fake.
 *
 * Not here: what all commands share (cli.test.ts).
 */
import { beforeEach, describe, expect, test } from "vitest";
import type { Conflict } from "../../shared/conflict.ts";
import { parseActor, parseContextId } from "../../shared/ids.ts";
import { conflictListSchema, resolveResultSchema } from "../../shared/protocol/rest-conflicts.ts";
import {
  blameSchema,
  checkpointListSchema,
  checkpointSchema,
  compactResultSchema,
  diffSchema,
  revertResultSchema,
} from "../../shared/protocol/rest-history.ts";
import { typeListSchema, typeResultSchema, typeSchema } from "../../shared/protocol/rest-types.ts";
import { changeListSchema, contextSchema } from "../../shared/protocol/rest.ts";
import { CliHarness } from "./cli-harness.ts";

const cli = new CliHarness();
const { mcm } = cli;

const ESCAPE = "\u001b[2J";
const lostTitle: Conflict = {
  id: "3.0",
  path: "/title",
  kind: "set-set",
  policy: "manual",
  winner: { actor: parseActor("ada"), version: 3, value: "Three" },
  loser: { value: { text: "x".repeat(80) } },
  status: "open",
  atMs: 0,
  version: 3,
};

/** 1: ada sets /title to Two, "why"; 2: bob adds /extra; 3: ada sets /title to Three. */
beforeEach(async () => {
  await mcm(["create", "plan", "--data", '{"title":"One"}']);
  await mcm(["update", "plan", "--set", "/title=Two", "--message", "why", "--actor", "ada"]);
  await mcm(["update", "plan", "--set", "/extra=1", "--actor", "bob"]);
  await mcm(["update", "plan", "--set", "/title=Three", "--actor", "ada"]);
});

const json = async (...args: string[]): Promise<unknown> => JSON.parse((await mcm([...args, "--json"])).out);

describe("the past", () => {
  test("[CLI-7] history is a table, either way round, by author and path", async () => {
    const { out, err } = await mcm(["history", "plan"]);
    expect(err).toBe("");
    expect(out.split("\n")).toEqual([
      expect.stringMatching(/^VERSION +WHEN +WHO +VIA +PATHS +MESSAGE$/),
      expect.stringMatching(/^1 +\S+Z +ada +cli +\/title +why$/),
      expect.stringMatching(/^2 +\S+Z +bob +cli +\/extra$/),
      expect.stringMatching(/^3 +\S+Z +ada +cli +\/title$/),
    ]);
    const versions = async (...args: string[]) =>
      changeListSchema.parse(await json("history", "plan", ...args)).changes.map(({ version }) => version);
    expect(await versions("--newest")).toEqual([3, 2, 1]);
    expect(await versions("--newest", "--before", "3", "--limit", "1")).toEqual([2]);
    expect(await versions("--by", "ada", "--since", "1")).toEqual([3]);
    expect(await versions("--path", "/extra")).toEqual([2]);
    expect((await mcm(["history", "plan", "--limit", "2"])).err).toBe("There are more: add --since 2");
    expect((await mcm(["history", "plan", "--limit", "2", "--newest"])).err).toBe("There are more: add --before 2");
    expect(await mcm(["history", "plan", "--by", "nobody"])).toEqual({ code: 0, out: "", err: "No changes." });
  });

  test("[CLI-7] a version is read as it was", async () => {
    const { out, err } = await mcm(["read", "plan", "--version", "1"]);
    expect([JSON.parse(out), err]).toEqual([{ title: "Two" }, expect.stringMatching(/^plan, version 1, /)]);
    expect(contextSchema.parse(await json("read", "plan", "--version", "0"))).toMatchObject({ version: 0 });
  });

  test("[CLI-7] diff says operations, a line each", async () => {
    expect(await mcm(["diff", "plan", "1"])).toEqual({
      code: 0,
      out: 'replace  /title  "Three"\nadd      /extra  1',
      err: "plan, from version 1 to version 3",
    });
    expect((await mcm(["diff", "plan", "2", "1"])).out).toBe("remove  /extra");
    expect((await mcm(["diff", "plan", "1", "--path", "/extra"])).out).toBe("add  /extra  1");
    expect(await mcm(["diff", "plan", "2", "2"])).toMatchObject({ out: "", err: "Versions 2 and 2 are the same." });
    expect(diffSchema.parse(await json("diff", "plan", "1")).changes).toHaveLength(2);
  });

  test("[CLI-7] blame says who wrote what last", async () => {
    const { out } = await mcm(["blame", "plan"]);
    expect(out).toMatch(/^VERSION +WHEN +WHO +WHAT +MESSAGE\n3 +\S+Z +ada +\/title\n2 +\S+Z +bob +\/extra$/);
    expect((await mcm(["blame", "plan", "/extra"])).out).not.toContain("/title");
    expect(blameSchema.parse(await json("blame", "plan")).version).toBe(3);
    await mcm(["create", "new", "--data", '{"a":1}']);
    expect((await mcm(["blame", "new"])).out).toMatch(/\n- +\/a$/);
  });

  test("[CLI-7] blame shows runs of a text with their place, elements with their index", async () => {
    const ada = { version: 3, actor: parseActor("ada"), atMs: 0, message: "why" };
    cli.service.history.blame = async () => ({
      version: 3,
      lines: [
        { path: "/notes", start: 0, text: 'He said "no".\n' },
        { path: "/notes", start: 14, text: "x".repeat(99), ...ada },
        { path: "/list", index: 2, ...ada },
        { path: "", ...ada },
      ],
    });
    expect((await mcm(["blame", "plan"])).out.split("\n").slice(1)).toEqual([
      expect.stringMatching(/^- +\/notes@0 "He said \\"no\\".\\n"$/),
      expect.stringMatching(/^3 +1970-01-01T00:00:00.000Z +ada +\/notes@14 "x{50,60}… +why$/),
      expect.stringMatching(/^3 .*ada +\/list\/2 +why$/),
      expect.stringMatching(/^3 .*ada +"" +why$/),
    ]);
  });

  test("[CLI-7] what an undo kept is told by reason", async () => {
    cli.service.history.undo = async () => ({
      version: 3,
      changes: [
        { op: "move", path: "/a", from: "/b" },
        { op: "increment", path: "/n", by: -2 },
        { op: "edit_text", path: "/t", old: "teh", new: "the" },
      ],
      kept: [
        { path: "@xml", reason: "not-json" },
        { path: "/a", reason: "changed-since" },
      ],
      dryRun: true,
    });
    expect(await mcm(["undo", "plan", "--by", "ada", "--from", "0", "--dry-run"])).toMatchObject({
      out: 'move       /a  from /b\nincrement  /n  {"by":-2}\nedit_text  /t  {"old":"teh","new":"the"}',
      err: expect.stringMatching(/^kept @xml: JSON has no form for it\nkept \/a: others wrote there since\nDry run/),
    });
  });

  test("[CLI-7] restore and its dry run", async () => {
    expect(await mcm(["restore", "plan", "1", "--dry-run"])).toEqual({
      code: 0,
      out: 'replace  /title  "Two"\nremove   /extra',
      err: "Dry run: plan stays at version 3.",
    });
    const part = await mcm(["restore", "plan", "0", "--path", "/title", "--message", "back"]);
    expect(part.out).toBe("plan is at version 4 (1 operation)");
    expect(await json("history", "plan", "--since", "3")).toMatchObject({
      changes: [{ actor: "zoë", origin: "restore", message: "back" }],
    });
    expect((await mcm(["restore", "plan", "4"])).out).toBe("plan is at version 4: there was nothing to do");
    expect(revertResultSchema.parse(await json("restore", "plan", "1")).changes).toHaveLength(2);
  });

  test("[CLI-7] undo takes one author's changes back and says what it kept", async () => {
    expect((await mcm(["undo", "plan", "--by", "ada", "--from", "0", "--dry-run"])).out).toBe('replace  /title  "One"');
    await mcm(["update", "plan", "--set", "/title=Four", "--actor", "bob"]);
    expect(await mcm(["undo", "plan", "--by", "ada", "--from", "0"])).toEqual({
      code: 0,
      out: "plan is at version 4: there was nothing to do",
      err: "kept /title: bob wrote there since, at version 4",
    });
    const args = ["--by", "bob", "--from", "1", "--to", "3", "--path", "/extra", "--message", "no"];
    expect(revertResultSchema.parse(await json("undo", "plan", ...args))).toMatchObject({ version: 5, kept: [] });
  });

  test("[CLI-7] checkpoints are named, listed, taken away", async () => {
    expect(await mcm(["checkpoint", "plan"])).toMatchObject({
      code: 0,
      out: "",
      err: expect.stringMatching(/^No checkpoints/),
    });
    const named = await mcm(["checkpoint", "plan", "a/b c", "--version", "1", "--message", "m"]);
    expect(named.out).toBe("a/b c is version 1 of plan");
    expect(checkpointSchema.parse(await json("checkpoint", "plan", "now"))).toMatchObject({ version: 3 });
    const { out } = await mcm(["checkpoint", "plan"]);
    expect(out).toMatch(/^NAME +VERSION +WHEN +WHO +MESSAGE\nnow +3 +\S+Z +zoë\na\/b c +1 +\S+Z +zoë +m$/);
    expect((await mcm(["checkpoint", "plan", "a/b c", "--delete"])).out).toBe(
      "a/b c is no checkpoint of plan any more",
    );
    expect(checkpointListSchema.parse(await json("checkpoint", "plan")).checkpoints).toHaveLength(1);
  });

  test("[CLI-7] compact says what it saved", async () => {
    expect((await mcm(["compact", "plan"])).out).toBe("plan takes 100 bytes instead of 200 (epoch 2, version 3)");
    expect(compactResultSchema.parse(await json("compact", "plan")).epoch).toBe(3);
  });

  test("[CLI-8] an update can be held to a version, of what it touches or of the whole context", async () => {
    const update = (...args: string[]) => mcm(["update", "plan", "--set", "/extra=2", "--if-version", "2", ...args]);
    expect(await update("--scope", "context")).toMatchObject({
      code: 3,
      err: expect.stringMatching(/VERSION_CONFLICT/),
    });
    expect(await update("--scope", "paths")).toMatchObject({ code: 0 });
    expect(await update()).toMatchObject({ code: 3 });
  });

  test("[CLI-7] watch can follow one author", async () => {
    const seen: string[] = [];
    await mcm(["watch", "plan", "--since", "0", "--by", "ada"], (io) => {
      io.onLine = () => {
        seen.push(io.lines.at(-1)?.split(" ")[0] ?? "");
        if (seen.length === 2) io.stop();
      };
    });
    expect(seen).toEqual(["1", "3"]);
  });
});

describe("conflicts", () => {
  beforeEach(() => cli.service.conflicts.add(parseContextId("plan"), lostTitle));

  test("[CLI-9] conflicts are a table; long values are cut there and whole in JSON", async () => {
    const { out } = await mcm(["conflicts", "plan", "--status", "open"]);
    expect(out).toMatch(
      /^ID +STATUS +KIND +PATH +WINNER +LOSER\n3\.0 +open +set-set +\/title +ada v3: "Three" +somebody: \{"text":"x+…$/,
    );
    const { conflicts } = conflictListSchema.parse(await json("conflicts", "plan"));
    expect(conflicts[0]?.loser.value).toEqual(lostTitle.loser.value);
    expect(await mcm(["conflicts", "plan", "--path", "/extra"])).toEqual({ code: 0, out: "", err: "No conflicts." });
    cli.service.conflicts.add(parseContextId("plan"), { ...lostTitle, id: "4.0" });
    expect((await mcm(["conflicts", "plan", "--limit", "1"])).err).toBe("There are more: add --cursor 4.0");
    expect(await json("conflicts", "plan", "--cursor", "4.0")).toMatchObject({ conflicts: [{ id: "3.0" }] });
  });

  test.each<[string[], unknown]>([
    [["--take", "winner"], "Three"],
    [["--take", "loser"], lostTitle.loser.value],
    [["--keep"], "Three"],
    [["--set", "/title=Both", "--message", "put together"], "Both"],
  ])("[CLI-9] resolve %j", async (args, title) => {
    expect((await mcm(["resolve", "plan", "3.0", ...args])).out).toBe("3.0 is resolved, plan is at version 4");
    expect(await json("read", "plan", "--path", "/title")).toMatchObject({ data: title });
    expect(await json("history", "plan", "--since", "3")).toMatchObject({ changes: [{ resolves: "3.0" }] });
    expect(await mcm(["resolve", "plan", "3.0", ...args])).toMatchObject({
      code: 3,
      err: expect.stringMatching(/CONFLICT_RESOLVED/),
    });
  });

  test("[CLI-9] resolving prints the server's answer, and can read a patch", async () => {
    const patch = '[{"op":"add","path":"/title","value":"Filed"}]';
    const { out } = await mcm(["resolve", "plan", "3.0", "--file", "-", "--json"], (io) => io.files.set("-", patch));
    expect(resolveResultSchema.parse(JSON.parse(out))).toMatchObject({ version: 4, conflict: { status: "resolved" } });
  });
});

describe("types", () => {
  const schema = '{"type":"object","required":["title"]}';
  const withFile = (text: string) => (io: { files: Map<string, string> }) => void io.files.set("task.json", text);

  test("[CLI-10] put, list, get, delete", async () => {
    await mcm(["create", "good", "--type", "task", "--data", '{"title":"x"}']);
    await mcm(["create", "bad", "--type", "task"]);
    const dry = await mcm(["type", "put", "task", "task.json", "--dry-run"], withFile(schema));
    expect(dry.out).toBe(
      "task is not registered (dry run): 2 contexts checked, 1 breaks it\n  bad \"\": must have 'title'",
    );
    expect((await mcm(["type", "list"])).err).toMatch(/^No types\./);
    const put = await mcm(["type", "put", "task", "task.json"], withFile(schema));
    expect(put.out).toMatch(/^task is registered, revision 1: 2 contexts checked, 1 breaks it\n/);
    const newer = '{"type":"object"}';
    const again = await mcm(["type", "put", "task", "task.json", "--json"], withFile(newer));
    expect(typeResultSchema.parse(JSON.parse(again.out)).type.revision).toBe(2);
    expect((await mcm(["type", "list"])).out).toMatch(/^NAME +REVISION +UPDATED +WHO\ntask +2 +\S+Z +zoë$/);
    expect(typeListSchema.parse(await json("type", "list")).types).toHaveLength(1);
    const { out, err } = await mcm(["type", "get", "task"]);
    expect([JSON.parse(out), err]).toEqual([JSON.parse(newer), expect.stringMatching(/^task, revision 2/)]);
    expect(typeSchema.parse(await json("type", "get", "task")).updatedBy).toBe("zoë");
    expect((await mcm(["type", "delete", "task"])).out).toBe("task is deleted");
    expect(await mcm(["type", "get", "task"])).toMatchObject({ code: 3, err: expect.stringMatching(/TYPE_NOT_FOUND/) });
  });
});

test("[CLI-3] what others wrote cannot move the cursor, in tables, JSON and messages", async () => {
  const id = parseContextId("plan");
  const c1 = "\u009b2J";
  await mcm(["update", "plan", "--set", `/title=${ESCAPE}${c1}`, "--message", `${ESCAPE}${c1}`]);
  await mcm(["update", "plan", "--op", JSON.stringify({ op: "add", path: `/${c1}`, value: 1 })]);
  const value = `${ESCAPE}${c1}`;
  cli.service.conflicts.add(id, { ...lostTitle, path: `/${c1}`, winner: { value }, loser: { value } });
  await mcm(["checkpoint", "plan", "v1", "--message", value]);
  const commands = [["history"], ["history", "--json"], ["diff", "0"], ["blame"], ["read"], ["read", "--json"]];
  commands.push(["checkpoint"], ["conflicts"], ["conflicts", "--json"], ["restore", "0", "--dry-run"]);
  for (const [command = "", ...rest] of commands) {
    const { code, out, err } = await mcm([command, "plan", ...rest]);
    expect({ command, code, text: `${out}${err}`.match(/(?!\n)\p{Cc}/gu) }).toEqual({
      command,
      code: 0,
      text: null,
    });
  }
  expect(JSON.parse((await mcm(["read", "plan", "--path", "/title"])).out)).toBe(value);
});

test.each<[number, string[], RegExp]>([
  [2, ["history", "plan", "--newest", "--since", "1"], /--before/],
  [2, ["history", "plan", "--before", "1"], /--newest/],
  [2, ["history", "plan", "--limit", "0"], /whole number/],
  [2, ["diff", "plan"], /missing required argument 'from'/],
  [2, ["diff", "plan", "x"], /whole number/],
  [2, ["restore", "plan"], /missing required argument 'version'/],
  [2, ["undo", "plan", "--from", "1"], /--by/],
  [2, ["undo", "plan", "--by", "ada"], /--from/],
  [2, ["checkpoint", "plan", "--delete"], /name/],
  [2, ["checkpoint", "plan", "--version", "1"], /name/],
  [2, ["checkpoint", "plan", "a", "--delete", "--version", "1"], /--delete/],
  [2, ["conflicts", "plan", "--status", "lost"], /recorded, open, resolved/],
  [2, ["resolve", "plan", "3.0"], /one of --take/],
  [2, ["resolve", "plan", "3.0", "--take", "winner", "--keep"], /one of --take/],
  [2, ["resolve", "plan", "3.0", "--take", "both"], /winner, loser/],
  [2, ["update", "plan", "--set", "/a=1", "--scope", "context"], /--if-version/],
  [2, ["update", "plan", "--set", "/a=1", "--if-version", "1", "--scope", "all"], /paths, context/],
  [2, ["type"], /Usage/],
  [2, ["type", "put", "task"], /missing required argument 'file'/],
  [1, ["type", "put", "task", "missing"], /No such file/],
  [3, ["read", "plan", "--version", "9"], /VERSION_NOT_FOUND/],
  [3, ["diff", "plan", "9"], /VERSION_NOT_FOUND/],
  [3, ["undo", "plan", "--by", "ada", "--from", "2", "--to", "1"], /INVALID_REQUEST/],
  [3, ["checkpoint", "plan", "none", "--delete"], /CHECKPOINT_NOT_FOUND/],
  [3, ["resolve", "plan", "7.0", "--keep"], /CONFLICT_NOT_FOUND/],
  [3, ["compact", "none"], /CONTEXT_NOT_FOUND/],
])("[CLI-4] %i for %j", async (code, args, says) => {
  const result = await mcm(args);
  expect({ code: result.code, out: result.out }).toEqual({ code, out: "" });
  expect(result.err).toMatch(says);
});

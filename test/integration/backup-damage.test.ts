/** Records that cannot be read, in a server that is backed up: rule DATA-21. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ClassicLevel } from "classic-level";
import { afterEach, beforeEach, expect, test } from "vitest";
import * as keys from "../../server/storage/log/log-keys.ts";
import { verifyFolder } from "../../server/storage/verify/verify-folder.ts";
import { mcm } from "../support/cli-runner.ts";
import { RestCaller } from "../support/rest-caller.ts";
import { startTestServer } from "../support/running-server.ts";
import type { TestServer } from "../support/running-server.ts";

let base: string;
let server: TestServer;
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), "mcm-backup-damage-"));
  server = await startTestServer(join(base, "data"));
  for (const id of ["first", "second", "third"]) {
    const caller = new RestCaller(server.url, "ada");
    await caller.create(id, { n: 0 });
    await caller.change(id, [{ op: "replace", path: "/n", value: 1 }], `${id}-1`);
  }
  await server.close();
});
afterEach(async () => {
  await server.close();
  await rm(base, { recursive: true, force: true });
});

/** One bit in the n-th record of this letter, behind LevelDB's own checksums: what only the record's can tell. */
async function damage(letter: "c" | "h" | "l", nth: number): Promise<void> {
  const database = new ClassicLevel<Uint8Array, Uint8Array>(join(base, "data", "log"), {
    keyEncoding: "view",
    valueEncoding: "view",
  });
  const [key, value] = (await database.iterator(keys.allOf(letter)).all())[nth] ?? [];
  if (key === undefined || value === undefined) throw new Error("there is no such record");
  const last = value.length - 1;
  await database.put(
    key,
    value.map((byte, at) => (at === last ? byte ^ 1 : byte)),
  );
  await database.close();
}

const read = (id: string): Promise<unknown> => new RestCaller(server.url, "ada").read(id);

test("[DATA-21] a log and a head that cannot be read: the server serves the rest, all is copied, verify names them", async () => {
  await damage("l", 0);
  await damage("h", 1);
  server = await startTestServer(join(base, "data"));
  for (const id of ["first", "second"]) await expect(read(id)).rejects.toMatchObject({ code: "DATA_DAMAGED" });
  const out = join(base, "backup");
  expect(await mcm(server.url, ["backup", "--out", out])).toMatchObject({ code: 0 });
  await server.close();

  const report = await verifyFolder(out);
  expect(report).toMatchObject({ isSound: false, contexts: 3 });
  expect(report.damaged.map(({ id }) => id)).toEqual(["first", "second"]);
  expect(await mcm(server.url, ["verify", out])).toMatchObject({ code: 5 });

  server = await startTestServer(out);
  expect(await read("third")).toMatchObject({ data: { n: 1 }, version: 1 });
});

test("[DATA-21] the name of a context that cannot be read ends a backup, with the name", async () => {
  await damage("c", 1);
  server = await startTestServer(join(base, "data"));
  const out = join(base, "backup");
  const { code, err } = await mcm(server.url, ["backup", "--out", out]);
  expect([code, err]).toEqual([5, expect.stringContaining('context "second"')]);
});

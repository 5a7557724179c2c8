/**
 * Conflicts over REST, on a fake that is told which there are.
 */
import { beforeEach, expect, test } from "vitest";
import type { Conflict } from "../../shared/conflict.ts";
import { parseActor, parseContextId } from "../../shared/ids.ts";
import { conflictListSchema, resolveResultSchema } from "../../shared/protocol/rest-conflicts.ts";
import type { ConflictView } from "../../shared/protocol/rest-conflicts.ts";
import { lockSchema } from "../../shared/protocol/rest-locks.ts";
import { changeListSchema } from "../../shared/protocol/rest.ts";
import { FakeContextService } from "../support/fake-context-service.ts";
import { RestHarness } from "./rest-harness.ts";

const service = new FakeContextService();
const { call, send, set, addressOf, dataAt, expectProblem } = new RestHarness(async () => ({
  service,
  close: async () => {},
}));

const [ada, bob] = [parseActor("ada"), parseActor("bob")];
const lostTitle: Conflict = {
  id: "2.0",
  path: "/title",
  kind: "set-set",
  policy: "manual",
  winner: { actor: ada, version: 2, value: "Hers" },
  loser: { actor: bob, version: 1, value: "His" },
  status: "open",
  atMs: 1000,
  version: 2,
};
const deleted: Conflict = {
  id: "3.0",
  path: "/notes/a",
  kind: "set-delete",
  policy: "record",
  winner: {},
  loser: { value: null },
  status: "recorded",
  atMs: 0,
  version: 3,
};

let address = "";

beforeEach(async () => {
  address = await addressOf({ title: "Hers" });
  const id = parseContextId(address.split("/").at(-1) ?? "");
  for (const conflict of [lostTitle, deleted, { ...deleted, id: "3.1", path: "/other" }]) {
    service.conflicts.add(id, conflict);
  }
});

async function ids(query: string): Promise<unknown> {
  const page = conflictListSchema.parse(await (await call(`${address}/conflicts?${query}`)).json());
  return [page.conflicts.map(({ id }) => id), page.next];
}

test("[REST-34] conflicts are listed newest first, by status and path, page by page", async () => {
  expect(await ids("")).toEqual([["3.1", "3.0", "2.0"], undefined]);
  expect(await ids("status=open")).toEqual([["2.0"], undefined]);
  expect(await ids("path=/notes")).toEqual([["3.0"], undefined]);
  expect(await ids("limit=2")).toEqual([["3.1", "3.0"], "3.0"]);
  expect(await ids("limit=2&cursor=3.0")).toEqual([["2.0"], undefined]);
});

test("[REST-34] a conflict's shape: both sides with actor, version and value, where they are known", async () => {
  const { conflicts } = (await (await call(`${address}/conflicts`)).json()) as { conflicts: ConflictView[] };
  const { atMs: _, ...shape } = lostTitle;
  expect(conflicts[2]).toStrictEqual({ ...shape, at: "1970-01-01T00:00:01.000Z" });
  expect(conflicts[1]).toMatchObject({ winner: {}, loser: { value: null } });
});

test("[REST-34] resolving takes a side, by a change that names the conflict, once", async () => {
  const body = { take: "loser", message: "his was right" };
  const response = await send("POST", `${address}/conflicts/2.0/resolve`, body, { "mcm-actor": "eve" });
  expect([response.status, response.headers.get("etag")]).toEqual([200, '"1"']);
  expect(resolveResultSchema.parse(await response.json())).toMatchObject({
    version: 1,
    conflict: { id: "2.0", status: "resolved", resolution: { version: 1, actor: "eve" } },
  });
  expect(await dataAt(address)).toEqual({ title: "His" });
  const { changes } = changeListSchema.parse(await (await call(`${address}/changes`)).json());
  expect(changes).toMatchObject([{ actor: "eve", resolves: "2.0", message: "his was right" }]);
  expect(await ids("status=resolved")).toEqual([["2.0"], undefined]);
  await expectProblem(await send("POST", `${address}/conflicts/2.0/resolve`, body), "CONFLICT_RESOLVED");
});

test("[REST-34] resolving writes what is said, or nothing; a refused change leaves the conflict as it is", async () => {
  const resolve = (id: string, changes: object[]) => send("POST", `${address}/conflicts/${id}/resolve`, { changes });
  await expectProblem(await resolve("2.0", [{ op: "test", path: "/title", value: "?" }]), "TEST_FAILED");
  expect(await ids("status=open")).toEqual([["2.0"], undefined]);
  expect((await resolve("2.0", [{ op: "add", path: "/title", value: "Both" }])).status).toBe(200);
  expect((await resolve("3.1", [])).status).toBe(200);
  expect(await dataAt(address)).toEqual({ title: "Both" });
  await set(address, "later");
  expect(await ids("status=resolved")).toEqual([["3.1", "2.0"], undefined]);
});

test("[REST-39] resolving shows the tokens of locks", async () => {
  const locked = await send("POST", `${address}/locks`, { paths: ["/title"] });
  const { fencingToken } = lockSchema.parse(await locked.json());
  const resolve = (headers: Readonly<Record<string, string>>) =>
    send("POST", `${address}/conflicts/2.0/resolve`, { take: "loser" }, headers);
  await expectProblem(await resolve({}), "LOCKED");
  expect((await resolve({ "lock-token": String(fencingToken) })).status).toBe(200);
});

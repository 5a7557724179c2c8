/** Compaction at one of several nodes, while others write, compact, and die. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { connect } from "../../client/index.ts";
import type { Client, Context } from "../../client/index.ts";
import { startNodes } from "../support/nodes.ts";
import type { Nodes } from "../support/nodes.ts";
import { PATIENT } from "../support/patience.ts";
import { PostgresServer } from "../support/postgres-server.ts";
import { RestCaller } from "../support/rest-caller.ts";
import type { TestServer } from "../support/running-server.ts";

const COMPACTIONS = 6;
/** Writes of all between two of them, at least. */
const WRITES = 20;

let postgres: PostgresServer;
let cluster: Nodes;
const clients: Client[] = [];

beforeAll(async () => {
  postgres = await PostgresServer.start();
});
afterAll(() => postgres.stop());

beforeEach(async () => {
  cluster = await startNodes(postgres, 3);
});
afterEach(async () => {
  for (const client of clients.splice(0)) await client.close().catch(() => {});
  await cluster.close();
});

const node = (at: number): TestServer => {
  const found = cluster.nodes[at];
  if (found === undefined) throw new Error("no such node");
  return found;
};
const caller = (at: number, actor = "ada"): RestCaller => new RestCaller(node(at).url, actor);

async function open(at: number, actor: string): Promise<Context> {
  const client = await connect(node(at).url, { actor, ...PATIENT });
  clients.push(client);
  return client.open("plan");
}

test("[NODE-40] compactions at one node while the others write all succeed, and lose none of what was acknowledged", async () => {
  await caller(0).create("plan", { w: {} });
  const editors = await Promise.all([open(1, "bob"), open(2, "eve")]);
  const load = { isOver: false };
  const written: string[] = [];
  let wake = (): void => undefined;
  const wrote = (name: string): void => {
    written.push(name);
    wake();
  };
  const write = async (at: number): Promise<void> => {
    for (let n = 0; !load.isOver; n++) {
      const name = `rest-${at}-${n}`;
      await caller(at).change("plan", [{ op: "add", path: `/w/${name}`, value: n }], `key-${name}`);
      wrote(name);
    }
  };
  const edit = async (context: Context, index: number): Promise<void> => {
    for (let n = 0; !load.isOver; n++) {
      context.data.getMap("w").set(`live-${index}-${n}`, n);
      await context.saved();
      wrote(`live-${index}-${n}`);
    }
  };
  const working = Promise.all([write(1), write(2), ...editors.map(edit)]);
  working.catch(() => undefined);
  for (let n = 0; n < COMPACTIONS; n++) {
    const enough = written.length + WRITES;
    const more = new Promise<void>((resolve) => (wake = () => void (written.length >= enough && resolve())));
    await Promise.race([more, working]);
    expect(await caller(0).compact("plan")).toMatchObject({ epoch: 2 + n });
  }
  load.isOver = true;
  await working;
  for (const at of [0, 1, 2]) {
    const { data, epoch } = await caller(at).read("plan");
    expect(Object.keys((data as { w: object }).w).sort()).toEqual(written.toSorted());
    expect(epoch).toBe(1 + COMPACTIONS);
  }
});

test("[NODE-40] compactions that nodes begin at the same time all succeed, one after the other", async () => {
  await caller(0).create("plan", { n: 0 });
  for (const at of [0, 1, 2]) await caller(at).read("plan");
  const epochs = await Promise.all([0, 1, 2].map(async (at) => (await caller(at).compact("plan")).epoch));
  expect(new Set(epochs)).toEqual(new Set([2, 3, 4]));
});

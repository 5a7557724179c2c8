/** What is exported and imported again is the same, whatever was in it: rule DATA-11, on random documents. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { LeveldbPersistence } from "y-leveldb";
import * as Y from "yjs";
import { joinUpdates } from "../../shared/protocol/update-list.ts";
import { RestClient } from "../../server/cli/rest-client.ts";
import { mcm } from "../support/cli-runner.ts";
import { unorderedContentOf } from "../support/document-content.ts";
import { randomFrom, runHistory } from "../support/editing-history.ts";
import { startTestServer } from "../support/running-server.ts";
import type { TestServer } from "../support/running-server.ts";

const SEEDS = [1, 2, 3, 5, 8, 13, 21, 34, 55, 89];

let base: string;
let server: TestServer;
let client: RestClient;
/** By context. */
const originals = new Map<string, Y.Doc>();

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), "mcm-round-trip-"));
  server = await startTestServer();
  client = clientOf(server);
  for (const seed of SEEDS) {
    const doc = new Y.Doc();
    const updates: Uint8Array[] = [];
    runHistory(randomFrom(seed), 80, doc, ({ update }) => {
      updates.push(update);
      Y.applyUpdate(doc, update);
    });
    const { updates: told } = await client.importUpdates(`doc-${seed}`, joinUpdates(updates), {});
    expect(told).toMatchObject({ refused: 0 });
    originals.set(`doc-${seed}`, doc);
  }
});
afterAll(async () => {
  await server.close();
  await rm(base, { recursive: true, force: true });
});

function clientOf({ url }: TestServer): RestClient {
  const token = { read: async () => undefined, environment: {} };
  return new RestClient({ url, token }, (address, init) => fetch(address, init));
}

function expectSame(doc: Y.Doc, original: Y.Doc): void {
  expect(Y.decodeStateVector(Y.encodeStateVector(doc))).toEqual(Y.decodeStateVector(Y.encodeStateVector(original)));
  expect(unorderedContentOf(doc)).toEqual(unorderedContentOf(original));
}

function docOf(update: Uint8Array): Y.Doc {
  const doc = new Y.Doc();
  Y.applyUpdateV2(doc, update);
  return doc;
}

const exportedOf = async (id: string): Promise<{ data: unknown; roots: unknown }> => {
  const { data, roots } = JSON.parse(await client.exportJson(id));
  return { data, roots };
};

test("[DATA-11] as Yjs updates: content and state vector", async () => {
  for (const [id, original] of originals) {
    const update = await client.exportYjs(id);
    expectSame(docOf(update), original);
    await client.importUpdates(`${id}-again`, joinUpdates([Y.convertUpdateFormatV2ToV1(update)]), {});
    expectSame(docOf(await client.exportYjs(`${id}-again`)), original);
  }
});

test("[DATA-11] as JSON: what it says, the second time as the first", async () => {
  let kinds = 0;
  for (const id of originals.keys()) {
    const first = await exportedOf(id);
    await client.importJson(`${id}-json`, JSON.parse(await client.exportJson(id)), {});
    expect(await exportedOf(`${id}-json`)).toEqual(first);
    kinds += new Set(JSON.stringify(first).match(/\$(?:text|xml|bytes)/g)).size;
  }
  expect(kinds).toBeGreaterThan(SEEDS.length);
});

test("[DATA-11] as a folder of y-leveldb: the stock stack reads the same, and so does an import of it", async () => {
  const ids = [...originals.keys()];
  const folder = join(base, "folder");
  expect(await mcm(server.url, ["export", ...ids, "--format", "y-leveldb", "--out", folder])).toMatchObject({
    code: 0,
  });
  const target = await startTestServer();
  try {
    expect(await mcm(target.url, ["import", folder])).toMatchObject({ code: 0 });
    const there = clientOf(target);
    for (const [id, original] of originals) expectSame(docOf(await there.exportYjs(id)), original);
  } finally {
    await target.close();
  }
  const stock = new LeveldbPersistence(folder);
  for (const [id, original] of originals) expectSame(await stock.getYDoc(id), original);
  await stock.destroy();
});

/** An open context without a server: what its calls ask, and when they resolve. */
import { afterEach, expect, test } from "vitest";
import * as Y from "yjs";
import { Context } from "../../../client/context.ts";
import type { OutgoingRequest } from "../../../client/pending-requests.ts";
import { Replica } from "../../../client/replica.ts";
import { Rest } from "../../../client/rest.ts";
import { platformWebSocket } from "../../../client/socket.ts";
import { ServiceError } from "../../../shared/errors.ts";
import { parseActor } from "../../../shared/ids.ts";
import { RecordingFetch } from "../../support/recording-fetch.ts";

const AT = "2026-01-02T03:04:05.678Z";
const CLOSED = new ServiceError("CLOSED", "The test is over.");

const server = new RecordingFetch();
const WebSocket = await platformWebSocket();
const replicas: Replica[] = [];

function open(): { context: Context; replica: Replica; requests: OutgoingRequest[] } {
  const replica = new Replica({ url: "ws://mcm.test/sync", contextId: "plan", params: {}, WebSocket });
  replicas.push(replica);
  const rest = new Rest({
    baseUrl: "http://mcm.test",
    tokens: undefined,
    actor: "ada",
    timeoutMs: 1000,
    fetch: server.fetch,
  });
  const requests: OutgoingRequest[] = [];
  replica.requests.connected((request) => requests.push(request));
  return { context: new Context("plan", replica, { rest, isKept: false }), replica, requests };
}

afterEach(async () => {
  for (const replica of replicas.splice(0)) {
    replica.close(CLOSED);
    await replica.dispose();
  }
});

/** After everything that is ready has run. */
const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

/** A commit by somebody else. */
function hears(replica: Replica, version: number, update: Uint8Array): void {
  const change = {
    version,
    seq: version,
    actor: parseActor("bob"),
    origin: "sync",
    atMs: 1,
    paths: ["/n"],
    update,
  } as const;
  replica.received({ type: "commit", changes: [change] });
  replica.versions.reach(version);
}

function edit(doc: Y.Doc, key: string, value: unknown): Uint8Array {
  const before = Y.encodeStateVector(doc);
  doc.getMap("data").set(key, value);
  return Y.encodeStateAsUpdate(doc, before);
}

const reverted = { version: 7, changes: [], kept: [], dryRun: false };
const conflict = { id: "5.0", path: "/a", at: AT, version: 5 };

test.each([
  { what: "restore", answer: reverted, write: (context: Context) => context.restore(3) },
  { what: "undo", answer: reverted, write: (context: Context) => context.undo("bob", { from: 3 }) },
  { what: "resolve", answer: { version: 7, conflict }, write: (context: Context) => context.resolve("5.0", "loser") },
])("[SDK-26] $what resolves when the replica includes its version", async ({ answer, write }) => {
  const { context, replica } = open();
  server.answer(answer);
  let result: { readonly version: number } | undefined;
  const writing = write(context).then((it) => (result = it));
  await turn();
  replica.versions.reach(6);
  await turn();
  expect(result).toBeUndefined();
  replica.versions.reach(7);
  expect(await writing).toMatchObject({ version: 7 });
});

test("[SDK-26] a write by REST fails when the session ends before the replica includes it", async () => {
  const { context, replica } = open();
  server.answer(reverted);
  const writing = context.restore(3);
  writing.catch(() => {});
  await turn();
  replica.close(CLOSED);
  await expect(writing).rejects.toBe(CLOSED);
});

test("[SDK-23] update says which version it was made for, and of what", async () => {
  const { context, replica, requests } = open();
  const updated = context.update([{ op: "remove", path: "/a" }], {
    ifVersion: 3,
    ifVersionScope: "context",
    message: "why",
    idempotencyKey: "k",
    signal: new AbortController().signal,
  });
  expect(requests).toMatchObject([{ method: "change" }]);
  expect(requests[0]?.params).toEqual({
    changes: [{ op: "remove", path: "/a" }],
    ifVersion: 3,
    ifVersionScope: "context",
    message: "why",
    idempotencyKey: "k",
  });
  replica.requests.answered({ id: requests[0]?.id ?? 0, ok: true, result: { version: 0 } });
  expect(await updated).toEqual({ version: 0 });
});

test("[SDK-24] modify writes for the version it has seen, each time anew", async () => {
  const { context, replica, requests } = open();
  const author = new Y.Doc();
  hears(replica, 4, edit(author, "n", 1));
  const modified = context.modify("/n", (n) => Number(n) + 1, { message: "more" });
  await turn();
  const [first] = requests;
  expect(first?.params).toMatchObject({
    changes: [{ op: "replace", path: "/n", value: 2 }],
    ifVersion: 4,
    message: "more",
  });
  const error = { code: "VERSION_CONFLICT" as const, message: "changed", details: { currentVersion: 5 } };
  replica.requests.answered({ id: first?.id ?? 0, ok: false, error });
  await turn();
  hears(replica, 5, edit(author, "n", 10));
  await new Promise<void>((resolve) => {
    replica.requests.connected((request) => {
      requests.push(request);
      resolve();
    });
  });
  const [, second] = requests;
  expect(second?.params).toMatchObject({ changes: [{ op: "replace", path: "/n", value: 11 }], ifVersion: 5 });
  replica.requests.answered({ id: second?.id ?? 0, ok: true, result: { version: 6 } });
  replica.versions.reach(6);
  expect(await modified).toEqual({ version: 6, value: 11 });
});

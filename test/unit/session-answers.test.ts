/** Edits that come before what they build on (WIRE-19), a topic that begins at a state under way, and who asks without reading. */
import { expect, test } from "vitest";
import { ServiceError } from "../../shared/errors.ts";
import { ANONYMOUS, parseContextId } from "../../shared/ids.ts";
import { LIMITS } from "../../shared/limits.ts";
import { FRAME, SYNC, encodeRequest, encodeStep2, encodeUpdate } from "../../shared/protocol/frames.ts";
import { batchOf } from "../../server/sync/connection.ts";
import { Session } from "../../server/sync/session.ts";
import type { UpdateDone } from "../../server/sync/session-port.ts";
import { Topic } from "../../server/sync/topic.ts";
import { RecordingConnection } from "../support/recording-connection.ts";

const PLAN = parseContextId("plan");
const BYTES = Uint8Array.from([0, 0]);

const incomplete = (rule: string): ServiceError => new ServiceError("MALFORMED_UPDATE", "gap", { details: { rule } });

function join() {
  const topic = new Topic(PLAN, { seq: 4, version: 4, vector: new Map([[7, 3]]) });
  const connection = new RecordingConnection();
  const settle: UpdateDone[] = [];
  const info = { id: "s", contextId: PLAN, epoch: 1, firstEpoch: 1, actor: ANONYMOUS, isExtended: true };
  const session = new Session(info, topic, connection, {
    applyUpdate: (_update, _source, done) => void settle.push(done),
    encodeSince: () => Promise.resolve(batchOf([])),
    retired: () => new Set(),
    renew: async () => undefined,
    voids: () => new Map(),
    request: () => Promise.resolve({}),
    flushSoon: () => undefined,
    ended: () => undefined,
    lagging: () => undefined,
    nowMs: () => 0,
  });
  topic.sessions.add(session);
  session.start();
  connection.take();
  const acks = (): unknown[] => {
    session.flushOwn();
    return connection.take();
  };
  return { session, topic, connection, settle, acks };
}

test.each(["clock-gap", "unknown-reference"])("[WIRE-19] an edit before step 2 is acknowledged with it: %s", (rule) => {
  const { session, settle, connection, acks } = join();
  session.receive(encodeUpdate(BYTES));
  session.receive(encodeUpdate(BYTES));
  session.receive(encodeStep2(BYTES));
  settle[0]?.(incomplete(rule));
  settle[1]?.({ version: 5 });
  expect(acks()).toEqual([]);
  settle[2]?.({ version: 6 });
  expect(acks()).toEqual([{ type: "ack", ack: { frames: 3, version: 6 } }]);
  expect(connection.closedWith).toBeUndefined();
});

test("[WIRE-19] the client is asked again, once, when no step 2 is due", () => {
  const { session, settle, acks } = join();
  session.receive(encodeStep2(BYTES));
  settle[0]?.({ version: 5 });
  acks();
  session.receive(encodeUpdate(BYTES));
  session.receive(encodeUpdate(BYTES));
  settle[1]?.(incomplete("unknown-reference"));
  settle[2]?.(incomplete("clock-gap"));
  expect(acks()).toMatchObject([{ type: "sync", step: SYNC.step1 }]);
  session.receive(encodeStep2(BYTES));
  settle[3]?.({ version: 6 });
  expect(acks()).toEqual([{ type: "ack", ack: { frames: 4, version: 6 } }]);
});

test("[WIRE-19] a step 2 that refers to unknown content ends the session, and so does any other damage", () => {
  const answer = join();
  answer.session.receive(encodeStep2(BYTES));
  answer.settle[0]?.(incomplete("clock-gap"));
  expect(answer.connection.closedWith?.code).toBe(4400);
  const edit = join();
  edit.session.receive(encodeUpdate(BYTES));
  edit.settle[0]?.(incomplete("trailing-bytes"));
  expect(edit.connection.closedWith?.code).toBe(4400);
});

test("[WIRE-15] what the version of hello holds is not sent as a commit again", () => {
  const { topic, connection } = join();
  const change = { version: 4, seq: 4, actor: ANONYMOUS, origin: "rest", atMs: 0, paths: [], update: BYTES } as const;
  topic.publish([{ change, kind: "change", advances: [{ client: 7, to: 3 }], author: undefined }]);
  topic.publish([
    { change: { ...change, version: 5, seq: 5 }, kind: "change", advances: [{ client: 7, to: 4 }], author: undefined },
  ]);
  topic.flush(0);
  expect(connection.take()).toMatchObject([{ type: "commit", changes: [{ version: 5 }] }]);
});

test("[SYNC-4] a client that asks and does not read is not read from until it has caught up, and is closed in the end", () => {
  const { session, connection } = join();
  connection.bufferedBytes = LIMITS.outboundBytesMax + 1;
  session.receive(Uint8Array.of(FRAME.queryAwareness));
  expect(connection.isPaused).toBe(true);
  connection.drain();
  expect(connection.isPaused).toBe(false);
  connection.bufferedBytes = LIMITS.outboundBytesMax + 1;
  session.receive(encodeRequest(1, "ping", {}));
  session.tick(LIMITS.slowConsumerMsMax);
  expect(connection.closedWith?.code).toBe(4504);
});

test("[PRES-3] a client that fell behind hears of those who left meanwhile", async () => {
  const { topic, connection } = join();
  const visitor = { info: { actor: "eve" } };
  topic.presence.hear(visitor, [{ yjsClientId: 9, clock: 1, state: "{}" }], 0);
  topic.flush(0);
  connection.take();
  connection.bufferedBytes = LIMITS.outboundBytesMax;
  topic.presence.leave(visitor, 1);
  topic.flush(0);
  expect(connection.take()).toEqual([]);
  connection.drain();
  await new Promise((resolve) => void setImmediate(resolve));
  expect(connection.take()).toContainEqual({
    type: "awareness",
    entries: [{ yjsClientId: 9, clock: 2, state: "null" }],
  });
});

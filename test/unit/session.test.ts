/** Sessions and topics without a service behind them: rules SYNC-1…5, WIRE-10…18 as far as they are theirs. */
import * as Y from "yjs";
import { beforeEach, describe, expect, test } from "vitest";
import type { Change } from "../../shared/change.ts";
import { ServiceError } from "../../shared/errors.ts";
import { ANONYMOUS, parseContextId } from "../../shared/ids.ts";
import { LIMITS } from "../../shared/limits.ts";
import {
  FRAME,
  SYNC,
  encodeAwareness,
  encodeBase,
  encodeRequest,
  encodeStep1,
  encodeStep2,
  encodeUpdate,
} from "../../shared/protocol/frames.ts";
import { batchOf } from "../../server/sync/connection.ts";
import type { Batch } from "../../server/sync/connection.ts";
import type { UpdateSource } from "../../server/sync/data-frames.ts";
import { Session } from "../../server/sync/session.ts";
import type { SessionPort, UpdateDone } from "../../server/sync/session-port.ts";
import { Topic } from "../../server/sync/topic.ts";
import type { Publication } from "../../server/sync/topic.ts";
import { RecordingConnection } from "../support/recording-connection.ts";

const PLAN = parseContextId("plan");
const EMPTY_VECTOR = Uint8Array.from([0]);

/** The service as a session sees it; the test answers by hand. */
class Service {
  nowMs = 0;
  readonly updates: { readonly update: Uint8Array; readonly source: UpdateSource; readonly done: UpdateDone }[] = [];
  retired = new Set<number>();
  readonly asked: Uint8Array[] = [];
  ended = 0;
  dueFlushes = 0;
  state: Promise<Batch> = Promise.resolve(batchOf([encodeStep2(Uint8Array.from([0, 0]))]));
  answer: () => Promise<{ version: number }> = () => Promise.resolve({ version: 1 });

  readonly port: SessionPort = {
    applyUpdate: (update, source, done) => void this.updates.push({ update, source, done }),
    retired: () => this.retired,
    voids: () => new Map(),
    encodeSince: (vector) => {
      this.asked.push(vector);
      return this.state;
    },
    renew: async () => undefined,
    request: () => this.answer(),
    flushSoon: () => void this.dueFlushes++,
    ended: () => void this.ended++,
    lagging: () => undefined,
    nowMs: () => this.nowMs,
  };
}

interface Member {
  readonly session: Session;
  readonly connection: RecordingConnection;
  readonly service: Service;
}

let topic: Topic;
beforeEach(() => {
  topic = new Topic(PLAN, { seq: 4, version: 4, vector: new Map([[7, 3]]) });
});

function join(isExtended: boolean, start = true): Member {
  const service = new Service();
  const connection = new RecordingConnection();
  const info = { id: "s", contextId: PLAN, epoch: 2, firstEpoch: 1, actor: ANONYMOUS, isExtended };
  const session = new Session(info, topic, connection, service.port);
  topic.sessions.add(session);
  if (start) session.start();
  connection.take();
  return { session, connection, service };
}

function publication(version: number, author?: Session, updateBytes = 2): Publication {
  const change: Change = {
    version,
    seq: version,
    actor: ANONYMOUS,
    origin: "sync",
    atMs: 0,
    paths: ["/a"],
    update: new Uint8Array(updateBytes),
  };
  return { change, kind: "change", advances: [{ client: 7, to: version }], author };
}

const settle = async (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

/** A stock client that has asked for the context and got it. */
async function joinStock(): Promise<Member> {
  const member = join(false);
  member.session.receive(encodeStep1(EMPTY_VECTOR));
  await settle();
  member.service.asked.length = 0;
  member.connection.take();
  return member;
}

describe("the beginning", () => {
  test("[WIRE-10] a stock client is asked for its state, and sees who is here", () => {
    topic.presence.hear({ info: { actor: "ada" } }, [{ yjsClientId: 1, clock: 1, state: "{}" }], 0);
    const { session, connection } = join(false, false);
    session.start();
    expect(connection.take()).toEqual([
      { type: "sync", step: SYNC.step1, bytes: Y.encodeStateVector(new Map([[7, 3]])) },
      { type: "awareness", entries: [{ yjsClientId: 1, clock: 1, state: '{"actor":"ada"}' }] },
    ]);
  });

  test("an mcm.v1 client is greeted first", () => {
    const { session, connection } = join(true, false);
    session.start();
    expect(connection.take()[0]).toMatchObject({
      type: "hello",
      hello: { protocol: 1, contextId: "plan", version: 4, actor: "anonymous" },
    });
  });

  test("nothing is delivered before it", () => {
    const { connection } = join(true, false);
    topic.publish([publication(5)]);
    topic.flush(0);
    expect(connection.batches).toEqual([]);
  });
});

describe("fan-out", () => {
  test("[SYNC-1] [WIRE-12] one batch for all stock clients, one for all mcm.v1 clients", async () => {
    const stock = [await joinStock(), await joinStock()];
    const extended = [join(true), join(true)];
    topic.publish([publication(5)]);
    topic.publish([publication(6)]);
    topic.flush(0);
    const [first, second, third, fourth] = [...stock, ...extended].map(({ connection }) => connection.batches);
    expect(first).toHaveLength(1);
    expect(first?.[0]).toBe(second?.[0]);
    expect(third?.[0]).toBe(fourth?.[0]);
    expect(stock[0]?.connection.take()).toEqual(
      [5, 6].map(() => ({ type: "sync", step: SYNC.update, bytes: new Uint8Array(2) })),
    );
    expect(extended[0]?.connection.take()).toEqual([
      { type: "commit", changes: [publication(5).change, publication(6).change] },
    ]);
    expect(topic.version).toBe(6);
    expect(topic.vector.get(7)).toBe(6);
  });

  test("[SYNC-2] [WIRE-15] the author of all gets no bytes back", async () => {
    const stock = await joinStock();
    topic.publish([publication(5, stock.session)]);
    topic.flush(0);
    expect(stock.connection.take()).toEqual([]);
    const extended = join(true);
    topic.publish([publication(6, extended.session)]);
    topic.flush(0);
    expect(extended.connection.take()).toEqual([
      { type: "commit", changes: [{ ...publication(6).change, update: new Uint8Array(0) }] },
    ]);
  });

  test("[SYNC-2] the author of a part gets the whole batch", async () => {
    const stock = await joinStock();
    topic.publish([publication(5, stock.session), publication(6)]);
    topic.flush(0);
    expect(stock.connection.take()).toHaveLength(2);
  });

  test("presence goes to everybody", () => {
    const { session, connection } = join(false);
    session.receive(encodeAwareness([{ yjsClientId: 9, clock: 1, state: "{}" }]));
    topic.flush(0);
    expect(connection.take()).toEqual([
      { type: "awareness", entries: [{ yjsClientId: 9, clock: 1, state: '{"actor":"anonymous"}' }] },
    ]);
  });
});

describe("epochs", () => {
  const OLD = 9;
  const oldVector = Y.encodeStateVector(new Map([[OLD, 1]]));

  test.each([false, true])(
    "[WIRE-20] a step 1 of an earlier epoch ends the session with 4409: mcm.v1 %s",
    (isExtended) => {
      const { session, connection, service } = join(isExtended);
      service.retired.add(OLD);
      session.receive(encodeStep1(oldVector));
      expect(connection.closedWith).toMatchObject({ code: 4409, reason: expect.stringContaining("EPOCH_CHANGED") });
      expect(service.asked).toEqual([]);
    },
  );

  test("[WIRE-21] a stock client gets nothing of the document before its first step 1, presence it does", async () => {
    const { session, connection, service } = join(false);
    topic.publish([publication(5)]);
    topic.presence.hear({ info: { actor: "ada" } }, [{ yjsClientId: 1, clock: 1, state: "{}" }], 0);
    topic.flush(0);
    expect(connection.take()).toMatchObject([{ type: "awareness" }]);
    session.receive(encodeStep1(EMPTY_VECTOR));
    expect(service.asked).toEqual([EMPTY_VECTOR]);
    topic.publish([publication(6)]);
    topic.flush(0);
    await settle();
    expect(connection.take()).toMatchObject([{ step: SYNC.update }, { step: SYNC.step2 }]);
  });

  test("[WIRE-21] nor when it falls behind before that", async () => {
    const { connection, service } = join(false);
    connection.bufferedBytes = LIMITS.outboundBytesMax;
    topic.presence.hear({ info: { actor: "ada" } }, [{ yjsClientId: 1, clock: 1, state: "{}" }], 0);
    topic.flush(0);
    connection.drain();
    await settle();
    expect(service.asked).toEqual([]);
    expect(connection.take()).toMatchObject([{ type: "awareness" }]);
  });

  test("[WIRE-22] at the end of an epoch stock clients are sent away, mcm.v1 clients come again, after their acks", () => {
    const [stock, extended] = [join(false), join(true)];
    extended.session.receive(encodeUpdate(Uint8Array.from([1])));
    extended.service.updates[0]?.done({ version: 8 });
    for (const { session } of [stock, extended]) session.endEpoch();
    expect(stock.connection.closedWith?.code).toBe(4409);
    expect(extended.connection.take()).toEqual([{ type: "ack", ack: { frames: 1, version: 8 } }]);
    expect(extended.connection.closedWith).toMatchObject({
      code: 4503,
      reason: expect.stringContaining("EPOCH_CHANGED"),
    });
    expect([stock, extended].map(({ service }) => service.ended)).toEqual([1, 1]);
  });

  test("[WIRE-23] hello tells the epochs and a client id that may be used again", () => {
    const connection = new RecordingConnection();
    const info = {
      id: "s",
      contextId: PLAN,
      epoch: 3,
      firstEpoch: 2,
      actor: ANONYMOUS,
      isExtended: true,
      yjsClientId: 77,
    };
    new Session(info, topic, connection, new Service().port).start();
    expect(connection.take()[0]).toMatchObject({ hello: { epoch: 3, firstEpoch: 2, yjsClientId: 77 } });
  });

  test("[WIRE-25] events go to mcm.v1 clients, after the changes they speak of", async () => {
    const [stock, extended] = [await joinStock(), join(true)];
    topic.announce({ type: "conflict", conflict: { id: "5.0" } });
    topic.publish([publication(5)]);
    topic.flush(0);
    expect(extended.connection.take()).toMatchObject([
      { type: "commit" },
      { type: "event", event: { type: "conflict", conflict: { id: "5.0" } } },
    ]);
    expect(stock.connection.take()).toMatchObject([{ type: "sync" }]);
  });
});

describe("data frames", () => {
  test("[WIRE-24] each says what it was made on, once the client told", () => {
    const { session, service } = join(true);
    session.receive(encodeUpdate(Uint8Array.from([1])));
    session.receive(encodeBase(7));
    session.receive(encodeUpdate(Uint8Array.from([2])));
    session.receive(encodeStep2(Uint8Array.from([3])));
    expect(service.updates.map(({ source }) => source)).toEqual([
      { isAnswer: false },
      { isAnswer: false, baseVersion: 7 },
      { isAnswer: true, baseVersion: 7 },
    ]);
  });

  test("[WIRE-14] one ack for what was settled together, and none for stock clients", () => {
    const { session, connection, service } = join(true);
    for (const update of [1, 2, 3]) session.receive(encodeUpdate(Uint8Array.from([update])));
    expect(service.updates.map(({ update }) => update[0])).toEqual([1, 2, 3]);
    for (const { done } of service.updates.slice(0, 2)) done({ version: 8 });
    session.flushOwn();
    session.flushOwn();
    expect(connection.take()).toEqual([{ type: "ack", ack: { frames: 2, version: 8 } }]);
    const stock = join(false);
    stock.session.receive(encodeStep2(Uint8Array.from([0, 0])));
    stock.service.updates[0]?.done({ version: 8 });
    stock.session.flushOwn();
    expect(stock.connection.take()).toEqual([]);
  });

  test("[WIRE-16] a refused frame is named to an mcm.v1 client, after what was saved before it, and ends the session", () => {
    const { session, connection, service } = join(true);
    session.receive(encodeUpdate(Uint8Array.from([1])));
    session.receive(encodeUpdate(Uint8Array.from([2])));
    service.updates[0]?.done({ version: 8 });
    service.updates[1]?.done(new ServiceError("CLIENT_ID_TAKEN", "no", { details: { yjsClientId: 3 } }));
    expect(connection.take()).toEqual([
      { type: "ack", ack: { frames: 1, version: 8 } },
      { type: "rejected", rejected: { frame: 2, code: "CLIENT_ID_TAKEN", message: "no", details: { yjsClientId: 3 } } },
    ]);
    expect(connection.closedWith?.code).toBe(4403);
    expect(service.ended).toBe(1);
  });

  test("[WIRE-16] a failure that passes is no rejection: the client is to come again", () => {
    const { session, connection, service } = join(true);
    session.receive(encodeUpdate(Uint8Array.from([1])));
    service.updates[0]?.done(new ServiceError("STORE_UNAVAILABLE", "later"));
    expect(connection.take()).toEqual([]);
    expect(connection.closedWith?.code).toBe(4503);
  });

  test("[SYNC-5] a session with too many unsettled writes is not read from", () => {
    const { session, connection, service } = join(true);
    for (let i = 0; i < LIMITS.inboundQueueMax; i++) session.receive(encodeUpdate(Uint8Array.from([1])));
    expect(connection.isPaused).toBe(true);
    for (const { done } of service.updates.slice(0, LIMITS.inboundQueueMax / 2 - 1)) done({ version: 1 });
    expect(connection.isPaused).toBe(true);
    service.updates[LIMITS.inboundQueueMax / 2 - 1]?.done({ version: 1 });
    expect(connection.isPaused).toBe(false);
  });
});

describe("falling behind", () => {
  test("[SYNC-3] nothing more is sent until the receiver drained, then what it lacks", async () => {
    const { session, connection, service } = join(true);
    connection.bufferedBytes = LIMITS.outboundBytesMax;
    topic.publish([publication(5)]);
    topic.flush(0);
    topic.publish([publication(6)]);
    topic.flush(0);
    expect(connection.take()).toEqual([]);
    connection.drain();
    await settle();
    expect(service.asked).toEqual([Y.encodeStateVector(new Map([[7, 3]]))]);
    expect(connection.take()).toEqual([
      { type: "sync", step: SYNC.step2, bytes: Uint8Array.from([0, 0]) },
      { type: "awareness", entries: [] },
      { type: "event", event: { type: "resynced", version: 6 } },
    ]);
    topic.publish([publication(7)]);
    topic.flush(0);
    expect(connection.take()).toMatchObject([{ type: "commit" }]);
    session.tick(LIMITS.slowConsumerMsMax * 2);
    expect(connection.closedWith).toBeUndefined();
  });

  test("[SYNC-3] one that stays behind is closed with 4504", async () => {
    const { session, connection } = await joinStock();
    connection.bufferedBytes = LIMITS.outboundBytesMax;
    topic.publish([publication(5)]);
    topic.flush(0);
    session.tick(LIMITS.slowConsumerMsMax - 1);
    expect(connection.closedWith).toBeUndefined();
    session.tick(LIMITS.slowConsumerMsMax);
    expect(connection.closedWith?.code).toBe(4504);
  });

  test("[SYNC-4] asking without reading costs one answer", async () => {
    const { session, connection, service } = join(false);
    connection.bufferedBytes = LIMITS.outboundBytesMax + 1;
    for (let i = 0; i < 100; i++) session.receive(encodeStep1(EMPTY_VECTOR));
    expect(service.asked).toEqual([]);
    connection.drain();
    await settle();
    expect(service.asked).toEqual([EMPTY_VECTOR]);
  });
});

test("[SYNC-4] questions in one breath are answered once, and once more for the last of them", async () => {
  const { session, connection, service } = join(false);
  for (let clock = 0; clock < 100; clock++) session.receive(encodeStep1(Uint8Array.from([1, 7, clock])));
  await settle();
  expect(service.asked).toEqual([Uint8Array.from([1, 7, 0]), Uint8Array.from([1, 7, 99])]);
  expect(connection.take()).toHaveLength(2);
});

describe("the line", () => {
  test("[WIRE-13] a quiet session is sent a sign of life, a busy one not", () => {
    const { session, connection } = join(false);
    session.tick(LIMITS.keepAliveMs / 2 - 1);
    expect(connection.take()).toEqual([]);
    session.tick(LIMITS.keepAliveMs / 2);
    expect(connection.take()).toEqual([{ type: "awareness", entries: [] }]);
  });

  test.each([
    ["garbage", Uint8Array.from([99])],
    ["a state vector that cannot be read", encodeStep1(Uint8Array.from([5, 1]))],
  ])("%s closes with 4400, once, and later input is ignored", (_what, message) => {
    const { session, connection, service } = join(true);
    session.receive(message);
    session.receive(message);
    session.closed();
    expect(connection.closedWith?.code).toBe(4400);
    expect(service.ended).toBe(1);
  });

  test("too many requests at once end the session", () => {
    const { session, connection, service } = join(true);
    service.answer = () => new Promise(() => undefined);
    for (let id = 0; id <= LIMITS.requestsInFlightMax; id++) session.receive(encodeRequest(id, "ping", {}));
    expect(connection.closedWith?.code).toBe(4429);
  });

  test("a request is answered, also when it fails", async () => {
    const { session, connection, service } = join(true);
    session.receive(encodeRequest(1, "ping", {}));
    service.answer = () => Promise.reject(new ServiceError("TEST_FAILED", "no"));
    session.receive(encodeRequest(2, "change", {}));
    await settle();
    expect(connection.take()).toEqual([
      { type: "response", response: { id: 1, ok: true, result: { version: 1 } } },
      { type: "response", response: { id: 2, ok: false, error: { code: "TEST_FAILED", message: "no", details: {} } } },
    ]);
  });

  test("state that cannot be had ends the session, so that the client comes again", async () => {
    const { session, connection, service } = join(false);
    service.state = Promise.reject(new ServiceError("STORE_UNAVAILABLE", "later"));
    session.receive(encodeStep1(EMPTY_VECTOR));
    await settle();
    expect(connection.closedWith?.code).toBe(4503);
  });

  test("[PRES-8] whoever asks who is here is told, once a turn, and not while it is behind", () => {
    const { session, connection } = join(false);
    for (let i = 0; i < 1000; i++) session.receive(Uint8Array.from([FRAME.queryAwareness]));
    expect(connection.take()).toEqual([]);
    session.flushOwn();
    session.flushOwn();
    expect(connection.take()).toEqual([{ type: "awareness", entries: [] }]);
    session.receive(Uint8Array.from([FRAME.queryAwareness]));
    connection.bufferedBytes = LIMITS.outboundBytesMax;
    session.flushOwn();
    expect(connection.take()).toEqual([]);
  });
});

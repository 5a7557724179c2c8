/**
 * One client on one context: what it says, what it is told, and how far behind it is.
 *
 * Invariants (SESS):
 *  1. Data frames are admitted in the order they came; the n-th ack or rejection is for the n-th data frame (mcm.v1).
 *  2. A reply that shows state is sent when that state is durable.
 *  3. A receiver that is behind is owed one resync from a state vector, not a queue: memory per session is bounded.
 *  4. An error ends this session only.
 *  5. An edit that refers to what the server was not told yet (made offline, or in another tab) is no offence: it is left
 *     to the client's next step 2, which holds it with all before it, and is not acknowledged before that.
 *  6. Nothing of the document is sent to a stock client before its first step 1, which tells whether its document is of this
 *     epoch: content of two epochs in one document would be there twice. An mcm.v1 client is told the epoch by `hello`.
 *  7. What an mcm.v1 client heard last of its rights is what they are, also when it fell behind meanwhile.
 *
 * Not here: the numbers of data frames (data-frames.ts), looking on (session-tap.ts), fan-out (topic.ts), sockets (transport/websocket), the use cases
 * (session-port.ts).
 */
import * as Y from "yjs";
import { ERRORS, ServiceError, toServiceError } from "../../shared/errors.ts";
import type { ErrorCode } from "../../shared/errors.ts";
import type { Json } from "../../shared/json.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { Rights } from "../../shared/permission.ts";
import type { ClientFrame } from "../../shared/protocol/frames.ts";
import { decodeClientFrame, encodeAwareness, encodeStep1 } from "../../shared/protocol/frames.ts";
import {
  encodeAck,
  encodeEvent,
  encodeHello,
  encodeRejected,
  encodeResponse,
} from "../../shared/protocol/server-frames.ts";
import { PROTOCOL_VERSION } from "../../shared/protocol/version.ts";
import type { TrafficEvent } from "../../shared/traffic.ts";
import type { Traffic } from "../monitor-port.ts";
import { oldEpoch } from "../state/client-ids.ts";
import { batchOf } from "./connection.ts";
import type { Batch, Connection } from "./connection.ts";
import { DataFrames } from "./data-frames.ts";
import type { SessionInfo, SessionPort } from "./session-port.ts";
import { SessionTap } from "./session-tap.ts";
import type { TapTools } from "./session-tap.ts";
import type { Member, Topic } from "./topic.ts";

/** Behind: owed everything beyond `vector`. */
interface Lag {
  vector: Uint8Array;
  readonly sinceMs: number;
}

export class Session implements Member {
  readonly info: SessionInfo;
  readonly #topic: Topic;
  readonly #connection: Connection;
  readonly #port: SessionPort;
  #state: "opening" | "open" | "closed" = "opening";
  #lag: Lag | undefined;
  #isAnswering = false;
  /** The newest state vector that was asked for while an answer was under way. */
  #askedAgain: Uint8Array | undefined;
  readonly #frames = new DataFrames();
  #isPaused = false;
  /** The client's document is known to be of this epoch, or the client knows the epoch. */
  #isCurrent: boolean;
  #requests = 0;
  #lastSentAtMs = 0;
  #isPresenceOwed = false;
  #owedAck: { frames: number; version: number } | undefined;
  #rights: Rights | undefined;
  /** While somebody looks on. */
  #tap: SessionTap | undefined;
  readonly #traffic = { framesIn: 0, bytesIn: 0, framesOut: 0, bytesOut: 0 };

  constructor(info: SessionInfo, topic: Topic, connection: Connection, port: SessionPort) {
    this.info = info;
    this.#topic = topic;
    this.#connection = connection;
    this.#port = port;
    this.#isCurrent = info.isExtended;
  }

  get isExtended(): boolean {
    return this.info.isExtended;
  }

  get isClosed(): boolean {
    return this.#state === "closed";
  }

  get traffic(): Traffic {
    return this.#traffic;
  }

  /** Bytes that were handed over and that the receiver has not taken. */
  get queueBytes(): number {
    return this.#connection.bufferedBytes;
  }

  /** How long the receiver has been behind; 0 when it is not. */
  lagMs(nowMs: number): number {
    return this.#lag === undefined ? 0 : nowMs - this.#lag.sinceMs;
  }

  /**
   * Says hello and asks for what the client has: a stock client brings its offline edits only when asked.
   * Until then nothing is delivered: what is published meanwhile is in the state that the client will ask for.
   */
  start(): void {
    if (this.#state !== "opening") return;
    this.#state = "open";
    const messages: Uint8Array[] = [];
    if (this.isExtended) {
      const { id, contextId, epoch, firstEpoch, actor, yjsClientId } = this.info;
      messages.push(
        encodeHello({
          protocol: PROTOCOL_VERSION,
          sessionId: id,
          contextId,
          epoch,
          version: this.#topic.version,
          actor,
          firstEpoch,
          ...(yjsClientId === undefined ? {} : { yjsClientId }),
        }),
      );
    }
    messages.push(...this.#aboutRights(), this.#question());
    const present = this.#topic.presence.all();
    if (present.length > 0) messages.push(encodeAwareness(present));
    this.#send(batchOf(messages));
  }

  /** One message of the client. Never throws. */
  receive(message: Uint8Array): void {
    if (this.isClosed) return;
    this.#traffic.framesIn++;
    this.#traffic.bytesIn += message.byteLength;
    this.#tap?.heard(message);
    try {
      this.#handle(decodeClientFrame(message));
    } catch (error) {
      this.end(toServiceError(error));
    }
    this.#holdBack();
  }

  /** Changes of the document, which all sessions of the context get. */
  deliver(batch: Batch): void {
    if (this.#isCurrent) this.tell(batch);
  }

  /** Presence and events. */
  tell(batch: Batch): void {
    if (this.#state !== "open" || this.#lag !== undefined) return;
    if (this.#connection.bufferedBytes + batch.bytes > LIMITS.outboundBytesMax && this.#connection.bufferedBytes > 0) {
      this.#fallBehind(Y.encodeStateVector(new Map(this.#topic.vector)));
      return;
    }
    this.#send(batch);
  }

  /** The session's actor has these rights from now on. */
  mayDo(rights: Rights): void {
    if (!this.isExtended || JSON.stringify(rights) === JSON.stringify(this.#rights)) return;
    this.#rights = rights;
    this.tell(batchOf(this.#aboutRights()));
  }

  /** Sends the ack that is owed, one for all frames that were settled together, and who is here, once however often it asked. */
  flushOwn(): void {
    const owed = this.#owedAck;
    this.#owedAck = undefined;
    if (owed !== undefined && !this.isClosed) this.#send(batchOf([encodeAck(owed)]));
    if (!this.#isPresenceOwed) return;
    this.#isPresenceOwed = false;
    this.tell(batchOf([encodeAwareness(this.#topic.presence.all())]));
  }

  /** Called now and then: keeps the line alive, ends a receiver that stays behind. */
  tick(nowMs: number): void {
    if (this.#state !== "open") return;
    if (this.#lag !== undefined && nowMs - this.#lag.sinceMs >= LIMITS.slowConsumerMsMax) {
      this.end(
        new ServiceError(
          "SLOW_CONSUMER",
          `The connection took nothing for ${LIMITS.slowConsumerMsMax} ms. Reconnect; what was missed comes with the first sync.`,
        ),
      );
    } else if (this.#lag === undefined && nowMs - this.#lastSentAtMs >= LIMITS.keepAliveMs / 2) {
      this.#send(KEEP_ALIVE);
    }
  }

  /** Ends the session with the error's close code. */
  end(error: ServiceError): void {
    if (!this.isClosed) this.#hangUp(error.closeCode, error.closeReason, error.code);
  }

  /**
   * The context was compacted: this session's document is of an earlier epoch. An mcm.v1 client comes again, learns of it
   * and brings what it has not saved; a stock client has no means to.
   */
  endEpoch(): void {
    if (this.isClosed) return;
    if (!this.isExtended) return this.end(oldEpoch());
    this.flushOwn();
    const { code, closeReason } = new ServiceError("EPOCH_CHANGED", "The context was compacted. Connect again.");
    this.#hangUp(ERRORS.STORE_UNAVAILABLE.closeCode, closeReason, code);
  }

  /** The connection is gone. @param closeCode what the client closed it with, if it did */
  closed(closeCode?: number): void {
    if (this.isClosed) return;
    this.#tap?.ended({ by: "client", ...(closeCode === undefined ? {} : { closeCode }) });
    this.#over();
  }

  /** What is said to and fro from now on, for as long as the session lasts or until `signal` aborts. */
  follow(tools: TapTools, signal: AbortSignal): AsyncGenerator<TrafficEvent> {
    this.#tap ??= new SessionTap(tools, this.#frames.received, () => (this.#tap = undefined));
    return this.#tap.follow(signal);
  }

  #hangUp(closeCode: number, reason: string, code: ErrorCode): void {
    this.#connection.close(closeCode, reason);
    this.#tap?.ended({ by: "server", closeCode, reason });
    this.#over(code);
  }

  #over(code?: ErrorCode): void {
    this.#state = "closed";
    this.#lag = undefined;
    this.#port.ended(code);
  }

  #handle(frame: ClientFrame): void {
    switch (frame.type) {
      case "step1":
        this.#sync(frame.stateVector);
        return;
      case "data":
        this.#applyUpdate(frame.update, frame.isAnswer);
        return;
      case "awareness": {
        const corrections = this.#topic.presence.hear(this, frame.entries, this.#port.nowMs());
        if (corrections.length > 0) this.#send(batchOf([encodeAwareness(corrections)]));
        if (this.#topic.presence.hasChanges) this.#port.flushSoon();
        return;
      }
      case "query-awareness":
        this.#isPresenceOwed = true;
        this.#port.flushSoon();
        return;
      case "request":
        this.#request(frame.id, frame.method, frame.params);
        return;
      case "token":
        this.#port.renew(frame.token).catch((error: unknown) => this.end(toServiceError(error)));
        return;
      case "base":
        this.#frames.basedOn(frame.version);
        return;
    }
  }

  #sync(stateVector: Uint8Array): void {
    for (const client of clientsOf(stateVector)) if (this.#port.retired().has(client)) throw oldEpoch();
    // what is published from now on is not in the answer, or is there twice, which does no harm
    this.#isCurrent = true;
    this.#answer(stateVector);
  }

  /** A client that asks and does not read must not make us hold its answers: at most one is under way, one is owed. */
  #answer(stateVector: Uint8Array): void {
    if (this.#isAnswering) this.#askedAgain = stateVector;
    else if (this.#lag !== undefined || this.#connection.bufferedBytes > LIMITS.outboundBytesMax) {
      this.#fallBehind(stateVector);
    } else this.#sendState(stateVector);
  }

  #sendState(stateVector: Uint8Array, then?: () => Batch): void {
    this.#isAnswering = true;
    this.#port
      .encodeSince(stateVector)
      .then((batch) => {
        this.#send(batch);
        if (then !== undefined) this.#send(then());
        this.#isAnswering = false;
        const asked = this.#askedAgain;
        this.#askedAgain = undefined;
        if (asked !== undefined) this.#answer(asked);
      })
      .catch((error: unknown) => this.end(toServiceError(error)));
  }

  #applyUpdate(update: Uint8Array, isAnswer: boolean): void {
    const frame = this.#frames.arrived(update.byteLength, isAnswer);
    this.#port.applyUpdate(update, this.#frames.source(isAnswer), (result) => {
      this.#frames.settled(frame, update.byteLength);
      this.#resumeReading();
      if (!(result instanceof ServiceError)) this.#settled(frame, isAnswer, result.version);
      else if (!isAnswer && isIncomplete(result)) this.#leaveToAnswer(frame);
      else this.#refuse(frame, result);
    });
    if (this.#frames.isFull) this.#pauseReading();
  }

  /** Who does not read is not read from: nothing else bounds the answers to what it asks (presence, requests, acks). */
  #holdBack(): void {
    if (this.isClosed || this.#connection.bufferedBytes <= LIMITS.outboundBytesMax) return;
    if (this.#lag === undefined) this.#fallBehind(Y.encodeStateVector(new Map(this.#topic.vector)));
    this.#pauseReading();
  }

  #pauseReading(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#connection.pause();
  }

  #settled(frame: number, isAnswer: boolean, version: number): void {
    if (!this.#frames.mayAck(isAnswer) || !this.isExtended) return;
    this.#owedAck = { frames: frame, version };
    this.#port.flushSoon();
  }

  #leaveToAnswer(frame: number): void {
    if (!this.isClosed && this.#frames.leave(frame)) this.#send(batchOf([this.#question()]));
  }

  /**
   * Step 1: asks for everything that the client has beyond what was published, and for what it has in the place of voids:
   * who did not hear of a refusal holds what was refused, and would not send it again by itself.
   */
  #question(): Uint8Array {
    this.#frames.asked();
    const vector = new Map(this.#topic.vector);
    for (const [client, clock] of this.#port.voids()) if (clock < (vector.get(client) ?? 0)) vector.set(client, clock);
    return encodeStep1(Y.encodeStateVector(vector));
  }

  #aboutRights(): readonly Uint8Array[] {
    return this.#rights === undefined ? [] : [encodeEvent({ type: "access", ...this.#rights })];
  }

  #resumeReading(): void {
    if (!this.#isPaused || this.#lag !== undefined || !this.#frames.hasRoom) return;
    this.#isPaused = false;
    this.#connection.resume();
  }

  /** A replica that holds what the server refused is wrong for good: the session ends; the SDK is told first what was refused. */
  #refuse(frame: number, error: ServiceError): void {
    if (this.isClosed) return;
    // what was saved before it is no question for the client
    this.flushOwn();
    if (this.isExtended && isForGood(error))
      this.#send(
        batchOf([encodeRejected({ frame, code: error.code, message: error.message, details: error.details })]),
      );
    this.end(error);
  }

  #request(id: number, method: string, params: Json): void {
    if (this.#requests >= LIMITS.requestsInFlightMax) {
      throw new ServiceError(
        "RATE_LIMITED",
        `A session may have ${LIMITS.requestsInFlightMax} requests under way. Wait for answers before asking more.`,
      );
    }
    this.#requests++;
    this.#port
      .request(method, params)
      .then((result) => encodeResponse({ id, ok: true, result }))
      .catch((error: unknown) => {
        const { code, message, details } = toServiceError(error);
        return encodeResponse({ id, ok: false, error: { code, message, details } });
      })
      .then((message) => {
        this.#requests--;
        this.#send(batchOf([message]));
      })
      .catch((error: unknown) => this.end(toServiceError(error)));
  }

  #fallBehind(vector: Uint8Array): void {
    if (this.#lag !== undefined) {
      // the client itself says what it has: that is never wrong
      this.#lag.vector = vector;
      return;
    }
    this.#lag = { vector, sinceMs: this.#port.nowMs() };
    this.#port.lagging(true);
    this.#connection.onDrained(() => this.#catchUp());
  }

  #catchUp(): void {
    const lag = this.#lag;
    if (lag === undefined || this.isClosed) return;
    // from here on batches are delivered again; they may reach the client before the resync does, Yjs holds them until then
    this.#lag = undefined;
    this.#port.lagging(false);
    this.#resumeReading();
    if (!this.#isCurrent) return this.#send(batchOf([encodeAwareness(this.#topic.presence.allAndDeparted())]));
    this.#sendState(lag.vector, () => {
      const messages = [...this.#aboutRights(), encodeAwareness(this.#topic.presence.allAndDeparted())];
      if (this.isExtended) messages.push(encodeEvent({ type: "resynced", version: this.#topic.version }));
      return batchOf(messages);
    });
  }

  #send(batch: Batch): void {
    if (this.isClosed) return;
    this.#lastSentAtMs = this.#port.nowMs();
    this.#traffic.framesOut += batch.messages.length;
    this.#traffic.bytesOut += batch.bytes;
    this.#tap?.said(batch);
    this.#connection.send(batch);
  }
}

/** Stock clients reconnect after 30 s without a message; an awareness message about nobody is one. */
const KEEP_ALIVE: Batch = batchOf([encodeAwareness([])]);

/** The update may be right, only not by itself (server/state/update/update-refusals.ts). */
function isIncomplete({ code, details }: ServiceError): boolean {
  return code === "MALFORMED_UPDATE" && (details["rule"] === "clock-gap" || details["rule"] === "unknown-reference");
}

/** Not for good is what the client sends again by itself: the server had trouble, or was asked too much at once. */
function isForGood({ code, closeCode }: ServiceError): boolean {
  return closeCode < ERRORS.INTERNAL.closeCode && code !== "RATE_LIMITED";
}

function clientsOf(stateVector: Uint8Array): Iterable<number> {
  try {
    return Y.decodeStateVector(stateVector).keys();
  } catch {
    throw new ServiceError(
      "MALFORMED_FRAME",
      "The state vector cannot be read. See shared/protocol/PROTOCOL.md for the grammar.",
    );
  }
}

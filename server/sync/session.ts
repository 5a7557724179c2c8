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
 *
 * Not here: fan-out (topic.ts), sockets (transport/websocket), the use cases (`Port`, which context-manager.ts gives).
 */
import * as Y from "yjs";
import { ServiceError, toServiceError } from "../../shared/errors.ts";
import type { Actor, ContextId } from "../../shared/ids.ts";
import type { Json } from "../../shared/json.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { ClientFrame } from "../../shared/protocol/frames.ts";
import {
  decodeClientFrame,
  encodeAck,
  encodeAwareness,
  encodeEvent,
  encodeHello,
  encodeRejected,
  encodeResponse,
  encodeStep1,
} from "../../shared/protocol/frames.ts";
import { PROTOCOL_VERSION } from "../../shared/protocol/version.ts";
import { batchOf } from "./connection.ts";
import type { Batch, Connection } from "./connection.ts";
import type { Member, Topic } from "./topic.ts";

/** What a session may ask of the service. */
export interface SessionPort {
  /** Queues a live update. `done` is called when it is durable (or changed nothing), or refused. */
  applyUpdate(update: Uint8Array, done: UpdateDone): void;
  /** The document beyond `stateVector` as a SyncStep2 message; resolves when what it shows is durable. */
  encodeSince(stateVector: Uint8Array): Promise<Batch>;
  request(method: string, params: Json): Promise<Json>;
  /** Presence or an ack of this session is to be sent at the end of this turn. */
  flushSoon(): void;
  /** The session is over. */
  ended(): void;
  nowMs(): number;
}

export type UpdateDone = (result: { readonly version: number } | ServiceError) => void;

export interface SessionInfo {
  readonly id: string;
  readonly contextId: ContextId;
  readonly epoch: number;
  readonly actor: Actor;
  /** Speaks mcm.v1. */
  readonly isExtended: boolean;
}

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
  #dataFrames = 0;
  #settledFrames = 0;
  #unsettledBytes = 0;
  #isPaused = false;
  /** The newest frame with a step 2, and whether the client still owes one. */
  #answerFrame = 0;
  #isAsked = false;
  /** The newest frame that was left to a step 2. */
  #leftFrame = 0;
  #requests = 0;
  #lastSentAtMs = 0;
  #owedAck: { frames: number; version: number } | undefined;

  constructor(info: SessionInfo, topic: Topic, connection: Connection, port: SessionPort) {
    this.info = info;
    this.#topic = topic;
    this.#connection = connection;
    this.#port = port;
  }

  get isExtended(): boolean {
    return this.info.isExtended;
  }

  get isClosed(): boolean {
    return this.#state === "closed";
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
      const { id, contextId, epoch, actor } = this.info;
      messages.push(
        encodeHello({
          protocol: PROTOCOL_VERSION,
          sessionId: id,
          contextId,
          epoch,
          version: this.#topic.version,
          actor,
        }),
      );
    }
    messages.push(this.#question());
    const present = this.#topic.presence.all();
    if (present.length > 0) messages.push(encodeAwareness(present));
    this.#send(batchOf(messages));
  }

  /** One message of the client. Never throws. */
  receive(message: Uint8Array): void {
    if (this.isClosed) return;
    try {
      this.#handle(decodeClientFrame(message));
    } catch (error) {
      this.end(toServiceError(error));
    }
    this.#holdBack();
  }

  /** A batch that all sessions of the context get. */
  deliver(batch: Batch): void {
    if (this.#state !== "open" || this.#lag !== undefined) return;
    if (this.#connection.bufferedBytes + batch.bytes > LIMITS.outboundBytesMax && this.#connection.bufferedBytes > 0) {
      this.#fallBehind(Y.encodeStateVector(new Map(this.#topic.vector)));
      return;
    }
    this.#send(batch);
  }

  /** Sends the ack that is owed, one for all frames that were settled together. */
  flushAck(): void {
    const owed = this.#owedAck;
    this.#owedAck = undefined;
    if (owed !== undefined && !this.isClosed) this.#send(batchOf([encodeAck(owed)]));
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
    if (this.isClosed) return;
    this.#connection.close(error.closeCode, error.closeReason);
    this.closed();
  }

  /** The connection is gone. */
  closed(): void {
    if (this.isClosed) return;
    this.#state = "closed";
    this.#lag = undefined;
    this.#port.ended();
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
        this.#send(batchOf([encodeAwareness(this.#topic.presence.all())]));
        return;
      case "request":
        this.#request(frame.id, frame.method, frame.params);
        return;
      case "token":
        // an open server takes everybody as they are; token checks join here with the other authentication modes
        return;
    }
  }

  #sync(stateVector: Uint8Array): void {
    assertStateVector(stateVector);
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
    const frame = ++this.#dataFrames;
    if (isAnswer) {
      this.#answerFrame = frame;
      this.#isAsked = false;
    }
    this.#unsettledBytes += update.byteLength;
    this.#port.applyUpdate(update, (result) => {
      this.#settledFrames = frame;
      this.#unsettledBytes -= update.byteLength;
      this.#resumeReading();
      if (!(result instanceof ServiceError)) this.#settled(frame, isAnswer, result.version);
      else if (!isAnswer && isIncomplete(result)) this.#leaveToAnswer(frame);
      else this.#refuse(frame, result);
    });
    const unsettled = this.#dataFrames - this.#settledFrames;
    if (unsettled >= LIMITS.inboundQueueMax || this.#unsettledBytes >= LIMITS.inboundQueueBytesMax)
      this.#pauseReading();
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
    if (isAnswer) this.#leftFrame = 0;
    if (!this.isExtended || this.#leftFrame > 0) return;
    this.#owedAck = { frames: frame, version };
    this.#port.flushSoon();
  }

  #leaveToAnswer(frame: number): void {
    if (this.isClosed) return;
    this.#leftFrame = frame;
    // a step 2 that came after it has it already
    if (!this.#isAsked && this.#answerFrame < frame) this.#send(batchOf([this.#question()]));
  }

  /** Step 1: asks for everything that the client has beyond what was published. */
  #question(): Uint8Array {
    this.#isAsked = true;
    return encodeStep1(Y.encodeStateVector(new Map(this.#topic.vector)));
  }

  #resumeReading(): void {
    if (
      !this.#isPaused ||
      this.#lag !== undefined ||
      this.#dataFrames - this.#settledFrames > LIMITS.inboundQueueMax / 2 ||
      this.#unsettledBytes > LIMITS.inboundQueueBytesMax / 2
    )
      return;
    this.#isPaused = false;
    this.#connection.resume();
  }

  /** A replica that holds what the server refused is wrong for good: the session ends; the SDK is told first what was refused. */
  #refuse(frame: number, error: ServiceError): void {
    if (this.isClosed) return;
    if (this.isExtended && error.retry !== "later")
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
    this.#connection.onDrained(() => this.#catchUp());
  }

  #catchUp(): void {
    const lag = this.#lag;
    if (lag === undefined || this.isClosed) return;
    // from here on batches are delivered again; they may reach the client before the resync does, Yjs holds them until then
    this.#lag = undefined;
    this.#resumeReading();
    this.#sendState(lag.vector, () => {
      const messages = [encodeAwareness(this.#topic.presence.allAndDeparted())];
      if (this.isExtended) messages.push(encodeEvent({ type: "resynced", version: this.#topic.version }));
      return batchOf(messages);
    });
  }

  #send(batch: Batch): void {
    if (this.isClosed) return;
    this.#lastSentAtMs = this.#port.nowMs();
    this.#connection.send(batch);
  }
}

/** Stock clients reconnect after 30 s without a message; an awareness message about nobody is one. */
const KEEP_ALIVE: Batch = batchOf([encodeAwareness([])]);

/** The update may be right, only not by itself (server/state/update/update-refusals.ts). */
function isIncomplete({ code, details }: ServiceError): boolean {
  return code === "MALFORMED_UPDATE" && (details["rule"] === "clock-gap" || details["rule"] === "unknown-reference");
}

function assertStateVector(bytes: Uint8Array): void {
  try {
    Y.decodeStateVector(bytes);
  } catch {
    throw new ServiceError(
      "MALFORMED_FRAME",
      "The state vector cannot be read. See shared/protocol/PROTOCOL.md for the grammar.",
    );
  }
}

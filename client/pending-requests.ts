/**
 * Requests over the WebSocket that have no answer yet.
 *
 * Invariants:
 *  1. A request is sent again on each new connection, in the order of its lane, until it is answered; its parameters,
 *     idempotency key included, stay the same, so it takes effect once. One about a lease is for its connection alone.
 *  2. At most `PLACES` of a lane are under way on a connection, together LIMITS.requestsInFlightMax; the rest wait their
 *     turn. Who waits for locks never keeps a lock from being renewed, nor its holder from writing.
 *  3. Every promise settles: by the answer, by the caller's signal, or by `fail`.
 */
import { ServiceError } from "../shared/errors.ts";
import type { Json } from "../shared/json.ts";
import { LIMITS } from "../shared/limits.ts";
import type { Response } from "../shared/protocol/server-frames.ts";

export interface OutgoingRequest {
  readonly id: number;
  readonly method: string;
  readonly params: Json;
}

/**
 * `leases`: what keeps locks. `locks`: what asks for some, which may take long. Both are sent before edits, which are judged
 * under them. `rest`: sent after edits.
 */
type Lane = "leases" | "locks" | "rest";

const BEFORE_EDITS: readonly Lane[] = ["leases", "locks"];
const LANES: readonly Lane[] = [...BEFORE_EDITS, "rest"];

const PLACES: Readonly<Record<Lane, number>> = {
  leases: LIMITS.sessionLeasesMax,
  locks: LIMITS.sessionLeasesMax,
  rest: LIMITS.requestsInFlightMax - 2 * LIMITS.sessionLeasesMax,
};

interface RequestOptions {
  readonly signal?: AbortSignal | undefined;
  readonly lane?: Lane;
}

interface Waiting extends OutgoingRequest {
  isSent: boolean;
  readonly resolve: (result: Json) => void;
  readonly reject: (error: unknown) => void;
}

export class PendingRequests {
  readonly #waiting: Readonly<Record<Lane, Map<number, Waiting>>> = {
    leases: new Map(),
    locks: new Map(),
    rest: new Map(),
  };
  #lastId = 0;
  /** Sent on this connection and not answered, abandoned ones too. */
  readonly #underWay = new Map<number, Lane>();
  #send: ((request: OutgoingRequest) => void) | undefined;
  #isBeforeEdits = false;
  #failure: ServiceError | undefined;

  /** @throws {ServiceError} what the server answers, or why no answer can come; `signal`'s reason when it aborts first */
  request(method: string, params: Json, { signal, lane = "rest" }: RequestOptions = {}): Promise<Json> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (signal?.aborted === true) return Promise.reject(signal.reason);
    if (lane === "leases" && this.#send === undefined) return Promise.reject(notConnected());
    const id = ++this.#lastId;
    const answer = new Promise<Json>((resolve, reject) => {
      this.#waiting[lane].set(id, { id, method, params, isSent: false, resolve, reject });
    });
    const giveUp = (): void => this.#take(id, lane)?.reject(signal?.reason);
    signal?.addEventListener("abort", giveUp, { once: true });
    this.#sendNext();
    return answer.finally(() => signal?.removeEventListener("abort", giveUp));
  }

  /** A connection begins. What comes after edits is sent when it is `connected`. */
  begin(send: (request: OutgoingRequest) => void): void {
    this.#send = send;
    this.#isBeforeEdits = true;
    this.#sendNext();
  }

  connected(send: (request: OutgoingRequest) => void): void {
    this.#send = send;
    this.#isBeforeEdits = false;
    this.#sendNext();
  }

  connectionLost(): void {
    this.#send = undefined;
    this.#underWay.clear();
    for (const lane of LANES) for (const request of this.#waiting[lane].values()) request.isSent = false;
    this.#fail("leases", notConnected());
  }

  answered(response: Response): void {
    const lane = this.#underWay.get(response.id);
    // an answer to a request that was abandoned still frees its place
    this.#underWay.delete(response.id);
    const request = lane === undefined ? undefined : this.#take(response.id, lane);
    if (response.ok) request?.resolve(response.result);
    else
      request?.reject(
        new ServiceError(response.error.code, response.error.message, { details: response.error.details }),
      );
    this.#sendNext();
  }

  /** Rejects everything that waits; with `isFinal` also all that is asked later. */
  fail(error: ServiceError, isFinal: boolean): void {
    if (isFinal) this.#failure ??= error;
    for (const lane of LANES) this.#fail(lane, error);
  }

  #fail(lane: Lane, error: ServiceError): void {
    const waiting = [...this.#waiting[lane].values()];
    this.#waiting[lane].clear();
    for (const { reject } of waiting) reject(error);
  }

  #sendNext(): void {
    const free = { ...PLACES };
    for (const lane of this.#underWay.values()) free[lane]--;
    for (const lane of this.#isBeforeEdits ? BEFORE_EDITS : LANES) {
      for (const request of this.#waiting[lane].values()) {
        if (this.#send === undefined || free[lane] <= 0) break;
        if (request.isSent) continue;
        free[lane]--;
        request.isSent = true;
        this.#underWay.set(request.id, lane);
        this.#send(request);
      }
    }
  }

  #take(id: number, lane: Lane): Waiting | undefined {
    const request = this.#waiting[lane].get(id);
    this.#waiting[lane].delete(id);
    return request;
  }
}

function notConnected(): ServiceError {
  return new ServiceError("UNREACHABLE", "The connection is lost. The SDK is trying to get another one.");
}

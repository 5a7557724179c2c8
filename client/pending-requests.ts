/**
 * Requests over the WebSocket that have no answer yet.
 *
 * Invariants:
 *  1. A request is sent again on each new connection, in order, until it is answered; its parameters, idempotency key
 *     included, stay the same, so it takes effect once.
 *  2. At most LIMITS.requestsInFlightMax are under way on a connection; the rest wait their turn.
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

interface Waiting extends OutgoingRequest {
  isSent: boolean;
  readonly resolve: (result: Json) => void;
  readonly reject: (error: unknown) => void;
}

export class PendingRequests {
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  #underWay = 0;
  #send: ((request: OutgoingRequest) => void) | undefined;
  #failure: ServiceError | undefined;

  /** @throws {ServiceError} what the server answers, or why no answer can come; `signal`'s reason when it aborts first */
  request(method: string, params: Json, signal?: AbortSignal): Promise<Json> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (signal?.aborted === true) return Promise.reject(signal.reason);
    const id = ++this.#lastId;
    const answer = new Promise<Json>((resolve, reject) => {
      this.#waiting.set(id, { id, method, params, isSent: false, resolve, reject });
    });
    const giveUp = (): void => this.#abandon(id, signal?.reason);
    signal?.addEventListener("abort", giveUp, { once: true });
    this.#sendNext();
    return answer.finally(() => signal?.removeEventListener("abort", giveUp));
  }

  connected(send: (request: OutgoingRequest) => void): void {
    this.#send = send;
    this.#sendNext();
  }

  connectionLost(): void {
    this.#send = undefined;
    this.#underWay = 0;
    for (const request of this.#waiting.values()) request.isSent = false;
  }

  answered(response: Response): void {
    const request = this.#waiting.get(response.id);
    // an answer to a request that was abandoned still frees its place
    if (request === undefined || request.isSent) this.#underWay = Math.max(0, this.#underWay - 1);
    this.#waiting.delete(response.id);
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
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const request of waiting) request.reject(error);
  }

  #sendNext(): void {
    if (this.#send === undefined || this.#underWay >= LIMITS.requestsInFlightMax) return;
    for (const request of this.#waiting.values()) {
      if (request.isSent) continue;
      request.isSent = true;
      this.#underWay++;
      this.#send(request);
      if (this.#underWay >= LIMITS.requestsInFlightMax) return;
    }
  }

  #abandon(id: number, reason: unknown): void {
    const request = this.#waiting.get(id);
    this.#waiting.delete(id);
    request?.reject(reason);
  }
}

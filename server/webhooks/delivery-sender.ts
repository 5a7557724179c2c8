/**
 * One attempt at a delivery: signed, bounded in time, and what its outcome says.
 *
 * Not here: when the next one is due (delivery-line.ts), the network (server/outbound).
 */
import { PRODUCT_VERSION } from "../../shared/protocol/version.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { Clock } from "../clock.ts";
import { networkFault } from "../outbound/http-post.ts";
import type { Post, PostAnswer } from "../outbound/http-post.ts";
import { signedHeaders } from "../outbound/signature.ts";
import type { SigningKey } from "../outbound/signature.ts";

export interface Target extends SigningKey {
  readonly url: string;
}

export interface Attempt {
  readonly deliveryId: string;
  readonly body: string;
  readonly signal: AbortSignal;
}

/** Why an attempt failed. */
export interface AttemptFault {
  /** A clause. */
  readonly message: string;
  /** What it says is about this delivery, not about the target as a whole. */
  readonly isOfDelivery: boolean;
  /** The target asks for a pause, and finds nothing wrong. */
  readonly isOfPace: boolean;
  /** The target is gone for good. */
  readonly isFinal: boolean;
  readonly retryAfterMs: number;
}

/** Bad Request, Content Too Large, Unsupported Media Type, Unprocessable Content (RFC 9110). */
const OF_DELIVERY: readonly number[] = [400, 413, 415, 422];
const TOO_MANY = 429;
const GONE = 410;

export class DeliverySender {
  readonly #post: Post;
  readonly #clock: Clock;

  constructor(post: Post, clock: Clock) {
    this.#post = post;
    this.#clock = clock;
  }

  /** Undefined when the target took it. */
  async attempt({ url, keyId, secret }: Target, attempt: Attempt): Promise<AttemptFault | undefined> {
    const { deliveryId: id, body, signal } = attempt;
    const headers = {
      "content-type": "application/json",
      "user-agent": `mcp-context-manager/${PRODUCT_VERSION}`,
      ...signedHeaders({ id, atMs: this.#clock.nowMs(), body }, { keyId, secret }),
    };
    const late = new AbortController();
    const cancel = this.#clock.setTimer(LIMITS.webhookAnswerMsMax, () => late.abort());
    try {
      return faultOf(await this.#post({ url, headers, body, signal: AbortSignal.any([signal, late.signal]) }));
    } catch (error) {
      const message = late.signal.aborted
        ? `it did not answer within ${LIMITS.webhookAnswerMsMax / 1000} s`
        : networkFault(error);
      return { message, ...NEUTRAL };
    } finally {
      cancel();
    }
  }
}

const NEUTRAL = { isOfDelivery: false, isOfPace: false, isFinal: false, retryAfterMs: 0 } as const;

function faultOf({ status, retryAfterMs = 0 }: PostAnswer): AttemptFault | undefined {
  if (status >= 200 && status < 300) return undefined;
  const isRedirect = status >= 300 && status < 400;
  return {
    message: `it answered ${status}${isRedirect ? "; redirects are not followed" : ""}`,
    isOfDelivery: OF_DELIVERY.includes(status),
    isOfPace: status === TOO_MANY,
    isFinal: status === GONE,
    retryAfterMs,
  };
}

/**
 * The target of webhooks, in place of the network: keeps what it is sent, and answers as a test says.
 */
import type { Post, PostAnswer, PostRequest } from "../../server/outbound/http-post.ts";
import { deliverySchema } from "../../shared/protocol/rest-webhooks.ts";
import type { DeliveryBody } from "../../shared/protocol/rest-webhooks.ts";

export class FakeTarget {
  readonly requests: PostRequest[] = [];
  /** What the target took, in order. */
  readonly taken: DeliveryBody[] = [];
  /** Most that were under way at once. */
  peak = 0;
  #underWay = 0;
  /** How it answers; a status, or what the port gives. */
  answer: (request: PostRequest, body: DeliveryBody) => number | PostAnswer | Promise<number | PostAnswer> = () => 204;

  readonly post: Post = async (request) => {
    this.requests.push(request);
    this.#underWay += 1;
    this.peak = Math.max(this.peak, this.#underWay);
    try {
      const body = deliverySchema.parse(JSON.parse(request.body));
      const given = await this.answer(request, body);
      const answer = typeof given === "number" ? { status: given } : given;
      if (answer.status < 300) this.taken.push(body);
      return answer;
    } finally {
      this.#underWay -= 1;
    }
  };

  /** Versions that were taken of a context, doubles too, in order. */
  versionsOf(contextId: string): number[] {
    return this.taken
      .filter((it) => it.contextId === contextId)
      .flatMap(({ changes }) => changes.map((it) => it.version));
  }
}

/** Never answers; fails when the request is given up. */
export function silence({ signal }: PostRequest): Promise<never> {
  return new Promise((_, reject) => {
    const end = (): void => reject(new DOMException("given up", "AbortError"));
    if (signal.aborted) end();
    signal.addEventListener("abort", end);
  });
}

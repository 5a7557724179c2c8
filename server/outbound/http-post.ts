/**
 * Port Post and its implementation: one HTTP request that the server sends by itself.
 *
 * Invariants (HOOK):
 *  1. The connection goes to an address that was checked: a name is resolved once, for the check and the connection.
 *  2. Redirects are not followed; of an answer's body a bounded part is read, and thrown away.
 *  3. An answer whose status came has come, whatever happens to its body.
 *
 * Not here: when to try again; time, which is the caller's `signal`.
 */
import { lookup as resolve } from "node:dns";
import type { LookupAddress, LookupOptions } from "node:dns";
import { Agent as HttpAgent, request as httpRequest } from "node:http";
import type { ClientRequest, IncomingMessage, RequestOptions } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { ServiceError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { TargetPolicy } from "./target-policy.ts";

export interface PostRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Ends the request when it aborts. */
  readonly signal: AbortSignal;
}

export interface PostAnswer {
  readonly status: number;
  /** What the target asks for before the next attempt. */
  readonly retryAfterMs?: number;
}

/** Rejects with ServiceError TARGET_REFUSED, or with whatever the network says. */
export type Post = (request: PostRequest) => Promise<PostAnswer>;

/** Pooled connections to one target that are kept although nothing is sent. */
const IDLE_SOCKETS_MAX = 2;

export class HttpPost {
  readonly #policy: TargetPolicy;
  readonly #http = new HttpAgent({ keepAlive: true, maxFreeSockets: IDLE_SOCKETS_MAX });
  readonly #https = new HttpsAgent({ keepAlive: true, maxFreeSockets: IDLE_SOCKETS_MAX });

  constructor(policy: TargetPolicy) {
    this.#policy = policy;
  }

  readonly post: Post = async (asked) => {
    const url = this.#policy.check(asked.url);
    for (let isFirst = true; ; isFirst = false) {
      const request = this.#request(url, asked);
      try {
        return await answerOf(request, asked.body);
      } catch (error) {
        // the target closed a pooled connection in the moment in which it was used again: nothing was wrong with it
        if (!isFirst || !request.reusedSocket || asked.signal.aborted) throw error;
      }
    }
  };

  /** Ends what is pooled. */
  close(): void {
    this.#http.destroy();
    this.#https.destroy();
  }

  #request(url: URL, { headers, body, signal }: PostRequest): ClientRequest {
    const options: RequestOptions = {
      method: "POST",
      headers: { ...headers, "content-length": Buffer.byteLength(body) },
      signal,
      lookup: (host, asked, done) => this.#lookup(host, asked, done),
    };
    return url.protocol === "https:"
      ? httpsRequest(url, { ...options, agent: this.#https })
      : httpRequest(url, { ...options, agent: this.#http });
  }

  #lookup(host: string, options: LookupOptions, done: Looked): void {
    resolve(host, { ...options, all: true }, (error, addresses) => {
      const [first] = addresses ?? [];
      const wrong = error ?? this.#objection(host, addresses);
      if (wrong !== null || first === undefined) return done(wrong ?? new Error(`${host} has no address`), "");
      if (options.all === true) done(null, addresses);
      else done(null, first.address, first.family);
    });
  }

  /** One address that is not allowed is enough: a name that leads inside now and then is no target. */
  #objection(host: string, addresses: readonly LookupAddress[]): Error | null {
    try {
      for (const { address } of addresses) this.#policy.checkAddress(host, address);
      return null;
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  }
}

type Looked = (error: Error | null, address: string | LookupAddress[], family?: number) => void;

function answerOf(request: ClientRequest, body: string): Promise<PostAnswer> {
  return new Promise((settle, reject) => {
    let answer: PostAnswer | undefined;
    const end = (error?: Error): void => {
      if (answer === undefined) reject(error ?? new Error("the connection was closed"));
      else settle(answer);
    };
    request.on("error", end);
    request.on("close", () => end());
    request.on("response", (response) => {
      answer = answerFrom(response);
      let bytes = 0;
      response.on("data", (chunk: Buffer) => {
        bytes += chunk.byteLength;
        if (bytes > LIMITS.webhookAnswerBytesMax) request.destroy();
      });
      response.on("error", end);
      response.on("close", () => end());
    });
    request.end(body);
  });
}

function answerFrom({ statusCode = 0, headers }: IncomingMessage): PostAnswer {
  const seconds = headers["retry-after"] ?? "";
  const retryAfterMs = /^\d{1,9}$/.test(seconds) ? Number(seconds) * 1000 : undefined;
  return { status: statusCode, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
}

/** Why nothing was answered, as a clause. Of what the network says only the code: the rest may hold addresses. */
export function networkFault(error: unknown): string {
  if (error instanceof ServiceError) return error.message;
  const code = error instanceof Error && "code" in error ? String(error.code) : "no reason is known";
  return `it cannot be reached (${code})`;
}

/**
 * A REST server over a Service, and the calls that the suites make of it.
 */
import { request as httpRequest } from "node:http";
import { afterAll, beforeAll, expect } from "vitest";
import type { Service } from "../../server/context-service.ts";
import { ERRORS } from "../../shared/errors.ts";
import type { ErrorCode } from "../../shared/errors.ts";
import { contextSchema, problemSchema } from "../../shared/protocol/rest.ts";
import { startRestServer } from "../support/rest-server.ts";

export interface ServiceUnderTest {
  readonly service: Service;
  close(): Promise<void>;
}

/** Servers of one service: each call goes to the next of them. */
export interface NodesUnderTest {
  readonly urls: readonly string[];
  close(): Promise<void>;
}

export const PATCH_JSON = "application/json-patch+json";
export const MERGE_JSON = "application/merge-patch+json";

type Headers = Readonly<Record<string, string>>;

interface RawAnswer {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  readonly text: string;
}

/** Starts before the tests of the describe in which it is called, and ends after them. */
export class RestHarness {
  #urls: readonly string[] = [];
  #calls = 0;
  #count = 0;

  constructor(start: () => Promise<ServiceUnderTest | NodesUnderTest>) {
    let stop: (() => Promise<void>)[] = [];
    beforeAll(async () => {
      const underTest = await start();
      stop = [() => underTest.close()];
      if ("urls" in underTest) {
        this.#urls = underTest.urls;
        return;
      }
      const server = await startRestServer(underTest.service);
      this.#urls = [server.url];
      stop.unshift(() => server.close());
    });
    afterAll(async () => {
      for (const it of stop) await it();
    });
  }

  #next(): string {
    return this.#urls[this.#calls++ % this.#urls.length] ?? "";
  }

  readonly call = (path: string, init: RequestInit = {}): Promise<Response> => fetch(`${this.#next()}${path}`, init);

  /** A text is sent as it is, anything else as JSON. */
  readonly send = async (method: string, path: string, body: unknown, headers: Headers = {}): Promise<Response> => {
    const response = await this.call(path, {
      method,
      body: typeof body === "string" ? body : JSON.stringify(body),
      headers: { "content-type": "application/json", ...headers },
    });
    // a type acts at every node within a second, and at once at one that is asked for it
    if (path.startsWith("/v1/types/")) for (const url of this.#urls.slice(1)) await fetch(`${url}/v1/types`);
    return response;
  };

  /** Makes a context; its address. */
  readonly addressOf = async (
    data: object = { title: "One", notes: { $text: "a fox, a dog" } },
    more: object = {},
  ): Promise<string> => {
    this.#count += 1;
    const id = `c${this.#count}`;
    expect((await this.send("POST", "/v1/contexts", { id, data, ...more })).status).toBe(201);
    return `/v1/contexts/${id}`;
  };

  readonly set = (address: string, value: unknown, headers: Headers = {}): Promise<Response> =>
    this.put(address, "/title", value, headers);

  readonly put = (address: string, path: string, value: unknown, headers: Headers = {}): Promise<Response> =>
    this.send("PATCH", address, [{ op: "add", path, value }], { "content-type": PATCH_JSON, ...headers });

  readonly dataAt = async (address: string): Promise<unknown> =>
    contextSchema.parse(await (await this.call(address)).json()).data;

  readonly expectProblem = async (response: Response, code: ErrorCode, says?: RegExp) => {
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    const problem = problemSchema.parse(await response.json());
    expect({ code: problem.code, status: response.status }).toEqual({ code, status: ERRORS[code].status });
    expect(problem).toMatchObject({ status: response.status, retry: ERRORS[code].retry, type: "about:blank" });
    expect(problem.requestId).toBe(response.headers.get("x-request-id"));
    expect(problem.detail).toMatch(says ?? /\.$/);
    return problem;
  };

  /** Everything sent, the Host header too, as it is. */
  readonly raw = (method: string, path: string, headers: Headers, body: Iterable<string> = []): Promise<RawAnswer> =>
    new Promise((resolve, reject) => {
      const request = httpRequest(`${this.#next()}${path}`, { method, headers }, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () => {
          const text = Buffer.concat(chunks).toString();
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
        });
        response.on("error", reject);
      });
      request.on("error", reject);
      for (const chunk of body) request.write(chunk);
      request.end();
    });
}

export function bodyOf({ body }: Response): AsyncIterable<Uint8Array> {
  if (body !== null) return body;
  throw new Error("the answer has no body");
}

/** A fetch that keeps what it is asked and answers what a test has laid out, in order. */

interface Asked {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly headers: Headers;
  readonly body: unknown;
}

export class RecordingFetch {
  readonly asked: Asked[] = [];
  readonly #answers: (() => Response)[] = [];

  /** The next answer; without a body the status is 204. */
  answer(body?: object | string, status = body === undefined ? 204 : 200): this {
    const text = typeof body === "object" ? JSON.stringify(body) : body;
    this.#answers.push(() => new Response(text ?? null, { status }));
    return this;
  }

  /** The next answer breaks off in its body. */
  breakOff(): this {
    const body = (): ReadableStream => new ReadableStream({ start: (stream) => stream.error(new Error("cut")) });
    this.#answers.push(() => new Response(body(), { status: 200 }));
    return this;
  }

  get last(): Asked | undefined {
    return this.asked.at(-1);
  }

  readonly fetch: typeof fetch = async (input, init) => {
    const { method, url, headers, body } = new Request(input, init);
    const { pathname, search } = new URL(url);
    const text = body === null ? "" : await new Response(body).text();
    this.asked.push({ method, path: pathname + search, headers, body: text === "" ? undefined : JSON.parse(text) });
    const answer = this.#answers.shift();
    if (answer === undefined) throw new Error("no answer was laid out");
    return answer();
  };
}

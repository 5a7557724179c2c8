/**
 * Webhooks with a real process and a real receiver: `kill -9` at random moments, while contexts are changed, made and deleted,
 * and the receiver answers, refuses, breaks off and takes its time.
 *
 * `MCM_CRASH_TRIALS=50` kills more often, `MCM_CRASH_SEED=7` makes other choices. Nothing that was acknowledged may be missing at the receiver in the end.
 */
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { expect, test } from "vitest";
import { deliverySchema, webhookReportSchema } from "../../shared/protocol/rest-webhooks.ts";
import type { DeliveryBody } from "../../shared/protocol/rest-webhooks.ts";
import { Random } from "../sim/random.ts";
import { ContextMirror } from "../support/context-mirror.ts";
import { ServerProcess } from "../support/server-process.ts";

const KILLS = Number(process.env["MCM_CRASH_TRIALS"] ?? 3);
const SEED = Number(process.env["MCM_CRASH_SEED"] ?? Date.now() % 1_000_000);
const SECRET = "the secret of the crash test";
const CONTEXTS = ["a", "b", "c", "d"];

/** A receiver that forgets nothing and is not to be relied on. */
class Receiver {
  readonly taken: DeliveryBody[] = [];
  /** Bodies by delivery: at every attempt the same. */
  readonly bodies = new Map<string, string>();
  readonly faults: string[] = [];
  isReliable = false;
  readonly #random: Random;
  readonly #server: Server;

  constructor(random: Random) {
    this.#random = random;
    this.#server = createServer((request, response) => void this.#receive(request, response));
  }

  async start(): Promise<string> {
    this.#server.listen({ port: 0, host: "127.0.0.1" });
    await once(this.#server, "listening");
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    return `http://127.0.0.1:${address.port}/hook`;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = "";
    try {
      for await (const chunk of request.setEncoding("utf8")) body += chunk;
    } catch {
      return; // the server was killed while it sent
    }
    this.#check(request, body);
    const delivery = deliverySchema.parse(JSON.parse(body));
    if (this.#mayDo(15)) return void request.socket.destroy();
    if (this.#mayDo(10)) return void response.writeHead(500).end();
    if (this.#mayDo(30)) await setTimeout(this.#random.below(30));
    this.taken.push(delivery);
    if (this.#mayDo(10)) request.socket.destroy();
    else response.writeHead(204).end();
  }

  #mayDo(percent: number): boolean {
    return !this.isReliable && this.#random.percent(percent);
  }

  #check({ headers }: IncomingMessage, body: string): void {
    const { "webhook-id": id = "", "webhook-timestamp": seconds, "webhook-signature": signature } = headers;
    const expected = createHmac("sha256", SECRET)
      .update(`${String(id)}.${String(seconds)}.${body}`)
      .digest("base64");
    if (signature !== `v1,${expected}`) this.faults.push(`wrong signature on ${body}`);
    const before = this.bodies.get(String(id)) ?? body;
    if (before !== body) this.faults.push(`delivery ${String(id)} was ${before} and is ${body}`);
    this.bodies.set(String(id), before);
  }
}

/** What the caller of one context was told. */
interface Known {
  /** Highest version acknowledged in each life of the context; the last one goes on. */
  readonly lives: number[];
}

class Caller {
  readonly known = new Map<string, Known>(CONTEXTS.map((id) => [id, { lives: [] }]));
  readonly #url: string;
  readonly #random: Random;

  constructor(url: string, random: Random) {
    this.#url = url;
    this.#random = random;
  }

  /** Changes the contexts, each by one caller, until the server is gone; resolves `enough` after so many answers. */
  work(dead: AbortSignal, answers: number): { readonly enough: Promise<void>; readonly done: Promise<void> } {
    let left = answers;
    let end = (): void => {};
    const enough = new Promise<void>((resolve) => (end = resolve));
    const answered = (): void => void (--left === 0 && end());
    const done = Promise.all(CONTEXTS.map((id) => this.#workOn(id, dead, answered))).then(() => end());
    return { enough, done };
  }

  async #workOn(id: string, dead: AbortSignal, answered: () => void): Promise<void> {
    const { lives } = this.known.get(id) ?? { lives: [] };
    for (let isThere = false; !dead.aborted;) {
      try {
        if (!isThere) await this.#ensure(id, lives);
        isThere = !this.#random.percent(3);
        if (!isThere) await this.#ask("DELETE", `/v1/contexts/${id}`);
        else lives[lives.length - 1] = await this.#increment(id);
        answered();
      } catch (error) {
        if (!dead.aborted) throw error;
      }
    }
  }

  async #increment(id: string): Promise<number> {
    const changes = [{ op: "increment", path: "/n", by: 1 }];
    const answer = await this.#ask("PATCH", `/v1/contexts/${id}`, { changes });
    return ((await answer.json()) as { version: number }).version;
  }

  /** The context is there, and so is its life. */
  async #ensure(id: string, lives: number[]): Promise<void> {
    const read = await this.#ask("GET", `/v1/contexts/${id}?depth=1`);
    if (read.status === 404) {
      await this.#ask("POST", "/v1/contexts", { id, data: { n: 0 } });
      lives.push(0);
      return;
    }
    const { version } = (await read.json()) as { version: number };
    // made, or made again, by a request whose answer was lost
    if (lives.length === 0 || version < (lives.at(-1) ?? 0)) lives.push(version);
  }

  async #ask(method: string, path: string, body?: object): Promise<Response> {
    const answer = await fetch(`${this.#url}${path}`, {
      method,
      headers: { "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (answer.status >= 500) throw new Error(`${method} ${path} gave ${answer.status}`);
    return answer;
  }
}

/** What the receiver knows of a context, and what its caller knows besides. */
function judged(contextId: string, lives: readonly number[], receiver: Receiver) {
  const mirror = new ContextMirror();
  for (const delivery of receiver.taken) if (delivery.contextId === contextId) mirror.take(delivery);
  const told = mirror.lives.map((life) => life.told);
  // a life that no answer told of is one that the receiver knows better
  const isThere = lives.every((version) => told.some((end) => end >= version)) && told.length >= lives.length;
  const isLastThere = (told.at(-1) ?? 0) >= (lives.at(-1) ?? 0);
  const missing = isThere && isLastThere ? [] : [`${contextId}: known are ${lives.join()}, told were ${told.join()}`];
  return { mirror, missing };
}

test("[HOOK-1] [HOOK-2] kill -9 loses no delivery, changes no order, and alters none that was tried", async () => {
  const random = new Random(SEED);
  const dataDir = await mkdtemp(join(tmpdir(), "mcm-webhooks-crash-"));
  const receiver = new Receiver(random);
  const url = await receiver.start();
  const server = await ServerProcess.start({ dataDir });
  try {
    const added = await fetch(`${server.url}/v1/webhooks`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ url, contexts: ["*"], secret: SECRET }),
    });
    const { id } = (await added.json()) as { id: string };
    const caller = new Caller(server.url, random);
    for (let kill = 0; kill < KILLS; kill++) {
      const dead = new AbortController();
      const work = caller.work(dead.signal, random.between(40, 120));
      await work.enough;
      dead.abort();
      await server.kill();
      await work.done;
      await server.restart();
    }
    receiver.isReliable = true;
    await fetch(`${server.url}/v1/webhooks/${id}/resume`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: "{}",
    });
    const report = async () => webhookReportSchema.parse(await (await fetch(`${server.url}/v1/webhooks/${id}`)).json());
    await expect.poll(report, { timeout: 60_000, interval: 100 }).toMatchObject({ state: "active", behind: 0 });
    expect((await report()).deadLetters).toBe(0);
    const faults = [...receiver.faults];
    let versions = 0;
    for (const [contextId, { lives }] of caller.known) {
      const { mirror, missing } = judged(contextId, lives, receiver);
      faults.push(...mirror.faults, ...missing);
      versions += mirror.lives.reduce((sum, { told }) => sum + told, 0);
    }
    expect([`seed ${SEED}`, faults]).toEqual([`seed ${SEED}`, []]);
    expect(versions).toBeGreaterThan(20 * KILLS);
  } finally {
    receiver.close();
    await server.kill();
    await rm(dataDir, { recursive: true, force: true });
  }
});

/**
 * Clients of several nodes, which write down what they did and were told (test/support/node-history.ts).
 *
 *   writers   add members to /w under idempotency keys, at one node after the other until one answers; now and then one
 *             tries once, without a key, and gives up soon; now and then one writes where somebody may have a lock
 *   raisers   take a lock of /n/a, /n/b or all of /n, read, add one, write; renew it before that, or forget to release it
 *   readers   read
 *   typists   type into the text of a live replica, wherever its node is just then
 *
 * 1. An operation goes on until it is answered, or says in the history that nothing is known of it.
 * 2. How long a client waits for a node before it asks another one grows with each try: a slow machine is no fault.
 */
import type { Context } from "../../client/index.ts";
import type { JsonOp } from "../../shared/change.ts";
import type { ContextId } from "../../shared/ids.ts";
import { intBelow, pick, randomFrom } from "../support/editing-history.ts";
import type { Random } from "../support/editing-history.ts";
import { NodeHistory } from "../support/node-history.ts";
import type { GrantRecord, Outcome, WriteRecord } from "../support/node-history.ts";
import { RestCaller, RestRefusal } from "../support/rest-caller.ts";

/** Nodes and engine may be down together, for longer than a client likes. */
const TRIES_MAX = 400;
const PAUSE_MS_MAX = 500;
const PATIENCE_MS = 1000;
const HASTE_MS = 300;
const LOCK_MS = 3000;
const WRITERS = 6;
const RAISERS = 3;
const READERS = 1;

export interface LoadOptions {
  readonly seed: number;
  /** Names of this load's clients begin with it. */
  readonly name: string;
  /** Of the nodes. */
  readonly urls: readonly string[];
  readonly contextIds: readonly ContextId[];
  readonly replicas: readonly Context[];
}

interface Asked<T> {
  readonly result: T;
  readonly tries: number;
}

export class NodeLoad {
  readonly history = new NodeHistory();
  readonly #options: LoadOptions;
  readonly #typed = new Map<Context, number>();
  readonly #clients: Promise<unknown>;
  #isOver = false;

  constructor(options: LoadOptions) {
    this.#options = options;
    const { replicas, name } = options;
    this.#clients = Promise.all([
      ...Array.from({ length: WRITERS }, (_, at) => this.#write(new LoadClient(this.#options, `${name}-w${at}`))),
      ...Array.from({ length: RAISERS }, (_, at) => this.#raise(new LoadClient(this.#options, `${name}-r${at}`))),
      ...Array.from({ length: READERS }, (_, at) => this.#read(new LoadClient(this.#options, `${name}-s${at}`))),
      ...replicas.map((replica) => this.#type(replica)),
    ]);
    this.#clients.catch(() => undefined);
  }

  /** Resolves when so many more writes were acknowledged. @throws {Error} when a client met what none should */
  async more(count: number): Promise<void> {
    await Promise.race([this.history.more(count), this.#clients]);
  }

  /** Resolves when all clients have their answers. @throws {Error} when a client met what none should */
  async end(): Promise<void> {
    this.#isOver = true;
    await this.#clients;
  }

  typed(replica: Context): number {
    return this.#typed.get(replica) ?? 0;
  }

  async #write(client: LoadClient): Promise<void> {
    for (let n = 0; !this.#isOver; n++) {
      const id = `${client.actor}-${n}`;
      const isIntruder = client.chance(0.1);
      const path = isIntruder ? "/n/c" : `/w/${id}`;
      const write = { id, ops: [{ op: "add", path, value: id } satisfies JsonOp] };
      await (client.chance(0.15) ? client.writeOnce(this.history, write) : client.write(this.history, write));
    }
  }

  /** With nothing that would make it safe but the lock. */
  async #raise(client: LoadClient): Promise<void> {
    for (let n = 0; !this.#isOver; n++) {
      const names = pick(client.random, [["a"], ["b"], ["a", "b"]]);
      const path = names.length === 1 ? `/n/${names.join()}` : "/n";
      const grant = await client.lock(this.history, path);
      if (grant === undefined) continue;
      const { contextId, token } = grant;
      if (client.chance(0.3)) await client.renew(grant);
      const { data } = (await client.read(this.history, contextId)) as { data: { n: Record<string, number> } };
      const ops = names.map((name) => {
        return { op: "replace", path: `/n/${name}`, value: (data.n[name] ?? 0) + 1 } satisfies JsonOp;
      });
      await client.write(this.history, { id: `${client.actor}-${n}`, ops, contextId, token });
      if (!client.chance(0.15)) await client.release(grant);
    }
  }

  async #read(client: LoadClient): Promise<void> {
    while (!this.#isOver) await client.read(this.history, client.aContext());
  }

  async #type(replica: Context): Promise<void> {
    for (let typed = 0; !this.#isOver;) {
      replica.data.getText("text").insert(0, "x");
      await replica.saved();
      this.#typed.set(replica, ++typed);
    }
  }
}

interface Write {
  readonly id: string;
  readonly ops: readonly JsonOp[];
  readonly contextId?: ContextId;
  readonly token?: number;
}

/** One client: it asks any node. */
class LoadClient {
  readonly actor: string;
  readonly random: Random;
  readonly #options: LoadOptions;

  constructor(options: LoadOptions, actor: string) {
    this.#options = options;
    this.actor = actor;
    this.random = randomFrom(options.seed + Buffer.from(actor).reduce((sum, byte) => sum * 31 + byte, 0));
  }

  chance(of: number): boolean {
    return this.random() < of;
  }

  aContext(): ContextId {
    const { contextIds } = this.#options;
    const id = contextIds[intBelow(this.random, contextIds.length)];
    if (id === undefined) throw new Error("a load has contexts");
    return id;
  }

  async write(history: NodeHistory, write: Write): Promise<void> {
    const began = this.#begin(write);
    const outcome = await this.#anywhere((caller) => this.#send(caller, began.contextId, write, write.id))
      .then(({ result }) => ({ kind: "acknowledged", ...result }) as const)
      .catch((error: unknown) => refusalOf(error));
    history.wrote({ ...began, endedMs: performance.now(), outcome });
  }

  /** Without a key: who gives up never knows. */
  async writeOnce(history: NodeHistory, write: Write): Promise<void> {
    const began = this.#begin(write);
    const caller = new RestCaller(this.#aNode(), this.actor, PATIENCE_MS * this.random() + HASTE_MS);
    const outcome: Outcome = await this.#send(caller, began.contextId, write, undefined)
      .then((result) => ({ kind: "acknowledged", ...result }) as const)
      .catch((error: unknown) => (isRefusal(error) ? { kind: "refused", isFinal: true } : { kind: "unknown" }));
    const endedMs = outcome.kind === "unknown" ? Infinity : performance.now();
    history.wrote({ ...began, endedMs, outcome });
  }

  async read(history: NodeHistory, contextId: ContextId): Promise<{ readonly data: unknown }> {
    const beganMs = performance.now();
    // each try reads anew
    const { result } = await this.#anywhere(async (caller) => caller.read(contextId));
    const { version, data } = result;
    const { w } = data as { w: object };
    history.reads.push({ contextId, beganMs, endedMs: performance.now(), version, members: Object.keys(w).length });
    return { data };
  }

  async lock(history: NodeHistory, path: string): Promise<GrantRecord | undefined> {
    const [contextId, lockId, lastAskedAtMs, beganMs] = [
      this.aContext(),
      crypto.randomUUID(),
      Date.now(),
      performance.now(),
    ];
    const request = { lockId, paths: [path], ttlMs: LOCK_MS, waitMs: 800 };
    const answer = await this.#anywhere((caller) => caller.lock(contextId, request)).catch(orUndefined);
    if (answer === undefined) return undefined;
    const grant = {
      ...{ contextId, lockId, token: answer.result.fencingToken, ttlMs: LOCK_MS },
      ...{ beganMs, endedMs: performance.now(), lastAskedAtMs },
    };
    history.grants.push(grant);
    return grant;
  }

  async renew(grant: GrantRecord): Promise<void> {
    const { contextId, lockId } = grant;
    let askedAtMs = 0;
    const renewed = await this.#anywhere((caller) => {
      askedAtMs = Date.now();
      return caller.renew(contextId, lockId);
    }).catch(orUndefined);
    if (renewed !== undefined) grant.lastAskedAtMs = askedAtMs;
  }

  async release({ contextId, lockId }: GrantRecord): Promise<void> {
    await this.#anywhere((caller) => caller.unlock(contextId, lockId)).catch(orUndefined);
  }

  #begin({ id, contextId = this.aContext(), token }: Write) {
    const { actor } = this;
    return { contextId, id, actor, ...(token === undefined ? {} : { token }), beganMs: performance.now() };
  }

  async #send(caller: RestCaller, contextId: ContextId, { id, ops, token }: Write, key: string | undefined) {
    const more = { message: id, ...(token === undefined ? {} : { lockToken: token }) };
    const { seq, version } = await caller.change(contextId, ops, key, more);
    return { seq, version };
  }

  /** Asks one node after the other until one answers. @throws {Refused} which is an answer, too */
  async #anywhere<T>(ask: (caller: RestCaller) => Promise<T>): Promise<Asked<T>> {
    let failure: unknown;
    for (let tries = 1; tries <= TRIES_MAX; tries++) {
      try {
        return { result: await ask(new RestCaller(this.#aNode(), this.actor, PATIENCE_MS * tries)), tries };
      } catch (error) {
        if (isRefusal(error)) throw new Refused(error, tries);
        failure = error;
        await pause(Math.min(20 * tries, PAUSE_MS_MAX));
      }
    }
    throw new Error("no node answered", { cause: failure });
  }

  #aNode(): string {
    const { urls } = this.#options;
    return urls[intBelow(this.random, urls.length)] ?? "";
  }
}

class Refused extends Error {
  readonly refusal: RestRefusal;
  readonly tries: number;

  constructor(refusal: RestRefusal, tries: number) {
    super(refusal.message);
    this.refusal = refusal;
    this.tries = tries;
  }
}

function isRefusal(error: unknown): error is RestRefusal {
  return error instanceof RestRefusal && error.status < 500;
}

/** A lock that is free again may let in a try of before, a token that counts no more never does. */
function refusalOf(error: unknown): WriteRecord["outcome"] {
  if (!(error instanceof Refused)) throw error;
  return { kind: "refused", isFinal: error.tries === 1 || error.refusal.code === "FENCE_STALE" };
}

/** Refused: somebody else has the lock, or had it meanwhile. */
function orUndefined(error: unknown): undefined {
  if (!(error instanceof Refused)) throw error;
}

/** Answers come in between. */
function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

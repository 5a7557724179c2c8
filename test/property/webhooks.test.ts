/**
 * Targets that fail in all ways and servers that die at any moment, at random: whatever happens, each change is told at least
 * once or named as a gap, in order, and the same delivery is the same at every attempt (HOOK-1, HOOK-2, HOOK-5, HOOK-6, HOOK-10).
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { ServiceError } from "../../shared/errors.ts";
import { deliverySchema } from "../../shared/protocol/rest-webhooks.ts";
import type { DeliveryBody } from "../../shared/protocol/rest-webhooks.ts";
import { ContextMirror } from "../support/context-mirror.ts";
import { silence } from "../support/fake-target.ts";
import { entryOf } from "../support/log-fixtures.ts";
import { turns } from "../support/service-rig.ts";
import { admin, WebhookRig } from "../support/webhook-rig.ts";

const HOUR = 3_600_000;
const CONTEXTS = ["a", "b", "c"] as const;

const context = fc.constantFrom(...CONTEXTS);
const ways = [
  "takes",
  "takes",
  "500",
  "429",
  "400",
  "400 of a",
  "500 of b",
  "silent",
  "refuses",
  "late",
  "late",
] as const;
const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ do: fc.constant("change" as const), context, count: fc.integer({ min: 1, max: 4 }) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("many" as const), context }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("void" as const), context }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("recreate" as const), context, isLeft: fc.boolean() }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("thin" as const),
      context,
      share: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constant("target" as const), way: fc.constantFrom(...ways) }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant("turns" as const), count: fc.nat(12) }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant("pass" as const), ms: fc.constantFrom(500, 5000, 60_000, HOUR, 3 * HOUR) }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("crash" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("restart" as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("fault" as const), after: fc.nat(10) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("pause" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("resume" as const) }) },
);
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

/** What happened to a context, from its creation to its deletion. */
interface Life {
  version: number;
  /** The version after each entry. */
  readonly versions: number[];
  /** Of the last entry, and the last version, that the log does not keep. */
  thinnedSeq: number;
  thinnedTo: number;
  isOver: boolean;
}

class History {
  readonly lives = new Map<string, Life[]>(CONTEXTS.map((id) => [id, []]));
  /** Of each delivery: its body whenever it was tried. */
  readonly bodies = new Map<string, string>();
  readonly #rig: WebhookRig;
  #webhookId = "";
  #count = 0;

  constructor(rig: WebhookRig) {
    this.#rig = rig;
  }

  async begin(): Promise<void> {
    this.#webhookId = await this.#rig.add();
    for (const id of CONTEXTS) await this.#create(id);
  }

  async take(it: Step): Promise<void> {
    switch (it.do) {
      case "change":
        return this.#append(it.context, it.count, "change");
      case "many":
        return this.#append(it.context, 230, "change");
      case "void":
        return this.#append(it.context, 1, "void");
      case "recreate":
        return this.#recreate(it.context, it.isLeft);
      case "thin":
        return this.#thin(it.context, it.share);
      case "target":
        return this.#become(it.way);
      default:
        return this.#live(it);
    }
  }

  async #live(it: Exclude<Step, { readonly context: string } | { readonly do: "target" }>): Promise<void> {
    const rig = this.#rig;
    const { manager } = rig;
    switch (it.do) {
      case "turns":
        return turns(it.count);
      case "pass":
        return rig.pass(it.ms, it.ms < HOUR ? 6 : 20);
      case "crash":
      case "restart":
        rig.beforeCall = () => {};
        return it.do === "crash" ? rig.crash() : rig.restart();
      case "fault":
        return this.#fault(it.after);
      case "pause":
        return void (await manager.pause(admin, this.#webhookId).catch(noStore));
      case "resume":
        return void (await manager.resume(admin, this.#webhookId).catch(noStore));
    }
  }

  /** Everything works again, for long enough. */
  async end(): Promise<void> {
    const rig = this.#rig;
    rig.beforeCall = () => {};
    this.#become("takes");
    await rig.manager.resume(admin, this.#webhookId);
    await rig.pass(HOUR, 10);
    expect(await rig.manager.list(admin)).toMatchObject([{ state: "active", behind: 0 }]);
    await rig.manager.redeliver(admin, this.#webhookId, {});
    expect(await rig.manager.list(admin)).toMatchObject([{ deadLetters: 0 }]);
  }

  #become(way: (typeof ways)[number]): void {
    this.#rig.target.answer = (request, body) => {
      const { deliveryId, redelivered } = body;
      const before = this.bodies.get(deliveryId) ?? request.body;
      if (redelivered !== true) expect(request.body).toBe(before);
      this.bodies.set(deliveryId, before);
      if (way === "silent") return silence(request);
      if (way === "late") return Promise.race([silence(request), this.#later(204)]);
      if (way === "refuses") throw new Error("refused");
      const [status = "204", of = body.contextId] = way === "takes" ? [] : way.split(" of ");
      return of === body.contextId ? Number(status) : 204;
    };
  }

  #later(status: number): Promise<number> {
    return new Promise((resolve) => void this.#rig.clock.setTimer(400, () => resolve(status)));
  }

  #fault(after: number): void {
    let calls = 0;
    this.#rig.beforeCall = () => {
      if (++calls === after + 1) throw new ServiceError("STORE_UNAVAILABLE", "The log is being reopened.");
    };
  }

  async #append(id: string, count: number, kind: "change" | "void"): Promise<void> {
    const life = this.lives.get(id)?.at(-1);
    if (life === undefined || life.isOver) return;
    await this.#rig.append(
      id,
      Array.from({ length: count }, () => entryOf(++this.#count, { kind })),
    );
    for (let i = 0; i < count; i++) life.versions.push(kind === "change" ? ++life.version : life.version);
  }

  async #create(id: string): Promise<void> {
    await this.#rig.create(id);
    this.lives.get(id)?.push({ version: 0, versions: [], thinnedSeq: 0, thinnedTo: 0, isOver: false });
  }

  async #recreate(id: string, isLeft: boolean): Promise<void> {
    const life = this.lives.get(id)?.at(-1);
    if (life !== undefined && !life.isOver) {
      try {
        await this.#rig.remove(id);
        life.isOver = true;
      } catch (error) {
        return noStore(error);
      }
    }
    if (!isLeft) await this.#create(id);
  }

  async #thin(id: string, share: number): Promise<void> {
    const life = this.lives.get(id)?.at(-1);
    if (life === undefined || life.isOver) return;
    const seq = Math.ceil(share * life.versions.length);
    const version = life.versions[seq - 1];
    if (version === undefined || seq <= life.thinnedSeq) return;
    await this.#rig.thin(id, seq, version);
    [life.thinnedSeq, life.thinnedTo] = [seq, version];
  }
}

function noStore(error: unknown): void {
  if (!(error instanceof ServiceError) || error.code !== "STORE_UNAVAILABLE") throw error;
}

/** Deliveries of one context in the order in which they were first tried, of those that were taken sooner or later. */
function triedOf({ target }: WebhookRig, id: string): DeliveryBody[] {
  const taken = new Set(target.taken.map(({ deliveryId }) => deliveryId));
  const tried = new Map<string, DeliveryBody>();
  for (const { body } of target.requests) {
    const delivery = deliverySchema.parse(JSON.parse(body));
    const { contextId, deliveryId } = delivery;
    if (contextId === id && taken.has(deliveryId) && !tried.has(deliveryId)) tried.set(deliveryId, delivery);
  }
  return [...tried.values()];
}

/** Each life of the context from its creation to its end, every version once, or why not. */
function checkLives(tried: readonly DeliveryBody[], lives: readonly Life[]): void {
  const mirror = new ContextMirror();
  for (const delivery of tried) mirror.take(delivery);
  expect(mirror.faults).toEqual([]);
  expect(mirror.lives.map(({ told }) => told)).toEqual(lives.map(({ version }) => version));
  expect(mirror.isOver).toBe(lives.at(-1)?.isOver);
  for (const [index, { gaps }] of mirror.lives.entries()) {
    const thinned = gaps.filter(({ reason }) => reason === "thinned").map(({ to }) => to);
    expect(Math.max(0, ...thinned)).toBeLessThanOrEqual(lives[index]?.thinnedTo ?? 0);
  }
}

/** What is sent again of a dead letter is what it told, or says that it is lost. */
function checkLetters({ target }: WebhookRig): void {
  for (const { deliveryId, changes, gaps = [] } of target.taken.filter(({ redelivered }) => redelivered === true)) {
    const first = target.requests.find(({ headers }) => headers["webhook-id"] === deliveryId);
    const before = deliverySchema.parse(JSON.parse(first?.body ?? "{}"));
    for (const { version } of before.changes) {
      const isTold = changes.some((change) => change.version === version);
      expect(isTold || gaps.some(({ from, to }) => from <= version && version <= to)).toBe(true);
    }
  }
}

test("[HOOK-1] whatever fails and dies, each change is told or named as a gap, in order", async () => {
  const reached = { doubles: 0, dead: 0, thinned: 0, deleted: 0 };
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), async (steps) => {
      const rig = await WebhookRig.start();
      try {
        const history = new History(rig);
        await history.begin();
        for (const it of steps) await history.take(it);
        await history.end();
        const { taken } = rig.target;
        for (const id of CONTEXTS) checkLives(triedOf(rig, id), history.lives.get(id) ?? []);
        checkLetters(rig);
        const reasons = taken.flatMap(({ gaps = [] }) => gaps.map(({ reason }) => reason));
        reached.doubles += taken.length - new Set(taken.map(({ deliveryId }) => deliveryId)).size;
        reached.dead += taken.filter(({ redelivered }) => redelivered).length;
        reached.thinned += reasons.filter((reason) => reason === "thinned").length;
        reached.deleted += reasons.filter((reason) => reason === "deleted").length;
      } finally {
        await rig.close();
      }
    }),
    { seed: 20_261_130, numRuns: 150 },
  );
  expect(Object.entries(reached).filter(([, count]) => count < 5)).toEqual([]);
});

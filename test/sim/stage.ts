/**
 * Who is there in a run, and what they do when it is their turn.
 */
import { parseActor } from "../../shared/ids.ts";
import type { ContextId } from "../../shared/ids.ts";
import { ExtendedClient } from "./extended-client.ts";
import type { KeyedChange } from "./extended-client.ts";
import { CONTEXTS, COUNTER, FIRST_CONTENT, edit, operations } from "./habits.ts";
import type { Nature } from "./nature.ts";
import type { Random } from "./random.ts";
import { RestCaller } from "./rest-caller.ts";
import { SimClient } from "./sim-client.ts";
import type { World } from "./world.ts";

export class Stage {
  readonly world: World;
  readonly random: Random;
  readonly nature: Nature;
  readonly clients: SimClient[] = [];
  readonly callers: RestCaller[] = [];
  /** What keyed increments were asked for, by context. */
  readonly increments = new Map<ContextId, Map<string, number>>();
  #marks = 0;

  constructor(world: World, random: Random, nature: Nature) {
    this.world = world;
    this.random = random;
    this.nature = nature;
  }

  /** A server, contexts with their first content, and everybody connected; nothing fails yet. */
  async setUp(): Promise<void> {
    const { events, disk } = this.world;
    disk.spare(true);
    this.world.start();
    await events.runUntil(5000);
    for (const id of CONTEXTS.slice(0, this.nature.contexts)) await this.#make(id);
    disk.spare(false);
    const { stockClients, extendedClients, callers } = this.nature;
    for (let i = 0; i < stockClients + extendedClients; i++) {
      this.clients.push(this.#newClient(`client${i}`, i >= stockClients));
    }
    for (let i = 0; i < callers; i++) {
      const caller = new RestCaller(this.world, parseActor(`caller${i}`), this.#anyContext());
      this.callers.push(caller);
      this.world.go(caller.follow());
    }
    for (const client of this.clients) client.connect();
  }

  /** Somebody does something. */
  act(): void {
    const { random, world } = this;
    const actor = random.pick([...this.clients, ...this.callers]);
    const mark = `m${++this.#marks}`;
    if (actor instanceof RestCaller) {
      if (random.percent(25)) return world.go(actor.read());
      const change = this.newChange(actor.contextId, mark, actor.version);
      world.go(actor.change(change));
      // a caller that lost patience: the same request once more while the first is under way
      if (random.percent(15)) world.go(actor.change(change));
    } else if (actor instanceof ExtendedClient && random.percent(30)) {
      actor.request(this.newChange(actor.identity.contextId, mark, actor.version));
    } else if (actor !== undefined) {
      world.note(`${actor.identity.name} edits`);
      const count = random.percent(10) ? random.between(2, 6) : 1;
      for (let i = 0; i < count; i++) actor.edit((doc) => edit(doc, random, `${mark}.${i}`));
    }
  }

  goHome(): void {
    this.world.note("night");
    for (const client of this.clients) client.disconnect();
  }

  comeBack(): void {
    this.world.note("morning");
    for (const client of this.clients) client.connect();
  }

  /** Everybody does one more thing. */
  actOnceMore(): void {
    for (const client of this.clients) {
      client.edit((doc) => doc.getMap("data").set(`last-${client.identity.name}`, true));
      client.connect();
    }
    for (const caller of this.callers) {
      this.world.go(
        caller.change({ key: `m${++this.#marks}`, ops: [{ op: "append_text", path: "/text", text: "!" }] }),
      );
    }
  }

  newChange(contextId: ContextId, key: string, version: number): KeyedChange {
    const { random } = this;
    if (random.percent(50)) {
      return { key, ops: operations(random, key), ...(random.percent(20) ? { ifVersion: version } : {}) };
    }
    const by = random.between(1, 9);
    this.increments.get(contextId)?.set(key, by);
    return { key, ops: [{ op: "increment", path: `/${COUNTER}`, by }] };
  }

  /** The page is loaded anew: a new document, and what was not saved would be lost with the old one. */
  reload(client: SimClient): void {
    if (!client.isSaved) return;
    client.disconnect();
    client.awareness.destroy();
    const next = this.#newClient(`${client.identity.name}'`, client.isExtended);
    this.clients[this.clients.indexOf(client)] = next;
    next.connect();
  }

  async #make(id: ContextId): Promise<void> {
    const { events } = this.world;
    const maker = { actor: parseActor("maker"), origin: "rest" } as const;
    const nobody = (): void => undefined;
    this.world.go(this.world.call((service) => service.create(maker, { id }), nobody));
    await events.runUntil(events.nowMs + 5000);
    const caller = new RestCaller(this.world, maker.actor, id);
    this.world.go(caller.change({ key: "first", ops: [{ op: "merge", path: "", value: FIRST_CONTENT }] }));
    await events.runUntil(events.nowMs + 5000);
    this.increments.set(id, new Map());
  }

  #newClient(name: string, isExtended: boolean): SimClient {
    const { random } = this;
    const who = { name, actor: parseActor(name), contextId: this.#anyContext(), yjsClientId: random.uint32() };
    const identity = { ...who, isShy: random.percent(20) };
    return isExtended ? new ExtendedClient(identity, this.world) : new SimClient(identity, this.world);
  }

  #anyContext(): ContextId {
    const id = this.random.pick([...this.increments.keys()]);
    if (id === undefined) throw new Error("a run has at least one context");
    return id;
  }
}

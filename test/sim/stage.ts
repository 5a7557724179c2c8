/**
 * Who is there in a run, and what they do when it is their turn.
 */
import { bearer } from "../support/callers.ts";
import { parseActor } from "../../shared/ids.ts";
import type { Actor, ContextId } from "../../shared/ids.ts";
import type { Acl } from "../../shared/permission.ts";
import type { Caller } from "../../server/context-service.ts";
import { setLastList, setList } from "./access/access-errands.ts";
import { lastAcl } from "./access/access-habits.ts";
import { turnToAccess } from "./access/access-turn.ts";
import { ExtendedClient } from "./extended-client.ts";
import { CONTEXTS, FIRST_CONTENT, SCHEMA, TYPE, edit, operations } from "./habits.ts";
import type { KeyedChange } from "./ledger.ts";
import { ClientLocks } from "./locks/client-locks.ts";
import { OFFENCES, WORK } from "./locks/lock-errands.ts";
import type { LockNature } from "./locks/lock-habits.ts";
import { pageTurnsToLocks } from "./locks/lock-turn.ts";
import type { Nature } from "./nature.ts";
import type { Random } from "./random.ts";
import { RestCaller } from "./rest-caller.ts";
import { SimClient } from "./sim-client.ts";
import type { World } from "./world.ts";

/** A person notices that a page is not live any more. */
const RELOAD_MS_MAX = 3000;
const VERSIONS_LOOKED_AT = 6;
const AGAIN_PACES = 30;
const LASTING_MS = 3_600_000;
const MAKER = "maker";
/** Admin of the server as a whole; of an open one everybody is. */
const WARDEN: Caller = { identity: bearer("warden", { grants: [{ id: "*", role: "admin" }] }), origin: "rest" };
/** At first everybody may do everything. */
const FIRST_ACL: Acl = { grants: [{ principal: "*", role: "admin" }] };

/** `locks` are those of a page that begins anew with another document. */
type Who = Readonly<{
  name: string;
  actor: Actor;
  contextId: ContextId;
  party?: string;
  locks?: ClientLocks | undefined;
}>;

const nobody = (): void => undefined;

export class Stage {
  readonly world: World;
  readonly random: Random;
  readonly nature: Nature;
  readonly clients: SimClient[] = [];
  readonly callers: RestCaller[] = [];
  readonly contexts: ContextId[] = [];
  #marks = 0;

  constructor(world: World, random: Random, nature: Nature) {
    this.world = world;
    this.random = random;
    this.nature = nature;
    world.onOutlived = (client) => this.#replaceOld(client);
    world.onRefused = (client) => this.#replaceRefused(client);
    world.onShutOut = (client) => this.#replaceShutOut(client);
  }

  /** A server, contexts with their first content, and everybody connected; nothing fails yet. */
  async setUp(): Promise<void> {
    const { events, disk } = this.world;
    disk.spare(true);
    this.world.start();
    await events.runUntil(5000);
    const put = { schema: SCHEMA };
    if (this.nature.isTyped) this.world.go(this.world.call((service) => service.types.put(WARDEN, TYPE, put), nobody));
    await events.runUntil(events.nowMs + 5000);
    for (const id of CONTEXTS.slice(0, this.nature.contexts)) await this.#make(id);
    disk.spare(false);
    const { stockClients, extendedClients, callers } = this.nature;
    for (let i = 0; i < stockClients + extendedClients; i++) {
      const name = `client${i}`;
      const who = { name, actor: this.#actorOf(name), contextId: this.#anyContext() };
      this.clients.push(this.#newClient(who, i >= stockClients));
    }
    for (let i = 0; i < callers; i++) {
      const name = `caller${i}`;
      const caller = new RestCaller(this.world, this.#actorOf(name), this.#anyContext(), name);
      this.callers.push(caller);
      this.world.go(caller.follow());
    }
    for (const client of this.clients) client.connect();
  }

  /** Somebody does something. */
  act(): void {
    const { random, world } = this;
    const { locks, access } = this.nature;
    if (access !== undefined && random.percent(access.share)) return this.#turnToAccess();
    if (locks !== undefined && random.percent(locks.share)) return this.#turnToLocks(locks);
    const actor = random.pick([...this.clients, ...this.callers]);
    const mark = this.#newMark();
    if (actor instanceof RestCaller) {
      this.#call(actor, mark);
    } else if (actor instanceof ExtendedClient && random.percent(30)) {
      actor.request(this.#asked(actor, this.newChange(mark, actor.version)));
    } else if (actor !== undefined) {
      world.note(`${actor.identity.name} edits`);
      const count = random.percent(10) ? random.between(2, 6) : 1;
      for (let i = 0; i < count; i++) actor.edit(`${mark}.${i}`, (doc) => edit(doc, random, `${mark}.${i}`));
    }
  }

  #call(caller: RestCaller, mark: string): void {
    const { random, world } = this;
    if (random.percent(20)) return world.go(caller.read());
    const errand = random.pick(this.nature.errands);
    if (errand !== undefined && random.percent(50)) return world.go(caller.run(errand, mark, this.#colleagues()));
    const change = this.newChange(mark, caller.version);
    world.go(caller.change(change));
    // a caller that lost patience: the same request once more while the first is under way
    if (random.percent(15)) world.go(caller.change(change));
    // or one that forgot that it was answered
    if (random.percent(15))
      world.after(random.below(AGAIN_PACES * this.nature.paceMsMax), () => world.go(caller.change(change)));
  }

  /** Nobody takes locks any more; what is held is given back, or left to its time. */
  letGo(): void {
    for (const client of this.clients) {
      if (client instanceof ExtendedClient) client.locks?.end(() => this.random.percent(50));
    }
  }

  /** The last list of each context, tried until it holds; and tokens last. */
  settleAccess(): void {
    const { office } = this.world;
    if (office === undefined) return;
    office.lifeMs = LASTING_MS;
    for (const id of this.contexts)
      this.world.go(setLastList(this.#office(MAKER, id), lastAcl(this.random, this.#actors())));
  }

  #turnToAccess(): void {
    const { world, random } = this;
    turnToAccess({
      world,
      random,
      contextId: this.#anyContext(),
      maker: MAKER,
      warden: WARDEN,
      actors: this.#actors(),
    });
  }

  #office(actor: string, contextId: ContextId) {
    return { world: this.world, caller: this.world.callerOf(actor), contextId };
  }

  #actors(): readonly string[] {
    const { clients, callers } = this;
    return [
      ...new Set([...clients.map(({ identity }) => identity.actor), ...callers.map(({ actor }) => actor)]),
    ].filter((actor) => actor !== MAKER);
  }

  #turnToLocks(nature: LockNature): void {
    const { random, world } = this;
    const client = random.pick(
      [...this.clients, ...this.callers].filter((it) => it instanceof RestCaller || it.isExtended),
    );
    const mark = this.#newMark();
    if (client instanceof RestCaller) {
      const errand = random.pick(random.percent(nature.offences) ? OFFENCES : WORK);
      if (errand !== undefined) world.go(client.runWithLocks(errand, mark, nature, this.#colleagues()));
    } else if (client instanceof ExtendedClient && client.locks !== undefined) {
      world.note(`${client.identity.name} turns to locks`);
      pageTurnsToLocks(client, client.locks, { random, nature, mark });
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
      const key = `last-${client.identity.name}`;
      client.edit(key, (doc) => {
        doc.getMap("data").set(key, true);
        return [{ op: "add", path: `/${key}`, value: true }];
      });
      client.connect();
    }
    for (const caller of this.callers) {
      this.world.go(caller.change({ key: this.#newMark(), ops: [{ op: "append_text", path: "/text", text: "!" }] }));
    }
  }

  /** Somebody reads what is kept of each context's past: some versions, and those that have names. */
  lookBack(): void {
    const { random, world } = this;
    for (const contextId of this.contexts) {
      const { names, versionMax } = world.ledger(contextId);
      const some = Array.from({ length: VERSIONS_LOOKED_AT }, () => random.below(versionMax + 1));
      const reader = new RestCaller(world, parseActor(MAKER), contextId);
      this.callers.push(reader);
      world.go(reader.follow());
      world.go(reader.lookBack([...some, ...names.values()], this.#colleagues()));
    }
  }

  newChange(key: string, version: number): KeyedChange {
    const { random } = this;
    if (random.percent(50)) {
      const ifVersionScope = random.percent(30) ? ("context" as const) : undefined;
      const scope = ifVersionScope === undefined ? {} : { ifVersionScope };
      return { key, ops: operations(random, key), ...(random.percent(30) ? { ifVersion: version, ...scope } : {}) };
    }
    const by = random.between(1, 9);
    return { key, ops: [{ op: "increment", path: "/counter", by }], counts: { counter: by } };
  }

  /** The page is loaded anew: a new document, and what was not saved would be lost with the old one. */
  reload(client: SimClient): void {
    if (!client.isSaved) return;
    if (client instanceof ExtendedClient && client.isSynced && this.random.percent(50)) client.giveUpId();
    this.#succeed(client, this.#anyContext()).connect();
  }

  /** A stock client needs somebody who loads the page again; an mcm.v1 client sees to it that nothing is forgotten. */
  #replaceOld(client: SimClient): void {
    const { isHere, identity } = client;
    client.disconnect();
    const replace = (): void => {
      if (!this.clients.includes(client)) return;
      const heir = this.#succeed(client, identity.contextId, pageOf(client));
      if (isHere) heir.connect();
      if (!(client instanceof ExtendedClient && heir instanceof ExtendedClient)) return;
      heir.inherit(client, (ops) => this.#asked(heir, { key: this.#newMark(), ops }));
    };
    if (client.isExtended) replace();
    else this.world.after(this.random.below(RELOAD_MS_MAX), replace);
  }

  /** A page with the SDK begins anew by itself; a person sees that a stock one is dead, some first try it once more. */
  #replaceRefused(client: SimClient): void {
    const { isHere, identity } = client;
    if (client instanceof ExtendedClient) {
      const heir = this.#succeed(client, identity.contextId, pageOf(client));
      if (heir instanceof ExtendedClient) heir.takeOver(client);
      if (isHere) heir.connect();
      return;
    }
    const { random, world } = this;
    client.disconnect();
    const again = random.percent(30) ? random.below(RELOAD_MS_MAX) : undefined;
    if (again !== undefined && isHere)
      world.after(again, () => {
        if (this.clients.includes(client)) client.connect();
      });
    world.after(RELOAD_MS_MAX + random.below(RELOAD_MS_MAX), () => {
      if (!this.clients.includes(client)) return;
      const heir = this.#succeed(client, identity.contextId);
      if (isHere) heir.connect();
    });
  }

  /** Somebody tries again after a while, with another page. */
  #replaceShutOut(client: SimClient): void {
    const { isHere, identity } = client;
    client.disconnect();
    this.world.after(this.random.below(RELOAD_MS_MAX), () => {
      if (!this.clients.includes(client)) return;
      if (client instanceof ExtendedClient) client.abandon();
      const heir = this.#succeed(client, identity.contextId);
      if (isHere) heir.connect();
    });
  }

  #succeed(client: SimClient, contextId: ContextId, page: Pick<Who, "party" | "locks"> = {}): SimClient {
    const { name, actor } = client.identity;
    client.leave();
    const next = this.#newClient({ name: `${name}'`, actor, contextId, ...page }, client.isExtended);
    this.clients[this.clients.indexOf(client)] = next;
    return next;
  }

  /** A change that the client will ask for, under the tokens of what it holds where it writes, as in the SDK. */
  #asked({ identity, locks }: ExtendedClient, change: KeyedChange): KeyedChange {
    const lockTokens = locks?.tokensFor(change.ops.map(({ path }) => path)) ?? [];
    const asked = lockTokens.length === 0 ? change : { ...change, lockTokens };
    this.world.ledger(identity.contextId).asks(asked);
    return asked;
  }

  #colleagues(): { readonly random: Random; readonly others: readonly string[] } {
    return { random: this.random, others: this.clients.map(({ identity }) => identity.actor) };
  }

  #newMark(): string {
    return `m${++this.#marks}`;
  }

  async #make(id: ContextId): Promise<void> {
    const { events } = this.world;
    const type = this.nature.isTyped ? { type: TYPE } : {};
    const maker = this.world.callerOf(MAKER);
    this.world.go(this.world.call((service) => service.create(maker, { id, ...type }), nobody));
    await events.runUntil(events.nowMs + 5000);
    if (this.nature.access !== undefined) {
      this.world.ledger(id).access.begin(MAKER);
      this.world.go(setList(this.#office(MAKER, id), FIRST_ACL));
      await events.runUntil(events.nowMs + 5000);
    }
    const caller = new RestCaller(this.world, parseActor(MAKER), id);
    this.world.go(caller.change({ key: "first", ops: [{ op: "merge", path: "", value: FIRST_CONTENT }] }));
    await events.runUntil(events.nowMs + 5000);
    this.contexts.push(id);
  }

  #newClient({ name, party = name, locks, ...who }: Who, isExtended: boolean): SimClient {
    const { random, world, nature } = this;
    const identity = { ...who, name, party, yjsClientId: random.uint32(), isShy: random.percent(20) };
    if (!isExtended) return new SimClient(identity, world);
    if (nature.locks === undefined) return new ExtendedClient(identity, world);
    const { edits, access } = world.ledger(who.contextId);
    return new ExtendedClient(identity, world, { locks: locks ?? new ClientLocks(world), edits, access });
  }

  /** Siblings share a name. */
  #actorOf(name: string): Actor {
    const isSibling = this.nature.locks?.hasSiblings === true && this.random.percent(60);
    return parseActor(isSibling ? "client0" : name);
  }

  #anyContext(): ContextId {
    const id = this.random.pick(this.contexts);
    if (id === undefined) throw new Error("a run has at least one context");
    return id;
  }
}

function pageOf(client: SimClient): Pick<Who, "party" | "locks"> {
  const { party } = client.identity;
  return client instanceof ExtendedClient ? { party, locks: client.locks } : {};
}

/**
 * Everything around the core: lives of the server one after the other on one disk, lines to it, and what was promised.
 *
 * Not here: who does what when (run.ts), what must hold in the end (settled.ts).
 */
import { callerOf, verifiedCaller } from "../support/callers.ts";
import { toServiceError, ServiceError } from "../../shared/errors.ts";
import type { ContextId } from "../../shared/ids.ts";
import type { LogFields, Logger } from "../../server/monitor/logger.ts";
import type { Caller } from "../../server/context-service.ts";
import { Audit, auditAll } from "./audit.ts";
import type { EventQueue } from "./event-queue.ts";
import { Ledger } from "./ledger.ts";
import { LockTap } from "./locks/lock-tap.ts";
import type { Nature } from "./nature.ts";
import type { Random } from "./random.ts";
import { TokenOffice } from "./access/token-office.ts";
import { ServerLife } from "./server-life.ts";
import type { Sabotage, SimService } from "./server-life.ts";
import { EPOCH_MS, SimClock } from "./sim-clock.ts";
import type { Session } from "../../server/sync/session.ts";
import type { SimClient, Surroundings } from "./sim-client.ts";
import { vectorOf } from "./replica-view.ts";
import { SimLink } from "./sim-link.ts";
import type { ClientEnd } from "./sim-link.ts";
import { SimDisk } from "./sim-store.ts";
import { Wiretap } from "./wiretap.ts";

/** A supervisor starts a dead server again after this long. */
const RESTART_MS = 400;
/** Calls give up on a server that died. */
const NOTICE_MS = 50;
const LOOK_PERCENT = 30;

export class World implements Surroundings {
  readonly events: EventQueue;
  readonly random: Random;
  readonly nature: Nature;
  readonly disk: SimDisk;
  readonly #ledgers = new Map<ContextId, Ledger>();
  readonly #audits = new Map<ContextId, Audit>();
  readonly #sabotage: Sabotage;
  #life: ServerLife | undefined;
  #isUp = false;
  #skewMs = 0;
  #clockSets = 0;
  #links = new Set<SimLink>();
  readonly #taps = new WeakMap<SimLink, Wiretap>();
  #pendingCalls = new Set<(error: ServiceError) => void>();
  /** Absent on an open server. */
  readonly office: TokenOffice | undefined;
  /** By actor: the newest that they have. */
  readonly #tokens = new Map<string, string>();
  /** The line that it dialed last, and when. */
  readonly #dialed = new WeakMap<SimClient, { readonly tap: Wiretap; readonly atMs: number }>();
  /** One look at the disk after the other. */
  #probed: Promise<void> = Promise.resolve();
  /** Who puts somebody else in the place of a client whose document is of an earlier epoch. */
  onOutlived: (client: SimClient) => void = () => undefined;
  /** And of one whose document holds what was refused. */
  onRefused: (client: SimClient) => void = () => undefined;
  /** And of one that is not let in any more. */
  onShutOut: (client: SimClient) => void = () => undefined;

  constructor(options: {
    readonly events: EventQueue;
    readonly random: Random;
    readonly nature: Nature;
    readonly sabotage: Sabotage;
  }) {
    this.events = options.events;
    this.random = options.random;
    this.nature = options.nature;
    this.#sabotage = options.sabotage;
    this.disk = new SimDisk(this.events, this.random.fork(), this.nature.disk);
    const clock = (): { nowMs: number; sets: number } => ({
      nowMs: EPOCH_MS + this.nowMs() + this.#skewMs,
      sets: this.#clockSets,
    });
    const { access } = this.nature;
    this.office = access && new TokenOffice(access.tokenMs, clock);
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  get links(): ReadonlySet<SimLink> {
    return this.#links;
  }

  readiness(): readonly string[] {
    return this.#life?.service.health().reasons ?? ["there is no server"];
  }

  nowMs(): number {
    return this.events.nowMs;
  }

  after(delayMs: number, run: () => void): void {
    this.events.after(delayMs, run);
  }

  note(what: string): void {
    this.events.note(what);
  }

  violate(rule: string, what: string): void {
    this.events.violate(rule, what);
  }

  /** Notes a failure of the harness or of the code under test that nobody handles. */
  go(work: Promise<unknown>): void {
    work.catch((error: unknown) =>
      this.violate("S9", `unhandled: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`),
    );
  }

  ledger(id: ContextId): Ledger {
    const known = this.#ledgers.get(id);
    if (known !== undefined) return known;
    const violate = (rule: string, what: string): void => this.violate(rule, `${id}: ${what}`);
    const ledger = new Ledger(id, violate, this);
    this.#ledgers.set(id, ledger);
    this.#audits.set(id, new Audit(ledger, violate, this.nature.retention));
    return ledger;
  }

  audit(id: ContextId): Audit | undefined {
    return this.#audits.get(id);
  }

  // --- the server's lives

  start(): void {
    this.note("server starts");
    const clock = new SimClock(this.events, this.random.fork(), this.#skewMs);
    const life = new ServerLife({
      ...this.nature,
      clock,
      store: this.disk.mount(),
      beforeTrim: () => this.probe(),
      logger: this.#logger(),
      sabotage: this.#sabotage,
      verifier: this.office,
    });
    this.#life = life;
    life.start().then(
      () => {
        this.note("server is up");
        this.#isUp = true;
      },
      (error: unknown) => {
        const { code, message } = toServiceError(error);
        if (code !== "STORE_UNAVAILABLE") this.violate("LOG-1", `the server refuses its own data: ${code} ${message}`);
        if (this.#life === life) this.#end();
      },
    );
  }

  /** kill -9 or loss of power. */
  crash(): void {
    if (this.#life === undefined) return;
    this.note("crash");
    this.#end();
  }

  stop(): void {
    const life = this.#life;
    if (life === undefined || !this.#isUp) return;
    this.note("server stops");
    this.#isUp = false;
    this.go(
      life.stop().then(() => {
        this.note("server has stopped");
        if (this.#life === life) this.#end();
      }),
    );
  }

  /** Holds the disk as it is now against what was promised. */
  probe(): Promise<void> {
    this.#probed = this.#probed.then(async () => {
      const copy = await this.disk.durableCopy();
      if (copy !== undefined) await auditAll(copy, this.#audits.values());
    });
    return this.#probed;
  }

  setSkew(skewMs: number): void {
    this.note(`wall clock off by ${skewMs}`);
    this.#skewMs = skewMs;
    this.#clockSets++;
    this.#life?.clock.setSkew(skewMs);
  }

  #end(): void {
    this.#life?.kill();
    this.#life = undefined;
    this.#isUp = false;
    this.disk.crash();
    for (const link of this.#links) link.cut({ clientMs: this.random.between(0, NOTICE_MS), serverMs: "never" });
    this.#links.clear();
    for (const { locks } of this.#ledgers.values()) locks.line.clear();
    const calls = [...this.#pendingCalls];
    this.#pendingCalls.clear();
    this.after(NOTICE_MS, () => {
      for (const fail of calls) fail(unreachable());
    });
    this.go(this.probe());
    this.after(RESTART_MS, () => this.start());
  }

  // --- ways to it

  /** A request as HTTP carries it; `left` sees the answer at the moment it leaves the server. */
  call<T>(ask: (service: SimService) => Promise<T>, left: (answer: T | ServiceError) => void): Promise<T> {
    return this.ask(({ service }) => ask(service), left);
  }

  ask<T>(ask: (life: ServerLife) => Promise<T>, left: (answer: T | ServiceError) => void): Promise<T> {
    const { latencyMsMax } = this.nature.link;
    const travelMs = (): number => this.random.between(0, latencyMsMax);
    return new Promise<T>((resolve, reject) => {
      this.after(travelMs(), () => {
        const life = this.#life;
        if (life === undefined || !this.#isUp) return reject(unreachable());
        this.#pendingCalls.add(reject);
        const answered = (answer: T | ServiceError): void => {
          left(answer);
          this.after(travelMs(), () => {
            if (!this.#pendingCalls.delete(reject)) return;
            if (answer instanceof ServiceError) reject(answer);
            else resolve(answer);
          });
        };
        ask(life).then(answered, (error: unknown) => answered(this.#checked(error)));
      });
    });
  }

  /** A feed as an HTTP response: it breaks with the server. */
  feed(run: (service: SimService) => Promise<void>): Promise<void> {
    const life = this.#life;
    if (life === undefined || !this.#isUp) return Promise.reject(unreachable());
    return new Promise((resolve, reject) => {
      this.#pendingCalls.add(reject);
      run(life.service)
        .finally(() => this.#pendingCalls.delete(reject))
        .then(resolve, (error: unknown) => reject(this.#checked(error)));
    });
  }

  dial(client: SimClient, end: ClientEnd): SimLink {
    const { identity } = client;
    const { link: nature, locks } = this.nature;
    const { party, actor } = identity;
    const ledger = this.ledger(identity.contextId);
    const token = this.#tokenFor(client);
    const tap = new Wiretap({
      isExtended: client.isExtended,
      party,
      actor,
      token: token === undefined ? undefined : { shown: token, isOver: (it) => this.office?.isOver(it) === true },
      locks: locks && new LockTap({ ledger: ledger.locks, asker: { party, actor }, nowMs: () => this.nowMs() }),
      look: () => {
        if (this.random.percent(LOOK_PERCENT)) this.go(this.probe());
      },
      ledger,
      violate: (rule, what) => this.violate(rule, `${identity.name}: ${what}`),
      weight: nature.weight,
    });
    const link = new SimLink(this.events, this.random, nature, { tap, client: end });
    this.note(`${identity.name} dials`);
    this.#taps.set(link, tap);
    this.#dialed.set(client, { tap, atMs: this.nowMs() });
    this.after(this.random.between(0, nature.latencyMsMax), () => this.#accept(client, link, token));
    if (token !== undefined && client.isExtended) this.#renewToken(client, link);
    return link;
  }

  /** Who calls, as far as it matters in this run. */
  callerOf(actor: string): Caller {
    return this.office === undefined ? callerOf(actor) : verifiedCaller(actor);
  }

  /** Tokens that somebody has. */
  get tokens(): readonly string[] {
    return [...this.#tokens.values()];
  }

  outlived(client: SimClient, told?: number): void {
    const { name, contextId } = client.identity;
    this.note(`${name} is of an earlier epoch`);
    const epoch = told ?? (client.currentLink && this.#taps.get(client.currentLink)?.epoch);
    this.ledger(contextId).turnedAway.push({ vector: vectorOf(client.doc), epoch });
    this.onOutlived(client);
  }

  refused(client: SimClient): boolean {
    if (this.nature.locks === undefined) return false;
    this.note(`${client.identity.name} was refused an edit`);
    this.onRefused(client);
    return true;
  }

  shutOut(client: SimClient, code: number): boolean {
    const { office } = this;
    if (office === undefined || (code !== 4401 && code !== 4404)) return false;
    const dialed = this.#dialed.get(client);
    if (code === 4404) this.#checkGone(client, dialed?.atMs ?? Infinity);
    else if (dialed?.tap.token !== undefined && office.isValid(dialed.tap.token))
      this.violate("S5 ACL-9", `${client.identity.name} is shut out with a token that counts`);
    this.onShutOut(client);
    return true;
  }

  #checkGone({ identity: { name, actor, contextId } }: SimClient, dialedMs: number): void {
    if (this.ledger(contextId).access.rightsOf(actor, dialedMs)?.mayRead === true)
      this.violate("S5 ACL-8", `${name} is told that there is nothing, and may read`);
  }

  /** The one it has, also when it should know better, or another one. */
  #tokenFor({ identity: { actor } }: SimClient): string | undefined {
    if (this.office === undefined) return undefined;
    const old = this.#tokens.get(actor);
    if (old !== undefined && (this.office.isValid(old) || this.random.percent(20))) return old;
    const token = this.office.issue(actor);
    this.#tokens.set(actor, token);
    return token;
  }

  /** In time, as the SDK does, unless it forgets. */
  #renewToken(client: SimClient, link: SimLink): void {
    const { office } = this;
    if (office === undefined || this.random.percent(20)) return;
    this.after(Math.ceil((office.lifeMs * 2) / 3), () => {
      if (client.currentLink !== link || link.isClientOver) return;
      const { actor } = client.identity;
      const token = office.issue(actor);
      this.#tokens.set(actor, token);
      client.showToken(token);
      this.#renewToken(client, link);
    });
  }

  #accept({ identity, isExtended }: SimClient, link: SimLink, token: string | undefined): void {
    const life = this.#life;
    if (life === undefined || !this.#isUp) return link.cut({ clientMs: 0, serverMs: "never" });
    this.#links.add(link);
    const { verify, service } = life;
    const options = { connection: link, isExtended, create: false, ...(verify === undefined ? {} : { verify }) };
    const open = (caller: Caller): Promise<Session> =>
      service.openSession({ ...caller, origin: "sdk" }, identity.contextId, options);
    const opening =
      token === undefined || verify === undefined
        ? open(callerOf(identity.actor))
        : verify(token).then((verified) => open({ identity: verified, origin: "sdk" }));
    opening.then(
      (session) => {
        this.#taps.get(link)?.opened(session.info.epoch);
        link.attach({
          receive: (message) => session.receive(message),
          closed: () => {
            this.#links.delete(link);
            session.closed();
          },
        });
      },
      (error: unknown) => {
        const { closeCode, closeReason } = this.#checked(error);
        link.close(closeCode, closeReason);
      },
    );
  }

  #checked(error: unknown): ServiceError {
    const checked = toServiceError(error);
    const cause = checked.cause instanceof Error ? checked.cause.stack : "";
    if (checked.code === "INTERNAL") this.violate("CTX-3", `the server failed: ${checked.message} ${cause}`);
    return checked;
  }

  /** The server's own log goes to the trace; what it calls an error must be one of the disk's. */
  #logger(): Logger {
    const write =
      (level: string) =>
      (message: string, fields?: LogFields): void => {
        const { error } = fields ?? {};
        this.note(`${level}: ${message} ${error instanceof Error ? error.message : ""}`);
        if (error instanceof Error && !(error instanceof ServiceError && error.code !== "INTERNAL")) {
          this.violate(
            "STATE-4",
            `${message} ${error.stack ?? ""} ${error.cause instanceof Error ? (error.cause.stack ?? "") : ""}`,
          );
        }
      };
    return { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
  }
}

function unreachable(): ServiceError {
  return new ServiceError("UNREACHABLE", "The server could not be reached. Try again in a moment.");
}

/**
 * A program on REST: changes under idempotency keys, sent again until they are answered and now and then twice at once;
 * reads; errands; and a feed of changes that is resumed where it broke.
 */
import { ServiceError } from "../../shared/errors.ts";
import type { Actor, ContextId } from "../../shared/ids.ts";
import type { Caller, ChangeOutcome } from "../../server/context-service.ts";
import { lookBack, runErrand } from "./errands.ts";
import type { Errand, Runner } from "./errands.ts";
import type { Answer, KeyedChange, Ledger } from "./ledger.ts";
import { runLockErrand } from "./locks/lock-errands.ts";
import type { LockErrand } from "./locks/lock-errands.ts";
import type { LockNature } from "./locks/lock-habits.ts";
import type { Asker, Shown, ToldLock } from "./locks/lock-ledger.ts";
import type { Random } from "./random.ts";
import type { SimService } from "./server-life.ts";
import { RETRIED } from "./wiretap.ts";
import type { World } from "./world.ts";

const RETRY_MS = 250;

interface Colleagues {
  readonly random: Random;
  /** Actors that may have written. */
  readonly others: readonly string[];
}

export class RestCaller {
  readonly contextId: ContextId;
  readonly #asker: Asker;
  readonly #caller: Caller;
  readonly #world: World;
  readonly #ledger: Ledger;
  #unanswered = 0;
  #fed = 0;
  #stopFeed: (() => void) | undefined;
  #wantsFeed = true;
  /** Of the newest answer. */
  version = 0;

  /** Locks that it was granted, the newest last; some may be over. */
  readonly #locks: ToldLock[] = [];

  constructor(world: World, actor: Actor, contextId: ContextId, party: string = actor) {
    this.#world = world;
    this.#asker = { party, actor };
    this.#caller = world.callerOf(actor);
    this.contextId = contextId;
    this.#ledger = world.ledger(contextId);
  }

  get actor(): Actor {
    return this.#caller.identity.actor;
  }

  get isAnswered(): boolean {
    return this.#unanswered === 0;
  }

  /** Version of the newest change that its feed brought. */
  get fed(): number {
    return this.#fed;
  }

  /** Sends until there is an answer. */
  async change(change: KeyedChange): Promise<Answer> {
    this.#unanswered++;
    this.#ledger.asks(change);
    const { key: idempotencyKey, counts: _counts, ...rest } = change;
    const request = { ...rest, idempotencyKey, message: idempotencyKey };
    for (;;) {
      this.#ledger.sends(idempotencyKey);
      const shown = { ...this.#asker, tokens: change.lockTokens ?? [], sentMs: this.#world.nowMs() };
      try {
        const outcome = await this.#world.call(
          async (service) => service.change(this.#caller, this.contextId, request),
          (answer) => this.#left(idempotencyKey, answer, shown),
        );
        this.version = outcome.version;
        this.#unanswered--;
        return { kind: "done", ...outcome };
      } catch (error) {
        if (!(error instanceof ServiceError)) throw error;
        const { code, details } = error;
        if (!RETRIED.has(code)) {
          this.#unanswered--;
          return { kind: "refused", code, details };
        }
        await new Promise<void>((resolve) => this.#world.after(RETRY_MS, resolve));
      }
    }
  }

  /** One read of everything; it may fail, and then says nothing. */
  async read(): Promise<void> {
    await this.#ask(
      async (service) => service.read(this.#caller, this.contextId, { path: "" }),
      ({ head, data }) => this.#ledger.sawRead(head.version, data),
    ).then(
      ({ head }) => {
        this.version = head.version;
      },
      () => undefined,
    );
  }

  run(errand: Errand, mark: string, colleagues: Colleagues): Promise<void> {
    this.#world.note(`${this.#caller.identity.actor}: ${errand} ${mark}`);
    return this.#counted(runErrand(errand, this.#runner(colleagues), mark));
  }

  runWithLocks(errand: LockErrand, mark: string, nature: LockNature, colleagues: Colleagues): Promise<void> {
    this.#world.note(`${this.#asker.party}: ${errand} ${mark}`);
    const runner = {
      ...this.#runner(colleagues),
      asker: this.#asker,
      nature,
      locks: this.#locks,
      nowMs: () => this.#world.nowMs(),
      pause: (forMs: number) => new Promise<void>((resolve) => this.#world.after(forMs, resolve)),
      callAndHear: <T>(ask: (service: SimService) => Promise<T>, left: (answer: T | ServiceError) => void) =>
        this.#world.call(ask, left),
    };
    return this.#counted(runLockErrand(errand, runner, mark));
  }

  /** Reads old versions. */
  async lookBack(versions: readonly number[], colleagues: Colleagues): Promise<void> {
    const runner = this.#runner(colleagues);
    await this.#counted(Promise.all(versions.map((version) => lookBack(runner, version))));
  }

  /** Follows the changes for good. */
  async follow(): Promise<void> {
    while (this.#wantsFeed) {
      await this.#world.feed((service) => this.#followOnce(service)).catch((error: unknown) => this.#fellBehind(error));
      await new Promise<void>((resolve) => this.#world.after(RETRY_MS, resolve));
    }
  }

  /** The reader goes away; it comes back after a while. */
  breakFeed(): void {
    this.#stopFeed?.();
  }

  endFeed(): void {
    this.#wantsFeed = false;
    this.breakFeed();
  }

  #runner(colleagues: Colleagues): Runner {
    return {
      ...colleagues,
      caller: this.#caller,
      contextId: this.contextId,
      ledger: this.#ledger,
      version: Math.max(this.version, this.#fed),
      change: (change) => this.change(change),
      tokens: () => this.#drawTokens(colleagues.random),
      call: (ask, left) => this.#ask(ask, left),
    };
  }

  #drawTokens(random: Random): readonly number[] {
    const newest = this.#locks.at(-1);
    return newest === undefined || random.percent(50) ? [] : [newest.fencingToken];
  }

  #ask<T>(ask: (service: SimService) => Promise<T>, left: (answer: T) => void): Promise<T> {
    const { party, actor } = this.#asker;
    const askedMs = this.#world.nowMs();
    return this.#world.call(ask, (answer) => {
      if (answer instanceof ServiceError) return;
      this.#ledger.access.shows(party, actor, askedMs);
      left(answer);
    });
  }

  async #counted(work: Promise<unknown>): Promise<void> {
    this.#unanswered++;
    await work;
    this.#unanswered--;
  }

  /** What was dropped before the feed brought it never comes; it goes on with what is kept. */
  #fellBehind(error: unknown): void {
    if (!(error instanceof ServiceError)) throw error;
    if (error.code !== "VERSION_NOT_FOUND") return;
    const oldest = Number(error.details["oldestVersion"]);
    this.#ledger.skipped.push({ after: this.#fed, to: oldest });
    this.#fed = oldest;
  }

  async #followOnce(service: SimService): Promise<void> {
    const stop = new AbortController();
    this.#stopFeed = () => stop.abort();
    for await (const record of service.follow(this.#caller, this.contextId, {
      since: this.#fed,
      signal: stop.signal,
    })) {
      if (record.version !== this.#fed + 1)
        this.#world.violate("S3 CTX-4", `a feed brought version ${record.version} after ${this.#fed}`);
      this.#fed = record.version;
      this.#ledger.access.shows(this.#asker.party, this.#asker.actor);
      this.#ledger.sawChange(record);
    }
  }

  #left(key: string, answer: ChangeOutcome | ServiceError, shown: Shown): void {
    const known = answerOf(answer);
    if (known !== undefined) this.#ledger.sawAnswer(key, known);
    if (answer instanceof ServiceError) this.#ledger.locks.refused(answer.code, answer.details, shown);
    else if (!answer.replayed) this.#ledger.locks.wrote(shown);
  }
}

function answerOf(answer: ChangeOutcome | ServiceError): Answer | undefined {
  if (!(answer instanceof ServiceError)) return { kind: "done", ...answer };
  const { code, details } = answer;
  return RETRIED.has(code) ? undefined : { kind: "refused", code, details };
}

/**
 * A program on REST: changes under idempotency keys, sent again until they are answered and now and then twice at once;
 * reads; and a feed of changes that is resumed where it broke.
 */
import type { JsonOp } from "../../shared/change.ts";
import { ServiceError } from "../../shared/errors.ts";
import type { Actor, ContextId } from "../../shared/ids.ts";
import type { Caller, ChangeOutcome } from "../../server/context-service.ts";
import type { Answer, Ledger } from "./ledger.ts";
import { RETRIED } from "./wiretap.ts";
import type { World } from "./world.ts";

const RETRY_MS = 250;

export class RestCaller {
  readonly contextId: ContextId;
  readonly #caller: Caller;
  readonly #world: World;
  readonly #ledger: Ledger;
  #unanswered = 0;
  #fed = 0;
  #stopFeed: (() => void) | undefined;
  #wantsFeed = true;
  /** Of the newest answer. */
  version = 0;

  constructor(world: World, actor: Actor, contextId: ContextId) {
    this.#world = world;
    this.#caller = { actor, origin: "rest" };
    this.contextId = contextId;
    this.#ledger = world.ledger(contextId);
  }

  get isAnswered(): boolean {
    return this.#unanswered === 0;
  }

  /** Version of the newest change that its feed brought. */
  get fed(): number {
    return this.#fed;
  }

  /** Sends until there is an answer. */
  async change(change: {
    readonly key: string;
    readonly ops: readonly JsonOp[];
    readonly ifVersion?: number;
  }): Promise<void> {
    this.#unanswered++;
    const { key: idempotencyKey, ...rest } = change;
    const request = { ...rest, idempotencyKey, message: idempotencyKey };
    for (;;) {
      try {
        const outcome = await this.#world.call(
          (service) => service.change(this.#caller, this.contextId, request),
          (answer) => this.#left(idempotencyKey, answer),
        );
        this.version = outcome.version;
        break;
      } catch (error) {
        if (!(error instanceof ServiceError)) throw error;
        if (!RETRIED.has(error.code)) break;
        await new Promise<void>((resolve) => this.#world.after(RETRY_MS, resolve));
      }
    }
    this.#unanswered--;
  }

  /** One read of everything; it may fail, and then says nothing. */
  async read(): Promise<void> {
    await this.#world
      .call(
        (service) => service.read(this.#caller, this.contextId, { path: "" }),
        (answer) => {
          if (!(answer instanceof ServiceError)) this.#ledger.sawRead(answer.head.version, answer.data);
        },
      )
      .then(
        ({ head }) => {
          this.version = head.version;
        },
        () => undefined,
      );
  }

  /** Follows the changes for good. */
  async follow(): Promise<void> {
    while (this.#wantsFeed) {
      await this.#world
        .feed((service) => this.#followOnce(service))
        .catch((error: unknown) => {
          if (!(error instanceof ServiceError)) throw error;
        });
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

  async #followOnce(service: Parameters<Parameters<World["feed"]>[0]>[0]): Promise<void> {
    const stop = new AbortController();
    this.#stopFeed = () => stop.abort();
    for await (const record of service.follow(this.#caller, this.contextId, {
      since: this.#fed,
      signal: stop.signal,
    })) {
      if (record.version !== this.#fed + 1)
        this.#world.violate("S3 CTX-4", `a feed brought version ${record.version} after ${this.#fed}`);
      this.#fed = record.version;
      this.#ledger.sawChange(record);
    }
  }

  #left(key: string, answer: ChangeOutcome | ServiceError): void {
    const known = answerOf(answer);
    if (known !== undefined) this.#ledger.sawAnswer(key, known);
  }
}

function answerOf(answer: ChangeOutcome | ServiceError): Answer | undefined {
  if (!(answer instanceof ServiceError)) return { kind: "done", ...answer };
  return RETRIED.has(answer.code) ? undefined : { kind: "refused", code: answer.code };
}

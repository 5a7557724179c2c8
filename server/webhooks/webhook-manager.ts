/**
 * Webhooks: targets that are told of the changes of contexts, each change at least once, those of a context in order.
 *
 * Invariants (HOOK):
 *  1. Who writes does not wait for deliveries: a change wakes the lines that tell of it, and they read the log.
 *  2. Each target has a line of its own: a slow one, or one that is down, delays nobody else.
 *  3. What a line missed, because there was too much or while the server was down, is found by looking through the contexts.
 *  4. A secret never leaves: it signs.
 *  5. Of several servers of the same data one delivers at a time; the others know the webhooks, and take its place.
 *
 * Not here: who may (the facade's guard), REST shapes (transport/rest/webhooks.ts).
 */
import { ServiceError } from "../../shared/errors.ts";
import { matchesGlob } from "../../shared/glob.ts";
import type { ContextId } from "../../shared/ids.ts";
import { LIMITS, type Limits } from "../../shared/limits.ts";
import type { DeliveryBody } from "../../shared/protocol/rest-webhooks.ts";
import type { DeliveryFault, WebhookReport, WebhookStatus } from "../../shared/webhook.ts";
import type { Clock } from "../clock.ts";
import type { Caller, NewWebhook, RedeliveryOutcome, WebhookService } from "../context-service.ts";
import type { Post } from "../outbound/http-post.ts";
import { checkSecret } from "../outbound/signature.ts";
import type { TargetPolicy } from "../outbound/target-policy.ts";
import type { Peers } from "../storage/peers.ts";
import { scanBacklogs } from "./backlog-scan.ts";
import { DeliveryLine } from "./delivery-line.ts";
import type { LineLogger } from "./delivery-line.ts";
import { DeliverySender } from "./delivery-sender.ts";
import { InTurn } from "./in-turn.ts";
import { OutboxLead } from "./outbox-lead.ts";
import { Outbox } from "./outbox.ts";
import type { OutboxStore } from "./outbox.ts";
import { endingKey } from "./webhook-records.ts";
import type { Letter, StoredWebhook } from "./webhook-records.ts";
import { WebhookRegistry } from "./webhook-registry.ts";
import { statusOf, WebhookReports } from "./webhook-reports.ts";

export interface WebhookManagerOptions {
  /** StorageManager fits. */
  readonly storage: OutboxStore;
  readonly clock: Clock;
  readonly logger: LineLogger;
  readonly post: Post;
  readonly policy: TargetPolicy;
  /** Other servers of the same data. */
  readonly peers?: Pick<Peers, "lead" | "onGap" | "ask" | "answer"> | undefined;
  readonly limits?: Limits;
}

interface Hook {
  stored: StoredWebhook;
  readonly line: DeliveryLine;
  /** Of dead letters. */
  readonly redelivery: InTurn;
}

/** Contexts of which it is remembered which lines tell of them. */
const MATCHES_MAX = 10_000;

export class WebhookManager implements WebhookService {
  readonly #storage: OutboxStore;
  readonly #clock: Clock;
  readonly #logger: LineLogger;
  readonly #policy: TargetPolicy;
  readonly #isShared: boolean;
  readonly #limits: Limits;
  readonly #registry: WebhookRegistry;
  readonly #outbox: Outbox;
  readonly #sender: DeliverySender;
  readonly #lead: OutboxLead;
  readonly #reports: WebhookReports;
  readonly #hooks = new Map<string, Hook>();
  readonly #matches = new Map<ContextId, readonly DeliveryLine[]>();
  readonly #woken = new Set<ContextId>();
  readonly #closed = new AbortController();
  readonly #turn = new InTurn();
  #isScanning = false;
  #scan: Promise<void> = Promise.resolve();
  #cancelScan = (): void => {};
  constructor({ storage, clock, logger, post, policy, peers, limits = LIMITS }: WebhookManagerOptions) {
    this.#storage = storage;
    this.#clock = clock;
    this.#logger = logger;
    this.#policy = policy;
    this.#isShared = peers !== undefined;
    this.#limits = limits;
    this.#registry = new WebhookRegistry(storage);
    this.#outbox = new Outbox(storage, clock);
    this.#sender = new DeliverySender(post, clock);
    this.#lead = new OutboxLead({
      peers,
      clock,
      limits,
      registry: this.#registry,
      lines: () => this.#lines(),
      onMissed: () => this.recovered(),
    });
    this.#reports = new WebhookReports({ hooks: this.#hooks, lead: this.#lead, outbox: this.#outbox, peers, limits });
  }

  /** Goes on where the last run ended. @throws {ServiceError} DATA_DAMAGED, STORE_UNAVAILABLE */
  async start(): Promise<void> {
    await this.#lead.start();
    await this.load();
  }

  /** Takes in what is stored, which another server may have written. @throws {ServiceError} DATA_DAMAGED, STORE_UNAVAILABLE */
  load(): Promise<void> {
    return this.#turn.take(() => this.#takeStored());
  }

  /** Ends what is under way; it is delivered after the next start. */
  async close(): Promise<void> {
    this.#closed.abort();
    this.#cancelScan();
    await Promise.all(this.#lines().map((line) => line.close()));
    await Promise.all([this.#scan, this.#turn.settled()]);
    await this.#lead.close();
  }

  /** Something happened to this context. Costs the caller next to nothing. */
  wake(id: ContextId): void {
    if (this.#hooks.size === 0 || !this.#lead.isOurs) return;
    if (this.#woken.size === 0) this.#clock.defer(() => this.#wakeLines());
    this.#woken.add(id);
  }

  /** The log failed and is open again: what became durable before may have been told to nobody. */
  recovered(): void {
    for (const line of this.#lines()) line.missed();
    this.#scanSoon();
  }

  /** Before a context is deleted: keeps what its end is to be told of. @throws {ServiceError} STORE_UNAVAILABLE */
  async deleting(id: ContextId): Promise<void> {
    await this.#freshen();
    const hooks = [...this.#hooks].filter(([, { stored }]) => isOf(stored, id));
    const summary = hooks.length === 0 ? undefined : await this.#storage.summary(id);
    if (summary === undefined) return;
    const { firstEpoch } = summary.meta;
    const value = { firstEpoch, version: summary.head.version };
    await this.#storage.writeRecords(
      undefined,
      hooks.map(([hookId]) => ({ collection: "webhook-endings", key: endingKey(hookId, id, firstEpoch), value })),
    );
  }

  /** For the monitor. */
  vitals() {
    const byState = { active: 0, retrying: 0, paused: 0, stopped: 0 };
    let behind = 0;
    let deadLetters = 0;
    // one server tells of them
    for (const line of this.#lead.isOurs ? this.#lines() : []) {
      const status = line.status();
      byState[status.state]++;
      behind += status.behind;
      deadLetters += status.deadLetters;
    }
    return { byState, behind, deadLetters };
  }

  async list(_caller: Caller): Promise<readonly WebhookStatus[]> {
    await this.#recount();
    return this.#reports.list();
  }

  async get(_caller: Caller, id: string): Promise<WebhookReport> {
    await this.#recount();
    return this.#reports.get(id, this.#find(id));
  }

  add({ identity }: Caller, { url, secret, contexts, paths }: NewWebhook): Promise<WebhookStatus> {
    return this.#turn.take(async () => {
      await this.#takeOthers();
      this.#policy.check(url);
      checkSecret(secret);
      if (this.#hooks.size >= this.#limits.webhooksMax) {
        throw new ServiceError(
          "LIMIT_EXCEEDED",
          `There are ${this.#limits.webhooksMax} webhooks, which is the limit. Delete one.`,
          { details: { limit: this.#limits.webhooksMax } },
        );
      }
      const id = this.#clock.newId();
      const stored: StoredWebhook = {
        url,
        contexts: [...contexts],
        ...(paths === undefined ? {} : { paths: [...paths] }),
        keyId: this.#newKeyId(),
        secret,
        createdAtMs: this.#clock.nowMs(),
        createdBy: identity.actor,
      };
      await this.#registry.add(id, stored, (contextId) => isOf(stored, contextId));
      const hook = this.#open(id, stored, 0);
      // what changed since its places were kept
      this.#scanSoon();
      return statusOf(id, hook);
    });
  }

  change(_caller: Caller, id: string, { url, secret }: { url?: string; secret?: string }): Promise<WebhookStatus> {
    return this.#turn.take(async () => {
      await this.#takeOthers();
      const hook = this.#find(id);
      if (url !== undefined) this.#policy.check(url);
      if (secret !== undefined) checkSecret(secret);
      await this.#write(id, hook, {
        ...hook.stored,
        ...(url === undefined ? {} : { url }),
        ...(secret === undefined ? {} : { secret, keyId: this.#newKeyId() }),
      });
      hook.line.retarget(hook.stored);
      if (hook.line.state === "retrying") hook.line.resume();
      return statusOf(id, hook);
    });
  }

  remove(_caller: Caller, id: string): Promise<void> {
    return this.#turn.take(async () => {
      await this.#takeOthers();
      await this.#drop(id, this.#find(id));
      await this.#registry.remove(id);
    });
  }

  pause(_caller: Caller, id: string): Promise<WebhookStatus> {
    return this.#turn.take(async () => {
      await this.#takeOthers();
      const hook = this.#find(id);
      const halt = { state: "paused" } as const;
      await this.#write(id, hook, { ...hook.stored, halt });
      hook.line.halt(halt);
      return statusOf(id, hook);
    });
  }

  resume(_caller: Caller, id: string): Promise<WebhookStatus> {
    return this.#turn.take(async () => {
      await this.#takeOthers();
      const hook = this.#find(id);
      const { halt: _, ...stored } = hook.stored;
      await this.#write(id, hook, stored);
      hook.line.resume();
      return statusOf(id, hook);
    });
  }

  async redeliver(_caller: Caller, id: string, { deliveryId }: { deliveryId?: string }): Promise<RedeliveryOutcome> {
    await this.#freshen();
    return this.#find(id).redelivery.take(async () => {
      const hook = this.#find(id);
      const untilMs = this.#clock.monotonicMs() + this.#limits.webhookRedeliverMsMax;
      let redelivered = 0;
      let error: string | undefined;
      let isFound = deliveryId === undefined;
      for await (const letter of this.#outbox.letters(id)) {
        if (deliveryId !== undefined && letter.deliveryId !== deliveryId) continue;
        isFound = true;
        error =
          this.#clock.monotonicMs() < untilMs
            ? await this.#redeliver(id, hook, letter)
            : "there are more than fit into one request; ask again";
        if (error !== undefined) break;
        redelivered += 1;
      }
      if (!isFound) throw notFound();
      const { deadLetters: left } = hook.line.status();
      return { redelivered, left, ...(error === undefined ? {} : { error }) };
    });
  }

  async test(_caller: Caller, id: string): Promise<{ readonly durationMs: number; readonly error?: string }> {
    await this.#freshen();
    const { stored } = this.#find(id);
    const deliveryId = this.#clock.newId();
    const body: DeliveryBody = {
      deliveryId,
      webhookId: id,
      contextId: "test",
      version: 0,
      test: true,
      changes: [],
    };
    const startedMs = this.#clock.monotonicMs();
    const attempt = { deliveryId, body: JSON.stringify(body), signal: this.#closed.signal };
    const fault = await this.#sender.attempt(stored, attempt);
    const durationMs = Math.round(this.#clock.monotonicMs() - startedMs);
    return { durationMs, ...(fault === undefined ? {} : { error: fault.message }) };
  }

  /** Why it failed, as a clause. */
  async #redeliver(id: string, { stored, line }: Hook, letter: Letter): Promise<string | undefined> {
    const { paths } = stored;
    const { body, span } = await this.#outbox.again({ id, ...(paths === undefined ? {} : { paths }) }, letter);
    const attempt = { deliveryId: span.deliveryId, body, signal: this.#closed.signal };
    const fault = await this.#sender.attempt(stored, attempt);
    if (fault !== undefined) return fault.message;
    await this.#outbox.forget(id, letter);
    line.letterGone();
    return undefined;
  }

  #open(id: string, stored: StoredWebhook, deadLetters: number): Hook {
    const line = new DeliveryLine(
      { id, ...stored },
      { halt: stored.halt, deadLetters, isAsleep: !this.#lead.isOurs },
      {
        outbox: this.#outbox,
        sender: this.#sender,
        clock: this.#clock,
        logger: this.#logger,
        limits: this.#limits,
        onStopped: (fault) => this.#stopped(id, fault),
        onIncomplete: () => this.#scanSoon(),
      },
    );
    const hook = { stored, line, redelivery: new InTurn() };
    this.#hooks.set(id, hook);
    this.#matches.clear();
    return hook;
  }

  async #drop(id: string, { line }: Hook): Promise<void> {
    this.#hooks.delete(id);
    this.#matches.clear();
    await line.close();
  }

  #lines(): readonly DeliveryLine[] {
    return [...this.#hooks.values()].map(({ line }) => line);
  }

  /** As `load` where others write too: an answer tells what they did. */
  async #freshen(): Promise<void> {
    if (this.#isShared) await this.load();
  }

  /** As `#freshen`, with the dead letters that another server's deliveries became. */
  async #recount(): Promise<void> {
    await this.#freshen();
    if (this.#isShared)
      for (const [id, { line }] of this.#hooks) line.lettersAre(await this.#registry.deadLetterCount(id));
  }

  /** In a turn, as `#freshen`. */
  async #takeOthers(): Promise<void> {
    if (this.#isShared) await this.#takeStored();
  }

  async #takeStored(): Promise<void> {
    const stored = await this.#registry.load();
    for (const [id, webhook] of stored) await this.#take(id, webhook);
    for (const [id, hook] of [...this.#hooks]) if (!stored.has(id)) await this.#drop(id, hook);
    // those that are new here
    this.#scanSoon();
  }

  async #take(id: string, stored: StoredWebhook): Promise<void> {
    const hook = this.#hooks.get(id);
    if (hook === undefined) return void this.#open(id, stored, await this.#registry.deadLetterCount(id));
    if (JSON.stringify(hook.stored) === JSON.stringify(stored)) return;
    const { halt } = hook.stored;
    hook.stored = stored;
    hook.line.retarget(stored);
    if (stored.halt !== undefined) hook.line.halt(stored.halt);
    else if (halt !== undefined) hook.line.resume();
  }

  #stopped(id: string, fault: DeliveryFault): void {
    const written = this.#turn.take(async () => {
      const hook = this.#hooks.get(id);
      // somebody may have resumed it meanwhile
      if (hook?.line.state !== "stopped") return;
      await this.#write(id, hook, { ...hook.stored, halt: { state: "stopped", fault } });
    });
    written.catch((error: unknown) =>
      this.#logger.warn("That a webhook stopped could not be kept: it tries again after the next start.", {
        webhookId: id,
        error,
      }),
    );
  }

  async #write(id: string, hook: Hook, stored: StoredWebhook): Promise<void> {
    await this.#registry.write(id, stored);
    hook.stored = stored;
  }

  #wakeLines(): void {
    for (const id of this.#woken) for (const line of this.#linesOf(id)) line.wake(id);
    this.#woken.clear();
  }

  #linesOf(id: ContextId): readonly DeliveryLine[] {
    const known = this.#matches.get(id);
    if (known !== undefined) return known;
    if (this.#matches.size >= MATCHES_MAX) this.#matches.clear();
    const lines = [...this.#hooks.values()].filter(({ stored }) => isOf(stored, id)).map(({ line }) => line);
    this.#matches.set(id, lines);
    return lines;
  }

  /** One scan at a time; those who need another one while it goes on get it after it. */
  #scanSoon(): void {
    if (this.#isScanning || this.#closed.signal.aborted) return;
    this.#isScanning = true;
    this.#cancelScan();
    this.#scan = this.#scanAll();
  }

  async #scanAll(): Promise<void> {
    for (;;) {
      const hooks = [...this.#hooks].filter(([, { line }]) => line.isIncomplete);
      if (hooks.length === 0 || this.#closed.signal.aborted) break;
      for (const [, { line }] of hooks) line.scanning();
      const lines = hooks.map(([id, { line, stored }]) => ({
        id,
        matches: (contextId: ContextId) => isOf(stored, contextId),
        wake: (contextId: ContextId) => line.wake(contextId),
      }));
      try {
        await scanBacklogs(lines, { store: this.#storage, clock: this.#clock, signal: this.#closed.signal });
      } catch (error) {
        for (const [, { line }] of hooks) line.missed();
        this.#logger.warn("Webhooks could not look for what they have missed; they try again.", { error });
        this.#cancelScan = this.#clock.setTimer(this.#limits.reopenDelayMsMax, () => this.#scanSoon());
        break;
      }
    }
    this.#isScanning = false;
  }

  #find(id: string): Hook {
    const hook = this.#hooks.get(id);
    if (hook === undefined) throw notFound();
    return hook;
  }

  #newKeyId(): string {
    return this.#clock.randomUint32().toString(16).padStart(8, "0");
  }
}

function isOf({ contexts }: StoredWebhook, id: ContextId): boolean {
  return contexts.some((pattern) => matchesGlob(pattern, id));
}

function notFound(): ServiceError {
  return new ServiceError(
    "WEBHOOK_NOT_FOUND",
    "There is no webhook, or no dead letter of it, with this id. List the webhooks for those there are.",
  );
}

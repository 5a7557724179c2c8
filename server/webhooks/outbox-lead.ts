/**
 * Which of several servers of the same data delivers: one at a time, and another one when that ends.
 *
 * Invariants (HOOK, NODE):
 *  1. Lines are awake while this server leads, and begin when nothing is under way of the time when it led before.
 *  2. What another server wrote, and died before it told, is found by looking once a while.
 *  3. A server that is alone leads.
 *
 * Not here: how the lead is taken (server/storage/peers.ts), deliveries (delivery-line.ts).
 */
import type { Limits } from "../../shared/limits.ts";
import type { Clock } from "../clock.ts";
import type { Peers } from "../storage/peers.ts";
import type { DeliveryLine } from "./delivery-line.ts";
import type { WebhookRegistry } from "./webhook-registry.ts";

export interface OutboxLeadOptions {
  /** Undefined: there are no others. */
  readonly peers: Pick<Peers, "lead" | "onGap"> | undefined;
  readonly clock: Clock;
  readonly limits: Pick<Limits, "webhookLookMs">;
  readonly registry: Pick<WebhookRegistry, "tidy">;
  readonly lines: () => readonly DeliveryLine[];
  /** Contexts may be behind of which nobody told. */
  readonly onMissed: () => void;
}

export class OutboxLead {
  readonly #options: OutboxLeadOptions;
  #isOurs: boolean;
  #rested: Promise<unknown> = Promise.resolve();
  #isClosed = false;
  #cancelLook = (): void => {};
  #giveBack = async (): Promise<void> => {};

  constructor(options: OutboxLeadOptions) {
    this.#options = options;
    this.#isOurs = options.peers === undefined;
  }

  get isOurs(): boolean {
    return this.#isOurs;
  }

  async start(): Promise<void> {
    const { peers, registry, onMissed } = this.#options;
    if (peers === undefined) return void (await registry.tidy());
    peers.onGap(onMissed);
    this.#giveBack = peers.lead("webhooks", { gained: () => void this.#gained(), lost: () => this.#lost() });
  }

  /** When the lines are closed. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelLook();
    await this.#rested;
    await this.#giveBack();
  }

  async #gained(): Promise<void> {
    this.#isOurs = true;
    await this.#rested;
    if (!this.#isOurs || this.#isClosed) return;
    for (const line of this.#options.lines()) line.rouse();
    this.#options.onMissed();
    this.#lookLater(new Set());
  }

  #lost(): void {
    this.#isOurs = false;
    this.#cancelLook();
    this.#rested = Promise.all(this.#options.lines().map((line) => line.sleep()));
  }

  #lookLater(left: ReadonlySet<string>): void {
    const { clock, limits } = this.#options;
    this.#cancelLook = clock.setTimer(limits.webhookLookMs, () => void this.#look(left));
  }

  async #look(left: ReadonlySet<string>): Promise<void> {
    const { registry, onMissed } = this.#options;
    onMissed();
    // what cannot be read now is looked for the next time
    const found = await registry.tidy(left).catch(() => left);
    if (this.#isOurs && !this.#isClosed) this.#lookLater(found);
  }
}

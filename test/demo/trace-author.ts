/**
 * One author of a trace at work: writes at a desk, ships through an SDK client, honours `parents`.
 *
 * 1. A transaction is written in exactly the state that the trace names: others' transactions are put on the desk when they
 *    have come over the network to this author's replica, and no sooner than the trace says.
 * 2. At most WINDOW transactions are unacknowledged; while the server is down the author stops there and goes on later.
 */
import { setImmediate } from "node:timers/promises";
import * as Y from "yjs";
import { connect } from "../../client/index.ts";
import type { Client, Context } from "../../client/index.ts";
import { Desk, hasArrived, textOf } from "./desk.ts";
import type { Shipment } from "./desk.ts";
import type { Figures } from "./figures.ts";
import type { Txn } from "./trace-file.ts";

const WINDOW = 64;
const LOCAL = Symbol("local");

export interface Sent extends Shipment {
  readonly atMs: number;
  /** Figures.era when it was sent. */
  readonly era: number;
}

export interface WorkPlace {
  readonly url: string;
  readonly contextId: string;
  readonly figures: Figures;
  /** What each author has sent so far, in order. */
  readonly sent: readonly (readonly Sent[])[];
  readonly onSent: (author: number, sent: Sent) => void;
}

export class TraceAuthor {
  readonly #author: number;
  readonly #place: WorkPlace;
  readonly #client: Client;
  readonly #context: Context;
  readonly #desk: Desk;

  private constructor(author: number, place: WorkPlace, client: Client, context: Context) {
    this.#author = author;
    this.#place = place;
    this.#client = client;
    this.#context = context;
    this.#desk = new Desk(Y.encodeStateAsUpdate(context.doc), author);
  }

  static async join(author: number, place: WorkPlace): Promise<TraceAuthor> {
    const client = await connect(place.url, { actor: `author-${author}` });
    return new TraceAuthor(author, place, client, await client.open(place.contextId));
  }

  /** Writes the transactions that are this author's; resolves when all are durable. */
  async write(txns: readonly Txn[]): Promise<void> {
    const acks: Promise<void>[] = [];
    for (const { author, seen, patches } of txns) {
      if (author !== this.#author) continue;
      await this.#catchUp(seen);
      await acks[acks.length - WINDOW];
      acks.push(this.#ship(this.#desk.write(patches)));
      // lets the network have its turn, as between two key strokes
      await setImmediate();
    }
    await Promise.all(acks);
  }

  /** Waits for everybody's transactions; resolves with what desk and replica then show. */
  async finish(): Promise<readonly [desk: string, replica: string]> {
    await this.#catchUp(this.#place.sent.map(({ length }) => length));
    return [this.#desk.content, textOf(this.#context.doc).toJSON()];
  }

  async online(): Promise<void> {
    while (this.#context.status !== "online") await new Promise((resolve) => void this.#context.on("status", resolve));
  }

  leave(): Promise<void> {
    return this.#client.close();
  }

  #ship(shipment: Shipment): Promise<void> {
    const { figures, onSent } = this.#place;
    const sent: Sent = { ...shipment, atMs: performance.now(), era: figures.era };
    Y.applyUpdate(this.#context.doc, shipment.update, LOCAL);
    onSent(this.#author, sent);
    return this.#context.saved().then(() => {
      const durations = figures.wasCalmSince(sent.era) ? figures.acks : figures.acksAcrossCrash;
      durations.add(performance.now() - sent.atMs);
    });
  }

  /** Puts others' transactions on the desk until it holds so many of each, as they arrive. */
  async #catchUp(seen: readonly number[]): Promise<void> {
    for (const [other, count] of seen.entries()) {
      if (other === this.#author) continue;
      const sent = this.#place.sent[other] ?? [];
      for (let next = this.#desk.takenOf(other); next < count; next++) {
        await this.#arrived(sent, next);
        this.#desk.take(other, sent, next + 1);
      }
    }
  }

  async #arrived(sent: readonly Sent[], index: number): Promise<void> {
    const { doc } = this.#context;
    for (;;) {
      const shipment = sent[index];
      if (shipment !== undefined && hasArrived(doc, shipment)) return;
      await new Promise((resolve) => doc.once("update", resolve));
    }
  }
}

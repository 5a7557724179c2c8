/**
 * A connection as two queues: messages are delayed and throttled, never reordered; a cut loses what is still in both.
 *
 * 1. Each side hears of a cut, or of the other's close, by itself and in its own time.
 * 2. What the server handed over counts as buffered until the client has it; `weight` makes a byte count for many, so that
 *    small documents can fill the limits of large ones.
 *
 * Not here: who decides to cut (world.ts), what messages mean (sim-client.ts, wiretap.ts).
 */
import type { Batch, Connection } from "../../server/sync/connection.ts";
import type { EventQueue } from "./event-queue.ts";
import type { Random } from "./random.ts";

export interface LinkNature {
  readonly latencyMsMax: number;
  /** Zero: no limit. */
  readonly bytesPerMs: number;
  readonly weight: number;
}

/** What a session is to its transport. */
export interface ServerEnd {
  receive(message: Uint8Array): void;
  closed(): void;
}

export interface ClientEnd {
  receive(message: Uint8Array): void;
  /** 1006 when nobody said why. */
  closed(code: number, reason: string): void;
}

/** Sees every message at the moment its sender lets go of it. */
export interface Tap {
  fromServer(message: Uint8Array): void;
  fromClient(message: Uint8Array): void;
  /** The server gets a message of the client. */
  reached(message: Uint8Array): void;
  /** So much is on its way to the client. */
  buffered(bytes: number): void;
  /** The server knows that the line is over. */
  over(): void;
}

interface Item {
  readonly bytes: number;
  readonly deliver: () => void;
}

/** One direction. */
class Pipe {
  readonly #events: EventQueue;
  readonly #random: Random;
  readonly #nature: LinkNature;
  #items: Item[] = [];
  #bytes = 0;
  #isMoving = false;
  #isHeld = false;
  #isDead = false;
  #drainTasks: (() => void)[] = [];

  constructor(events: EventQueue, random: Random, nature: LinkNature) {
    this.#events = events;
    this.#random = random;
    this.#nature = nature;
  }

  get bytes(): number {
    return this.#bytes;
  }

  push(bytes: number, deliver: () => void): void {
    this.#bytes += bytes;
    this.#items.push({ bytes, deliver });
    this.#move();
  }

  hold(isHeld: boolean): void {
    this.#isHeld = isHeld;
    this.#move();
  }

  /** What is in it is lost, and so is what comes. */
  cut(): void {
    this.#isDead = true;
    this.#items = [];
  }

  onDrained(task: () => void): void {
    this.#drainTasks.push(task);
    if (this.#items.length === 0) this.#events.after(0, () => this.#drained());
  }

  #move(): void {
    const [item] = this.#items;
    if (item === undefined || this.#isMoving || this.#isHeld || this.#isDead) return;
    this.#isMoving = true;
    const { latencyMsMax, bytesPerMs } = this.#nature;
    const travelMs =
      this.#random.between(0, latencyMsMax) + (bytesPerMs === 0 ? 0 : Math.ceil(item.bytes / bytesPerMs));
    this.#events.after(travelMs, () => {
      this.#isMoving = false;
      if (this.#isDead) return;
      if (!this.#isHeld) {
        this.#items.shift();
        this.#bytes -= item.bytes;
        item.deliver();
        this.#drained();
      }
      this.#move();
    });
  }

  #drained(): void {
    if (this.#items.length > 0 || this.#isDead) return;
    for (const task of this.#drainTasks.splice(0)) task();
  }
}

export class SimLink implements Connection {
  readonly #events: EventQueue;
  readonly #toClient: Pipe;
  readonly #toServer: Pipe;
  readonly #weight: number;
  readonly #tap: Tap;
  readonly #client: ClientEnd;
  #server: ServerEnd | undefined;
  #isClosedByServer = false;
  #isClosedByClient = false;
  #isOver = { client: false, server: false };
  /** It was cut or stalled: silence on it is nobody's fault. */
  isDisturbed = false;

  constructor(
    events: EventQueue,
    random: Random,
    nature: LinkNature,
    ends: { readonly tap: Tap; readonly client: ClientEnd },
  ) {
    this.#events = events;
    this.#toClient = new Pipe(events, random, nature);
    this.#toServer = new Pipe(events, random, nature);
    this.#toServer.hold(true);
    this.#weight = nature.weight;
    this.#tap = ends.tap;
    this.#client = ends.client;
  }

  // --- the server's end

  get bufferedBytes(): number {
    return this.#toClient.bytes * this.#weight;
  }

  send(batch: Batch): void {
    if (this.#isClosedByServer || this.#isOver.server) return;
    for (const message of batch.messages) {
      this.#tap.fromServer(message);
      this.#toClient.push(message.byteLength, () => {
        if (!this.#isOver.client) this.#client.receive(message);
      });
    }
    this.#tap.buffered(this.bufferedBytes);
  }

  onDrained(task: () => void): void {
    this.#toClient.onDrained(task);
  }

  pause(): void {
    this.#toServer.hold(true);
  }

  resume(): void {
    this.#toServer.hold(false);
  }

  close(code: number, reason = ""): void {
    if (this.#isClosedByServer) return;
    this.#isClosedByServer = true;
    this.#tap.over();
    this.#toServer.hold(false);
    this.#toClient.push(0, () => this.#endClient(code, reason));
  }

  /** The session is open: what the client said meanwhile is read now. */
  attach(server: ServerEnd): void {
    this.#server = server;
    if (this.#isOver.server) server.closed();
    else this.resume();
  }

  // --- the client's end

  clientSend(message: Uint8Array): void {
    if (this.#isClosedByClient || this.#isOver.client) return;
    this.#tap.fromClient(message);
    this.#toServer.push(message.byteLength, () => {
      if (this.#server !== undefined) this.#tap.reached(message);
      this.#server?.receive(message);
    });
  }

  get isClientOver(): boolean {
    return this.#isOver.client;
  }

  clientClose(): void {
    if (this.#isClosedByClient || this.#isOver.client) return;
    this.#isClosedByClient = true;
    this.#isOver.client = true;
    this.#toServer.push(0, () => this.#endServer());
  }

  // --- faults

  /** The line breaks; each side notices after its own delay, or never. */
  cut(notice: { readonly clientMs: number; readonly serverMs: number | "never" }): void {
    this.isDisturbed = true;
    this.#toClient.cut();
    this.#toServer.cut();
    this.#events.after(notice.clientMs, () => this.#endClient(1006));
    if (notice.serverMs !== "never") this.#events.after(notice.serverMs, () => this.#endServer());
  }

  /** Nothing moves for a while; nothing is lost. */
  stall(forMs: number): void {
    this.isDisturbed = true;
    this.#toClient.hold(true);
    this.#events.after(forMs, () => this.#toClient.hold(false));
  }

  #endClient(code: number, reason = ""): void {
    if (this.#isOver.client) return;
    this.#isOver.client = true;
    this.#client.closed(code, reason);
  }

  #endServer(): void {
    if (this.#isOver.server) return;
    this.#isOver.server = true;
    this.#tap.over();
    this.#server?.closed();
  }
}

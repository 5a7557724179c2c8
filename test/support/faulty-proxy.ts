/**
 * A line on loopback between a program and its PostgreSQL, with the faults that lines have.
 *
 *   reset     all connections end
 *   stall     what either side says is lost; what was connected then is reset when it is healed
 *   cut       all connections end, and new ones are refused until it is healed
 *   noreply   the next request of a kind arrives, its answer does not: instead, the connection is reset
 *   hush      connections of a kind hear nothing any more, not even that the other side ended, until they are reset
 *   late      the connection with the next request of a kind is reset, and the request arrives after that
 *
 * 1. The target may change: what is connected stays where it is, what comes later goes there (as a failover does it).
 * 2. A fault of a request ends with that request, or when it is called off.
 *
 * Not here: which fault comes when.
 */
import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";

/** A request by words in it and, if given, by words with which its connection began. */
export interface RequestKind {
  readonly words: string;
  readonly opening?: string;
}

interface Connection {
  readonly client: Socket;
  readonly target: Socket;
  /** What the client said first. */
  opening: string;
  /** A fault has it: nothing more passes. */
  isTrapped: boolean;
}

const OPENING_CHARS = 4096;

interface Trap {
  readonly kind: RequestKind;
  spring(connection: Connection, request: Buffer): void;
}

export class FaultyProxy {
  /** The folder of a PostgreSQL's socket. */
  target: string;
  readonly #server: Server;
  readonly #connections = new Set<Connection>();
  #mode: "sound" | "stalled" | "cut" = "sound";
  #trap: Trap | undefined;

  private constructor(target: string) {
    this.target = target;
    this.#server = createServer({ noDelay: true }, (client) => this.#connected(client));
  }

  static async start(target: string): Promise<FaultyProxy> {
    const proxy = new FaultyProxy(target);
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** The address of a database behind it. */
  address(database: string): string {
    return `postgres://mcm@127.0.0.1:${this.port}/${database}`;
  }

  reset(): void {
    for (const connection of this.#connections) end(connection);
  }

  stall(): void {
    this.#mode = "stalled";
  }

  cut(): void {
    this.#mode = "cut";
    this.reset();
  }

  heal(): void {
    if (this.#mode === "stalled") this.reset();
    this.#mode = "sound";
  }

  /** Those that began with these words. */
  hush(opening: string): void {
    for (const connection of this.#connections) {
      if (!connection.opening.includes(opening)) continue;
      connection.isTrapped = true;
      connection.target.removeAllListeners("close");
    }
  }

  /** Resolves when it has happened. */
  noReply(kind: RequestKind): Promise<void> {
    return new Promise((resolve) => {
      const spring = (connection: Connection, request: Buffer): void => {
        connection.target.write(request);
        connection.target.once("data", () => {
          end(connection);
          resolve();
        });
        connection.target.once("close", resolve);
      };
      this.#trap = { kind, spring };
    });
  }

  /** Resolves when the request has arrived. */
  late(kind: RequestKind, delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const spring = ({ client, target }: Connection, request: Buffer): void => {
        client.removeAllListeners("close");
        client.resetAndDestroy();
        setTimeout(() => {
          target.end(request, resolve);
        }, delayMs);
      };
      this.#trap = { kind, spring };
    });
  }

  /** No request springs the trap any more. */
  callOff(): void {
    this.#trap = undefined;
  }

  async close(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, "close");
  }

  #connected(client: Socket): void {
    if (this.#mode === "cut") {
      client.resetAndDestroy();
      return;
    }
    const target = connect(`${this.target}/.s.PGSQL.5432`);
    const connection: Connection = { client, target, opening: "", isTrapped: false };
    this.#connections.add(connection);
    client.on("data", (bytes) => this.#asked(connection, bytes));
    target.on("data", (bytes) => void (this.#mode === "stalled" || connection.isTrapped || client.write(bytes)));
    for (const socket of [client, target]) {
      socket.on("error", () => undefined);
      socket.on("close", () => {
        this.#connections.delete(connection);
        end(connection);
      });
    }
  }

  #asked(connection: Connection, request: Buffer): void {
    if (this.#mode === "stalled" || connection.isTrapped) return;
    if (connection.opening.length < OPENING_CHARS) connection.opening += request.toString("latin1");
    const trap = this.#trap;
    if (trap !== undefined && isOf(trap.kind, connection, request)) {
      this.#trap = undefined;
      connection.isTrapped = true;
      trap.spring(connection, request);
      return;
    }
    connection.target.write(request);
  }
}

function isOf({ words, opening = "" }: RequestKind, connection: Connection, request: Buffer): boolean {
  return request.includes(words) && connection.opening.includes(opening);
}

function end({ client, target }: Connection): void {
  client.resetAndDestroy();
  target.destroy();
}

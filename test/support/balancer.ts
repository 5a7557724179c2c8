/**
 * One address on loopback for several servers of this process: each new connection goes to the next of them.
 *
 * 1. Bytes are passed on as they are, and so are ends and breaks.
 * 2. HTTP clients would keep a connection, and with it a server: these servers end it after each answer.
 */
import { subscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { connect, createServer } from "node:net";
import type { Server, Socket } from "node:net";

/** Ports of the servers behind any balancer. */
const ports = new Set<number>();

interface Begun {
  readonly socket: Socket;
  readonly response: ServerResponse;
}

subscribe("http.server.request.start", (message) => {
  const { socket, response } = message as Begun;
  if (ports.has(socket.localPort ?? 0)) response.shouldKeepAlive = false;
});

export class Balancer {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #targets: readonly URL[] = [];
  #count = 0;

  private constructor() {
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.#join(client));
  }

  /** At this port; 0 takes a free one. */
  static async listen(port: number): Promise<Balancer> {
    const balancer = new Balancer();
    balancer.#server.listen(port, "127.0.0.1");
    await once(balancer.#server, "listening");
    return balancer;
  }

  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("the balancer does not listen");
    return `http://127.0.0.1:${address.port}`;
  }

  /** Connections that came before wait for nobody: they are cut. */
  spread(urls: readonly string[]): void {
    this.#targets = urls.map((url) => new URL(url));
    for (const { port } of this.#targets) ports.add(Number(port));
  }

  /** Takes no more connections. */
  stop(): void {
    this.#server.close();
    this.#targets = [];
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    if (this.#server.listening) await once(this.#server, "close");
  }

  #join(client: Socket): void {
    const target = this.#targets[this.#count++ % this.#targets.length];
    if (target === undefined) return void client.destroy();
    const server = connect({ port: Number(target.port), host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
    this.#tie(client, server);
    this.#tie(server, client);
  }

  #tie(socket: Socket, other: Socket): void {
    this.#sockets.add(socket);
    socket.pipe(other);
    socket.on("error", () => other.destroy());
    socket.on("close", () => {
      this.#sockets.delete(socket);
      if (other.writable) other.end();
    });
  }
}

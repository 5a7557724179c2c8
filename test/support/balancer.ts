/**
 * One address on loopback for several servers of this process: each new connection goes to the next of them.
 *
 * 1. Bytes are passed on as they are, and so are ends and breaks.
 * 2. HTTP clients would keep a connection, and with it a server: these servers end it after each answer.
 * 3. A session of MCP lives at one server: requests that name one go there (docs/postgres.md, "Running it").
 */
import { subscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { connect, createServer } from "node:net";
import type { Server, Socket } from "node:net";

/** Ports of the servers behind any balancer. */
const ports = new Set<number>();

const MCP_SESSION = /\r\nmcp-session-id: *([^\r]+)/i;

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
  /** Where sessions of MCP are. */
  readonly #sessions = new Map<string, URL>();
  #targets: readonly URL[] = [];
  #count = 0;

  private constructor() {
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
      this.#sockets.add(client);
      client.on("error", () => undefined);
      client.on("close", () => this.#sockets.delete(client));
      client.once("data", (first: Buffer) => this.#join(client, first));
    });
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

  /** `first`: what the client said first. */
  #join(client: Socket, first: Buffer): void {
    const target = this.#sessions.get(sessionIn(first) ?? "") ?? this.#targets[this.#count++ % this.#targets.length];
    if (target === undefined) return void client.destroy();
    const server = connect({ port: Number(target.port), host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
    server.once("data", (answer: Buffer) => {
      const session = sessionIn(answer);
      if (session !== undefined) this.#sessions.set(session, target);
    });
    server.write(first);
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

function sessionIn(message: Buffer): string | undefined {
  return MCP_SESSION.exec(message.toString("latin1"))?.[1];
}

/**
 * One address on loopback for several servers: each new connection goes to the next of them that takes it.
 *
 * 1. Bytes are passed on as they are, and so are ends and breaks.
 * 2. HTTP clients would keep a connection, and with it a server: servers of this process end theirs after each answer.
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
  readonly #sessions = new Map<string, number>();
  /** Connections that each port took. */
  readonly #taken = new Map<number, number>();
  /** Of all servers that it ever led to. */
  readonly #ports = new Set<number>();
  #count = 0;

  private constructor() {
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
      this.#sockets.add(client);
      client.on("error", () => undefined);
      client.on("close", () => this.#sockets.delete(client));
      // who goes without a word is led to nobody
      const leave = (): void => void client.destroy();
      client.once("end", leave);
      client.once("data", (first: Buffer) => {
        client.off("end", leave);
        client.pause();
        void this.#join(client, first);
      });
    });
  }

  /** At this port; 0 takes a free one. */
  static async start(port = 0): Promise<Balancer> {
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

  /** Connections that each server took. */
  get taken(): readonly number[] {
    return [...this.#taken.values()];
  }

  /** Of either side, that are open. */
  get socketCount(): number {
    return this.#sockets.size;
  }

  /** From now on connections go to these. */
  spread(urls: readonly string[]): void {
    this.#taken.clear();
    for (const url of urls) {
      const port = Number(new URL(url).port);
      this.#taken.set(port, 0);
      this.#ports.add(port);
      ports.add(port);
    }
  }

  /** Takes no more connections. */
  stop(): void {
    this.#server.close();
    this.#taken.clear();
  }

  async close(): Promise<void> {
    for (const port of this.#ports) ports.delete(port);
    for (const socket of this.#sockets) socket.destroy();
    // one that was stopped already says so
    await new Promise<void>((resolve) => void this.#server.close(() => resolve()));
  }

  /** `first`: what the client said first. */
  async #join(client: Socket, first: Buffer): Promise<void> {
    const found = await this.#reach(this.#sessions.get(sessionIn(first) ?? ""));
    if (found === undefined || client.destroyed) {
      found?.server.destroy();
      return void client.destroy();
    }
    const { server, port } = found;
    server.once("data", (answer: Buffer) => {
      const session = sessionIn(answer);
      if (session !== undefined) this.#sessions.set(session, port);
    });
    server.write(first);
    this.#tie(client, server);
    this.#tie(server, client);
  }

  /** A connection to `preferred`, or else to the next that is there; each is tried once. */
  async #reach(preferred: number | undefined): Promise<{ readonly server: Socket; readonly port: number } | undefined> {
    const all = [...this.#taken.keys()];
    const at = all.length === 0 ? 0 : this.#count++ % all.length;
    const order = [...all.slice(at), ...all.slice(0, at)];
    if (preferred !== undefined && this.#taken.has(preferred)) order.unshift(preferred);
    for (const port of new Set(order)) {
      const server = connect({ port, host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
      this.#sockets.add(server);
      server.on("error", () => undefined);
      server.on("close", () => this.#sockets.delete(server));
      const isThere = await new Promise<boolean>((resolve) => {
        server.once("connect", () => resolve(true));
        server.once("close", () => resolve(false));
      });
      if (!isThere) continue;
      // it may have been told to lead elsewhere meanwhile
      const taken = this.#taken.get(port);
      if (taken !== undefined) this.#taken.set(port, taken + 1);
      return { server, port };
    }
    return undefined;
  }

  #tie(socket: Socket, other: Socket): void {
    socket.pipe(other);
    socket.on("error", () => other.destroy());
    socket.on("close", () => {
      if (other.writable) other.end();
    });
  }
}

function sessionIn(message: Buffer): string | undefined {
  return MCP_SESSION.exec(message.toString("latin1"))?.[1];
}

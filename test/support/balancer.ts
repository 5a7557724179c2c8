/**
 * A balancer on loopback: each connection goes to the next server in turn that takes it. Nothing is sticky, and nothing is
 * known of what goes over a connection.
 */
import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";

export class Balancer {
  readonly #ports: readonly number[];
  readonly #server = createServer((client) => void this.#take(client));
  readonly #sockets = new Set<Socket>();
  /** Connections that each server took. */
  readonly taken: number[];
  #next = 0;

  private constructor(targets: readonly string[]) {
    this.#ports = targets.map((target) => Number(new URL(target).port));
    this.taken = targets.map(() => 0);
  }

  static async start(targets: readonly string[]): Promise<Balancer> {
    const balancer = new Balancer(targets);
    balancer.#server.listen(0, "127.0.0.1");
    await once(balancer.#server, "listening");
    return balancer;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await once(this.#server, "close");
  }

  async #take(client: Socket): Promise<void> {
    this.#keep(client);
    const server = await this.#reach();
    if (server === undefined) return void client.destroy();
    client.once("close", () => server.destroy());
    server.once("close", () => client.destroy());
    client.pipe(server).pipe(client);
  }

  /** A connection to the next server that is there; each is tried once. */
  async #reach(): Promise<Socket | undefined> {
    for (let tries = 0; tries < this.#ports.length; tries++) {
      const at = this.#next++ % this.#ports.length;
      const server = connect(this.#ports[at] ?? 0, "127.0.0.1");
      this.#keep(server);
      const isThere = await Promise.race([
        once(server, "connect").then(
          () => true,
          () => false,
        ),
        once(server, "close").then(() => false),
      ]);
      if (!isThere) continue;
      this.taken[at] = (this.taken[at] ?? 0) + 1;
      return server;
    }
    return undefined;
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => void this.#sockets.delete(socket));
  }
}

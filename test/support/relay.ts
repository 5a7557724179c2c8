/** A line between clients and a server on loopback, to be cut, refused, or made deaf for what the server says. */
import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";

export class Relay {
  /** New connections are taken. */
  isOpen = true;
  /** What the server says is thrown away. */
  isDeaf = false;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(targetPort: number) {
    this.#server = createServer((client) => {
      if (!this.isOpen) {
        client.destroy();
        return;
      }
      const target = connect(targetPort, "127.0.0.1");
      this.#keep(client, target);
      this.#keep(target, client);
      client.pipe(target);
      target.on("data", (bytes) => void (this.isDeaf || client.write(bytes)));
    });
  }

  static async start(target: string): Promise<Relay> {
    const relay = new Relay(Number(new URL(target).port));
    relay.#server.listen(0, "127.0.0.1");
    await once(relay.#server, "listening");
    return relay;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Breaks all connections. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, "close");
  }

  #keep(socket: Socket, other: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => {
      this.#sockets.delete(socket);
      other.destroy();
    });
  }
}

/** The target of webhooks as a server on loopback: takes everything, and forgets nothing. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { deliverySchema } from "../../shared/protocol/rest-webhooks.ts";
import type { DeliveryBody } from "../../shared/protocol/rest-webhooks.ts";

export class HookReceiver {
  /** In order. */
  readonly taken: DeliveryBody[] = [];
  readonly #server: Server;
  #waiting: (() => void)[] = [];

  constructor() {
    this.#server = createServer((request, response) => void this.#receive(request, response));
  }

  /** Its address. */
  async start(): Promise<string> {
    this.#server.listen({ port: 0, host: "127.0.0.1" });
    await once(this.#server, "listening");
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    return `http://127.0.0.1:${address.port}/hook`;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  /** Versions that were taken of a context, doubles too, in order. */
  versionsOf(contextId: string): readonly number[] {
    const of = this.taken.filter((it) => it.contextId === contextId);
    return of.flatMap(({ changes }) => changes.map(({ version }) => version));
  }

  /** Resolves when it has taken this version of the context. */
  async has(contextId: string, version: number): Promise<void> {
    while (!this.versionsOf(contextId).includes(version))
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  async #receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = "";
    try {
      for await (const chunk of request.setEncoding("utf8")) body += chunk;
    } catch {
      return; // the server was killed while it sent
    }
    this.taken.push(deliverySchema.parse(JSON.parse(body)));
    response.writeHead(204).end();
    for (const wake of this.#waiting.splice(0)) wake();
  }
}

/**
 * WebSockets without sockets: the class that the SDK connects with, on a service in the same process. A line may be down,
 * and deaf for what the server says; messages keep their order and arrive in later turns.
 */
import { toServiceError } from "../../shared/errors.ts";
import type { WebSocketClass } from "../../client/socket.ts";
import type { Caller } from "../../server/context-service.ts";
import type { ContextManager } from "../../server/context-manager.ts";
import type { Connection } from "../../server/sync/connection.ts";
import type { Session } from "../../server/sync/session.ts";
import { PLAN } from "./service-rig.ts";

type Handler = ((event: unknown) => void) | null;

interface LineOptions {
  /** The client offers mcm.v1. */
  readonly isExtended?: boolean;
  /** Sees every message that the server sends. */
  readonly tap?: (message: Uint8Array) => void;
}

export class LocalLine {
  isUp = true;
  isDeaf = false;
  readonly isExtended: boolean;
  readonly tap: (message: Uint8Array) => void;
  readonly WebSocket: WebSocketClass;
  readonly #sockets = new Set<LocalSocket>();

  constructor(service: ContextManager, caller: Caller, { isExtended = true, tap = () => undefined }: LineOptions = {}) {
    this.isExtended = isExtended;
    this.tap = tap;
    const join = (socket: LocalSocket): LocalLine => {
      this.#sockets.add(socket);
      return this;
    };
    const bound = class extends LocalSocket {
      constructor() {
        super(join, service, caller);
      }
    };
    // the part of the DOM's class that y-websocket uses
    this.WebSocket = bound as unknown as WebSocketClass;
  }

  /** Breaks what is connected; what was under way is lost. */
  cut(): void {
    for (const socket of this.#sockets) socket.lose(1006, "");
    this.#sockets.clear();
  }
}

class LocalSocket {
  binaryType = "arraybuffer";
  onopen: Handler = null;
  onclose: Handler = null;
  onerror: Handler = null;
  #onmessage: Handler = null;
  #session: Session | undefined;
  #isOver = false;
  readonly #line: LocalLine;

  constructor(join: (socket: LocalSocket) => LocalLine, service: ContextManager, caller: Caller) {
    this.#line = join(this);
    setImmediate(() => void this.#open(service, caller));
  }

  get onmessage(): Handler {
    return this.#onmessage;
  }

  set onmessage(handler: Handler) {
    this.#onmessage = handler;
  }

  send(message: Uint8Array): void {
    const bytes = message.slice();
    setImmediate(() => void (this.#isOver || this.#session?.receive(bytes)));
  }

  close(): void {
    this.lose(1000, "");
  }

  /** The connection ends, at once for both sides. */
  lose(code: number, reason: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#session?.closed();
    setImmediate(() => this.onclose?.({ code, reason }));
  }

  async #open(service: ContextManager, caller: Caller): Promise<void> {
    if (!this.#line.isUp) return this.lose(1006, "");
    const connection: Connection = {
      bufferedBytes: 0,
      send: ({ messages }) => {
        for (const message of messages) {
          this.#line.tap(message);
          setImmediate(() => this.#hear(message));
        }
      },
      onDrained: (task) => task(),
      pause: () => undefined,
      resume: () => undefined,
      // what was sent before arrives before the end does
      close: (code, reason) =>
        void setImmediate(() => (this.#line.isDeaf ? this.lose(1006, "") : this.lose(code, reason))),
    };
    setImmediate(() => this.onopen?.({}));
    try {
      const { isExtended } = this.#line;
      const session = await service.openSession(caller, PLAN, { connection, isExtended, create: false });
      if (this.#isOver) session.closed();
      else this.#session = session;
    } catch (error) {
      const { closeCode, closeReason } = toServiceError(error);
      this.lose(closeCode, closeReason);
    }
  }

  #hear(message: Uint8Array): void {
    if (!this.#isOver && !this.#line.isDeaf) this.#onmessage?.({ data: message.slice().buffer });
  }
}

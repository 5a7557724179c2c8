/**
 * What is asked of everything that comes in, by whatever door: from where, for which site, and how much already.
 *
 * Invariants (EDGE):
 *  1. What is refused here is recorded: never with content, a token, or an address that was asked for.
 *  2. An address is counted before anything is known of who calls, an actor after that.
 *  3. A connection that was counted is counted off exactly once.
 *
 * Not here: who somebody is (server/security/authenticate.ts), the amounts (rate-limiter.ts), how a refusal is told.
 */
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { AuditAction, AuditEvent } from "../../shared/audit.ts";
import { ServiceError } from "../../shared/errors.ts";
import { isHostAllowed, isOriginAllowed } from "../../shared/host.ts";
import type { Actor } from "../../shared/ids.ts";
import type { Clock } from "../clock.ts";
import type { AuditRecorder } from "../security/audit-log.ts";
import type { Account, RateLimiter } from "../security/rate-limiter.ts";
import { UNKNOWN_ADDRESS, addressKey } from "./peer-address.ts";
import type { PeerAddresses } from "./peer-address.ts";

export interface GateOptions {
  readonly clock: Clock;
  readonly audit: AuditRecorder;
  readonly limiter: RateLimiter;
  readonly peers: PeerAddresses;
  /** Names besides loopback ones that the Host header may have. */
  readonly allowedHosts: readonly string[];
  /** Origins of pages besides those of these hosts. */
  readonly allowedOrigins: readonly string[];
}

/** Where a request comes from. */
export interface Peer {
  readonly address: string;
  /** What stands for the address where amounts are counted. */
  readonly key: string;
  /** A proxy is between. */
  readonly isForwarded: boolean;
}

/** A request, or what there is of one. */
interface Incoming {
  readonly socket: Socket;
  readonly headers?: IncomingHttpHeaders;
}

interface Site {
  readonly host?: string | undefined;
  readonly origin?: string | undefined;
  /** As Node gives them: names and values in turn. */
  readonly rawHeaders?: readonly string[] | undefined;
}

/** More that is known of a refused request. */
type Circumstances = Pick<AuditEvent, "actor" | "origin" | "requestId" | "contextId">;

/** Text of a client in an entry of the audit log. */
const TOLD_CHARS_MAX = 100;

export class Gate {
  readonly #options: GateOptions;
  /** Bytes of a connection that were counted already. */
  readonly #counted = new WeakMap<Socket, number>();

  constructor(options: GateOptions) {
    this.#options = options;
  }

  /** A connection was accepted. One too many is cut before anything is read from it. */
  accept(socket: Socket): void {
    const { peers, limiter, clock } = this.#options;
    const { remoteAddress } = socket;
    // a proxy's connections are those of its clients, who are counted one by one
    if (peers.isProxy(remoteAddress)) return;
    const peer = this.peerOf({ socket });
    const account = limiter.addresses.of(peer.key);
    if (account.take("connects", 1, clock.monotonicMs()) === 0 && account.open("sockets")) {
      socket.once("close", () => account.close("sockets"));
      return;
    }
    socket.destroy();
    this.denied("connection.open", peer, new ServiceError("RATE_LIMITED", "Too many connections."));
  }

  /** Without a socket (a request in a test) nothing is known. */
  peerOf(incoming: Incoming | undefined): Peer {
    if (incoming === undefined) return this.#peer(UNKNOWN_ADDRESS, false);
    const { remoteAddress } = incoming.socket;
    const { peers } = this.#options;
    return this.#peer(peers.of(remoteAddress, incoming.headers ?? {}), peers.isProxy(remoteAddress));
  }

  /**
   * @throws {ServiceError} FORBIDDEN when the request is not for this server, or of a page of another site; INVALID_REQUEST when
   * it names several hosts (RFC 9112 §3.2): a proxy before us may have looked at another one
   */
  checkSite(peer: Peer, { host = "", origin, rawHeaders = [] }: Site, more: Circumstances = {}): void {
    if (rawHeaders.filter((name, at) => at % 2 === 0 && name.toLowerCase() === "host").length > 1) {
      throw this.denied("request.site", peer, new ServiceError("INVALID_REQUEST", "Send one Host header."), more);
    }
    const { allowedHosts, allowedOrigins } = this.#options;
    const isOurs = isHostAllowed(host, allowedHosts);
    if (isOurs && (origin === undefined || isOriginAllowed(origin, allowedHosts, allowedOrigins))) return;
    const error = isOurs
      ? new ServiceError("FORBIDDEN", "Pages of this origin may not call the server. See MCM_ALLOWED_ORIGINS.")
      : new ServiceError(
          "FORBIDDEN",
          "This server does not answer under the name in the Host header. Use localhost or 127.0.0.1, or add the name to MCM_ALLOWED_HOSTS.",
        );
    const told = isOurs ? { origin: cut(origin ?? "") } : { host: cut(host) };
    this.#record({ ...more, ...entryOf("request.site", peer, error), detail: told });
    throw error;
  }

  /** A new connection behind a proxy; others were counted when they were accepted. @throws {ServiceError} RATE_LIMITED */
  checkConnect(peer: Peer): void {
    if (!peer.isForwarded) return;
    const waitMs = this.#addressOf(peer).take("connects", 1, this.#nowMs());
    if (waitMs > 0) throw this.denied("connection.open", peer, tooFast("connections", waitMs));
  }

  /** A request, of whomever. @throws {ServiceError} RATE_LIMITED */
  checkRequest(peer: Peer, more: Circumstances = {}): void {
    const account = this.#addressOf(peer);
    const nowMs = this.#nowMs();
    const waitMs = account.take("bytes", 0, nowMs) || account.take("ops", 1, nowMs);
    if (waitMs > 0) throw this.denied("request.rate", peer, tooFast("requests", waitMs), more);
  }

  /** The same request, whose caller and cost are known now. @throws {ServiceError} RATE_LIMITED */
  checkCaller(peer: Peer, actor: Actor, cost: number, more: Circumstances = {}): void {
    const account = this.#options.limiter.actors.of(actor);
    const nowMs = this.#nowMs();
    const waitMs = account.take("bytes", 0, nowMs) || account.take("ops", cost, nowMs);
    if (waitMs > 0) throw this.denied("request.rate", peer, tooFast("requests", waitMs), { ...more, actor });
    this.#addressOf(peer).spend("ops", cost - 1, nowMs);
  }

  /** What a request brought, and what it is answered. Who owes is refused the next one. */
  countBytes(peer: Peer, actor: Actor | undefined, bytes: number): void {
    const nowMs = this.#nowMs();
    this.#addressOf(peer).spend("bytes", bytes, nowMs);
    if (actor !== undefined) this.#options.limiter.actors.of(actor).spend("bytes", bytes, nowMs);
  }

  /** Bytes that came over the connection since they were asked for last. */
  bytesReadFrom({ socket }: IncomingMessage): number {
    const all = socket.bytesRead;
    const news = all - (this.#counted.get(socket) ?? 0);
    this.#counted.set(socket, all);
    return news;
  }

  /**
   * Counts a connection that stays: a WebSocket, or a live feed. The returned function counts it off.
   * @throws {ServiceError} RATE_LIMITED when its address, or its actor, has as many as it may
   */
  hold(peer: Peer, actor?: Actor): () => void {
    const { limiter } = this.#options;
    const account = actor === undefined ? this.#addressOf(peer) : limiter.actors.of(actor);
    if (!account.open("connections")) {
      const whose = actor === undefined ? "address" : "actor";
      const error = new ServiceError(
        "RATE_LIMITED",
        `Your ${whose} has ${account.held("connections")} open connections, as many as it may. Close some before you open more.`,
      );
      throw this.denied("connection.open", peer, error, actor === undefined ? {} : { actor });
    }
    let isHeld = true;
    return () => {
      if (isHeld) account.close("connections");
      isHeld = false;
    };
  }

  /** The same for both, when who calls is known from the start. */
  holdBoth(peer: Peer, actor: Actor): () => void {
    const ofAddress = this.hold(peer);
    try {
      const ofActor = this.hold(peer, actor);
      return () => {
        ofAddress();
        ofActor();
      };
    } catch (error) {
      ofAddress();
      throw error;
    }
  }

  /** For the messages of a live session, whose address and actor are held; undefined when nothing bounds them. */
  meter(peer: Peer, actor: Actor): Meter | undefined {
    const { limiter, clock } = this.#options;
    if (!limiter.boundsMessages) return undefined;
    return new Meter([limiter.actors.of(actor), this.#addressOf(peer)], clock);
  }

  /** Records a refusal; returns it. */
  denied(action: AuditAction, peer: Peer, error: ServiceError, more: Circumstances = {}): ServiceError {
    this.#record({ ...more, ...entryOf(action, peer, error) });
    return error;
  }

  #record(event: AuditEvent): void {
    this.#options.audit.record(event);
  }

  #peer(address: string, isForwarded: boolean): Peer {
    return { address, key: addressKey(address), isForwarded };
  }

  #addressOf(peer: Peer) {
    return this.#options.limiter.addresses.of(peer.key);
  }

  #nowMs(): number {
    return this.#options.clock.monotonicMs();
  }
}

/** Counts what has come already; who owes is not read from. */
export class Meter {
  readonly #accounts: readonly Account[];
  readonly #clock: Clock;

  constructor(accounts: readonly Account[], clock: Clock) {
    this.#accounts = accounts;
    this.#clock = clock;
  }

  /** How long nothing more is to be read. */
  count(bytes: number, isRequest: boolean): number {
    const nowMs = this.#clock.monotonicMs();
    let waitMs = 0;
    for (const account of this.#accounts) {
      waitMs = Math.max(waitMs, account.spend("frames", 1, nowMs), account.spend("bytes", bytes, nowMs));
      if (isRequest) waitMs = Math.max(waitMs, account.spend("ops", 1, nowMs));
    }
    return waitMs;
  }
}

function entryOf(action: AuditAction, { address }: Peer, { code, details }: ServiceError): AuditEvent {
  const { rule } = details;
  return { action, outcome: "denied", code, address, ...(typeof rule === "string" ? { rule } : {}) };
}

function tooFast(what: string, waitMs: number): ServiceError {
  const seconds = Math.ceil(waitMs / 1000);
  return new ServiceError(
    "RATE_LIMITED",
    `Too many ${what} in a short time. Come again in ${seconds === 1 ? "a second" : `${seconds} seconds`}, and more slowly.`,
    { details: { retryAfterMs: waitMs } },
  );
}

/** What a Retry-After header says of it. */
export function retryAfterS({ details: { retryAfterMs } }: ServiceError): number | undefined {
  return typeof retryAfterMs === "number" ? Math.ceil(retryAfterMs / 1000) : undefined;
}

function cut(text: string): string {
  return text.slice(0, TOLD_CHARS_MAX);
}

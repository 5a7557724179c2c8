/**
 * What one session says and hears of locks, for the ledger.
 */
import { isJsonObject } from "../../../shared/json.ts";
import type { Json, JsonObject } from "../../../shared/json.ts";
import type { Response } from "../../../shared/protocol/server-frames.ts";
import type { Asker, LockLedger, ToldLock } from "./lock-ledger.ts";
import type { Ticket } from "./waiting-line.ts";

interface LockTapOptions {
  readonly ledger: LockLedger;
  readonly asker: Asker;
  readonly nowMs: () => number;
}

/** A request that is not answered. */
interface Asked {
  readonly method: string;
  readonly params: JsonObject;
  readonly sentMs: number;
  readonly ticket: Ticket | undefined;
}

export class LockTap {
  readonly #options: LockTapOptions;
  readonly #asked = new Map<number, Asked>();
  /** By lock, the tokens under which the server must count what the session edits. */
  readonly #leases = new Map<string, number>();
  #isOver = false;

  constructor(options: LockTapOptions) {
    this.#options = options;
  }

  /** The client sends a request. */
  asks(id: number, method: string, params: Json): void {
    if (!isJsonObject(params)) return;
    const { ledger, asker, nowMs } = this.#options;
    const sentMs = nowMs();
    const lockId = textOf(params["lockId"]);
    let ticket: Ticket | undefined;
    if (method === "lock") {
      ledger.owns(lockId, asker);
      ticket = ledger.asks({ ...wantedOf(params), ...asker, lockId, sentMs });
    } else if (method === "renew-lock") {
      const { ttlMs, fencingToken } = params;
      if (fencingToken !== undefined) ledger.owns(lockId, asker);
      ledger.shortens(lockId, asker.actor, ttlMs === undefined ? undefined : Number(ttlMs));
    } else if (method === "unlock") ledger.givesBack(lockId, asker.actor);
    this.#asked.set(id, { method, params, sentMs, ticket });
  }

  get leases(): readonly number[] {
    return [...this.#leases.values()];
  }

  /** The server gets it. */
  reached(id: number): void {
    const asked = this.#asked.get(id);
    if (asked === undefined || this.#isOver) return;
    const { method, params, ticket } = asked;
    const lockId = textOf(params["lockId"]);
    if (ticket?.isOpen === true) this.#options.ledger.line.arrive(ticket);
    if (method === "unlock") this.#leases.delete(lockId);
    if (method === "renew-lock" && params["fencingToken"] !== undefined)
      this.#leases.set(lockId, Number(params["fencingToken"]));
  }

  /** The answer leaves the server. */
  answered(response: Response): void {
    const asked = this.#asked.get(response.id);
    if (asked === undefined) return;
    this.#asked.delete(response.id);
    const { ledger } = this.#options;
    if (asked.ticket !== undefined) ledger.line.close(asked.ticket, response.ok);
    if (response.ok) this.#done(asked, response.result);
    else this.#failed(asked, response);
  }

  /** An event leaves the server. */
  heard(event: JsonObject): void {
    const { type, op, lockId, seq } = event;
    if (type !== "lock" || typeof lockId !== "string") return;
    const { ledger } = this.#options;
    if (op === "acquire") ledger.isGranted(lockId, Number(seq));
    if (op === "expire" || op === "release") ledger.isOver(lockId, Number(seq));
  }

  /** The server knows that the session is over: it waits for nothing any more. */
  over(): void {
    this.#isOver = true;
    for (const { ticket } of this.#asked.values())
      if (ticket?.isOpen === true) this.#options.ledger.line.close(ticket, false);
    this.#asked.clear();
  }

  #done({ method, params, sentMs }: Asked, result: Json): void {
    const { ledger, asker } = this.#options;
    if (method === "unlock") ledger.released(asker, textOf(params["lockId"]));
    else if (method === "lock" || method === "renew-lock") {
      const told = toldOf(result);
      ledger.told(asker, told, sentMs);
      if (method === "lock" && !ledger.isGivenBack(told)) this.#leases.set(told.lockId, told.fencingToken);
    } else if (method === "change" && isJsonObject(result) && result["replayed"] !== true)
      ledger.wrote({ ...asker, tokens: tokensIn(params), sentMs });
  }

  #failed({ method, params, sentMs }: Asked, { error }: Extract<Response, { ok: false }>): void {
    const { ledger, asker } = this.#options;
    const { code, details } = error;
    if (code === "LOCK_NOT_FOUND" && method === "renew-lock") ledger.missed(asker, textOf(params["lockId"]));
    ledger.refused(code, details, { ...asker, tokens: tokensIn(params), sentMs });
  }
}

/** What a request for a lock asks for, with the defaults of the server. */
function wantedOf({ paths, mode, ttlMs }: JsonObject) {
  return {
    paths: Array.isArray(paths) ? paths.map(String) : [],
    mode: mode === "shared" ? ("shared" as const) : ("exclusive" as const),
    ttlMs: Number(ttlMs),
  };
}

export function toldOf(answer: Json): ToldLock {
  const { lockId, holder, fencingToken, ...asked } = isJsonObject(answer) ? answer : {};
  return {
    ...wantedOf(asked),
    lockId: textOf(lockId),
    holder: textOf(holder),
    fencingToken: Number(fencingToken),
  };
}

/** What should be a text; the audit says of any other that nobody has it. */
function textOf(value: Json | undefined): string {
  return typeof value === "string" ? value : JSON.stringify(value ?? null);
}

function tokensIn({ lockTokens }: JsonObject): readonly number[] {
  return Array.isArray(lockTokens) ? lockTokens.map(Number) : [];
}

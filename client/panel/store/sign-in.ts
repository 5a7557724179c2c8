/**
 * Who looks: nobody in particular on an open server, or the bearer of a token.
 *
 * Invariants (PANEL):
 *  1. A token is in the memory of this tab and in the headers of requests, and nowhere else.
 *  2. When the server refuses it, the panel asks for another one; what was open goes on with that.
 */
import { signal } from "@preact/signals-core";
import type { ReadonlySignal } from "@preact/signals-core";
import { ServiceError } from "../../../shared/errors.ts";
import { ANONYMOUS } from "../../../shared/ids.ts";
import { Client } from "../../client.ts";
import { Rest } from "../../rest.ts";
import type { RestRequest } from "../../rest.ts";
import { platformWebSocket } from "../../socket.ts";
import { endOf, subjectOf } from "../../token-claims.ts";
import { Tokens } from "../../tokens.ts";
import type { Machine } from "./machine.ts";
import { problemOf } from "./problem.ts";
import type { Problem } from "./problem.ts";

/** A server, as somebody. */
export interface Link {
  readonly client: Client;
  readonly actor: string;
  /** The name was said, and the server believes it. */
  readonly isOpen: boolean;
  /** When the token ends, milliseconds since 1970, if it says. */
  readonly endsAtMs?: number;
  /** What the SDK has no word for. @throws as Rest.call */
  call<Body>(method: string, steps: readonly string[], request?: RestRequest): Promise<Body>;
  /** A live feed. @throws as Rest.open */
  open(steps: readonly string[], signal: AbortSignal): Promise<Response>;
}

type Standing =
  | { readonly is: "asking" }
  | { readonly is: "unreachable"; readonly problem: Problem }
  | { readonly is: "out"; readonly problem?: Problem }
  | { readonly is: "in"; readonly link: Link };

const TOKEN = "mcm.token";
const NAME = "mcm.name";
const TIMEOUT_MS = 10_000;

export class SignIn {
  readonly #machine: Machine;
  readonly #standing = signal<Standing>({ is: "asking" });

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  get standing(): ReadonlySignal<Standing> {
    return this.#standing;
  }

  /** With what the tab remembers. */
  async begin(): Promise<void> {
    const { memory } = this.#machine;
    const token = memory.get(TOKEN);
    await (token === undefined ? this.as(memory.get(NAME) ?? "") : this.withToken(token));
  }

  async withToken(token: string): Promise<void> {
    const given = token.trim().replace(/^Bearer\s+/i, "");
    await this.#enter(async () => {
      const tokens = new Tokens(given, TIMEOUT_MS);
      const endsAtMs = endOf(given);
      const link = await this.#linkOf({ tokens, actor: subjectOf(given) ?? "?", isOpen: false });
      this.#machine.memory.set(TOKEN, given);
      return { ...link, ...(endsAtMs === undefined ? {} : { endsAtMs }) };
    });
  }

  /** On a server that believes names; "" is nobody in particular. */
  async as(name: string): Promise<void> {
    const { memory } = this.#machine;
    await this.#enter(async () => {
      const actor = name.trim() || ANONYMOUS;
      const link = await this.#linkOf({ tokens: undefined, actor, isOpen: true });
      memory.set(NAME, actor === ANONYMOUS ? undefined : actor);
      return link;
    });
  }

  async out(): Promise<void> {
    const standing = this.#standing.peek();
    this.#machine.memory.set(TOKEN, undefined);
    this.#standing.value = { is: "asking" };
    if (standing.is === "in") await standing.link.client.close().catch(() => {});
    await this.begin();
  }

  /** Hear of a refusal that may be the token's. */
  refused(error: unknown): void {
    if (!(error instanceof ServiceError) || error.code !== "UNAUTHENTICATED") return;
    this.#machine.memory.set(TOKEN, undefined);
    this.#standing.value = { is: "out", problem: problemOf(error) };
  }

  async #enter(link: () => Promise<Link>): Promise<void> {
    const before = this.#standing.peek();
    this.#standing.value = { is: "asking" };
    try {
      this.#standing.value = { is: "in", link: await link() };
    } catch (error) {
      const problem = problemOf(error);
      const wasAsked = before.is === "out";
      const isAboutWho = problem.code === "UNAUTHENTICATED" || (wasAsked && problem.code === "INVALID_REQUEST");
      if (!isAboutWho) this.#standing.value = { is: "unreachable", problem };
      else {
        this.#machine.memory.set(TOKEN, undefined);
        this.#standing.value = { is: "out", ...(wasAsked ? { problem } : {}) };
      }
    }
  }

  /** @throws {ServiceError} UNAUTHENTICATED, UNREACHABLE */
  async #linkOf(who: { tokens: Tokens | undefined; actor: string; isOpen: boolean }): Promise<Link> {
    const { baseUrl, fetch } = this.#machine;
    const { tokens, actor, isOpen } = who;
    const WebSocket = this.#machine.WebSocket ?? (await platformWebSocket());
    const rest = new Rest({ baseUrl, tokens, actor, fetch, timeoutMs: TIMEOUT_MS });
    const token = await tokens?.get();
    const client = new Client({ baseUrl, fetch, WebSocket, ...(token === undefined ? { actor } : { token }) });
    const heard = (error: unknown): never => {
      this.refused(error);
      throw error;
    };
    const call = <Body>(...asked: Parameters<Link["call"]>): Promise<Body> => rest.call<Body>(...asked).catch(heard);
    const open: Link["open"] = (...asked) => rest.open(...asked).catch(heard);
    await rest.call("GET", ["contexts"], { query: { limit: 1 } });
    return { client, actor, isOpen, call, open };
  }
}

/**
 * The live sessions of all servers of the data, at whichever of them an admin asks.
 *
 * Invariants (NODE):
 *  1. A page is that of all servers that answer, in order of id, and says how many did not.
 *  2. A session is closed where it is, and its traffic is told there only.
 *
 * Not here: the sessions of this server (context/session-desk.ts), the way to the others (server/storage/peers.ts).
 */
import { z } from "zod";
import { ServiceError } from "../../shared/errors.ts";
import { parseActor, parseContextId } from "../../shared/ids.ts";
import type { Json } from "../../shared/json.ts";
import { SESSION_PROTOCOLS } from "../../shared/monitoring.ts";
import type { SessionQuery, SessionStats } from "../../shared/monitoring.ts";
import type { FollowedSession } from "../../shared/traffic.ts";
import type { Page } from "../context-service.ts";
import type { PeerQuestion } from "../storage/peers.ts";
import { askOthers } from "./among-nodes.ts";
import type { AmongNodes, FromOthers } from "./among-nodes.ts";

/** Of this server; context/session-desk.ts fits. */
export interface SessionsHere {
  follow(id: string, signal: AbortSignal): FollowedSession;
  close(id: string): SessionStats;
}

const count = z.number().min(0);
/** Servers of other releases may say more. */
const statsSchema = z.object({
  id: z.string(),
  node: z.int().exactOptional(),
  contextId: z.string().transform(parseContextId),
  actor: z.string().transform(parseActor),
  protocol: z.enum(SESSION_PROTOCOLS),
  openedAtMs: z.number(),
  queueBytes: count,
  lagMs: count,
  framesIn: count,
  bytesIn: count,
  framesOut: count,
  bytesOut: count,
});
const answerSchema = z.array(statsSchema);
const idSchema = z.object({ id: z.string() });
const querySchema = z.object({
  contextId: z.string().transform(parseContextId).exactOptional(),
  after: z.string().exactOptional(),
  limit: z.int(),
});

interface AllSessionsOptions {
  readonly here: SessionsHere;
  readonly list: () => readonly SessionStats[];
  /** Undefined: there are no others. */
  readonly nodes: AmongNodes | undefined;
}

export class AllSessions {
  readonly #options: AllSessionsOptions;

  constructor(options: AllSessionsOptions) {
    this.#options = options;
    const { nodes, here } = options;
    nodes?.peers.answer("sessions", (question) => this.#firstHere(querySchema.parse(question)).map(jsonOf));
    nodes?.peers.answer("session", (question) => {
      const { id } = idSchema.parse(question);
      return this.#here()
        .filter((session) => session.id === id)
        .map(jsonOf);
    });
    nodes?.peers.answer("session.close", (question) => {
      const found = unlessMissing(() => here.close(idSchema.parse(question).id));
      return found === undefined ? [] : [jsonOf(this.#placed(found))];
    });
  }

  async page(query: SessionQuery): Promise<Page<SessionStats>> {
    const { limit } = query;
    const elsewhere = await this.#ask("sessions", { ...query });
    const sessions = [...this.#firstHere(query), ...elsewhere.items].toSorted(byId);
    const items = sessions.slice(0, limit);
    const last = items.at(-1);
    return {
      items,
      ...(sessions.length > limit && last !== undefined ? { next: last.id } : {}),
      ...(elsewhere.silent > 0 ? { silent: elsewhere.silent } : {}),
    };
  }

  /** @throws {ServiceError} SESSION_NOT_FOUND */
  async close(id: string): Promise<SessionStats> {
    const { here } = this.#options;
    const found = unlessMissing(() => here.close(id));
    if (found !== undefined) return found;
    const { items, silent } = await this.#ask("session.close", { id });
    const [closed] = items;
    if (closed === undefined) throw notFound(silent);
    return closed;
  }

  /** @throws {ServiceError} SESSION_NOT_FOUND, SESSION_ELSEWHERE, RATE_LIMITED */
  async follow(id: string, signal: AbortSignal): Promise<FollowedSession> {
    const { here } = this.#options;
    const found = unlessMissing(() => here.follow(id, signal));
    if (found !== undefined) return found;
    const { items, silent } = await this.#ask("session", { id });
    const [session] = items;
    throw session === undefined ? notFound(silent) : atAnother(session);
  }

  #ask(about: PeerQuestion, question: Json): Promise<FromOthers<SessionStats>> {
    return askOthers(this.#options.nodes, about, question, answerSchema);
  }

  /** One more than the limit: there is another page. */
  #firstHere({ contextId, after = "", limit }: SessionQuery): readonly SessionStats[] {
    const wanted = this.#here().filter(
      (session) => (contextId === undefined || session.contextId === contextId) && session.id > after,
    );
    return wanted.toSorted(byId).slice(0, limit + 1);
  }

  #here(): readonly SessionStats[] {
    return this.#options.list().map((session) => this.#placed(session));
  }

  #placed(session: SessionStats): SessionStats {
    const { nodes } = this.#options;
    return nodes === undefined ? session : { ...session, node: nodes.slot() };
  }
}

function byId(a: SessionStats, b: SessionStats): number {
  return a.id < b.id ? -1 : 1;
}

function jsonOf(session: SessionStats): Json {
  return { ...session };
}

function unlessMissing<T>(task: () => T): T | undefined {
  try {
    return task();
  } catch (error) {
    if (error instanceof ServiceError && error.code === "SESSION_NOT_FOUND") return undefined;
    throw error;
  }
}

function notFound(silent: number): ServiceError {
  const where = silent === 0 ? "" : ` Of other nodes ${silent} did not answer: if it is there, ask again in a moment.`;
  return new ServiceError(
    "SESSION_NOT_FOUND",
    `There is no live session with this id: it ended, or never was. GET /v1/sessions lists those there are.${where}`,
    silent === 0 ? {} : { details: { silentNodes: silent } },
  );
}

function atAnother({ node = 0 }: SessionStats): ServiceError {
  return new ServiceError(
    "SESSION_ELSEWHERE",
    `The session is at node ${node}, and its traffic is told there only: ask that node by its own address. GET /v1/stats says which node answers (log.engine.node).`,
    { details: { node } },
  );
}

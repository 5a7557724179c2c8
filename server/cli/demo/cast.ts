/**
 * The demo's agents: four clients of the SDK, each with a name, a line of its own and the three contexts open.
 *
 * Not here: what they do (story.ts).
 */
import * as Y from "yjs";
import { connect } from "../../../client/index.ts";
import type { Client, Context, ContextEvents, ContextStatus, Json } from "../../../client/index.ts";
import { createLine } from "./line.ts";
import type { Line } from "./line.ts";
import { ARTICLE, PLAN, RESEARCH, setUp } from "./stage.ts";
import type { Article, Plan, Research } from "./stage.ts";

/** Nothing that the agents wait for takes this long, unless somebody is in their way. */
const PATIENCE_MS = 15_000;

const COLOURS = { planner: "#7c5cff", researcher: "#0a9396", writer: "#d9480f", reviewer: "#2b8a3e" } as const;
export type AgentName = keyof typeof COLOURS;

export interface Agent {
  readonly name: AgentName;
  readonly line: Line;
  readonly plan: Context<Plan>;
  readonly research: Context<Research>;
  readonly article: Context<Article>;
}

export type Cast = { readonly [Name in AgentName]: Agent } & AsyncDisposable;

/** Connects all four; the planner makes what is not there yet. @throws {ServiceError} UNREACHABLE */
export async function assemble(url: string): Promise<Cast> {
  const clients: Client[] = [];
  const join = async (name: AgentName): Promise<Agent> => {
    const line = await createLine();
    const client = await connect(url, { actor: name, WebSocket: line.WebSocket });
    clients.push(client);
    if (name === "planner") await setUp(client);
    const plan = await client.open<Plan>(PLAN);
    const research = await client.open<Research>(RESEARCH);
    const article = await client.open<Article>(ARTICLE);
    const agent = { name, line, plan, research, article };
    pointAt(agent, "");
    return agent;
  };
  const planner = await join("planner");
  const [researcher, writer, reviewer] = await Promise.all([join("researcher"), join("writer"), join("reviewer")]);
  const leave = async (): Promise<void> => void (await Promise.allSettled(clients.map((client) => client.close())));
  return { planner, researcher, writer, reviewer, [Symbol.asyncDispose]: leave };
}

/** Tells others where the agent is in the article, as editors do: with a cursor at the end of a text. */
export function pointAt({ name, article }: Agent, path: string, text?: Y.Text): void {
  const user = { name, color: COLOURS[name] };
  if (text === undefined) return article.presence.set({ user, path });
  const place: Json = Y.relativePositionToJSON(Y.createRelativePositionFromTypeIndex(text, text.length));
  article.presence.set({ user, path, cursor: { anchor: place, head: place } });
}

/** The live text of a section. @throws {Error} when somebody took it away */
export function sectionOf({ article }: Agent, key: string): Y.Text {
  const text = article.data.getMap("sections").get(key);
  if (text instanceof Y.Text) return text;
  throw new Error(`The section "${key}" is not there any more.`);
}

/** The next event of a context, from now on. Rejects when `signal` aborts, or when nothing comes. */
export function next<Name extends keyof ContextEvents>(
  context: Pick<Context, "on">,
  event: Name,
  signal: AbortSignal,
): Promise<ContextEvents[Name]> {
  const patience = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]);
  const promise = new Promise<ContextEvents[Name]>((resolve, reject) => {
    const unsubscribe = context.on(event, (...args) => {
      unsubscribe();
      resolve(args);
    });
    patience.addEventListener("abort", () => {
      unsubscribe();
      reject(patience.reason);
    });
  });
  // it is often awaited later, after what causes the event
  promise.catch(() => undefined);
  return promise;
}

export async function until(
  context: Pick<Context, "on" | "status">,
  status: ContextStatus,
  signal: AbortSignal,
): Promise<void> {
  while (context.status !== status) await next(context, "status", signal);
}

/**
 * This server among others of the same data, and what they all know together.
 *
 * Not here: the way to the others (server/storage/peers.ts), what is asked (all-sessions.ts, all-refusals.ts).
 */
import type { z } from "zod";
import type { Json } from "../../shared/json.ts";
import type { PeerQuestion, Peers } from "../storage/peers.ts";

export interface AmongNodes {
  readonly peers: Pick<Peers, "ask" | "answer">;
  /** Its place. */
  readonly slot: () => number;
}

export interface FromOthers<Item> {
  readonly items: readonly Item[];
  /** So many did not answer, or not so that it can be understood. */
  readonly silent: number;
}

/** @param nodes undefined: there are no others */
export async function askOthers<Item>(
  nodes: AmongNodes | undefined,
  about: PeerQuestion,
  question: Json,
  schema: z.ZodType<readonly Item[]>,
): Promise<FromOthers<Item>> {
  if (nodes === undefined) return { items: [], silent: 0 };
  const { answers, silent } = await nodes.peers.ask(about, question);
  const understood = answers.map((answer) => schema.safeParse(answer));
  return {
    items: understood.flatMap(({ data }) => data ?? []),
    silent: silent + understood.filter(({ success }) => !success).length,
  };
}

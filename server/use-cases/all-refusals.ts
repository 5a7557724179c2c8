/**
 * The writes that servers of the data refused lately: each remembers its own, and is told those of the others when asked.
 *
 * Invariants (REFUSE, NODE):
 *  1. Newest first, of all servers that answer, as many as one server remembers; how many did not answer is said.
 *  2. An id is of one refusal, whichever server remembers it.
 *
 * Not here: remembering (context/refusal-ring.ts), who may ask (access-guard.ts).
 */
import { z } from "zod";
import { CHANGE_ORIGINS } from "../../shared/change.ts";
import { isErrorCode } from "../../shared/errors.ts";
import { parseActor, parseContextId } from "../../shared/ids.ts";
import type { ContextId } from "../../shared/ids.ts";
import type { Json } from "../../shared/json.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { Refusal } from "../../shared/refusal.ts";
import type { Page } from "../context-service.ts";
import { NODE_SLOTS } from "../state/author-id.ts";
import { askOthers } from "./among-nodes.ts";
import type { AmongNodes } from "./among-nodes.ts";

/** Of this server; context/refusal-ring.ts fits. */
interface RefusalsHere {
  list(contextId: ContextId, sinceMs: number): readonly Refusal[];
}

const questionSchema = z.object({ contextId: z.string().transform(parseContextId), sinceMs: z.number() });
/** Servers of other releases may say more. */
const answerSchema = z.array(
  z.object({
    id: z.int(),
    atMs: z.number(),
    actor: z.string().transform(parseActor),
    origin: z.enum(CHANGE_ORIGINS),
    code: z.custom<Refusal["code"]>(isErrorCode),
    rule: z.string().exactOptional(),
    paths: z.array(z.string()),
    by: z.string().exactOptional(),
  }),
);
/** What refusals may take in an answer: paths are as long as writers make them. */
const CHARS_MAX = LIMITS.peerAnswerCharsMax / 8;

export class AllRefusals {
  readonly #here: RefusalsHere;
  readonly #nodes: AmongNodes | undefined;

  constructor(here: RefusalsHere, nodes: AmongNodes | undefined) {
    this.#here = here;
    this.#nodes = nodes;
    nodes?.peers.answer("refusals", (question) => {
      const { contextId, sinceMs } = questionSchema.parse(question);
      return fitting(this.#ours(contextId, sinceMs)).map(jsonOf);
    });
  }

  /** `sinceMs`: when the context was made. */
  async list(contextId: ContextId, sinceMs: number): Promise<Page<Refusal>> {
    const ours = this.#ours(contextId, sinceMs);
    if (this.#nodes === undefined) return { items: ours };
    const { items, silent } = await askOthers(this.#nodes, "refusals", { contextId, sinceMs }, answerSchema);
    const all = [...ours, ...items].toSorted((a, b) => b.atMs - a.atMs);
    return { items: all.slice(0, LIMITS.refusalsMax), ...(silent === 0 ? {} : { silent }) };
  }

  #ours(contextId: ContextId, sinceMs: number): readonly Refusal[] {
    const refusals = this.#here.list(contextId, sinceMs);
    const slot = this.#nodes?.slot();
    return slot === undefined ? refusals : refusals.map((it) => ({ ...it, id: it.id * NODE_SLOTS + slot }));
  }
}

function jsonOf({ paths, ...refusal }: Refusal): Json {
  return { ...refusal, paths: [...paths] };
}

/** The newest. */
function fitting(refusals: readonly Refusal[]): readonly Refusal[] {
  let left = CHARS_MAX;
  return refusals.filter((refusal) => (left -= JSON.stringify(refusal).length) >= 0);
}

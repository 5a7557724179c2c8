/**
 * Editing traces: real keystroke histories, from ../shared/data or, where that is missing, the project's shorter ones.
 *
 * 1. A trace may be cut anywhere: parents come before their children, so a prefix is a history of its own.
 * 2. Positions in the files count code points, Yjs counts UTF-16 units. The traces hold nothing beyond the basic plane,
 *    where the two are the same; one that does is refused.
 */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";

export const TRACE_NAMES = ["friendsforever", "automerge-paper"] as const;
export type TraceName = (typeof TRACE_NAMES)[number];

/** [position, characters to delete there, text to insert there] */
export type Patch = readonly [position: number, deleteCount: number, insert: string];

export interface Txn {
  readonly author: number;
  /** How many transactions of each author are in the state that this one was made in; its own author's are all before it. */
  readonly seen: readonly number[];
  readonly patches: readonly Patch[];
}

export interface Trace {
  readonly name: TraceName;
  readonly authors: number;
  readonly txns: readonly Txn[];
  /** What the file says the text is in the end; undefined for a part of it. */
  readonly endContent: string | undefined;
}

interface TraceJson {
  readonly endContent: string;
  readonly numAgents?: number;
  readonly txns: readonly {
    readonly agent?: number;
    readonly parents?: readonly number[];
    readonly patches: readonly Patch[];
  }[];
}

const FOLDERS = ["../../../shared/data/", "../fixtures/traces/"];

/** The first `limit` transactions of a trace. */
export function loadTrace(name: TraceName, limit = Infinity): Trace {
  const files = FOLDERS.map((folder) => fileURLToPath(new URL(`${folder}${name}.json.gz`, import.meta.url)));
  const file = files.find((path) => existsSync(path));
  if (file === undefined) throw new Error(`There is no trace ${name} at ${files.join(" or ")}.`);
  const { endContent, numAgents = 1, txns } = JSON.parse(gunzipSync(readFileSync(file)).toString()) as TraceJson;
  const cut = txns.slice(0, limit);
  if (cut.some(({ patches }) => patches.some(([, , insert]) => /[\ud800-\udfff]/.test(insert))))
    throw new Error(
      `The trace ${name} has characters that take two UTF-16 units: its positions would need converting.`,
    );
  return {
    name,
    authors: numAgents,
    txns: withSeen(cut, numAgents),
    endContent: cut.length === txns.length ? endContent : undefined,
  };
}

/** Transactions of a trace without branches, several at a time: as an editor does that sends every now and then. */
export function inBatches(trace: Trace, size: number): Trace {
  if (trace.authors > 1)
    throw new Error("Transactions of several authors were made in different states: they cannot be joined.");
  const count = Math.ceil(trace.txns.length / size);
  const txns = Array.from({ length: count }, (_, index) => ({
    author: 0,
    seen: [index],
    patches: trace.txns.slice(index * size, (index + 1) * size).flatMap(({ patches }) => patches),
  }));
  return { ...trace, txns };
}

/** Parents as counts: each author's history is a line, so how many of it were seen says which. */
function withSeen(txns: TraceJson["txns"], authors: number): Txn[] {
  const result: Txn[] = [];
  for (const [index, { agent = 0, parents = index === 0 ? [] : [index - 1], patches }] of txns.entries()) {
    const seen = Array.from({ length: authors }, () => 0);
    for (const parent of parents) {
      const before = result[parent];
      if (before === undefined) throw new Error(`Transaction ${index} comes before its parent ${parent}.`);
      for (const [author, count] of before.seen.entries()) {
        seen[author] = Math.max(seen[author] ?? 0, author === before.author ? count + 1 : count);
      }
    }
    result.push({ author: agent, seen, patches });
  }
  return result;
}

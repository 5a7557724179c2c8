/**
 * One node of nodes-appends.ts: a log, and clients that append to contexts as fast as they are answered, in turns.
 *
 * 1. It says when it is ready, answers each job with how long its appends took, and ends when its parent lets go of it.
 */
import { PostgresChangeLog } from "../../server/storage/postgres/postgres-change-log.ts";
import { entryOf, idOf } from "../support/log-fixtures.ts";

export interface AppendJob {
  readonly contexts: readonly string[];
  readonly clients: number;
  readonly forMs: number;
}

const [, , url = ""] = process.argv;
const log = new PostgresChangeLog({ url });
await log.open();
process.on("message", (job: AppendJob) => void append(job).then((latenciesMs) => process.send?.(latenciesMs)));
process.once("disconnect", () => void log.close().then(() => process.exit(0)));
process.send?.([]);

/** Each client appends one entry of 200 bytes after the other; those of a context that wait together go in one batch. */
async function append({ contexts, clients, forMs }: AppendJob): Promise<readonly number[]> {
  const known = new Map<string, number>();
  // as a server has, before it writes
  await Promise.all(contexts.map((name) => log.load(idOf(name))));
  const latenciesMs: number[] = [];
  const endMs = performance.now() + forMs;
  const update = new Uint8Array(200);
  const client = async (n: number): Promise<void> => {
    const id = idOf(contexts[n % contexts.length] ?? "");
    while (performance.now() < endMs) {
      const startMs = performance.now();
      let appending: Promise<unknown> = Promise.resolve();
      await log.turn(id, {
        knownSeq: () => known.get(id) ?? 0,
        keys: [],
        take(news) {
          const seq = news?.entries.at(-1)?.seq ?? known.get(id) ?? 0;
          appending = log.append(id, { seq }, [entryOf(n, { update })]);
          known.set(id, seq + 1);
        },
      });
      await appending;
      latenciesMs.push(performance.now() - startMs);
    }
  };
  await Promise.all(Array.from({ length: clients }, (_, n) => client(n)));
  return latenciesMs;
}

/**
 * Compaction of a context that many have worked on: how long its writes wait, and what is gained. Ours alone.
 *
 * 1. Writes are sent by REST one after the other, before, during and after: those of REST go on in the new epoch. How long
 *    the context is held is how long the slowest of those took that were under way meanwhile.
 * 2. Joining is measured to the whole of the document.
 */
import * as Y from "yjs";
import type { CompactResult } from "../../../shared/protocol/rest-history.ts";
import { untilQuiet } from "../cpu.ts";
import { LoadClient } from "../load-client.ts";
import type { Room } from "../load-client.ts";
import { timedRequest } from "../rest-client.ts";
import { openRoom, withServer } from "../scenario.ts";
import type { Scenario } from "../scenario.ts";
import { percentile } from "../stats.ts";

const CLIENTS = 1000;
const TOMBSTONES_PER_CLIENT = 10;
const ROOM = "worked-on";

export const compaction: Scenario = {
  id: "compaction",
  title: "Compaction",
  what: "A context of 10,000 deleted pieces by 1,000 Yjs client ids, 500 REST updates one after the other before, and after, and all through its compaction.",
  needs: "ours",
  metrics: {
    heldMs: { label: "the longest that a write waited meanwhile, ms", better: "lower" },
    compactMs: { label: "compaction, ms", better: "lower" },
    kbBefore: { label: "document before, KB", better: "neither" },
    kbAfter: { label: "document after, KB", better: "lower" },
    ackP50MsBefore: { label: "update before: p50, ms", better: "neither" },
    ackP99MsBefore: { label: "update before: p99, ms", better: "neither" },
    ackP50MsAfter: { label: "update after: p50, ms", better: "lower" },
    ackP99MsAfter: { label: "update after: p99, ms", better: "lower" },
    joinMsBefore: { label: "joining before, ms", better: "neither" },
    joinMsAfter: { label: "joining after, ms", better: "lower" },
    eventLoopMaxMs: { label: "longest event-loop turn of the compaction, ms", better: "lower" },
  },
  run: (bench) =>
    withServer(bench, async (running) => {
      const room = await openRoom(bench, running, ROOM);
      const worked = workedOn(bench.count(CLIENTS, 100));
      await send(room, worked);
      await untilQuiet(running.pid);
      const writer = new Writer(new URL(`/v1/contexts/${ROOM}`, running.url));
      await writer.writes(100); // warm-up
      const joinMsBefore = await joined(room);
      const before = await writer.writes(bench.count(500, 100));
      await running.watch();
      const { during, compactMs, bytesBefore, bytesAfter } = await writer.throughCompaction();
      const eventLoopMaxMs = await running.watched();
      const after = await writer.writes(bench.count(500, 100));
      return {
        heldMs: Math.max(...during),
        compactMs,
        kbBefore: bytesBefore / 1024,
        kbAfter: bytesAfter / 1024,
        ackP50MsBefore: percentile(before, 0.5),
        ackP99MsBefore: percentile(before, 0.99),
        ackP50MsAfter: percentile(after, 0.5),
        ackP99MsAfter: percentile(after, 0.99),
        joinMsBefore,
        joinMsAfter: await joined(room),
        eventLoopMaxMs,
      };
    }),
};

/** One update for each client: it writes words all over the text, and deletes single letters there. */
function workedOn(clients: number): readonly Uint8Array[] {
  const updates: Uint8Array[] = [];
  const doc = new Y.Doc();
  doc.on("update", (update: Uint8Array) => updates.push(update));
  const text = doc.getText("text");
  let seed = 42;
  const below = (limit: number): number => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return seed % limit;
  };
  for (let client = 1; client <= clients; client++) {
    doc.clientID = 0x2000_0000 + client * 7919;
    doc.transact(() => {
      text.insert(below(text.length + 1), "what somebody writes of it, a line or so of text. ");
      for (let i = 0; i < TOMBSTONES_PER_CLIENT; i++) text.delete(below(text.length), 1);
    });
  }
  return updates;
}

async function send(room: Room, updates: readonly Uint8Array[]): Promise<void> {
  const client = await LoadClient.join(room);
  await client.synced;
  for (const update of updates) client.send(client.updateFrame(update));
  await timedRequest(new URL("/healthz", room.url), "GET");
  client.close();
}

async function joined(room: Room): Promise<number> {
  const start = performance.now();
  const client = await LoadClient.join(room);
  await client.synced;
  const took = performance.now() - start;
  client.close();
  return took;
}

class Writer {
  readonly #context: URL;
  #written = 0;

  constructor(context: URL) {
    this.#context = context;
  }

  async writes(count: number): Promise<readonly number[]> {
    const took: number[] = [];
    for (let i = 0; i < count; i++) took.push(await this.#write());
    return took;
  }

  /** Writes until the compaction, begun with the second write, is over. */
  async throughCompaction() {
    const over = new AbortController();
    const during = [await this.#write()];
    const compacting = timedRequest(new URL(`${this.#context.href}/compact`), "POST", {}).finally(() => over.abort());
    do during.push(await this.#write());
    while (!over.signal.aborted);
    const { ms, bytes } = await compacting;
    return { during, compactMs: ms, ...(JSON.parse(bytes.toString()) as CompactResult) };
  }

  async #write(): Promise<number> {
    const changes = [{ op: "add", path: `/note-${this.#written % 10}`, value: `note ${this.#written++}` }];
    return (await timedRequest(this.#context, "PATCH", { changes })).ms;
  }
}

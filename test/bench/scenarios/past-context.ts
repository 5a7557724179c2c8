/**
 * A context with a real past: every keystroke of two people (the trace friendsforever), in the log of a server.
 *
 * 1. The data folder is made once per run of the benchmark, by the server itself; every measurement starts on a copy.
 * 2. That the whole trace is in the log is checked by the context's version.
 */
import { existsSync } from "node:fs";
import { cp, mkdir, rename } from "node:fs/promises";
import { join } from "node:path";
import * as Y from "yjs";
import { Desk, TEXT } from "../../demo/desk.ts";
import type { Shipment } from "../../demo/desk.ts";
import { loadTrace } from "../../demo/trace-file.ts";
import type { Trace } from "../../demo/trace-file.ts";
import { untilQuiet } from "../cpu.ts";
import { LoadClient } from "../load-client.ts";
import type { Room } from "../load-client.ts";
import { atRate } from "../pace.ts";
import { timedRequest } from "../rest-client.ts";
import { openRoom, withServer } from "../scenario.ts";
import type { Bench } from "../scenario.ts";
import type { RunningServer } from "../spawn-server.ts";
import { documentOf, updateIn } from "../updates.ts";

export const PAST = "past";
/** So that the log has them one by one, as it has what people type, and not in runs of hundreds. */
const PER_SECOND = 2000;
const FEED_MS_MAX = 60_000;

/** Puts the context into the bench's data folder. @returns its version */
export async function withPast(bench: Bench): Promise<number> {
  const trace = loadTrace("friendsforever", bench.count(Infinity, 2000));
  const prepared = join(bench.preparedDir, `past-${trace.txns.length}`);
  if (!existsSync(prepared)) {
    const unfinished = `${prepared}.unfinished`;
    await mkdir(unfinished, { recursive: true });
    await withServer(bench, (running) => replay(bench, running, trace), unfinished);
    await rename(unfinished, prepared);
  }
  await cp(prepared, bench.dataDir, { recursive: true });
  return versionAfter(trace);
}

/** The first change makes the text. */
function versionAfter({ txns }: Trace): number {
  return txns.length + 1;
}

async function replay(bench: Bench, running: RunningServer, trace: Trace): Promise<void> {
  const room = await openRoom(bench, running, PAST);
  const address = new URL(`/v1/contexts/${PAST}`, running.url);
  await timedRequest(address, "PATCH", { changes: [{ op: "add", path: `/${TEXT}`, value: { $text: "" } }] });
  const updates = updatesOf(trace, await stateOf(room));
  // over one socket: an update must not overtake what it was made upon
  const author = await LoadClient.join(room);
  await author.synced;
  const frames = updates.map((update) => author.updateFrame(update));
  await atRate(PER_SECOND, frames.length, (i) => void author.send(frames[i] ?? Buffer.alloc(0)));
  const deadline = performance.now() + FEED_MS_MAX;
  while ((await versionOf(address)) < versionAfter(trace)) {
    if (performance.now() > deadline) throw new Error(`The trace was not taken in ${FEED_MS_MAX} ms.`);
    await untilQuiet(running.pid, FEED_MS_MAX);
  }
  author.close();
}

async function versionOf(address: URL): Promise<number> {
  const { bytes } = await timedRequest(address, "GET");
  return (JSON.parse(bytes.toString()) as { version: number }).version;
}

async function stateOf(room: Room): Promise<Uint8Array> {
  const messages: Uint8Array[] = [];
  const client = await LoadClient.join(room, { onContent: (message) => messages.push(Buffer.from(message)) });
  await client.synced;
  client.close();
  return Y.encodeStateAsUpdate(documentOf(messages.map(updateIn)));
}

/** In the order of the trace; each written in the state that the trace says. */
function updatesOf({ txns, authors }: Trace, base: Uint8Array): readonly Uint8Array[] {
  const people = Array.from({ length: authors }, (_, author) => ({
    author,
    desk: new Desk(base, author),
    sent: new Array<Shipment>(),
  }));
  return txns.map(({ author, seen, patches }) => {
    const writer = people[author];
    if (writer === undefined) throw new Error(`The trace has no author ${author}.`);
    for (const other of people) if (other !== writer) writer.desk.take(other.author, other.sent, seen[other.author]);
    const shipment = writer.desk.write(patches);
    writer.sent.push(shipment);
    return shipment.update;
  });
}

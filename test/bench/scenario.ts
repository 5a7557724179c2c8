/**
 * What a scenario is, and what it is given: a fresh process, a fresh folder, one server to start.
 *
 * Not here: the scenarios (scenarios/), their order and repetition (plan.ts).
 */
import { LoadClient } from "./load-client.ts";
import type { Handlers, Room } from "./load-client.ts";
import type { ServerAdapter } from "./servers/adapter.ts";
import { startServer } from "./spawn-server.ts";
import type { RunningServer } from "./spawn-server.ts";

export interface Metric {
  readonly label: string;
  readonly better: "higher" | "lower" | "neither";
}

export interface Scenario {
  readonly id: string;
  readonly title: string;
  /** What is done, in one sentence, with the counts. */
  readonly what: string;
  /** Which servers can take part: all, those that hold state, those that have it again after a restart, or ours alone. */
  readonly needs: "nothing" | "state" | "persistence" | "ours";
  readonly metrics: Readonly<Record<string, Metric>>;
  run(bench: Bench): Promise<Readonly<Record<string, number>>>;
}

export interface Bench {
  readonly server: ServerAdapter;
  /** An empty folder of this measurement. */
  readonly dataDir: string;
  /** A folder that all measurements of one server share in this run, for input that is dear to make. */
  readonly preparedDir: string;
  /** The first count, or the second in a quick run. */
  count(full: number, quick: number): number;
}

/** Starts the server, runs `work`, and stops the server however it ends. */
export async function withServer<Result>(
  bench: Bench,
  work: (running: RunningServer) => Promise<Result>,
  dataDir = bench.dataDir,
): Promise<Result> {
  const running = await startServer(bench.server, dataDir);
  try {
    return await work(running);
  } finally {
    await running.stop();
  }
}

/** Creates a room. */
export async function openRoom(bench: Bench, running: RunningServer, name: string): Promise<Room> {
  await bench.server.createRooms(running.url, [name]);
  return { server: bench.server, url: running.url, name };
}

/** Joins a room with many clients, and waits until all of them are synced. `handlersOf` is asked once for each. */
export async function joinAll(room: Room, count: number, handlersOf: (i: number) => Handlers): Promise<LoadClient[]> {
  const clients = await Promise.all(Array.from({ length: count }, (_, i) => LoadClient.join(room, handlersOf(i))));
  await Promise.all(clients.map((client) => client.synced));
  return clients;
}

/**
 * Many small rooms: what a server does most of its life.
 *
 * 1. Rooms that must exist first are created before the clock starts; `rest` measures creation.
 */
import { LoadClient } from "../load-client.ts";
import { Goal } from "../pace.ts";
import { withServer } from "../scenario.ts";
import type { Scenario } from "../scenario.ts";
import { Receiver, typing } from "../updates.ts";

const CLIENTS = 2;
const UPDATES = 5;

export const rooms: Scenario = {
  id: "rooms",
  title: "Many rooms",
  what: "200 rooms × 2 clients; all connect at once, then every client sends 5 updates.",
  needs: "nothing",
  metrics: {
    connectionsPerSecond: { label: "connections per second (connect to synced)", better: "higher" },
    convergeMs: { label: "all updates sent to all received, ms", better: "lower" },
    eventLoopMaxMs: { label: "longest event-loop turn, ms", better: "lower" },
    kbPerConnection: { label: "RSS per connection, KB", better: "lower" },
  },
  run: (bench) =>
    withServer(bench, async (running) => {
      const names = Array.from({ length: bench.count(200, 40) }, (_, i) => `room-${i}`);
      await bench.server.createRooms(running.url, names);
      const rssBefore = await running.settledRssKb();
      await running.watch();
      const goal = new Goal(names.length * CLIENTS * UPDATES * (CLIENTS - 1));
      const started = performance.now();
      const clients = await Promise.all(
        names.flatMap((name) =>
          Array.from({ length: CLIENTS }, async (_, writer) => {
            const receiver = new Receiver(writer);
            const room = { server: bench.server, url: running.url, name };
            const onContent = (message: Buffer): void => goal.add(receiver.see(message));
            const client = await LoadClient.join(room, { onContent });
            await client.synced;
            return { client, writer };
          }),
        ),
      );
      const connectMs = performance.now() - started;
      const scripts = clients.map(({ client, writer }) => ({
        client,
        frames: Buffer.concat(typing(writer, UPDATES).map((update) => client.updateFrame(update))),
      }));
      const sent = performance.now();
      for (const { client, frames } of scripts) client.send(frames);
      await goal.reached;
      const convergeMs = performance.now() - sent;
      const eventLoopMaxMs = await running.watched();
      const rssAfter = await running.settledRssKb();
      for (const { client } of clients) client.close();
      return {
        connectionsPerSecond: (clients.length * 1000) / connectMs,
        convergeMs,
        eventLoopMaxMs,
        kbPerConnection: (rssAfter - rssBefore) / clients.length,
      };
    }),
};

/**
 * Idle connections: people with a page open, shown to each other, typing nothing.
 *
 * 1. What the first hundred connections cost is the price of running at all (compiled code, pools): they come before the first reading.
 * 2. Memory is read after a full garbage collection on both sides of the difference, so that it is what is held, not what lies about.
 */
import { setTimeout as delay } from "node:timers/promises";
import { encodeAwareness } from "../../../shared/protocol/frames.ts";
import { untilQuiet } from "../cpu.ts";
import type { LoadClient } from "../load-client.ts";
import { joinAll, openRoom, withServer } from "../scenario.ts";
import type { Scenario } from "../scenario.ts";

const PER_ROOM = 10;
const AWARENESS = 1;

export const idle: Scenario = {
  id: "idle",
  title: "Idle connections",
  what: "1,000 connections in 100 rooms, each with a presence state of about 60 B, nobody typing; after 100 others.",
  needs: "nothing",
  metrics: {
    kbPerConnection: { label: "RSS per connection, KB", better: "lower" },
    cpuMsPerSecond: { label: "server CPU while idle, ms per s", better: "lower" },
  },
  run: (bench) =>
    withServer(bench, async (running) => {
      let shown = 0;
      const onOther = (message: Buffer): void => {
        if (message[0] === AWARENESS) shown += 1;
      };
      const openRooms = async (name: string, count: number): Promise<LoadClient[]> => {
        const clients = [];
        for (let i = 0; i < count; i++) {
          const room = await openRoom(bench, running, `${name}-${i}`);
          clients.push(...(await joinAll(room, PER_ROOM, () => ({ onOther }))));
        }
        for (const [i, client] of clients.entries()) client.send(client.frame(presence(i)));
        await untilQuiet(running.pid);
        return clients;
      };
      const first = await openRooms("first", 10);
      const rssBefore = await running.settledRssKb();
      const clients = await openRooms("idle", bench.count(100, 20));
      if (shown === 0) throw new Error("No client was shown another's presence.");
      const kb = (await running.settledRssKb()) - rssBefore;
      const cpuBefore = running.cpuMs();
      const seconds = bench.count(3, 1);
      await delay(seconds * 1000);
      const cpuMs = running.cpuMs() - cpuBefore;
      for (const client of [...first, ...clients]) client.close();
      return { kbPerConnection: kb / clients.length, cpuMsPerSecond: cpuMs / seconds };
    }),
};

const presence = (i: number): Uint8Array =>
  encodeAwareness([
    { yjsClientId: 0x9000_0000 + i, clock: 1, state: `{"user":{"name":"Person ${i}","color":"#30bced"},"at":0}` },
  ]);

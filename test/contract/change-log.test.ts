/** Every ChangeLog under the one contract. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";
import { LevelChangeLog } from "../../server/storage/log/level-change-log.ts";
import { MemoryChangeLog } from "../../server/storage/log/memory-change-log.ts";
import { PostgresChangeLog } from "../../server/storage/postgres/postgres-change-log.ts";
import { MemoryStore } from "../../server/storage/store/memory-store.ts";
import { PostgresServer } from "../support/postgres-server.ts";
import { describeChangeLog } from "./change-log-suite.ts";

describeChangeLog("MemoryChangeLog", { survivesReopen: true }, () => {
  const store = new MemoryStore();
  return {
    async open() {
      const log = new MemoryChangeLog({ store });
      await log.open();
      return log;
    },
    dispose: () => Promise.resolve(),
  };
});

describeChangeLog("LevelChangeLog", { survivesReopen: true }, () => {
  const made = mkdtemp(join(tmpdir(), "mcm-log-"));
  return {
    async open() {
      const log = new LevelChangeLog({ folder: join(await made, "log") });
      await log.open();
      return log;
    },
    async dispose() {
      await rm(await made, { recursive: true, force: true });
    },
  };
});

let postgres: PostgresServer;
let url: string;

beforeAll(async () => {
  postgres = await PostgresServer.start();
  url = await postgres.database();
});
afterAll(() => postgres.stop());

describeChangeLog("PostgresChangeLog", { survivesReopen: true }, () => ({
  async open() {
    const log = new PostgresChangeLog({ url });
    await log.open();
    return log;
  },
  dispose: async () => void (await postgres.query("t1", "DROP SCHEMA mcm CASCADE")),
}));

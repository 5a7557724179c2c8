/** A backup of a real server under load: rule DATA-2. Processes that die are in test/chaos/backup.test.ts. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { verifyFolder } from "../../server/storage/verify/verify-folder.ts";
import { spawnCli } from "../support/cli-process.ts";
import { RestCaller } from "../support/rest-caller.ts";
import { ServerProcess } from "../support/server-process.ts";

const CONTEXTS = ["plan", "notes", "code"] as const;
const WRITERS = 4;
/** MCM_FUZZ=50 makes a long storm of it. */
const ACKED_BEFORE = 60 * Number(process.env["MCM_FUZZ"] ?? 1);

let base: string;
let server: ServerProcess;
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), "mcm-backup-"));
  server = await ServerProcess.start({ dataDir: join(base, "data") });
});
afterEach(async () => {
  await server.kill();
  await rm(base, { recursive: true, force: true });
});

/** Writers that each add the next of their own numbers, until they are told to stop; what was acknowledged. */
class Storm {
  readonly acked = new Map<string, number>();
  readonly #done: Promise<unknown>;
  #isOver = false;
  #onAck = (): void => undefined;

  constructor(url: string) {
    this.#done = Promise.all(
      CONTEXTS.flatMap((id) => Array.from({ length: WRITERS }, (_, writer) => this.#write(url, id, `w${writer}`))),
    );
  }

  /** Resolves when so much was acknowledged. */
  reached(count: number): Promise<void> {
    let left = count;
    return new Promise((resolve) => {
      this.#onAck = () => {
        if (--left <= 0) resolve();
      };
    });
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#done;
  }

  async #write(url: string, id: string, writer: string): Promise<void> {
    const caller = new RestCaller(url, writer);
    for (let n = 0; !this.#isOver; n++) {
      await caller.change(id, [{ op: "add", path: `/${writer}/-`, value: n }], `${id}-${writer}-${n}`);
      this.acked.set(`${id}/${writer}`, n + 1);
      this.#onAck();
    }
  }
}

async function createAll(url: string): Promise<void> {
  const empty = Object.fromEntries(Array.from({ length: WRITERS }, (_, writer) => [`w${writer}`, []]));
  for (const id of CONTEXTS) await new RestCaller(url, "creator").create(id, empty);
}

test("[DATA-2] a backup taken during a write storm holds all that was acknowledged before it began, verifies, and goes into service", async () => {
  await createAll(server.url);
  const storm = new Storm(server.url);
  await storm.reached(ACKED_BEFORE);
  const acked = new Map(storm.acked);
  const folder = join(base, "backup");
  const backup = await spawnCli(["backup", "--url", server.url, "--out", folder]).ended;
  await storm.stop();
  expect(backup).toMatchObject({ code: 0, err: "" });
  expect(backup.out).toMatch(/ holds 3 contexts, \d+\.\d MB\. Check it with: mcm verify /);
  const verified = await spawnCli(["verify", folder]).ended;
  expect(verified).toMatchObject({ code: 0, err: "" });
  expect(verified.out).toMatch(/ is whole: 3 contexts, \d+ entries, /);
  expect([...acked.values()].reduce((sum, n) => sum + n, 0)).toBeGreaterThanOrEqual(ACKED_BEFORE);
  expect([...storm.acked.values()].reduce((sum, n) => sum + n, 0)).toBeGreaterThan(ACKED_BEFORE);

  const restored = await ServerProcess.start({ dataDir: folder });
  try {
    for (const id of CONTEXTS) {
      const judge = new RestCaller(restored.url, "judge");
      const { data, version } = await judge.read(id);
      let count = 0;
      for (const [writer, list] of Object.entries(data as Record<string, number[]>)) {
        // what each wrote, from the first on without a gap, and at least as far as it was told
        expect(list).toEqual([...list.keys()]);
        expect(list.length, `${id} ${writer}`).toBeGreaterThanOrEqual(acked.get(`${id}/${writer}`) ?? 0);
        count += list.length;
      }
      expect(version).toBe(count);
      expect(await judge.change(id, [{ op: "add", path: "/w0/-", value: 0 }], "after")).toMatchObject({
        version: version + 1,
      });
    }
    expect(await restored.stop()).toBe(0);
  } finally {
    await restored.kill();
  }
  expect(await verifyFolder(folder)).toMatchObject({ isSound: true, backup: { isUntouched: false } });
  expect(await server.stop()).toBe(0);
  expect(await verifyFolder(join(base, "data"))).toMatchObject({ isSound: true, contexts: 3 });
}, 120_000);

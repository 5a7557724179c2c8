/** A backup on its way: rules DATA-2 and DATA-3. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { ServiceError } from "../../shared/errors.ts";
import { receiveBackup, sendBackup } from "../../server/storage/backup/backup-stream.ts";
import type { BackupFrame } from "../../server/storage/backup/backup-stream.ts";
import type { DumpedRecord, LogDump } from "../../server/storage/change-log.ts";
import { backupBody } from "../../server/transport/rest/backup-body.ts";
import { LIMITS } from "../../shared/limits.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { turns } from "../support/service-rig.ts";

const RECORDS: readonly DumpedRecord[] = Array.from({ length: 40 }, (_, n) => [
  Buffer.from(`l${String(n).padStart(4, "0")}`),
  Buffer.alloc(n * 7, n),
]);

/** A log that holds these, in pages of seven. */
const logOf = (records: readonly DumpedRecord[], failAfter = Infinity) => ({
  async dump(dump: LogDump): Promise<void> {
    await dump.begin({ contexts: 3, bytes: 1000 });
    for (let at = 0; at < records.length; at += 7) {
      if (at > failAfter) throw new ServiceError("STORE_UNAVAILABLE", "The disk is gone.");
      await dump.page(records.slice(at, at + 7));
    }
  },
});

async function sent(records = RECORDS, failAfter = Infinity): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  await sendBackup(logOf(records, failAfter), 5, async (bytes) => void parts.push(bytes)).catch(() => undefined);
  return Buffer.concat(parts);
}

/** In pieces of any size, as a network hands them over. */
async function* inPieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function received(stream: AsyncIterable<Uint8Array>): Promise<{ frames: BackupFrame[]; error?: unknown }> {
  const frames: BackupFrame[] = [];
  try {
    for await (const frame of receiveBackup(stream)) frames.push(frame);
    return { frames };
  } catch (error) {
    return { frames, error };
  }
}

test("[DATA-2] what was sent arrives, in whatever pieces", async () => {
  const bytes = await sent();
  for (const size of [1, 3, 8, 9, 10, 1000, bytes.length]) {
    const { frames, error } = await received(inPieces(bytes, size));
    expect(error).toBeUndefined();
    expect(frames[0]).toMatchObject({ kind: "begin", begin: { format: 1, contexts: 3, bytes: 1000, takenAtMs: 5 } });
    const records = frames.flatMap((frame) => (frame.kind === "page" ? frame.records : []));
    expect(records.map(([key, value]) => [Buffer.from(key), Buffer.from(value)])).toEqual(RECORDS);
    expect(frames.at(-1)).toMatchObject({ kind: "end", end: { records: RECORDS.length } });
  }
});

test("[DATA-3] what was cut, changed, doubled or left out anywhere never ends as a backup", async () => {
  const bytes = await sent();
  await fc.assert(
    fc.asyncProperty(
      fc.nat(bytes.length - 1),
      fc.integer({ min: 1, max: 255 }),
      fc.constantFrom("cut", "flip", "double", "drop"),
      async (at, bits, how) => {
        const changed =
          how === "cut"
            ? bytes.subarray(0, at)
            : how === "flip"
              ? Buffer.concat([bytes.subarray(0, at), Uint8Array.of((bytes[at] ?? 0) ^ bits), bytes.subarray(at + 1)])
              : how === "double"
                ? Buffer.concat([bytes.subarray(0, at), bytes.subarray(Math.max(0, at - bits))])
                : Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + bits)]);
        const { frames, error } = await received(inPieces(changed, 50));
        if (changed.equals(bytes)) return;
        expect(frames.at(-1)?.kind).not.toBe("end");
        expect(error).toMatchObject({ code: expect.stringMatching(/UNREACHABLE|DATA_FORMAT_NEWER/) });
      },
    ),
    { seed: 20_261_127, numRuns: 500 },
  );
});

test("[DATA-3] frames that are sound and out of order are none: a page twice, one that is missing, nothing before the beginning", async () => {
  const frames: Uint8Array[] = [];
  await sendBackup(logOf(RECORDS), 5, async (bytes) => void frames.push(bytes));
  const [begin = new Uint8Array(), first = new Uint8Array(), second = new Uint8Array(), ...rest] = frames;
  for (const order of [
    [begin, first, first, second, ...rest],
    [begin, second, ...rest],
    [begin, second, first, ...rest],
    [first, begin, second, ...rest],
    [begin, begin, first, second, ...rest],
    [rest.at(-1) ?? new Uint8Array()],
  ]) {
    const { frames: seen, error } = await received(inPieces(Buffer.concat(order), 1000));
    expect(seen.at(-1)?.kind).not.toBe("end");
    expect(error).toMatchObject({ code: "UNREACHABLE" });
  }
});

test("[DATA-3] a sender that cannot go on says why; a connection that is lost is told as that", async () => {
  expect((await received(inPieces(await sent(RECORDS, 10), 100))).error).toMatchObject({
    code: "STORE_UNAVAILABLE",
    message: "The disk is gone.",
  });
  const bytes = await sent();
  async function* lost(): AsyncGenerator<Uint8Array> {
    yield bytes.subarray(0, 200);
    throw new TypeError("terminated");
  }
  expect((await received(lost())).error).toMatchObject({
    code: "UNREACHABLE",
    message: expect.stringContaining("the connection was lost"),
  });
});

test("[DATA-3] a receiver that is gone ends the dump with its own error, and is told nothing more", async () => {
  let writes = 0;
  const write = (): Promise<void> => (++writes > 2 ? Promise.reject(new Error("gone")) : Promise.resolve());
  await expect(sendBackup(logOf(RECORDS), 5, write)).rejects.toThrow("gone");
  expect(writes).toBe(3);
});

test("[DATA-18] the next piece is made when the client took the former one; who takes nothing is cut", async () => {
  const clock = new ManualClock();
  let cuts = 0;
  const errors: unknown[] = [];
  const body = backupBody({ clock, cut: () => void cuts++, onError: (error) => errors.push(error) });
  let written = 0;
  const work = async (): Promise<void> => {
    for (let n = 0; n < 5; n++) {
      await body.write(Uint8Array.of(n));
      written++;
    }
  };
  await body.begin(work());
  const reader = body.stream.getReader();
  expect((await reader.read()).value).toEqual(Uint8Array.of(0));
  await turns();
  const ahead = written;
  expect(ahead).toBeLessThan(3);
  clock.advance(LIMITS.slowConsumerMsMax - 1);
  expect(cuts).toBe(0);
  await reader.read();
  await turns();
  clock.advance(LIMITS.slowConsumerMsMax - 1);
  await turns();
  expect([cuts, written]).toEqual([0, ahead + 1]);
  clock.advance(1);
  await turns();
  expect(cuts).toBe(1);
  expect(errors).toHaveLength(1);
  expect(clock.timerCount).toBe(0);
});

test("[DATA-18] a client that goes away ends the work; what fails before the first piece is an answer", async () => {
  const clock = new ManualClock();
  const errors: unknown[] = [];
  const body = backupBody({ clock, cut: () => undefined, onError: (error) => errors.push(error) });
  let ended = false;
  const work = (async () => {
    try {
      for (;;) await body.write(Uint8Array.of(1));
    } finally {
      ended = true;
    }
  })();
  await body.begin(work);
  await body.stream.cancel();
  await turns();
  expect([ended, errors.length, clock.timerCount]).toEqual([true, 1, 0]);
  const refused = backupBody({ clock, cut: () => undefined, onError: (error) => errors.push(error) });
  await expect(refused.begin(Promise.reject(new Error("no")))).rejects.toThrow("no");
});

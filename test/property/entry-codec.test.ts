/** The codec over any entries and any bytes. */
import fc from "fast-check";
import { test } from "vitest";
import { CHANGE_ORIGINS } from "../../shared/change.ts";
import { ServiceError } from "../../shared/errors.ts";
import { parseActor } from "../../shared/ids.ts";
import type { LogEntry, NewEntry } from "../../server/storage/change-log.ts";
import { decodeRun, encodeRun } from "../../server/storage/log/entry-codec.ts";
import { runKey } from "../../server/storage/log/log-keys.ts";
import { writeUint8 as writeByte } from "lib0/encoding";
import { encodeRecord } from "../../server/storage/log/record.ts";
import {
  decodeCheckpoint,
  decodeContext,
  decodeHead,
  decodeIdempotency,
  decodeSideRecord,
} from "../../server/storage/log/record-codec.ts";

const settings = { seed: 20_261_122, numRuns: 1000, verbose: true };
const name = "record";

const anyFields = fc.record(
  {
    kind: fc.constantFrom("change", "void"),
    actor: fc.constantFrom("alice", "bob", "日本", "🙂").map(parseActor),
    atMs: fc.maxSafeNat(),
    origin: fc.constantFrom(...CHANGE_ORIGINS),
    message: fc.string({ unit: "grapheme" }),
    paths: fc.array(fc.string({ unit: "grapheme" }), { maxLength: 5 }),
    update: fc.uint8Array({ maxLength: 300 }),
    resolves: fc.string({ maxLength: 20 }),
  },
  { requiredKeys: ["kind", "actor", "atMs", "origin", "paths", "update"] },
);

/** Now and then a new epoch. */
const anyEntry: fc.Arbitrary<NewEntry> = fc
  .tuple(anyFields, fc.option(fc.maxSafeNat(), { freq: 4 }))
  .map(([fields, authorSalt]) => (authorSalt === null ? fields : { ...fields, kind: "epoch", authorSalt }));

test("[LOG-14] any run reads back as it was written", () => {
  fc.assert(
    fc.property(fc.array(anyEntry, { minLength: 1, maxLength: 20 }), fc.nat(), fc.nat(), (entries, before, version) => {
      let changes = version;
      const run: LogEntry[] = entries.map((entry, index) => {
        if (entry.kind === "change") changes++;
        return { ...entry, seq: before + index + 1, version: changes };
      });
      const key = runKey(3, before + 1);
      const back = decodeRun({ key, value: encodeRun(key, version, run), name });
      if (JSON.stringify(back, plain) !== JSON.stringify(run, plain)) throw new Error("differs");
    }),
    settings,
  );
});

/** Key order does not count; bytes do. */
function plain(_key: string, value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

const DECODERS = [decodeRun, decodeCheckpoint, decodeContext, decodeHead, decodeIdempotency, decodeSideRecord];

test("[LOG-15] no bytes make a decoder do anything but return or throw DATA_DAMAGED, not even with a right checksum", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 200 }),
      fc.constantFrom(...DECODERS),
      fc.boolean(),
      (bytes, decode, isSealed) => {
        const key = runKey(1, 1);
        const value = isSealed
          ? encodeRecord(key, (encoder) => bytes.forEach((byte) => writeByte(encoder, byte)))
          : bytes;
        try {
          decode({ key, value, name });
        } catch (error) {
          if (!(error instanceof ServiceError && error.code === "DATA_DAMAGED")) throw error;
        }
      },
    ),
    { ...settings, numRuns: 20_000 },
  );
});

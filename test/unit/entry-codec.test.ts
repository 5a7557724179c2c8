/** Runs of entries and the other records, byte for byte and damaged. */
import { crc32 } from "node:zlib";
import { expect, test } from "vitest";
import { decodeRun, encodeRun } from "../../server/storage/log/entry-codec.ts";
import { runKey } from "../../server/storage/log/log-keys.ts";
import type { StoredRecord } from "../../server/storage/log/record.ts";
import {
  decodeCheckpoint,
  decodeContext,
  decodeHead,
  encodeCheckpoint,
  encodeContext,
  encodeHead,
} from "../../server/storage/log/record-codec.ts";
import { alice, bob, entryOf, epochOf, metaOf } from "../support/log-fixtures.ts";

const name = 'log of context "plan"';
const key = runKey(1, 10);
const run = [
  { ...entryOf(1), seq: 10, version: 5 },
  { ...entryOf(2, { kind: "void", actor: bob, origin: "mcp" }), seq: 11, version: 5 },
  { ...entryOf(3, { actor: bob, message: "why", paths: [] }), seq: 12, version: 6 },
  { ...epochOf(4, 2 ** 32 - 1, { message: "smaller" }), seq: 13, version: 6 },
  { ...entryOf(5, { origin: "resolver", resolves: "12.0" }), seq: 14, version: 7 },
  { ...entryOf(6, { origin: "undo", message: "no", resolves: "12.1" }), seq: 15, version: 8 },
] as const;

test("[LOG-14] a run reads back as it was written, seqs and versions included", () => {
  expect(decodeRun({ key, value: encodeRun(key, 4, run), name })).toEqual(run);
});

/** A record with a body, as hex. */
function sealed(body: string): string {
  const content = Buffer.concat([Buffer.of(1), Buffer.from(body.replaceAll(" ", ""), "hex")]);
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(crc32(Buffer.concat([key, content])));
  return Buffer.concat([checksum, content]).toString("hex");
}

test("[LOG-14] the bytes of a run are fixed: old data folders must open", () => {
  const entry = { ...entryOf(1), seq: 10, version: 5, atMs: 1_000, paths: ["/a"] };
  const first = "000000 05616c696365 e807 01022f61 0400000001";
  expect(Buffer.from(encodeRun(key, 4, [entry])).toString("hex")).toBe(sealed(`04 01 ${first}`));
  const resolving = { ...entry, seq: 11, version: 6, origin: "resolver", resolves: "9.0", message: "m" } as const;
  const epoch = { ...epochOf(1, 300), seq: 12, version: 6, atMs: 1_000, update: Uint8Array.of(0, 0) };
  expect(Buffer.from(encodeRun(key, 4, [entry, resolving, epoch])).toString("hex")).toBe(
    sealed(`04 03 ${first} 000707 e807 016d 03392e30 01022f61 0400000001 020009 e807 00 020000 ac02`),
  );
});

test("[LOG-14] records of layout 1 end earlier; what they lack has the value that it had then", () => {
  const record = (body: string): StoredRecord => ({ key, value: Buffer.from(sealed(body), "hex"), name });
  const sizes = { logBytes: 9, coveredBytes: 5 };
  expect(decodeHead(record("05 05 00 07  03 06 09 05"))).toEqual({
    head: { seq: 5, version: 5, lockSeq: 0, updatedAtMs: 7 },
    checkpoints: [
      { seq: 0, version: 0, bytes: 0, isKept: false },
      { seq: 3, version: 3, bytes: 6, isKept: false },
    ],
    baseSeq: 0,
    ...sizes,
  });
  expect(decodeHead(record("05 05 00 07  00 06 09 05")).checkpoints).toEqual([
    { seq: 0, version: 0, bytes: 6, isKept: false },
  ]);
  expect(decodeCheckpoint(record("05 05 01 05616c696365 01 07 0109"))).toEqual({
    seq: 5,
    version: 5,
    owners: [[7, alice]],
    state: Uint8Array.of(9),
    retired: [],
    authorSalt: 0,
    locks: [],
  });
  const { firstEpoch: _, authorSalt: __, ...meta } = { ...metaOf("plan"), epoch: 4 };
  const text = Buffer.from(JSON.stringify(meta));
  const length = Buffer.of((text.length & 127) | 128, text.length >> 7).toString("hex");
  expect(decodeContext(record(`09 ${length} ${text.toString("hex")}`)).meta).toEqual({
    ...meta,
    firstEpoch: 4,
    authorSalt: 0,
  });
});

test("[LOG-15] any changed bit, any cut and any other key is DATA_DAMAGED with the record's name", () => {
  const value = encodeRun(key, 4, run);
  const decode =
    (bytes: Uint8Array, under: Uint8Array = key) =>
    (): unknown =>
      decodeRun({ key: under, value: bytes, name });
  const damage = expect.objectContaining({ code: "DATA_DAMAGED", message: expect.stringContaining(name) });
  for (let bit = 0; bit < value.length * 8; bit++) {
    const changed = value.slice();
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    expect(decode(changed)).toThrow(damage);
  }
  for (let length = 0; length < value.length; length++) expect(decode(value.slice(0, length))).toThrow(damage);
  expect(decode(value, runKey(1, 11))).toThrow(damage);
  expect(decode(value, runKey(2, 10))).toThrow(damage);
});

test("[LOG-15] a sound record of a format to come is DATA_FORMAT_NEWER", () => {
  const value = Buffer.from(encodeRun(key, 4, run));
  value[4] = 2;
  value.writeUInt32BE(crc32(Buffer.concat([key, value.subarray(4)])));
  expect(() => decodeRun({ key, value, name })).toThrow(expect.objectContaining({ code: "DATA_FORMAT_NEWER" }));
});

test("[LOG-14] head, checkpoint and context read back as they were written", () => {
  const head = { seq: 2 ** 40, version: 7, lockSeq: 3, updatedAtMs: 1_760_000_000_000 };
  const checkpoints = [
    { seq: 3, version: 2, bytes: 100, isKept: true },
    { seq: 5, version: 4, bytes: 2 ** 33, isKept: false },
    { seq: 2 ** 39, version: 5, bytes: 6, isKept: false },
  ];
  const headRecord = { head, checkpoints, baseSeq: 5, logBytes: 2 ** 41, coveredBytes: 9 };
  expect(decodeHead({ key, value: encodeHead(key, headRecord), name })).toEqual(headRecord);
  const owners = [
    [2 ** 32 - 1, alice],
    [1, alice],
    [2, bob],
  ] as const;
  const checkpoint = {
    seq: 5,
    version: 4,
    state: Uint8Array.of(0, 255),
    owners,
    retired: [7, 2 ** 32 - 1],
    authorSalt: 2 ** 32 - 1,
    locks: [
      {
        lockId: "l",
        paths: ["/ä"],
        mode: "shared" as const,
        holder: bob,
        purpose: "reading",
        fencingToken: 4,
        ttlMs: 1000,
        grantedAtMs: 5,
      },
    ],
  };
  expect(decodeCheckpoint({ key, value: encodeCheckpoint(key, checkpoint), name })).toEqual(checkpoint);
  const context = { number: 9, meta: { ...metaOf("plan"), description: "ä 🙂" } };
  expect(decodeContext({ key, value: encodeContext(key, context), name })).toEqual(context);
});

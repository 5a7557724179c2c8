/** The codec against bytes of any kind: 60,000 mutated and random messages. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { ServiceError } from "../../shared/errors.ts";
import { factsOf } from "../../server/sync/frame-facts.ts";
import * as frames from "../../shared/protocol/frames.ts";

const SEED = 20_261;
const RUNS = 30_000;

const update = fc.uint8Array({ maxLength: 40 });
const valid = fc.oneof(
  update.map(frames.encodeStep1),
  update.map(frames.encodeStep2),
  update.map(frames.encodeUpdate),
  fc
    .array(fc.record({ yjsClientId: fc.nat(), clock: fc.nat(), state: fc.constantFrom("{}", "null", '{"a":[1]}') }), {
      maxLength: 5,
    })
    .map(frames.encodeAwareness),
  fc
    .tuple(fc.nat(), fc.string(), fc.dictionary(fc.string(), fc.integer()))
    .map(([id, method, params]) => frames.encodeRequest(id, method, params)),
  fc.string().map(frames.encodeToken),
  fc.nat().map(frames.encodeBase),
);

const mutated = fc
  .tuple(
    valid,
    fc.array(fc.record({ at: fc.nat(), value: fc.nat(255), kind: fc.constantFrom("set", "drop", "insert", "cut") }), {
      minLength: 1,
      maxLength: 4,
    }),
  )
  .map(([message, mutations]) => {
    let bytes = [...message];
    for (const { at, value, kind } of mutations) {
      const index = bytes.length === 0 ? 0 : at % bytes.length;
      if (kind === "set") bytes[index] = value;
      else if (kind === "drop") bytes.splice(index, 1);
      else if (kind === "insert") bytes.splice(index, 0, value);
      else bytes = bytes.slice(0, index);
    }
    return Uint8Array.from(bytes);
  });

function outcome(message: Uint8Array): string {
  try {
    return frames.decodeClientFrame(message).type;
  } catch (error) {
    return error instanceof ServiceError ? error.code : `threw ${String(error)}`;
  }
}

const EXPECTED = [
  "step1",
  "data",
  "awareness",
  "query-awareness",
  "request",
  "token",
  "base",
  "MALFORMED_FRAME",
  "TOO_LARGE",
];

test.each([
  ["mutated frames", mutated],
  ["random bytes", fc.uint8Array({ maxLength: 60 })],
])(`[WIRE-1] ${RUNS} %s give a frame or a refusal (seed ${SEED})`, (_what, messages) => {
  fc.assert(
    fc.property(messages, (message) => {
      expect(EXPECTED).toContain(outcome(message));
    }),
    { numRuns: RUNS, seed: SEED },
  );
});

test("[TAP-1] whoever looks on is told something of any bytes, in a few KB", () => {
  fc.assert(
    fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 60 })), (message) => {
      expect(JSON.stringify(factsOf(message, () => [])).length).toBeLessThan(8000);
    }),
    { numRuns: 3000, seed: SEED },
  );
});

test("[WIRE-2] what is encoded is decoded alike", () => {
  fc.assert(
    fc.property(update, (content) => {
      const [edit, answer] = [frames.encodeUpdate(content), frames.encodeStep2(content)].map(frames.decodeClientFrame);
      expect(edit).toEqual({ type: "data", update: content, isAnswer: false });
      expect(answer).toEqual({ type: "data", update: content, isAnswer: true });
    }),
    { numRuns: 1000, seed: SEED },
  );
});

/** The scanner on right and wrong bytes: rules SCAN-n. */
import { describe, expect, test } from "vitest";
import * as Y from "yjs";
import { ServiceError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import { scanUpdate } from "../../server/state/update/update-scanner.ts";
import { touchOf } from "../../server/state/update/touched-paths.ts";
import { HOSTILE_UPDATES, MALFORMED_BYTES, victimDoc } from "../support/hostile-updates.ts";
import type { HostileUpdate } from "../support/hostile-updates.ts";
import {
  TYPE,
  any,
  assemble,
  deleted,
  embed,
  format,
  gc,
  item,
  json,
  text,
  type,
} from "../support/update-assembler.ts";
import type { Id } from "../support/update-assembler.ts";

const HEX_SILENT_KILL = "00020c0101070021 0101 6d 0161 00 00";

/** Bytes of the attacks are generated; this is one as it was caught. */
function fromHex(hex: string): Uint8Array {
  return Uint8Array.from(hex.replaceAll(" ", "").match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));
}

function refusalOf(act: () => unknown): { code: string; rule: unknown } {
  try {
    act();
  } catch (error) {
    if (error instanceof ServiceError) return { code: error.code, rule: error.details["rule"] };
    throw error;
  }
  return { code: "accepted", rule: undefined };
}

function expectUsable(doc: Y.Doc): void {
  expect(doc.store.pendingStructs).toBeNull();
  expect(doc.store.pendingDs).toBeNull();
  let emitted = 0;
  doc.on("update", () => emitted++);
  doc.getMap("data").set("after", 1);
  expect(emitted).toBe(1);
  const copy = new Y.Doc();
  Y.applyUpdate(copy, Y.encodeStateAsUpdate(doc));
  expect(copy.getMap("data").toJSON()).toEqual(doc.getMap("data").toJSON());
}

describe("attacks", () => {
  test.each(HOSTILE_UPDATES.map((attack): [string, HostileUpdate] => [attack.name, attack]))(
    "[SCAN-1] is refused and leaves the document as it was: %s",
    (_, { update, code, rule }) => {
      const doc = victimDoc();
      const before = Y.encodeStateAsUpdate(doc);
      expect(refusalOf(() => touchOf(doc, scanUpdate(update)))).toEqual({ code, rule });
      expect(Y.encodeStateAsUpdate(doc)).toEqual(before);
      expect([...doc.share.keys()]).toEqual(["data"]);
      expectUsable(doc);
    },
  );

  test.each(MALFORMED_BYTES.map((attack): [string, HostileUpdate] => [attack.name, attack]))(
    "[SCAN-2] the bytes alone decide: %s",
    (_, { update, code, rule }) => {
      expect(refusalOf(() => scanUpdate(update))).toEqual({ code, rule });
    },
  );

  test("[SCAN-1] refuses the frame body that silently killed a stock server", () => {
    const body = fromHex(HEX_SILENT_KILL).slice(3);
    expect(refusalOf(() => scanUpdate(body)).code).toBe("MALFORMED_UPDATE");
  });

  test("[SCAN-2] every prefix of a valid update is refused", () => {
    const doc = victimDoc();
    doc.getMap("data").set("späte 🎉 key", [{ a: 1.5 }, "text", null, -7, new Uint8Array([1, 2])]);
    const update = Y.encodeStateAsUpdate(doc);
    scanUpdate(update);
    for (let end = 0; end < update.length; end++) {
      expect(refusalOf(() => scanUpdate(update.subarray(0, end))).code, `${end} bytes`).toBe("MALFORMED_UPDATE");
    }
  });

  test("[SCAN-2] a view into a larger buffer is read to its own end and from its own start", () => {
    const update = assemble([{ client: 7, clock: 0, structs: [any({ key: "k" }, 0.1)] }]);
    const buffer = new Uint8Array(update.length + 64).fill(0xff);
    buffer.set(update, 13);
    expect(scanUpdate(buffer.subarray(13, 13 + update.length))).toEqual(scanUpdate(update));
    expect(refusalOf(() => scanUpdate(buffer.subarray(13, 12 + update.length))).code).toBe("MALFORMED_UPDATE");
  });
});

describe("what is read", () => {
  const origin: Id = [7, 0];
  const nothing = { origin: null, rightOrigin: null, parentRoot: null, parentId: null, key: null, shape: null };

  test("[SCAN-3] structs with their ids, places and kinds", () => {
    const { structs, deletes, roots } = scanUpdate(
      assemble(
        [
          {
            client: 7,
            clock: 3,
            structs: [
              type({ key: "m" }, TYPE.map),
              text({ parent: "t" }, "a🎉"),
              any({ origin, rightOrigin: [8, 1], key: "ignored" }, 1, 2),
              gc(4),
              deleted({ parent: [9, 9] }, 5),
            ],
          },
        ],
        [[8, 2, 3]],
      ),
    );
    const id = { client: 7 };
    expect(structs).toEqual([
      { ...nothing, ...id, clock: 3, length: 1, kind: "type", parentRoot: "data", key: "m", shape: "map" },
      { ...nothing, ...id, clock: 4, length: 3, kind: "text", parentRoot: "t" },
      {
        ...nothing,
        ...id,
        clock: 7,
        length: 2,
        kind: "any",
        origin: { client: 7, clock: 0 },
        rightOrigin: { client: 8, clock: 1 },
      },
      { ...nothing, ...id, clock: 9, length: 4, kind: "gc" },
      { ...nothing, ...id, clock: 13, length: 5, kind: "deleted", parentId: { client: 9, clock: 9 } },
    ]);
    expect(deletes).toEqual([{ client: 8, clock: 2, length: 3 }]);
    expect([...roots]).toEqual(["data", "t"]);
  });

  test.each([
    ["array", TYPE.array, undefined, "list"],
    ["map", TYPE.map, undefined, "map"],
    ["text", TYPE.text, undefined, "text"],
    ["XML element", TYPE.element, "p", "xml"],
    ["XML fragment", TYPE.fragment, undefined, "xml"],
    ["XML hook", TYPE.hook, "h", "map"],
    ["XML text", TYPE.xmlText, undefined, "text"],
  ])("[SCAN-3] the shape of a new %s", (_, tag, name, shape) => {
    const { structs } = scanUpdate(assemble([{ client: 7, clock: 0, structs: [type({ key: "k" }, tag, name)] }]));
    expect(structs[0]?.shape).toBe(shape);
  });

  test.each([
    ["undefined", any({ key: "k" }, undefined)],
    ["numbers", any({ key: "k" }, [0, -0, -1, 63, 64, -64, 2 ** 31, -(2 ** 40), 0.5, 0.1, Number.MAX_VALUE])],
    ["bytes", any({ key: "k" }, new Uint8Array(300))],
    ["binary content", item({ key: "k" }, 3, Uint8Array.from([2, 1, 2]))],
    ["old JSON", json({ parent: "l" }, '{"a":[1,"x",null]}')],
    ["old undefined", json({ parent: "l" }, "undefined")],
    ["embed", embed({ parent: "t" }, '{"image":"x.png"}')],
    ["end of a format", format({ parent: "t" }, "bold", "null")],
    ["empty key", any({ key: "" }, 1)],
    ["empty root name", any({ parent: "", key: "k" }, 1)],
    ["byte order mark", any({ key: "\ufeffk" }, "\ufeff")],
    ["long key that is not ASCII", any({ key: "ä".repeat(200) }, 1)],
    ["values nested as deep as the limit", any({ key: "k" }, nestedArray(LIMITS.depthMax))],
  ])("[SCAN-3] accepts what a stock client stores: %s", (_, struct) => {
    const update = assemble([{ client: 7, clock: 0, structs: [struct] }]);
    const doc = new Y.Doc();
    const { structs } = scanUpdate(update);
    touchOf(doc, { structs, deletes: [], roots: new Set() });
    Y.applyUpdate(doc, update);
    expect(Y.getState(doc.store, 7)).toBe(structs[0]?.length);
    expectUsable(doc);
  });

  test("[SCAN-3] a key reads the same as in Yjs", () => {
    for (const key of [
      "",
      "a",
      "~/",
      "ü",
      "🎉",
      "\u0000",
      "x".repeat(31),
      "x".repeat(32),
      "\ufeffbom",
      "a".repeat(127) + "é",
    ]) {
      const doc = new Y.Doc();
      doc.getMap("data").set(key, 1);
      expect(scanUpdate(Y.encodeStateAsUpdate(doc)).structs[0]?.key).toBe(key);
    }
  });

  test("[SCAN-4] one value more than the limit is refused, the limit itself is not", () => {
    const depth = (levels: number) =>
      assemble([{ client: 7, clock: 0, structs: [any({ key: "k" }, nestedArray(levels))] }]);
    scanUpdate(depth(LIMITS.depthMax));
    expect(refusalOf(() => scanUpdate(depth(LIMITS.depthMax + 1))).rule).toBe("depth");
    const key = (length: number) => assemble([{ client: 7, clock: 0, structs: [any({ key: "k".repeat(length) }, 1)] }]);
    scanUpdate(key(LIMITS.keyCharsMax));
    expect(refusalOf(() => scanUpdate(key(LIMITS.keyCharsMax + 1)))).toEqual({ code: "TOO_LARGE", rule: "key" });
    const ids = (length: number) => assemble([{ client: 7, clock: 0, structs: [gc(length)] }]);
    scanUpdate(ids(LIMITS.clockMax));
    expect(refusalOf(() => scanUpdate(ids(LIMITS.clockMax + 1))).rule).toBe("clock");
  });
});

function nestedArray(levels: number): unknown {
  let value: unknown = [];
  for (let i = 1; i < levels; i++) value = [value];
  return value;
}

/** The example of docs/types.md is run as it stands there. */
import { describe, expect, test } from "vitest";
import type { JsonOp } from "../../shared/change.ts";
import { isJsonObject } from "../../shared/json.ts";
import type { JsonObject } from "../../shared/json.ts";
import { LIMITS } from "../../shared/limits.ts";
import { read } from "../arch/source.ts";
import { TypedDocument } from "../support/typed-document.ts";

const page = read("docs/types.md").text;
/** A refused change is followed by what the refusal says. */
const blocks = [...page.matchAll(/^```json (\w+)\n([^]*?)^```\n(?:\n> (.*)$)?/gm)].map(
  ([, kind = "", text = "", says = "nothing"]) => ({ kind, text, says }),
);

function objectIn(kind: string): JsonObject {
  const object: unknown = JSON.parse(blocks.find((block) => block.kind === kind)?.text ?? "null");
  if (!isJsonObject(object)) throw new Error(`the page has no ${kind}`);
  return object;
}

const plan = new TypedDocument(objectIn("schema"), objectIn("data"));

describe("docs/types.md", () => {
  test("has its blocks", () => {
    expect(blocks.map(({ kind }) => kind).filter((kind) => kind === "accepted")).toHaveLength(3);
    expect(blocks.map(({ kind }) => kind).filter((kind) => kind === "refused")).toHaveLength(5);
  });

  test("[TYPE-1] its schema is one, and its data fits", () => {
    expect(plan.schema.violations(plan.data)).toEqual([]);
  });

  test("[TYPE-4] [TYPE-7] its changes are accepted, or refused as it says", () => {
    for (const { kind, says, text } of blocks) {
      if (kind !== "accepted" && kind !== "refused") continue;
      const ops: readonly JsonOp[] = JSON.parse(text);
      const refused = plan.change(ops);
      expect(refused?.message ?? "accepted").toContain(kind === "accepted" ? "accepted" : says);
    }
    expect(plan.data).toMatchObject({
      tasks: { t1: { title: "Write the user's guide", votes: 3 }, t2: { state: "open" } },
    });
  });

  test("[TYPE-8] its policies hold", () => {
    const rows = [...page.matchAll(/^\| `(\/[^`]*)` +\| `([a-z-]+)` +\|$/gm)];
    expect(rows).toHaveLength(4);
    for (const [, path = "", policy] of rows)
      expect([path, plan.schema.conflictPolicyAt(path)]).toEqual([path, policy]);
  });

  test("[TYPE-6] its titles are texts", () => {
    expect(plan.schema.crdtAt(["data", "tasks", "t1", "title"])).toBe("text");
    expect(plan.schema.crdtAt(["data", "summary"])).toBe("text");
  });

  test("[TYPE-1] the bounds are those of the product", () => {
    expect([LIMITS.schemaBytesMax, LIMITS.depthMax, LIMITS.schemaAppliesMax]).toEqual([64 * 1024, 64, 10_000]);
    expect([LIMITS.invalidContextsToldMax, LIMITS.violationsToldMax]).toEqual([500, 20]);
  });
});

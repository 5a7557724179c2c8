/** The page on concurrent writes says what happens. */
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { GROUPS, outcomeOf, pageOfWrites } from "../support/concurrent-writes.ts";

const PAGE = fileURLToPath(new URL("../../docs/concurrent-writes.md", import.meta.url));

describe("[CONFLICT-13] the page on concurrent writes", () => {
  test("docs/concurrent-writes.md is what these scenarios give; UPDATE_DOCS=1 writes it anew", async () => {
    const page = pageOfWrites();
    if (process.env["UPDATE_DOCS"] !== undefined) await writeFile(PAGE, page);
    expect(await readFile(PAGE, "utf8")).toBe(page);
  });

  test("no policy but first-wins takes anything of what the merge kept", () => {
    for (const scenario of GROUPS.flatMap(({ scenarios }) => scenarios)) {
      for (const idsRise of [true, false]) {
        const kept = outcomeOf(scenario, "record", idsRise).data;
        expect(outcomeOf(scenario, "manual", idsRise).data).toEqual(kept);
        expect(JSON.stringify(outcomeOf(scenario, "merge", idsRise).data).length).toBeGreaterThanOrEqual(
          JSON.stringify(kept).length,
        );
      }
    }
  });
});

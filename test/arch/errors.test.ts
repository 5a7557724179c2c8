/**
 * The error table of the code (shared/errors.ts) and the one people read (docs/reference/errors.md) are the same table.
 */
import { expect, test } from "vitest";
import { ERRORS } from "../../shared/errors.ts";
import { read } from "./source.ts";

/** Close codes of the design (§8): 44xx end a y-websocket client, 45xx make it reconnect. */
const CLOSE_CODES = [4400, 4401, 4403, 4404, 4409, 4413, 4429, 4503, 4504];

const rows = Object.entries(ERRORS).map(([code, { status, closeCode, retry, meaning }]) =>
  [`\`${code}\``, status, closeCode, retry, meaning].join(" | "),
);

const documented = read("docs/reference/errors.md")
  .text.split("\n")
  .filter((line) => line.startsWith("| `"))
  .map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim())
      .join(" | "),
  );

test("every error is documented, every documented error exists, in the order of the code", () => {
  expect(rows.length).toBeGreaterThan(20);
  expect(documented).toEqual(rows);
});

test("an error has a failure status and one of the documented close codes", () => {
  const odd = Object.entries(ERRORS).filter(
    ([, { status, closeCode }]) => status < 400 || status > 599 || !CLOSE_CODES.includes(closeCode),
  );
  expect(odd).toEqual([]);
});

test("a client is never told to come back (45xx) for what it must change first", () => {
  const odd = Object.entries(ERRORS).filter(([, { closeCode, retry }]) => closeCode >= 4500 && retry === "changed");
  expect(odd).toEqual([]);
});

/** The mutants of test/mutants are still of this code: their places are there, and so are the tests that must notice them. */
import { expect, test } from "vitest";
import { MUTANTS } from "../mutants/mutants.ts";
import { read } from "../arch/source.ts";

test.each(MUTANTS)("$name", ({ file, text, instead, test: its }) => {
  expect(read(file).text.split(text)).toHaveLength(2);
  expect(instead).not.toBe(text);
  expect(read(its.file).text).toContain(its.title);
});

test("names are theirs alone", () => {
  expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
});

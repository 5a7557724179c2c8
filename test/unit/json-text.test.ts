/** parseJsonText agrees with JSON.parse on what is valid, and refuses what JSON.parse would change silently. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { LIMITS } from "../../shared/limits.ts";
import { parseJsonText } from "../../shared/protocol/json-text.ts";

const works = (parse: (text: string) => unknown, text: string): boolean => {
  try {
    parse(text);
    return true;
  } catch {
    return false;
  }
};

test("[REST-11] every JSON value survives", () => {
  const texts = fc.json({ maxDepth: 5 }).filter((text) => !text.includes("__proto__"));
  fc.assert(
    fc.property(texts, (text) => {
      expect(parseJsonText(text)).toEqual(JSON.parse(text));
    }),
    { seed: 2, numRuns: 500 },
  );
});

test("[REST-11] on texts made of JSON's own pieces it accepts exactly what JSON.parse does", () => {
  const pieces = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    '"a"',
    '"b\\n"',
    '"\\u00e9"',
    '"\\x"',
    '"\n"',
    "1",
    "-0.5e3",
    "01",
    "+1",
    "1.",
    ".5",
  ];
  const soup = fc.array(fc.constantFrom(...pieces, "true", "nul", " ", "\t", "\u00a0", "{}", '"a":', '["b"]'), {
    maxLength: 9,
  });
  const withoutTwins = soup.map((it) => it.join("")).filter((text) => (text.match(/"a"/g) ?? []).length < 2);
  fc.assert(
    fc.property(withoutTwins, (text) => {
      // "b\n" or é twice in one object is refused here and not there: rare, and left out by the pieces' use as keys.
      fc.pre(!/e\d{3}/.test(text));
      fc.pre((text.match(/"(?:b\\n|\\u00e9)"\s*:/g) ?? []).length < 2);
      expect([text, works(parseJsonText, text)]).toEqual([text, works(JSON.parse, text)]);
    }),
    { seed: 3, numRuns: 20_000 },
  );
});

test.each([
  ['{"a":1,"\\u0061":2}', /line 1, column 8: the object has the same key twice/],
  ['{"a":{"b":1},"b":{"b":2},"a":3}', /column 26/],
  ['{"\\u005f_proto__":1}', /__proto__/],
  ["[1e309]", /column 2: the number is too large/],
  ["[-1e309]", /column 2/],
  [`[${"9".repeat(400)}]`, /too large/],
  ['{\n\t"a": tru\n}', /line 2, column 7: expected a value/],
  ["[1,\r\n2", /line 2, column 2: the text ends/],
  ['"abc', /line 1, column 5: the text ends inside a string/],
  ['"a\u0001"', /column 3: a control character/],
])("[REST-11] %s is refused with the place", (text, says) => {
  expect(() => parseJsonText(text)).toThrow(says);
});

test("[REST-11] the same key in different objects is no twin", () => {
  expect(parseJsonText('[{"a":{"a":1}},{"a":2}]')).toEqual([{ a: { a: 1 } }, { a: 2 }]);
});

test("[REST-13] nesting is bounded without recursion", () => {
  const nested = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);
  expect(works(parseJsonText, nested(LIMITS.depthMax + 6))).toBe(true);
  expect(() => parseJsonText(nested(LIMITS.depthMax + 7))).toThrow(/deeper/);
  expect(() => parseJsonText("[".repeat(4_000_000))).toThrow(/deeper/);
  expect(() => parseJsonText('{"a":'.repeat(800_000))).toThrow(/deeper/);
});

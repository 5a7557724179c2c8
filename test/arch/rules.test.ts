/**
 * Every rule of a SPEC or PROTOCOL page has a test that names it, and every rule a test names exists.
 *
 * A rule is a list item that opens with its bold id (`- **LOCK-4** …`); a test names it in its title (`[LOCK-4] a …`).
 */
import { describe, expect, test } from "vitest";
import { filesIn, read, sourcesIn } from "./source.ts";
import { ruleIdsOf, strangersIn, titlesOf } from "./rules.ts";

const PAGES = ["server/SPEC.md", "server/transport/mcp/SPEC.md", "client/SPEC.md", "shared/protocol/PROTOCOL.md"];

const written = new Set(filesIn());
const rules = PAGES.filter((page) => written.has(page)).flatMap((page) => ruleIdsOf(read(page).text));
const titles = sourcesIn("test", "e2e").flatMap(titlesOf);

describe("rules and tests", () => {
  test("every page of rules is there and holds some", () => {
    expect(PAGES.filter((page) => !written.has(page) || ruleIdsOf(read(page).text).length === 0)).toEqual([]);
  });

  test("an id names one rule", () => {
    expect(rules.filter((id, index) => rules.indexOf(id) !== index)).toEqual([]);
  });

  test("every rule has a test", () => {
    const named = new Set(titles.flatMap((title) => title.match(/\b[A-Z]+-\d+\b/g) ?? []));
    expect(rules.filter((id) => !named.has(id))).toEqual([]);
  });

  test("every rule that a test names exists", () => {
    expect(titles.flatMap((title) => strangersIn(title, rules))).toEqual([]);
  });

  test("each line of the threat model names a rule, and rules that exist", () => {
    const [, model = ""] = read("docs/security.md").text.split("## Threat model");
    const [table = ""] = model.split("**not**");
    const lines = table.split("\n").filter((line) => /^\| (?!attack|-)/.test(line));
    expect(lines.length).toBeGreaterThan(10);
    expect(lines.filter((line) => !/\b[A-Z]+-\d+\b/.test(line))).toEqual([]);
    expect(lines.flatMap((line) => strangersIn(line, rules))).toEqual([]);
  });

  test("what a comment says of Yjs is a fact of docs/yjs.md, and each fact there leads to rules that exist", () => {
    const { text } = read("docs/yjs.md");
    const facts = new Set([...text.matchAll(/\*\*(Y\d+)\*\*/g)].map(([, fact]) => fact));
    const cited = sourcesIn("server", "client", "shared", "test").flatMap(({ text: source }) =>
      [...source.matchAll(/docs\/yjs\.md (Y\d+(?:, Y\d+)*)/g)].flatMap(([, names = ""]) => names.split(", ")),
    );
    expect(cited.length).toBeGreaterThan(10);
    expect(cited.filter((fact) => !facts.has(fact))).toEqual([]);
    expect(strangersIn(text, rules)).toEqual([]);
  });

  test("titles are seen (a silent zero would be a false green)", () => {
    expect(titles).toContain("titles are seen (a silent zero would be a false green)");
  });
});

describe("the check itself", () => {
  const source = (text: string) => ({ path: "test/unit/a.test.ts", text });

  test("finds rules in a page", () => {
    const page = "# Locks\n\n- **LOCK-1** One holder.\n- **LOCK-12**: none.\n- see **LOCK-3**\ntext **LOCK-4**\n";
    expect(ruleIdsOf(page)).toEqual(["LOCK-1", "LOCK-12"]);
  });

  test("finds titles however a test is written", () => {
    const text = `
      describe("a", () => { it("b", () => {}); test.skip(\`c \${1} d\`, () => {}); });
      test.each([1])("e %i", () => {}); test.for([1])("f", () => {}); test("g" + " h", () => {});
      describe.each([1])(\`i\`, () => {}); test.describe("j", () => {}); other("k"); map.test("l");`;
    expect(titlesOf(source(text))).toEqual(["a", "b", "c … d", "e %i", "f", "g h", "i", "j"]);
  });

  test("finds an id that no page has", () => {
    expect(strangersIn("[LOKC-1] a typo", ["LOCK-1"])).toEqual(["LOKC-1"]);
    expect(strangersIn("[LOCK-1] and LOCK-99, which is gone", ["LOCK-1"])).toEqual(["LOCK-99"]);
    expect(strangersIn("SHA-256 is no rule", ["LOCK-1"])).toEqual([]);
  });
});

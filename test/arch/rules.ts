/**
 * Rule ids in pages, and the ids that test titles name.
 *
 * 1. In brackets an id must exist. Bare, it counts as one only if some rule has its prefix (UTF-8 and SHA-256 are no rules).
 * 2. Titles are read from the syntax tree; what a title computes at run time is seen as "…".
 */
import type { Expression } from "oxc-parser";
import { visit } from "./source.ts";
import type { Source } from "./source.ts";

export function ruleIdsOf(page: string): string[] {
  return [...page.matchAll(/^- \*\*([A-Z]+-\d+)\*\*/gm)].flatMap(([, id]) => id ?? []);
}

/** The ids in a title that no page has. */
export function strangersIn(title: string, rules: readonly string[]): string[] {
  const prefixes = new Set(rules.map(prefixOf));
  const bracketed = [...title.matchAll(/\[([A-Z]+-\d+)\]/g)].flatMap(([, id]) => id ?? []);
  const bare = (title.match(/\b[A-Z]+-\d+\b/g) ?? []).filter((id) => prefixes.has(prefixOf(id)));
  return [...new Set([...bracketed, ...bare])].filter((id) => !rules.includes(id));
}

const prefixOf = (id: string): string => id.slice(0, id.indexOf("-"));

/** The titles of all tests and describes: `test(…)`, `it.only(…)`, `test.each(…)(…)`, `test.describe(…)`. */
export function titlesOf(source: Source): string[] {
  const titles: string[] = [];
  visit(source, {
    CallExpression: ({ callee, arguments: [first] }) => {
      if (first === undefined || first.type === "SpreadElement" || !isTestFunction(callee)) return;
      const title = textOf(first);
      if (title !== undefined) titles.push(title);
    },
  });
  return titles;
}

function isTestFunction(callee: Expression): boolean {
  if (callee.type === "Identifier") return ["test", "it", "describe"].includes(callee.name);
  if (callee.type === "MemberExpression") return isTestFunction(callee.object);
  return callee.type === "CallExpression" && isTestFunction(callee.callee);
}

function textOf(expression: Expression): string | undefined {
  if (expression.type === "Literal") return typeof expression.value === "string" ? expression.value : undefined;
  if (expression.type === "TemplateLiteral") return expression.quasis.map(({ value }) => value.cooked ?? "").join("…");
  if (expression.type !== "BinaryExpression" || expression.left.type === "PrivateIdentifier") return undefined;
  return `${textOf(expression.left) ?? "…"}${textOf(expression.right) ?? "…"}`;
}

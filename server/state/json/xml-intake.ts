/**
 * XML as JSON from outside: what a tree must be like before it may go into a document.
 *
 * Invariants (JSON):
 *  1. A tree that is taken has the form of `xmlTreeOf` (shared/value-json.ts), its texts with no two parts alike side by side.
 *  2. Every string in it is checked and every node weighed; nodes nest as deep as the caller allows.
 *  3. No value is taken that Yjs would throw at.
 */
import { isJsonObject } from "../../../shared/json.ts";
import type { Json, JsonObject } from "../../../shared/json.ts";
import { sameJson } from "../../../shared/json-equality.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { checkNumber, checkString, invalid } from "./json-checks.ts";

/** What the one who asks for it sees to. */
export interface XmlRules {
  /** Counts a node; may refuse. */
  readonly enter: () => void;
  /** Counts characters; may refuse. */
  readonly spend: (bytes: number) => void;
  /** How deep nodes may nest. */
  readonly depth: number;
  /** Whether null may stand for a node that JSON cannot hold. */
  readonly takesUnknown: boolean;
}

const FORM =
  'XML is written {"$xml": node} or {"$xml": [nodes]}, a node {"element": name, "attributes"?: {…}, "children"?: [nodes]} or {"text": [{"insert": string or object, "attributes"?: {…}}]}.';

/** @throws {ServiceError} INVALID_CHANGE, and what the rules throw */
export function takeXml(tree: unknown, rules: XmlRules): Json {
  return Array.isArray(tree) ? takeNodes(tree, rules) : takeNode(tree, rules);
}

function takeNodes(nodes: readonly unknown[], rules: XmlRules): Json[] {
  return nodes.map((node) => (node === null && rules.takesUnknown ? null : takeNode(node, rules)));
}

function takeNode(node: unknown, rules: XmlRules): Json {
  rules.enter();
  if (rules.depth <= 0) throw invalid("The XML is nested too deeply.");
  if (!isJsonObject(node)) throw invalid(FORM);
  const { element, attributes, children, text, ...others } = node;
  if (Object.keys(others).length > 0) throw invalid(FORM);
  if (text !== undefined) {
    if (element !== undefined || attributes !== undefined || children !== undefined) throw invalid(FORM);
    return { text: takeDelta(text, rules) };
  }
  const taken = takeAttributes(attributes, rules);
  const inner = takeNodes(listIn(children), { ...rules, depth: rules.depth - 1 });
  return {
    element: takeName(element),
    ...(taken === undefined ? {} : { attributes: taken }),
    ...(inner.length === 0 ? {} : { children: inner }),
  };
}

function takeName(name: unknown): string {
  const taken = checkString(name);
  if (taken === "" || taken === "__proto__" || taken.length > LIMITS.keyCharsMax) {
    throw invalid(
      `The name of an element or attribute has 1 to ${LIMITS.keyCharsMax} characters and is not "__proto__".`,
    );
  }
  return taken;
}

function takeDelta(delta: unknown, rules: XmlRules): Json[] {
  const parts: Part[] = [];
  for (const given of listIn(delta)) {
    const part = takePart(given, rules);
    const both = joined(parts.at(-1), part);
    if (both !== undefined) parts[parts.length - 1] = both;
    else if (part.insert !== "") parts.push(part);
  }
  return parts.map((part) => ({ ...part }));
}

interface Part {
  readonly insert: Json;
  readonly attributes?: JsonObject;
}

function takePart(part: unknown, rules: XmlRules): Part {
  if (!isJsonObject(part)) throw invalid(FORM);
  const { insert, attributes, ...others } = part;
  if (Object.keys(others).length > 0 || !(typeof insert === "string" || isJsonObject(insert))) throw invalid(FORM);
  const formats = takeAttributes(attributes, rules);
  return { insert: takeJson(insert, rules, rules.depth), ...(formats === undefined ? {} : { attributes: formats }) };
}

/** Two parts as one, when they are strings with the same formats. */
function joined(last: Part | undefined, part: Part): Part | undefined {
  if (typeof last?.insert !== "string" || typeof part.insert !== "string") return undefined;
  const isAlike = sameJson(last.attributes ?? {}, part.attributes ?? {}, { left: LIMITS.diffStepsMax });
  return isAlike ? { ...part, insert: last.insert + part.insert } : undefined;
}

function takeAttributes(attributes: unknown, rules: XmlRules): JsonObject | undefined {
  if (attributes === undefined) return undefined;
  if (!isJsonObject(attributes)) throw invalid(FORM);
  const entries = Object.entries(attributes).map(([key, value]) => {
    // Yjs looks at `value.constructor`
    if (isJsonObject(value) && Object.hasOwn(value, "constructor"))
      throw invalid('An attribute\'s value cannot have a member called "constructor".');
    return [takeName(key), takeJson(value, rules, rules.depth)] as const;
  });
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

function takeJson(value: unknown, rules: XmlRules, depth: number): Json {
  rules.spend(1);
  if (depth <= 0) throw invalid("The XML is nested too deeply.");
  if (value === null || typeof value === "boolean") return value;
  if (typeof value === "number") return checkNumber(value);
  if (typeof value === "string") {
    rules.spend(value.length);
    return checkString(value);
  }
  if (Array.isArray(value)) return value.map((inner) => takeJson(inner, rules, depth - 1));
  if (!isJsonObject(value)) throw invalid(FORM);
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => {
      rules.spend(key.length);
      return [takeName(key), takeJson(inner, rules, depth - 1)] as const;
    }),
  );
}

function listIn(value: unknown): readonly unknown[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw invalid(FORM);
  return value;
}
